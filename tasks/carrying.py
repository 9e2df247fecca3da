"""Carry a release through its stages: simulate all of them, then launch one promotion after the other."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from flyteidl.admin.execution_pb2 import Execution
from flyteidl.core.execution_pb2 import WorkflowExecution

from tasks._enrolment import Enrolment
from tasks._executions import ENDED
from tasks._home import Home
from tasks._launch import Launched, launch
from tasks._names import execution_name, release_tag, stage_tag, target_tag
from tasks._typed import Unreadable, literals, value_of
from tasks._types import Record, Status, Verdict
from tasks._wait import wait
from tasks.promotion_records import PromotionReport, PromotionStatus

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
    """How far a release got. The verdict is SKIPPED where a stage waits for something."""

    verdict: Verdict
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
    version: str = "",
    more: Sequence[str] = (),
) -> Launched:
    """Launch a promotion, or attach to the one that was launched for just this."""
    return launch(
        home.flyte,
        home.plan("promote"),
        name=promotion_name(home.target, enrolment.repository, sha, stage, attempt, more),
        inputs=literals({"sha": sha, "stage": stage, "attempt": attempt}),
        tags=[target_tag(home.target), stage_tag(home.target, stage), release_tag(home.target, sha)],
        annotations={"taxiway/stage": stage, "taxiway/sha": sha, "taxiway/version": version},
    )


def outcome_of(home: Home, stage: str, execution: Execution) -> StageOutcome:
    """Read how a promotion ended; its report is an output, which one that failed does not have."""
    name = execution.id.name
    phase = WorkflowExecution.Phase.Name(execution.closure.phase)
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


def promote_and_wait(home: Home, enrolment: Enrolment, *, sha: str, stage: str, attempt: int) -> StageOutcome:
    """Launch, or find, one promotion and follow it to its end."""
    launched = launch_promotion(home, enrolment, sha=sha, stage=stage, attempt=attempt)

    def phase(execution: Execution) -> str:
        return str(WorkflowExecution.Phase.Name(execution.closure.phase))

    ended = wait(
        lambda: home.execution(launched.id.name),
        lambda execution: phase(execution) in ENDED,
        what=f"the promotion {launched.id.name}",
        timeout_s=PROMOTION_TIMEOUT_S,
        describe=phase,
        clock=home.flyte.clock,
        sleep=home.flyte.sleep,
    )
    return outcome_of(home, stage, ended)
