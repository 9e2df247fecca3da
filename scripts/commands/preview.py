"""`taxiway preview`: launch, or find, the preview of one revision, follow it, and say how it ended."""

from __future__ import annotations

import json

import click

from scripts import follow
from scripts.cli import FAILED, FAULT, PASSED
from scripts.connection import flyte_at, is_sandbox
from scripts.enrolments import Enrolled, find_enrolled
from scripts.launches import Asked, launch
from scripts.options import examples, flyte_options, json_option
from scripts.reports import Outcome, outcome_of, where_to_look
from scripts.trial import enrol_trial, is_url
from tasks._errors import BadUsage
from tasks._flyte import Flyte
from tasks._launch import Launched
from tasks.source import checked_sha

_PATIENCE_S = 120
"""How long a Flyte may be away while an execution is followed, which goes on without us."""
_HOW_TO_GO_ON = (
    "Follow it again with the same command; "
    "end it with `flytectl delete execution {it.name} -p {it.project} -d {it.domain}`."
)


@click.command(
    "preview",
    short_help="Preview a pull request's revision.",
    epilog=examples("taxiway preview fraud 4f0c1d2e3b5a69788796a5b4c3d2e1f001122334 --pull-request 12"),
)
@click.argument("target")
@click.argument("sha")
@click.option("--pull-request", type=click.IntRange(min=0), default=0, help="Its number; 0 is none.")
@click.option("--attempt", type=click.IntRange(min=1), default=1, help="Another run of the same revision.")
@click.option("--wait/--no-wait", default=True, show_default=True, help="Follow it to its end.")
@click.option("--timeout", type=click.FloatRange(min=0), default=0, help="Seconds to wait; 0 is no limit.")
@flyte_options
@json_option
def command(
    target: str,
    sha: str,
    pull_request: int,
    attempt: int,
    wait: bool,
    timeout: float,
    config_file: str | None,
    project: str,
    domain: str,
    as_json: bool,
) -> int:
    """Preview the revision SHA of an enrolled TARGET: package, register, smoke-test and report it.

    The same question finds the same execution: a second call attaches to the first. A repository's URL in
    place of TARGET enrols a trial target first, on a sandbox only.

    Ends with 0 if the preview passed, 1 if its verdict is anything else, 2 on a fault or bad usage.
    """
    asked = Asked(sha=checked_sha(sha), pull_request=pull_request, attempt=attempt)
    with flyte_at(config_file) as flyte:
        enrolled = _target(flyte, project, domain, target)
        launched = launch(flyte, enrolled, asked)
        if not wait:
            _say_started(launched, target=target, sha=sha, as_json=as_json)
            return PASSED
        outcome = _follow(flyte, launched, timeout=timeout)
    _say_outcome(outcome, as_json=as_json)
    return {True: PASSED, False: FAILED, None: FAULT}[outcome.passed]


def _target(flyte: Flyte, project: str, domain: str, target: str) -> Enrolled:
    if not is_url(target):
        return find_enrolled(flyte, project, domain, target)
    if not is_sandbox(flyte):
        raise BadUsage(
            "A URL in place of a target is taken on a sandbox only.",
            remedy="Enrol the repository first: `taxiway enroll URL --name TARGET`.",
        )
    return enrol_trial(flyte, project, domain, target)


def _follow(flyte: Flyte, launched: Launched, *, timeout: float) -> Outcome:
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


def _say_started(launched: Launched, *, target: str, sha: str, as_json: bool) -> None:
    if as_json:
        identity = {"project": launched.id.project, "domain": launched.id.domain, "name": launched.id.name}
        click.echo(json.dumps({"execution": identity, "attached": launched.attached}))
        return
    click.echo(launched.id.name)
    click.echo(where_to_look(launched.id), err=True)


def _say_outcome(outcome: Outcome, *, as_json: bool) -> None:
    click.echo(json.dumps(outcome.as_json()) if as_json else outcome.text())
