"""`taxiway release`: release a revision of the protected branch and carry it through the stages."""

from __future__ import annotations

import click

from scripts.connection import flyte_at
from scripts.ending import end_of
from scripts.enrolments import find_enrolled
from scripts.options import examples, flyte_options, follow_options, json_option
from scripts.promoting import Releasing, home_of, launch_release
from tasks.source import checked_sha


@click.command(
    "release",
    short_help="Release a merged revision, stage by stage.",
    epilog=examples(
        "taxiway release fraud 4f0c1d2e3b5a69788796a5b4c3d2e1f001122334 --simulate",
        "taxiway release fraud 4f0c1d2e3b5a69788796a5b4c3d2e1f001122334",
    ),
)
@click.argument("target")
@click.argument("sha")
@click.option("--simulate", is_flag=True, help="Say what would happen in every stage, and do none of it.")
@click.option("--attempt", type=click.IntRange(min=1), default=1, help="Another run of the same release.")
@follow_options
@flyte_options
@json_option
def command(
    target: str,
    sha: str,
    simulate: bool,
    attempt: int,
    wait: bool,
    timeout: float,
    config_file: str | None,
    project: str,
    domain: str,
    as_json: bool,
) -> int:
    """Release the revision SHA of an enrolled TARGET and promote it from stage to stage.

    SHA has to be on the protected branch. The release is made once; asked again, the same bytes go on.
    Where a stage has to wait, for an approval, a soak time or a window, the release ends as waiting: go on
    with `taxiway promote`, `taxiway approve`, or the nightly run.

    Ends with 0 if it got through or waits, 1 if something of it was refused or failed, 2 on a fault.
    """
    asked = Releasing(sha=checked_sha(sha), attempt=attempt, simulate=simulate)
    with flyte_at(config_file) as flyte:
        enrolled = find_enrolled(flyte, project, domain, target)
        launched = launch_release(home_of(flyte, enrolled), enrolled, asked)
        return end_of(flyte, launched, wait=wait, timeout=timeout, as_json=as_json)
