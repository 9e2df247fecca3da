"""`taxiway rollback`: bring a stage back to what was active together in an earlier generation of it."""

from __future__ import annotations

import json
import os
from typing import Any

import click

from scripts import follow
from scripts.cli import FAILED, FAULT, PASSED
from scripts.connection import flyte_at, stage_at, stage_credentials
from scripts.options import examples, flyte_options, follow_options, json_option
from scripts.pending import Pending, folder, record, send_all
from tasks._flyte import Flyte
from tasks._home import Home
from tasks._launch import Launched
from tasks._typed import value_of
from tasks.converge import Activated, converge
from tasks.generations import OUTPUT
from tasks.rollback import history_of, launch_rollback, plan_rollback
from tasks.stage_state import Activation, record_of

_PATIENCE_S = 120


@click.command(
    "rollback",
    short_help="Bring a stage back to an earlier release.",
    epilog=examples(
        'taxiway rollback fraud production --to previous --reason "it scores everybody alike"',
        'taxiway rollback fraud production --to g3 --reason "..." --direct',
    ),
)
@click.argument("target")
@click.argument("stage")
@click.option(
    "--to",
    default="previous",
    show_default=True,
    help="`previous` (what ran verified before), a release's SHA, a version, or a generation such as g3.",
)
@click.option("--reason", required=True, help="Why; it is part of the record.")
@click.option(
    "--direct",
    is_flag=True,
    help="Make the calls from here, for when Taxiway's own executions do not run; the record follows.",
)
@follow_options
@flyte_options
@json_option
def command(
    target: str,
    stage: str,
    to: str,
    reason: str,
    direct: bool,
    wait: bool,
    timeout: float,
    config_file: str | None,
    project: str,
    domain: str,
    as_json: bool,
) -> int:
    """Activate in STAGE of TARGET all that was active together then; whatever else it had is deactivated.

    Nothing is registered, built or run. The stage is held from then on: `taxiway unhold` lets it go. With
    --direct the calls are made from this shell, and their record is launched as soon as Flyte takes it:
    until then it is kept in a file, which the next `taxiway rollback --direct` or `taxiway where` sends.

    Ends with 0 if the stage is back, 1 if the rollback was refused, 2 on a fault or bad usage.
    """
    with flyte_at(config_file) as flyte:
        home = Home(flyte=flyte, project=project, domain=domain, target=target)
        if direct:
            for line in send_all(flyte):
                click.echo(line, err=True)
        planned = plan_rollback(home, stage, to=to, reason=reason, credentials=stage_credentials())
        if direct:
            return _directly(home, planned, to, as_json=as_json)
        launched = launch_rollback(home, planned, to)
        if not wait:
            click.echo(json.dumps(_execution(launched)) if as_json else launched.id.name)
            return PASSED
        return _follow(flyte, home, planned, launched, timeout=timeout, as_json=as_json)


def _directly(home: Home, planned: Activation, to: str, *, as_json: bool) -> int:
    last = record_of(home, history_of(home, planned.stage)[0])
    with stage_at(planned.endpoint, home.flyte) as flyte:
        done = converge(flyte, planned, {*last.before, *last.after})
    pending = Pending(
        endpoint=home.flyte.endpoint, project=home.project, domain=home.domain, to=to, activation=planned
    )
    recorded = record(home.flyte.hurried(timeout_s=15, patience_s=5), pending, folder(os.environ))
    if isinstance(recorded, Launched):
        _say(planned, done, {"execution": _execution(recorded)}, as_json=as_json)
        click.echo(f"The record of it: {recorded.id.name}", err=True)
    else:
        _say(planned, done, {"pending": str(recorded)}, as_json=as_json)
        click.echo(
            f"Flyte did not take the record yet; it is kept in {recorded}, and sent by the next "
            "`taxiway rollback --direct` or `taxiway where`.",
            err=True,
        )
    return PASSED


def _follow(
    flyte: Flyte, home: Home, planned: Activation, launched: Launched, *, timeout: float, as_json: bool
) -> int:
    with follow.display() as show:
        patient = flyte.hurried(timeout_s=30, patience_s=_PATIENCE_S)
        state = follow.follow(patient, launched.id, show, timeout_s=timeout)
    said = {"execution": {**_execution(launched), "phase": state.phase}}
    if state.phase == "SUCCEEDED":
        done = value_of(home.data(launched.id.name).full_outputs, OUTPUT, Activated)
        _say(planned, done, said, as_json=as_json)
        return PASSED
    cause = (state.error_message or state.abort_cause or "no reason given").strip()[-2000:]
    if as_json:
        click.echo(json.dumps({**said, "problem": cause, "activation": planned.model_dump(mode="json")}))
    else:
        click.echo(f"{launched.id.name}: {state.phase.lower()}. {cause}")
        click.echo("The next promotion or rollback goes on from there; or do it with --direct.", err=True)
    return FAILED if state.error_code == "TAXI:ActivationRefused" else FAULT


def _say(planned: Activation, done: Activated, more: dict[str, Any], *, as_json: bool) -> None:
    if as_json:
        values = {"activation": planned.model_dump(mode="json"), "activated": done.model_dump(mode="json")}
        click.echo(json.dumps({**more, **values}))
        return
    what = planned.version or f"what generation {planned.back_to} had"
    click.echo(
        f"{planned.target} {planned.stage} is back at {what}: {len(done.changed)} launch plans changed."
    )
    for name, version in done.changed.items():
        click.echo(f"  {name}: {version or 'not active any more'}")
    for name in done.repaired:
        click.echo(f"  {name} was ACTIVE beside another version, and is not any more.")


def _execution(launched: Launched) -> dict[str, str]:
    return {"project": launched.id.project, "domain": launched.id.domain, "name": launched.id.name}
