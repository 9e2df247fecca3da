"""What the commands that launch an execution have in common: follow it, and say how it started or ended."""

from __future__ import annotations

import json

import click

from scripts import follow
from scripts.cli import FAILED, FAULT, PASSED
from scripts.reports import Outcome, outcome_of, where_to_look
from tasks._flyte import Flyte
from tasks._launch import Launched

_PATIENCE_S = 120
"""How long a Flyte may be away while an execution is followed, which goes on without us."""
_HOW_TO_GO_ON = (
    "Follow it again with the same command; "
    "end it with `flytectl delete execution {it.name} -p {it.project} -d {it.domain}`."
)


def follow_to_end(flyte: Flyte, launched: Launched, *, timeout: float) -> Outcome:
    """Show an execution's progress until it has ended, and return how it did.

    Raises:
        WaitTimedOut: it still runs after `timeout` seconds; 0 is no limit.
    """
    if launched.attached:
        click.echo(f"{launched.id.name} was launched before; attached to it.", err=True)
    try:
        with follow.display() as show:
            patient = flyte.hurried(timeout_s=30, patience_s=_PATIENCE_S)
            state = follow.follow(patient, launched.id, show, timeout_s=timeout)
    except KeyboardInterrupt:
        click.echo(f"\nIt goes on running. {_HOW_TO_GO_ON.format(it=launched.id)}", err=True)
        raise click.Abort from None
    return outcome_of(flyte, state)


def say_started(launched: Launched, *, as_json: bool) -> int:
    """Print which execution was launched, and return the exit code."""
    if as_json:
        identity = {"project": launched.id.project, "domain": launched.id.domain, "name": launched.id.name}
        click.echo(json.dumps({"execution": identity, "attached": launched.attached}))
    else:
        click.echo(launched.id.name)
        click.echo(where_to_look(launched.id), err=True)
    return PASSED


def say_ended(outcome: Outcome, *, as_json: bool) -> int:
    """Print how an execution ended, and return the exit code: what waits is no failure."""
    click.echo(json.dumps(outcome.as_json()) if as_json else outcome.text())
    return {True: PASSED, False: FAILED, None: FAULT}[outcome.passed]


def end_of(flyte: Flyte, launched: Launched, *, wait: bool, timeout: float, as_json: bool) -> int:
    """Follow an execution to its end, or only say that it was launched; return the exit code."""
    if not wait:
        return say_started(launched, as_json=as_json)
    return say_ended(follow_to_end(flyte, launched, timeout=timeout), as_json=as_json)
