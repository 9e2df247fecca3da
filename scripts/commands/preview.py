"""`taxiway preview`: launch, or find, the preview of one revision, follow it, and say how it ended."""

from __future__ import annotations

import click

from scripts.connection import flyte_at, is_sandbox
from scripts.ending import end_of
from scripts.enrolments import Enrolled, find_enrolled
from scripts.launches import Asked, launch
from scripts.options import examples, flyte_options, follow_options, json_option
from scripts.trial import enrol_trial, is_url
from tasks._errors import BadUsage
from tasks._flyte import Flyte
from tasks.source import checked_sha


@click.command(
    "preview",
    short_help="Preview a pull request's revision.",
    epilog=examples("taxiway preview fraud 4f0c1d2e3b5a69788796a5b4c3d2e1f001122334 --pull-request 12"),
)
@click.argument("target")
@click.argument("sha")
@click.option("--pull-request", type=click.IntRange(min=0), default=0, help="Its number; 0 is none.")
@click.option("--attempt", type=click.IntRange(min=1), default=1, help="Another run of the same revision.")
@follow_options
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
        return end_of(flyte, launched, wait=wait, timeout=timeout, as_json=as_json)


def _target(flyte: Flyte, project: str, domain: str, target: str) -> Enrolled:
    if not is_url(target):
        return find_enrolled(flyte, project, domain, target)
    if not is_sandbox(flyte):
        raise BadUsage(
            "A URL in place of a target is taken on a sandbox only.",
            remedy="Enrol the repository first: `taxiway enroll URL --name TARGET`.",
        )
    return enrol_trial(flyte, project, domain, target)
