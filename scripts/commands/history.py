"""`taxiway history`: what happened to a target, newest first."""

from __future__ import annotations

import json

import click

from scripts.columns import columns
from scripts.connection import flyte_at
from scripts.enrolments import find_enrolled
from scripts.options import examples, flyte_options, json_option
from tasks._home import Home
from tasks.history import Event, read_history


@click.command(
    "history",
    short_help="Show what happened to a target.",
    epilog=examples("taxiway history fraud", "taxiway history fraud --stage production --limit 100 --json"),
)
@click.argument("target")
@click.option("--stage", default="", help="Only what happened to this stage.")
@click.option(
    "--limit", type=click.IntRange(min=1, max=1000), default=20, show_default=True, help="How many to show."
)
@flyte_options
@json_option
def command(
    target: str, stage: str, limit: int, config_file: str | None, project: str, domain: str, as_json: bool
) -> None:
    """Show the promotions, activations, rollbacks, approvals, holds and nightly runs of TARGET, newest first.

    It comes from Flyte's executions alone; WHO is whom Flyte knows to have launched one.
    """
    with flyte_at(config_file) as flyte:
        enrolment = find_enrolled(flyte, project, domain, target).enrolment
        home = Home(flyte=flyte, project=project, domain=domain, target=target)
        events = read_history(home, enrolment, stage=stage, limit=limit)
    if as_json:
        click.echo(json.dumps({"target": target, "events": [one.model_dump(mode="json") for one in events]}))
    elif events:
        head = ("WHEN", "WHAT", "STAGE", "RELEASE", "VERSION", "WHO", "HOW IT ENDED", "EXECUTION")
        click.echo(columns(head, [_row(one) for one in events]))
    else:
        click.echo(f"Nothing happened to {target}{f' in {stage}' if stage else ''} yet.")


def _row(event: Event) -> list[str]:
    numbered = f" g{event.generation}" if event.generation >= 0 else ""
    outcome = f"{event.outcome}: {event.reason}" if event.reason else event.outcome
    return [
        event.at,
        f"{event.what}{numbered}",
        event.stage or "-",
        event.sha[:7] or "-",
        short_version(event.version, event.sha),
        event.who,
        outcome,
        event.execution,
    ]


def short_version(version: str, sha: str) -> str:
    """Return a version with the commit in it cut to its short form, or `-`."""
    return version.replace(sha, sha[:7]) if sha else version or "-"
