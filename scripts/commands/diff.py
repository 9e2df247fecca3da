"""`taxiway diff`: what differs between two stages of a target."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import click

from scripts.columns import columns
from scripts.commands.history import short_version
from scripts.connection import GLANCE_S, flyte_at, stage_at
from scripts.enrolments import find_enrolled
from scripts.options import examples, flyte_options, json_option
from tasks._errors import CommandFailed
from tasks._home import Home
from tasks._render import printable
from tasks._run import run
from tasks.stage_diff import Side, StageDiff, read_diff


@click.command(
    "diff",
    short_help="Show what differs between two stages.",
    epilog=examples(
        "taxiway diff fraud production staging", "taxiway diff fraud production staging --clone ."
    ),
)
@click.argument("target")
@click.argument("first")
@click.argument("second")
@click.option(
    "--clone",
    type=click.Path(exists=True, file_okay=False, path_type=Path),
    help="A clone of the target's repository; the commits between the two releases are counted in it.",
)
@flyte_options
@json_option
def command(
    target: str,
    first: str,
    second: str,
    clone: Path | None,
    config_file: str | None,
    project: str,
    domain: str,
    as_json: bool,
) -> None:
    """Show what the stage SECOND of TARGET has otherwise than the stage FIRST.

    Compared is what is registered at the versions of their newest generations: first the entities, without
    identity and location of the code, then by themselves the settings that stages have on launch plans.
    Each stage is asked at its own Flyte. Where one cannot be asked, that is said, and nothing is compared.
    """
    with flyte_at(config_file) as flyte:
        find_enrolled(flyte, project, domain, target)
        home = Home(flyte=flyte, project=project, domain=domain, target=target)
        found = read_diff(
            home,
            first,
            second,
            open_flyte=lambda record: stage_at(record.endpoint, flyte, patience_s=GLANCE_S),
        )
    commits = commits_between(clone, found.first.sha, found.second.sha) if clone else None
    if as_json:
        known = {"ahead": commits[0], "behind": commits[1]} if commits else None
        click.echo(json.dumps({**found.model_dump(mode="json"), "commits": known}))
    else:
        click.echo(printable("\n".join(_lines(found, commits))))


def commits_between(clone: Path, first: str, second: str) -> tuple[int, int] | None:
    """Return how many commits the second has that the first has not, and the other way round.

    None where the clone does not have both.
    """
    if not (first.isalnum() and second.isalnum()):
        return None
    words: list[str | Path] = [
        "git",
        "-C",
        clone,
        "rev-list",
        "--left-right",
        "--count",
        f"{second}...{first}",
    ]
    try:
        ahead, behind = run(words, timeout_s=30).stdout.split()
    except CommandFailed:
        return None
    return int(ahead), int(behind)


def _lines(found: StageDiff, commits: tuple[int, int] | None) -> Iterator[str]:
    head = ("STAGE", "RELEASE", "VERSION", "GENERATION", "SINCE", "FLYTE")
    yield columns(head, [_row(found.first), _row(found.second)])
    for side in (found.first, found.second):
        yield from (f"drift in {side.stage}: {text}" for text in side.drift)
        if side.note:
            yield f"{side.stage}: {side.note}"
    yield ""
    yield _apart(found, commits)
    if found.bytes is None:
        yield "What is registered was not compared."
        return
    yield f"{str(found.bytes)[0].upper()}{str(found.bytes)[1:]}; entities changed: {len(found.changes)}."
    for change in found.changes:
        yield f"  {change.change.value} {change.kind.value} {change.name}"
        yield from (f"    breaks callers: {text}" for text in change.breaking)
        yield from (f"    {text}" for text in change.details if text not in change.breaking)
    for setting in found.settings:
        yield f"Other settings on {', '.join(setting.launch_plans)}:"
        yield from (f"    {text}" for text in setting.details)
    if not found.settings:
        yield "The same settings on all launch plans."


def _apart(found: StageDiff, commits: tuple[int, int] | None) -> str:
    if found.first.sha == found.second.sha:
        return "The same release."
    count = found.releases_apart
    words = f"{count} release{'' if count == 1 else 's'} apart" if count else "How far apart is not on record"
    if commits is None:
        return f"{words}."
    counted = f"{commits[0]} commits ahead of {found.first.stage}, {commits[1]} behind"
    return f"{words}; {found.second.stage} is {counted}."


def _row(side: Side) -> list[str]:
    version = short_version(side.version, side.sha)
    place = side.endpoint or "Taxiway's own"
    flyte = f"{place}, not asked ({side.fault})" if side.fault else place
    return [side.stage, side.sha[:7] or "-", version, str(side.generation), side.since, flyte]
