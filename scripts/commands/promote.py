"""`taxiway promote`: promote a release into one stage, or take up what has waited."""

from __future__ import annotations

import click

from scripts.connection import flyte_at
from scripts.ending import end_of
from scripts.enrolments import find_enrolled
from scripts.options import examples, flyte_options, follow_options, json_option
from scripts.promoting import home_of, promote
from tasks.source import checked_sha


@click.command(
    "promote",
    short_help="Promote a release into one stage.",
    epilog=examples("taxiway promote fraud 4f0c1d2e3b5a69788796a5b4c3d2e1f001122334 production"),
)
@click.argument("target")
@click.argument("sha")
@click.argument("stage")
@click.option(
    "--attempt",
    type=click.IntRange(min=0),
    default=0,
    help="Which run of it; 0, as if left out, is the one that runs, else the next.",
)
@follow_options
@flyte_options
@json_option
def command(
    target: str,
    sha: str,
    stage: str,
    attempt: int,
    wait: bool,
    timeout: float,
    config_file: str | None,
    project: str,
    domain: str,
    as_json: bool,
) -> int:
    """Promote the release of SHA of an enrolled TARGET into STAGE: gates, register, test, activate, verify.

    The release has to exist: `taxiway release` makes it. A gate that can open later ends the promotion as
    waiting; the same command takes it up again.

    Ends with 0 if it was promoted or waits, 1 if it was refused or failed, 2 on a fault or bad usage.
    """
    with flyte_at(config_file) as flyte:
        enrolled = find_enrolled(flyte, project, domain, target)
        home = home_of(flyte, enrolled)
        launched = promote(home, enrolled, sha=checked_sha(sha), stage=stage, attempt=attempt)
        return end_of(flyte, launched, wait=wait, timeout=timeout, as_json=as_json)
