"""Carry a release through its stages: simulate all of them, then launch one promotion after the other."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from datetime import datetime, timezone
from itertools import count
from pathlib import Path

from flyteidl.admin.execution_pb2 import Execution
from flytekit import Resources, current_context, task

from tasks._enrolment import Enrolment
from tasks._executions import ENDED, phase_of
from tasks._git_credentials import GIT_SECRETS
from tasks._home import Home
from tasks._launch import Launched, launch
from tasks._names import execution_name, release_tag, stage_tag, target_tag
from tasks._own import own_execution
from tasks._stage_flyte import STAGE_SECRETS
from tasks._typed import Unreadable, literals, value_of
from tasks._types import Record, Status, Verdict
from tasks.looking import Look, looking, simulated
from tasks.manifest import Manifest
from tasks.promotion_records import PromotionReport, PromotionStatus, flow_notes
from tasks.releases import Released, read_manifest
from tasks.simulation_records import Simulation

PROMOTION_TIMEOUT_S = 6 * 3600
_GOES_ON = frozenset({PromotionStatus.PROMOTED, PromotionStatus.UNCHANGED})


class StageOutcome(Record):
    """How a release's promotion into one stage ended. `status` is empty where it left no report."""

    stage: str
    execution: str
    phase: str
    status: PromotionStatus | None = None
    summary: str = ""


class Carried(Record):
    """How far a release got. The verdict is SKIPPED where a stage waits for something.

    `simulation` is what was going to happen, looked at before anything did.
    """

    verdict: Verdict
    manifest: Manifest | None = None
    simulation: Simulation | None = None
    stages: list[StageOutcome] = []


def promotion_name(
    target: str, repository: str, sha: str, stage: str, attempt: int, more: Sequence[str] = ()
) -> str:
    """Return the one name of the execution that makes this attempt at this promotion."""
    return execution_name(
        "promote", target=target, repository=repository, sha=sha, attempt=attempt, more=(stage, *more)
    )


def launch_promotion(
    home: Home,
    enrolment: Enrolment,
    *,
    sha: str,
    stage: str,
    attempt: int,
    more: Sequence[str] = (),
) -> Launched:
    """Launch a promotion, or attach to the one that was launched for just this."""
    return launch(
        home.flyte,
        home.plan("promote"),
        name=promotion_name(home.target, enrolment.repository, sha, stage, attempt, more),
        inputs=literals({"sha": sha, "stage": stage, "attempt": attempt}),
        tags=[target_tag(home.target), stage_tag(home.target, stage), release_tag(home.target, sha)],
        annotations=flow_notes(stage=stage, sha=sha),
    )


def outcome_of(home: Home, stage: str, execution: Execution) -> StageOutcome:
    """Read how a promotion ended; its report is an output, which one that failed does not have."""
    name = execution.id.name
    phase = phase_of(execution)
    try:
        report = value_of(home.data(name).full_outputs, "o0", PromotionReport)
    except Unreadable:
        error = execution.closure.error.message.strip().rpartition("\n")[2]
        cause = error or execution.closure.abort_metadata.cause or phase.lower()
        return StageOutcome(stage=stage, execution=name, phase=phase, summary=cause[:500])
    return StageOutcome(
        stage=stage, execution=name, phase=phase, status=report.status, summary=report.summary
    )


def carry_on(stages: Sequence[str], promote: Callable[[str], StageOutcome]) -> Carried:
    """Promote stage by stage, for as long as each is promoted."""
    done: list[StageOutcome] = []
    for stage in stages:
        done.append(promote(stage))
        last = done[-1]
        if last.status is PromotionStatus.WAITING:
            verdict = Verdict(status=Status.SKIPPED, summary=f"{stage} {last.summary}")
            return Carried(verdict=verdict, stages=done)
        if last.status not in _GOES_ON:
            verdict = Verdict(status=Status.FAILED, summary=f"{stage}: {last.summary}")
            return Carried(verdict=verdict, stages=done)
    return Carried(
        verdict=Verdict(status=Status.PASSED, summary=f"promoted into {', '.join(stages)}"), stages=done
    )


def promote_and_wait(
    home: Home,
    enrolment: Enrolment,
    *,
    sha: str,
    stage: str,
    attempt: int,
    more: Sequence[str] = (),
    since: datetime | None = None,
) -> StageOutcome:
    """Launch, or find, one promotion and follow it to its end.

    One that had ended before `since` looked at things as they were then; the next attempt is made instead.
    """
    for number in count(attempt):
        launched = launch_promotion(home, enrolment, sha=sha, stage=stage, attempt=number, more=more)
        if not launched.attached or not ended_before(home.execution(launched.id.name), since):
            return _followed(home, stage, launched)
    raise AssertionError("count() never ends")


def ended_before(execution: Execution, moment: datetime | None) -> bool:
    """Say whether an execution had ended by then; never where there is no such moment."""
    if moment is None or phase_of(execution) not in ENDED:
        return False
    return bool(execution.closure.updated_at.ToDatetime(timezone.utc) < moment)


def _followed(home: Home, stage: str, launched: Launched) -> StageOutcome:
    name = launched.id.name
    ended = home.end_of(name, timeout_s=PROMOTION_TIMEOUT_S, what=f"the promotion {name}")
    return outcome_of(home, stage, ended)


def carry_release(
    look: Look, manifest: Manifest, *, attempt: int, simulate_only: bool, since: datetime | None = None
) -> Carried:
    """Simulate a release, and unless that is all, or it fails, promote it stage by stage.

    `since` is when the release began: promotions that had ended by then are not its own.
    """
    simulation = simulated(look, manifest)
    if simulate_only or not simulation.verdict.passed:
        return Carried(verdict=simulation.verdict, manifest=manifest, simulation=simulation)
    sha = manifest.revision.sha
    carried = carry_on(
        [stage.name for stage in look.policy.stage],
        lambda stage: promote_and_wait(
            look.home, look.enrolment, sha=sha, stage=stage, attempt=attempt, since=since
        ),
    )
    return carried.model_copy(update={"manifest": manifest, "simulation": simulation})


@task(
    requests=Resources(cpu="100m", mem="400Mi"),
    limits=Resources(cpu="1", mem="1Gi"),
    secret_requests=[*GIT_SECRETS, *STAGE_SECRETS],
    retries=2,
)
def carry(enrolment: Enrolment, sha: str, released: Released, attempt: int, simulate: bool) -> Carried:
    """Carry a release through its stages; nothing where there is none. Taken up again, it goes on."""
    if released.stored is None:
        return Carried(verdict=Verdict(status=Status.SKIPPED, summary="there is no release to carry"))
    into = Path(current_context().working_directory)
    with looking(enrolment, sha, into=into, environ=os.environ) as look:
        manifest = read_manifest(look.home, released.stored, sha=sha)
        began = look.home.execution(own_execution().name).closure.created_at.ToDatetime(timezone.utc)
        return carry_release(look, manifest, attempt=attempt, simulate_only=simulate, since=began)
