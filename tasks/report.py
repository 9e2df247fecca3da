"""The last step: the report of a preview as a deck; and what reports a preview that broke off."""

import logging
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TypeVar

from flyteidl.core.identifier_pb2 import WorkflowExecutionIdentifier
from flytekit import Resources, task
from flytekit.configuration import Config
from flytekit.deck import Deck
from flytekit.types.error.error import FlyteError

from tasks import _executions
from tasks._enrolment import Enrolment
from tasks._errors import TaxiwayError, VerdictFailed
from tasks._executions import Step
from tasks._flyte import connect
from tasks._git_url import masked_urls
from tasks._own import own_execution
from tasks._render import to_html
from tasks._types import Finding, Record, Status, Verdict
from tasks._versions import version_of
from tasks._view import View
from tasks.image import ImageStep
from tasks.prepare import Prepared
from tasks.registration import Registered
from tasks.report_records import Broken, ExecutionName, Report, Timing, report_of
from tasks.report_view import view_of
from tasks.smoke import SmokeReport

log = logging.getLogger(__name__)

REQUESTS = Resources(cpu="100m", mem="300Mi")
LIMITS = Resources(cpu="1", mem="600Mi")
_FAILED = {"FAILED", "FAILING", "TIMED_OUT", "ABORTED"}
_MESSAGE = "Message:\n"
R = TypeVar("R", bound=Record)


def timings_of(steps: Sequence[Step]) -> list[Timing]:
    """Return the times of the steps that have begun; the one that reports has no end yet."""
    return [
        Timing(step=one.node, part_of=one.parent, phase=one.phase, seconds=one.seconds)
        for one in steps
        if one.phase not in ("UNDEFINED", "QUEUED")
    ]


def broken_step(steps: Sequence[Step]) -> Step | None:
    """Return the step that broke off, a part rather than its whole; None where none failed."""
    failed = [step for step in steps if step.phase in _FAILED and step.error_code]
    parts = [step for step in failed if step.parent]
    return next(iter(parts or failed), None)


def is_reported(steps: Sequence[Step]) -> bool:
    """Say whether the execution failed because its verdict did, which its report step has reported."""
    return any(step.error_code == VerdictFailed.error_code for step in steps)


def last_message(text: str) -> str:
    """Return what an error says, without the traceback that flytekit puts before it."""
    return " ".join(text.rpartition(_MESSAGE)[2].split())


def broken_of(steps: Sequence[Step], *, message: str, remedy: str) -> tuple[Broken, Verdict]:
    """Return the step that broke off and the verdict that this is; `message` is where no step has one."""
    step = broken_step(steps)
    broken = Broken(
        step=step.node if step else "unknown",
        code=step.error_code if step else "unknown",
        message=step.error_message if step else message,
    )
    problem = last_message(broken.message) or "It gave no reason."
    finding = Finding(where=broken.step, problem=problem[:2000], remedy=remedy)
    summary = f"The step {broken.step} broke off."
    return broken, Verdict(status=Status.FAILED, summary=summary, findings=[finding])


def run_again(attempt: int) -> str:
    """Return what to do after an attempt that broke off."""
    return f"Once that is mended, run it again with --attempt {attempt + 1}."


def masked(report: R) -> R:
    """Return a report in which no URL holds credentials, wherever it came from."""
    return type(report).model_validate_json(masked_urls(report.model_dump_json()))


def publish(report: R, view: Callable[[R], View]) -> R:
    """Put a report into the task's deck, which Flyte keeps however the task ends; return it masked."""
    done = masked(report)
    Deck("Taxiway", to_html(view(done), done.model_dump_json()))
    return done


@dataclass(frozen=True, kw_only=True)
class BrokenRun:
    """An execution that broke off: where and why, and what every report says of its execution."""

    broken: Broken
    verdict: Verdict
    execution: ExecutionName
    timings: list[Timing]
    versions: dict[str, str]


def unreported(err: FlyteError | None, *, remedy: str) -> BrokenRun | None:
    """Return how this execution broke off; None where its report step has spoken already."""
    config, identifier = Config.auto(), own_execution()
    steps = own_steps(identifier, config)
    if is_reported(steps) or (err is not None and VerdictFailed.error_code in err.message):
        return None
    broken, verdict = broken_of(steps, message=err.message if err is not None else "", remedy=remedy)
    return BrokenRun(
        broken=broken,
        verdict=verdict,
        execution=execution_name(identifier, config),
        timings=timings_of(steps),
        versions=own_versions(),
    )


def own_versions() -> dict[str, str]:
    """Return the versions of what made this report."""
    return {name: version_of(name) for name in ("taxiway", "flytekit", "flyteidl")}


def execution_name(identifier: WorkflowExecutionIdentifier, config: Config) -> ExecutionName:
    """Return an execution's name with its page in the console, where the configuration names one."""
    console = (config.platform.console_endpoint or "").rstrip("/")
    page = f"console/projects/{identifier.project}/domains/{identifier.domain}/executions/{identifier.name}"
    return ExecutionName(
        project=identifier.project,
        domain=identifier.domain,
        name=identifier.name,
        url=f"{console}/{page}" if console else "",
    )


def own_steps(identifier: WorkflowExecutionIdentifier, config: Config) -> list[Step]:
    """Return the steps of this execution; none where Flyte does not say: a report needs no times."""
    try:
        with connect(config, timeout_s=20, patience_s=20) as flyte:
            steps = _executions.steps(flyte, identifier, now=time.time())
            broken = broken_step(steps)
            if broken is not None:
                steps[steps.index(broken)] = _executions.with_whole_error(flyte, identifier, broken)
            return steps
    except TaxiwayError as error:
        log.warning("the report has no times: %s", error)
        return []


@task(enable_deck=True, deck_fields=(), requests=REQUESTS, limits=LIMITS, retries=2)
def report(
    enrolment: Enrolment,
    prepared: Prepared,
    image: ImageStep | None,
    registered: Registered,
    smoke: SmokeReport,
    pull_request: int,
    attempt: int,
) -> Report:
    """Report what the steps found; fails the execution if that is not a pass, once the deck is there."""
    config, identifier = Config.auto(), own_execution()
    done = publish(
        report_of(
            prepared=prepared,
            image=image,
            registered=registered,
            smoke=smoke,
            target=enrolment.name,
            pull_request=pull_request,
            attempt=attempt,
            execution=execution_name(identifier, config),
            timings=timings_of(own_steps(identifier, config)),
            versions=own_versions(),
        ),
        view_of,
    )
    if not done.verdict.passed:
        raise VerdictFailed(
            f"{done.headline}: {done.verdict.summary.rstrip('.')}.",
            remedy=f"See the deck, or run `taxiway report {identifier.name}`.",
        )
    return done


@task(enable_deck=True, deck_fields=(), requests=REQUESTS, limits=LIMITS)
def report_broken(
    enrolment: Enrolment,
    sha: str,
    pull_request: int,
    attempt: int,
    err: FlyteError | None = None,
) -> None:
    """Report which step broke off, and with what error; nothing where the report step has spoken already."""
    try:
        found = unreported(err, remedy=run_again(attempt))
        if found is not None:
            publish(
                Report(
                    verdict=found.verdict,
                    target=enrolment.name,
                    repository=enrolment.repository,
                    sha=sha,
                    pull_request=pull_request,
                    attempt=attempt,
                    execution=found.execution,
                    broken=found.broken,
                    timings=found.timings,
                    versions=found.versions,
                ),
                view_of,
            )
    except Exception:
        # An error here would take the place of the one that the preview broke off with.
        log.exception("the preview broke off, and so did its report")
