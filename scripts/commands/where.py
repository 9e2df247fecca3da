"""`taxiway where`: which release is in which stage since when, and what waits for what."""

from __future__ import annotations

import json
from collections.abc import Iterator

import click

from scripts.columns import columns
from scripts.commands.history import short_version
from scripts.connection import GLANCE_S, flyte_at, stage_at
from scripts.enrolments import find_enrolled
from scripts.options import examples, flyte_options, json_option
from scripts.pending import send_all
from tasks._home import Home
from tasks._render import printable
from tasks.gates import GateVerdict
from tasks.where import Promotion, StagePlace, Where, read_where

_PLANS = 10
"""How many launch plans of a stage are listed; `--json` has all of them."""


@click.command(
    "where",
    short_help="Show which release is in which stage, and what waits.",
    epilog=examples("taxiway where fraud", "taxiway where fraud --json"),
)
@click.argument("target")
@flyte_options
@json_option
def command(target: str, config_file: str | None, project: str, domain: str, as_json: bool) -> None:
    """Show for every stage of TARGET its release, since when, and what the next one waits for.

    A stage that runs something else than its last record says is shown as drift, one whose activation
    ended halfway as PARTIAL. It comes from Flyte alone. A stage at another Flyte is asked there; where that
    cannot be, it is shown by its record, and why.
    """
    with flyte_at(config_file) as flyte:
        enrolment = find_enrolled(flyte, project, domain, target).enrolment
        for line in send_all(flyte):
            click.echo(line, err=True)
        home = Home(flyte=flyte, project=project, domain=domain, target=target)
        found = read_where(
            home, enrolment, open_other=lambda endpoint: stage_at(endpoint, flyte, patience_s=GLANCE_S)
        )
    if as_json:
        click.echo(json.dumps(as_document(found)))
    else:
        click.echo(text_of(found))


def as_document(found: Where) -> dict[str, object]:
    """Return the answer for machines: the record, and the condition of each stage in one word."""
    stages = [{**one.model_dump(mode="json"), "condition": one.condition} for one in found.stages]
    return {"target": found.target, "stages": stages}


def text_of(found: Where) -> str:
    """Return the answer for a person."""
    if not found.stages:
        return f"Nothing of {found.target} was released yet."
    head = ("STAGE", "RELEASE", "VERSION", "GENERATION", "SINCE", "BY", "STATE")
    lines = [columns(head, [_row(one) for one in found.stages])]
    for stage in found.stages:
        lines += ["", f"{stage.stage}:", *(f"  {printable(line)}" for line in _details(stage))]
    return "\n".join(lines)


def _row(one: StagePlace) -> list[str]:
    known = one.generation >= 0
    return [
        one.stage,
        one.sha[:7] or "-",
        short_version(one.version, one.sha),
        f"{one.generation} ({one.cause})" if known else "-",
        one.since or "-",
        one.who or "-",
        _state(one),
    ]


def _state(one: StagePlace) -> str:
    state = f"{one.condition}, held" if one.held else one.condition
    return f"{state}, {one.endpoint} not asked ({one.fault})" if one.fault else state


def _details(one: StagePlace) -> Iterator[str]:
    active = one.active or {}
    for name, versions in list(active.items())[:_PLANS]:
        yield f"ACTIVE {name} {' and '.join(short_version(version, one.sha) for version in versions)}"
    if len(active) > _PLANS:
        yield f"... and {len(active) - _PLANS} more"
    if one.generation >= 0 and one.active == {}:
        yield "none of its launch plans is ACTIVE"
    if one.partial:
        yield f"PARTIAL: {one.execution} is {one.phase}, and not all of it was done"
        yield "the next promotion or rollback finishes it or puts it back"
    elif one.condition == "changing":
        yield f"changing: {one.execution} is {one.phase}"
    word = "still to do" if one.partial or one.condition == "changing" else "drift"
    yield from (f"{word}: {text}" for text in one.drift)
    if one.held:
        yield f"held: {one.held}"
    for promotion in one.next:
        yield from _promotion(promotion)
    if one.note:
        yield one.note


def _promotion(one: Promotion) -> Iterator[str]:
    yield f"{one.outcome}: {one.sha[:7] or 'a release'} since {one.at}, by {one.who} ({one.execution})"
    yield from (f"  {_wait(gate)}" for gate in one.waits)


def _wait(gate: GateVerdict) -> str:
    opens = f"; opens: {gate.opens}" if gate.opens else ""
    return f"{gate.gate} is {gate.state.value}: {gate.because}{opens}"
