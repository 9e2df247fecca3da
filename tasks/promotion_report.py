"""The last step of a promotion: its report as a deck; and what reports one that broke off."""

import logging

from flytekit import task
from flytekit.configuration import Config
from flytekit.types.error.error import FlyteError

from tasks._enrolment import Enrolment
from tasks._errors import VerdictFailed
from tasks._own import own_execution
from tasks._types import Status
from tasks.gates import GateVerdict
from tasks.promotion import Entered
from tasks.promotion_records import PromotionReport, PromotionStatus
from tasks.promotion_view import view_of
from tasks.proving import Proved
from tasks.report import (
    LIMITS,
    REQUESTS,
    execution_name,
    own_steps,
    own_versions,
    publish,
    timings_of,
    unreported,
)
from tasks.rivals import QUEUE
from tasks.switching import Switched

log = logging.getLogger(__name__)

_ENDS_WELL = frozenset({PromotionStatus.PROMOTED, PromotionStatus.UNCHANGED, PromotionStatus.WAITING})


def status_of(entered: Entered, proved: Proved, switched: Switched) -> PromotionStatus:
    """Return how a promotion ended, by the first of its steps that did not pass."""
    if not entered.verdict.passed:
        waits = entered.verdict.status is Status.SKIPPED
        return PromotionStatus.WAITING if waits else PromotionStatus.REFUSED
    if not proved.verdict.passed:
        # Passed by itself, and a gate that was open before has closed since.
        waits = proved.verdict.status is Status.SKIPPED
        return PromotionStatus.WAITING if waits else PromotionStatus.FAILED
    if switched.rolled_back:
        return PromotionStatus.ROLLED_BACK
    if not switched.verdict.passed:
        waits = switched.verdict.status is Status.SKIPPED
        return PromotionStatus.WAITING if waits else PromotionStatus.FAILED
    return PromotionStatus.UNCHANGED if switched.unchanged else PromotionStatus.PROMOTED


def gates_of(entered: Entered, proved: Proved) -> list[GateVerdict]:
    """Return the entry gates as they were asked last; its turn in the queue comes once."""
    turn = [gate for gate in entered.gates if gate.gate == QUEUE]
    return [*turn, *proved.gates] if proved.gates else entered.gates


def report_of(enrolment: Enrolment, entered: Entered, proved: Proved, switched: Switched) -> PromotionReport:
    """Put the records of the steps together; what is about the execution is added by the task."""
    steps = [entered.verdict, proved.verdict, switched.verdict]
    decisive = next((one for one in steps if not one.passed), switched.verdict)
    activated = switched.activated
    return PromotionReport(
        target=enrolment.name,
        stage=entered.stage.name,
        project=entered.stage.project,
        domain=entered.stage.domain,
        sha=entered.sha,
        attempt=entered.attempt,
        version=proved.version,
        status=status_of(entered, proved, switched),
        summary=decisive.summary,
        findings=[finding for step in steps for finding in step.findings],
        manifest=entered.stored.digest,
        policy=entered.policy,
        stages=entered.stages,
        gates=gates_of(entered, proved),
        result_gates=proved.result_gates,
        drift=entered.drift,
        generation=switched.generation,
        record=switched.execution,
        before=entered.active,
        after=activated.active if activated else {},
        created=proved.created,
        existing=proved.existing,
        diff=proved.diff,
        same=proved.same,
        smoke=proved.smoke,
        verification=switched.verification,
        rolled_back=switched.rolled_back,
    )


@task(enable_deck=True, deck_fields=(), requests=REQUESTS, limits=LIMITS, retries=2)
def report_promotion(
    enrolment: Enrolment, entered: Entered, proved: Proved, switched: Switched
) -> PromotionReport:
    """Report a promotion; fails the execution if it was refused or failed, once the deck is there."""
    config, identifier = Config.auto(), own_execution()
    steps = own_steps(identifier, config)
    done = publish(
        report_of(enrolment, entered, proved, switched).model_copy(
            update={
                "execution": execution_name(identifier, config),
                "timings": timings_of(steps),
                "versions": own_versions(),
            }
        ),
        view_of,
    )
    if done.status not in _ENDS_WELL:
        raise VerdictFailed(
            f"{done.headline}: {done.summary}",
            remedy=f"See the deck, or run `taxiway report {identifier.name}`.",
        )
    return done


@task(enable_deck=True, deck_fields=(), requests=REQUESTS, limits=LIMITS)
def report_broken_promotion(
    enrolment: Enrolment, sha: str, stage: str, attempt: int, err: FlyteError | None = None
) -> None:
    """Report which step broke off, and with what error; nothing where the report step has spoken already."""
    try:
        remedy = "Once that is mended, promote again; what was begun is taken up or put back."
        found = unreported(err, remedy=remedy)
        if found is not None:
            publish(
                PromotionReport(
                    target=enrolment.name,
                    stage=stage,
                    sha=sha,
                    attempt=attempt,
                    status=PromotionStatus.FAILED,
                    summary=found.verdict.summary,
                    findings=found.verdict.findings,
                    broken=found.broken,
                    execution=found.execution,
                    timings=found.timings,
                    versions=found.versions,
                ),
                view_of,
            )
    except Exception:
        # An error here would take the place of the one that the promotion broke off with.
        log.exception("the promotion broke off, and so did its report")
