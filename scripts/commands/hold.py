"""`taxiway hold`: let a stage take nothing until it is let go."""

from __future__ import annotations

import click

from scripts.cli import PASSED
from scripts.connection import flyte_at
from scripts.deciding import Decision, decide, recorded, say
from scripts.enrolments import find_enrolled
from scripts.options import examples, flyte_options, json_option
from tasks._home import Home
from tasks._people import NOBODY
from tasks.hold import Hold, checked


@click.command(
    "hold",
    short_help="Hold a stage, so that it takes nothing.",
    epilog=examples('taxiway hold fraud production --reason "month-end figures"'),
)
@click.argument("target")
@click.argument("stage")
@click.option("--reason", required=True, help="Why; it is shown to everybody who waits.")
@flyte_options
@json_option
def command(
    target: str,
    stage: str,
    reason: str,
    config_file: str | None,
    project: str,
    domain: str,
    as_json: bool,
) -> int:
    """Hold STAGE of TARGET: no promotion into it begins or activates anything until `taxiway unhold`.

    Ends with 0 once it is recorded, 2 on a fault or bad usage.
    """
    held = set_hold(config_file, project, domain, target=target, stage=stage, reason=reason, hold=True)
    say(held, lambda: text_of(held), as_json=as_json)
    return PASSED


def set_hold(
    config_file: str | None, project: str, domain: str, *, target: str, stage: str, reason: str, hold: bool
) -> Hold:
    """Hold a stage or let it go, and return how Flyte recorded that."""
    checked(stage=stage, reason=reason)
    with flyte_at(config_file) as flyte:
        enrolled = find_enrolled(flyte, project, domain, target)
        home = Home(flyte=flyte, project=project, domain=domain, target=target)
        decision = Decision(
            flow="hold",
            act="hold" if hold else "unhold",
            stage=stage,
            inputs={"stage": stage, "reason": reason, "hold": hold},
            reason=reason,
        )
        return recorded(flyte, home, decide(home, enrolled, decision), Hold)


def text_of(held: Hold) -> str:
    """Return a hold for a person."""
    act = "held" if held.hold else "let go"
    who = held.person or held.principal or NOBODY
    return f"{held.stage} is {act} by {who}: {held.reason} ({held.execution})."
