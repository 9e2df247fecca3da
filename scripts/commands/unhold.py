"""`taxiway unhold`: let a held stage take promotions again."""

from __future__ import annotations

import click

from scripts.cli import PASSED
from scripts.commands.hold import set_hold, text_of
from scripts.deciding import say
from scripts.options import examples, flyte_options, json_option


@click.command(
    "unhold",
    short_help="Let a held stage go.",
    epilog=examples('taxiway unhold fraud production --reason "figures are out"'),
)
@click.argument("target")
@click.argument("stage")
@click.option("--reason", required=True, help="Why; it stays on record.")
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
    """Let STAGE of TARGET go, which `taxiway hold` or a rollback held.

    Ends with 0 once it is recorded, 2 on a fault or bad usage.
    """
    let_go = set_hold(config_file, project, domain, target=target, stage=stage, reason=reason, hold=False)
    say(let_go, lambda: text_of(let_go), as_json=as_json)
    return PASSED
