"""Smoke tests: launch what the policy names at exactly one version, and compare what comes out."""

import logging
import os
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict

from flyteidl.admin.common_pb2 import ObjectGetRequest
from flyteidl.admin.execution_pb2 import (
    Execution,
    ExecutionTerminateRequest,
    WorkflowExecutionGetDataRequest,
    WorkflowExecutionGetRequest,
)
from flyteidl.admin.launch_plan_pb2 import LaunchPlan
from flyteidl.core.execution_pb2 import WorkflowExecution
from flyteidl.core.identifier_pb2 import Identifier, ResourceType, WorkflowExecutionIdentifier
from flyteidl.core.literals_pb2 import LiteralMap
from flytekit import Resources, task
from flytekit.configuration import Config

from tasks._enrolment import Enrolment
from tasks._errors import (
    FlyteExists,
    FlyteInvalid,
    FlyteNotFound,
    FlyteRefused,
    WaitTimedOut,
)
from tasks._executions import ENDED, phase_of
from tasks._flyte import Flyte, connect
from tasks._literals import Mismatch
from tasks._settings import read_settings
from tasks._types import Finding, Record, Status, Verdict
from tasks._wait import wait
from tasks.policy import SmokeTest
from tasks.prepare import Prepared
from tasks.registration import Registered
from tasks.smoke_case import SmokePlace, judge, kept_values, names_of, request_of

log = logging.getLogger(__name__)


class Comparison(Record):
    """One output against what was expected of it; both sides as a person reads them."""

    output: str
    expected: str
    actual: str
    passed: bool


class SmokeResult(Record):
    """How one smoke test went."""

    name: str
    launch_plan: str
    status: Status
    execution: str = ""
    """The execution's name; empty where it could not be launched."""
    project: str = ""
    domain: str = ""
    url: str = ""
    """Where the execution can be looked at; empty where the platform has no console."""
    phase: str = ""
    """Flyte's phase when the test was judged: SUCCEEDED, FAILED, ABORTED, TIMED_OUT, RUNNING ..."""
    seconds: float = 0
    comparisons: list[Comparison] = []
    error: str = ""
    values: dict[str, str] = {}
    """What came out, of the outputs that are compared with another version's: see `kept_values`."""


class SmokeReport(Record):
    """What the smoke tests found. No tests at all is SKIPPED with a finding, and never a pass."""

    verdict: Verdict
    results: list[SmokeResult] = []

    @property
    def untested(self) -> bool:
        """Whether there was no smoke test to run (and not: an earlier verdict stopped them)."""
        return self.verdict.status is Status.SKIPPED and bool(self.verdict.findings)


_AT_ONCE = 32
TARGET_LABEL, PULL_REQUEST_LABEL = "taxiway-target", "taxiway-pull-request"
_ERROR_CHARACTERS = 2000


def run_smoke(tests: Sequence[SmokeTest], flyte: Flyte, place: SmokePlace) -> SmokeReport:
    """Run all tests side by side at exactly one version, and judge each.

    A test that is running already, from an earlier try at the same attempt, is followed, not started twice.
    What is over its time is terminated. At most 32 run at once.

    Raises:
        FlyteUnavailable, FlyteUnauthenticated: Flyte cannot be asked; nothing is known of the tests then.
    """
    named = list(zip(names_of(tests), tests, strict=True))
    with ThreadPoolExecutor(max_workers=_AT_ONCE) as pool:
        results = list(pool.map(lambda one: run_test(one[0], one[1], flyte, place), named))
    return SmokeReport(verdict=verdict_of(results), results=results)


def verdict_of(results: Sequence[SmokeResult]) -> Verdict:
    """Add up results. No tests at all proves nothing, and is SKIPPED with a finding that says so."""
    if not results:
        finding = Finding(
            where="stage.smoke",
            problem="The policy's first stage has no smoke tests, so nothing was run.",
            remedy="Add a [[stage.smoke]] with a launch plan, inputs and what to expect.",
        )
        return Verdict(status=Status.SKIPPED, summary="There are no smoke tests.", findings=[finding])
    failed = [result for result in results if result.status is not Status.PASSED]
    if not failed:
        return Verdict(status=Status.PASSED, summary=f"{_count(len(results))} passed.")
    return Verdict(
        status=Status.FAILED,
        summary=f"{len(failed)} of {_count(len(results))} failed.",
        findings=[_finding(result) for result in failed],
    )


def _count(number: int) -> str:
    return f"{number} smoke test{'' if number == 1 else 's'}"


def _finding(result: SmokeResult) -> Finding:
    unmet = [one for one in result.comparisons if not one.passed]
    outputs = [f"{one.output} is {one.actual}, expected {one.expected}" for one in unmet]
    # flytekit puts what was raised last, after the traceback.
    last = result.error.strip().rpartition("\n")[2].strip()[:300]
    problem = "; ".join(outputs) or last or f"It ended {result.phase}."
    remedy = f"Open execution {result.execution}." if result.execution else "Correct it in taxiway.toml."
    return Finding(where=f"smoke test {result.name}", problem=problem, remedy=remedy)


def run_test(name: str, test: SmokeTest, flyte: Flyte, place: SmokePlace) -> SmokeResult:
    """Launch one test, follow it to its end or its limit, and judge what came out.

    Raises:
        FlyteUnavailable, FlyteUnauthenticated: Flyte cannot be asked.
    """
    began = flyte.clock()
    failed = SmokeResult(name=name, launch_plan=test.launch_plan, status=Status.FAILED)
    try:
        execution = _launch(name, test, flyte, place)
    except Mismatch as error:
        return failed.model_copy(update={"error": f"Its inputs do not fit the launch plan: {error}"})
    except FlyteNotFound:
        missing = f"The package has no launch plan {test.launch_plan} (version {place.version})."
        return failed.model_copy(update={"error": missing})
    except (FlyteInvalid, FlyteExists) as error:
        return failed.model_copy(
            update={"error": f"Flyte does not launch it: {error.details[:_ERROR_CHARACTERS]}"}
        )
    started = failed.model_copy(
        update={
            "execution": execution.name,
            "project": execution.project,
            "domain": execution.domain,
            "url": _url(flyte, execution),
        }
    )
    outcome = _follow(started, test, flyte, execution)
    return outcome.model_copy(update={"seconds": round(flyte.clock() - began, 3)})


def _launch(name: str, test: SmokeTest, flyte: Flyte, place: SmokePlace) -> WorkflowExecutionIdentifier:
    identifier = Identifier(
        resource_type=ResourceType.LAUNCH_PLAN,
        project=place.project,
        domain=place.domain,
        name=test.launch_plan,
        version=place.version,
    )
    plan: LaunchPlan = flyte.call("GetLaunchPlan", ObjectGetRequest(id=identifier))
    request = request_of(name, test, plan, place)
    try:
        flyte.call("CreateExecution", request)
    except FlyteExists as error:
        # Its name is made of all that is asked, so what is there is this test, started by an earlier try.
        # A plan that is at its limit of executions is refused by the same code, and nothing is there then.
        if "concurrency limit" in error.details:
            raise
    return WorkflowExecutionIdentifier(project=place.project, domain=place.domain, name=request.name)


def _follow(
    started: SmokeResult, test: SmokeTest, flyte: Flyte, execution: WorkflowExecutionIdentifier
) -> SmokeResult:
    def fetch() -> Execution:
        return flyte.call("GetExecution", WorkflowExecutionGetRequest(id=execution))

    try:
        ended = wait(
            fetch,
            lambda state: phase_of(state) in ENDED,
            what=f"execution {execution.name}",
            timeout_s=test.timeout_s,
            describe=phase_of,
            clock=flyte.clock,
            sleep=flyte.sleep,
        )
    except WaitTimedOut as error:
        _terminate(flyte, execution, f"Its smoke test's limit of {test.timeout} is over.")
        return started.model_copy(update={"phase": "TIMED_OUT", "error": error.problem})
    if ended.closure.phase != WorkflowExecution.SUCCEEDED:
        return started.model_copy(update={"phase": phase_of(ended), "error": _error(ended)})
    outputs = _outputs(flyte, execution)
    comparisons = [Comparison(**asdict(one)) for one in judge(test.expect, outputs)]
    passed = all(one.passed for one in comparisons)
    return started.model_copy(
        update={
            "phase": phase_of(ended),
            "comparisons": comparisons,
            "values": kept_values(test.no_regression, outputs),
            "status": Status.PASSED if passed else Status.FAILED,
        }
    )


def _outputs(flyte: Flyte, execution: WorkflowExecutionIdentifier) -> LiteralMap:
    outputs: LiteralMap = flyte.call(
        "GetExecutionData", WorkflowExecutionGetDataRequest(id=execution)
    ).full_outputs
    return outputs


def _terminate(flyte: Flyte, execution: WorkflowExecutionIdentifier, cause: str) -> None:
    try:
        flyte.call("TerminateExecution", ExecutionTerminateRequest(id=execution, cause=cause))
    except FlyteRefused:
        # It ended by itself in between, which Flyte refuses with FAILED_PRECONDITION: all the better.
        log.info("execution %s had ended before it could be terminated", execution.name)


def _error(execution: Execution) -> str:
    """Return why an execution did not succeed: the end of a long text, where a traceback says it."""
    if execution.closure.phase == WorkflowExecution.ABORTED:
        return f"It was aborted: {execution.closure.abort_metadata.cause or 'no cause given'}"
    error = execution.closure.error
    text = f"{error.code}: {error.message}".strip(": ")
    return text if len(text) <= _ERROR_CHARACTERS else f"...{text[-_ERROR_CHARACTERS:]}"


def _url(flyte: Flyte, execution: WorkflowExecutionIdentifier) -> str:
    console = (flyte.config.platform.console_endpoint or "").rstrip("/")
    page = f"console/projects/{execution.project}/domains/{execution.domain}/executions/{execution.name}"
    return f"{console}/{page}" if console else ""


@task(requests=Resources(cpu="100m", mem="300Mi"), limits=Resources(cpu="1", mem="600Mi"), retries=2)
def smoke(
    enrolment: Enrolment, prepared: Prepared, registered: Registered, pull_request: int, attempt: int
) -> SmokeReport:
    """Run the policy's smoke tests on a preview that was registered; nothing where it was not."""
    if not registered.verdict.passed or prepared.policy is None:
        skipped = "not run, for an earlier step did not pass"
        return SmokeReport(verdict=Verdict(status=Status.SKIPPED, summary=skipped))
    place = SmokePlace(
        project=registered.project,
        domain=registered.domain,
        version=registered.version,
        attempt=attempt,
        service_account=enrolment.preview.service_account,
        labels={TARGET_LABEL: enrolment.name, PULL_REQUEST_LABEL: str(pull_request)},
    )
    settings = read_settings(os.environ)
    with connect(
        Config.auto(), timeout_s=settings.rpc_timeout_s, patience_s=settings.rpc_patience_s
    ) as flyte:
        return run_smoke(prepared.policy.stage[0].smoke, flyte, place)
