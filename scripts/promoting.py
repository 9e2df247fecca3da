"""Launch a target's release or promotion, or find the execution that already does exactly this."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import count

from scripts.enrolments import Enrolled
from tasks._executions import ENDED, phase_of
from tasks._flyte import Flyte
from tasks._home import Home
from tasks._launch import Launched, launch
from tasks._names import execution_name, release_tag, target_tag
from tasks._typed import literals
from tasks.carrying import launch_promotion, promotion_name
from tasks.promotion_records import flow_notes
from workflows.launch_plans import RELEASE


@dataclass(frozen=True, kw_only=True)
class Releasing:
    """What a caller asks a release for."""

    sha: str
    attempt: int = 1
    simulate: bool = False


def home_of(flyte: Flyte, enrolled: Enrolled) -> Home:
    """Return where the records of an enrolled target are."""
    where = enrolled.plan.id
    return Home(flyte=flyte, project=where.project, domain=where.domain, target=enrolled.enrolment.name)


def launch_release(home: Home, enrolled: Enrolled, asked: Releasing) -> Launched:
    """Launch a release, or attach to the one that was launched for just this.

    Raises:
        OtherInputs: an execution of that name has other inputs, fixed ones included.
    """
    enrolment = enrolled.enrolment
    name = execution_name(
        "release",
        target=enrolment.name,
        repository=enrolment.repository,
        sha=asked.sha,
        attempt=asked.attempt,
        more=("simulate",) if asked.simulate else (),
    )
    return launch(
        home.flyte,
        home.plan(RELEASE.name),
        name=name,
        inputs=literals({"sha": asked.sha, "attempt": asked.attempt, "simulate": asked.simulate}),
        tags=[target_tag(home.target), release_tag(home.target, asked.sha)],
        annotations=flow_notes(sha=asked.sha),
    )


def promote(home: Home, enrolled: Enrolled, *, sha: str, stage: str, attempt: int = 0) -> Launched:
    """Launch a promotion, or attach to the one that does just this.

    An `attempt` of 0 is the one that runs, else the next one: it takes up what has waited or failed.
    """
    if not attempt:
        attempt = next_attempt(home, enrolled, sha=sha, stage=stage)
    return launch_promotion(home, enrolled.enrolment, sha=sha, stage=stage, attempt=attempt)


def next_attempt(home: Home, enrolled: Enrolled, *, sha: str, stage: str) -> int:
    """Return the number of the attempt that still runs, else the first that was not launched; one list."""
    tag = release_tag(home.target, sha)
    there = {execution.id.name: execution for execution in home.executions(("promote",), tag=tag)}
    for attempt in count(1):
        name = promotion_name(home.target, enrolled.enrolment.repository, sha, stage, attempt)
        execution = there.get(name)
        if execution is None or phase_of(execution) not in ENDED:
            return attempt
    raise AssertionError("count() never ends")
