"""The third step of a promotion: take the stage's next generation, activate, verify, or roll back."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

from flytekit import Resources, current_context, task

from tasks._enrolment import Enrolment
from tasks._errors import NothingToRollBackTo
from tasks._git_credentials import GIT_SECRETS
from tasks._own import own_execution
from tasks._stage_flyte import STAGE_SECRETS, read_stage_credentials
from tasks._types import Finding, Record, Status, Verdict
from tasks.activation import ACTIVATION_TIMEOUT_S, Activated, follow_activation, launch_activation
from tasks.entry_gates import ENTRY_GATES, judge_all
from tasks.gates import Asked
from tasks.going_back import PREVIOUS
from tasks.policy import SmokeTest
from tasks.promotion import Entered, entering, runs_already, verdict_of
from tasks.proving import Proved, smoke_place
from tasks.rollback import launch_or_find
from tasks.smoke import SmokeReport, run_smoke
from tasks.stage_state import Activation, Cause, Generation, StageState
from tasks.verified import Verified, find_verified

NO_VERIFICATION, BY_SMOKE = "none", "smoke"
_FAILED_BEFORE = Verdict(
    status=Status.FAILED, summary="the verification after the activation failed, in an earlier try"
)


class Switched(Record):
    """A stage after its promotion. `execution` is that of the generation, which is the record of it."""

    verdict: Verdict
    generation: int = -1
    execution: str = ""
    unchanged: bool = False
    activated: Activated | None = None
    verification: SmokeReport | None = None
    rolled_back: str = ""
    """The execution that rolled the stage back, where the verification failed."""


def next_generation(asked: Asked, version: str, after: Mapping[str, str], asked_by: str) -> Activation:
    """Return the generation that makes a release the one that runs in its stage."""
    state, stage = asked.state, asked.stage
    before = {
        name: versions[0] for name, versions in state.active.items() if name in state.managed and versions
    }
    return Activation(
        target=asked.enrolment.name,
        stage=stage.name,
        project=stage.project,
        domain=stage.domain,
        endpoint=stage.endpoint,
        generation=state.next,
        cause=Cause.PROMOTION,
        sha=asked.manifest.revision.sha,
        version=version,
        manifest=asked.manifest.digest,
        before=before,
        after=dict(after),
        asked_by=asked_by,
    )


def verification_tests(asked: Asked) -> list[SmokeTest]:
    """Return what is run after the activation, as the policy's `verify` says."""
    verify = asked.stage.verify
    if verify == NO_VERIFICATION:
        return []
    return asked.stage.smoke if verify == BY_SMOKE else [SmokeTest(launch_plan=verify)]


def rival_generation(state: StageState, own: str) -> str:
    """Return the execution of another's generation that still changes the stage; empty where there is none.

    A promotion that was superseded or aborted leaves its activation running, which goes on by itself.
    """
    last = state.last
    return last.execution if last is not None and not last.ended and last.asked_by != own else ""


def others_since(state: StageState, following: int, own: str) -> bool:
    """Whether another's generation came since `following` was to be the next one; below 0 is not known."""
    return 0 <= following < state.next and (state.last is None or state.last.asked_by != own)


def switch_stage(asked: Asked, entered: Entered, proved: Proved, *, own: str) -> Switched:
    """Activate a release that was proved, verify it, and back out where the policy says so.

    `own` is the promotion's execution. Done again by a later try of it, it goes on where that one was.

    Raises:
        GenerationTaken: another execution changes the stage; the next try looks at it anew.
    """
    last = asked.state.last
    if last is not None and last.cause is Cause.ROLLBACK and last.asked_by == own:
        return _backed_out(asked, Switched(verdict=_FAILED_BEFORE), own=own)
    if others_since(asked.state, proved.next, own):
        verdict = verdict_of(judge_all(ENTRY_GATES, asked))
        if not verdict.passed:
            return Switched(verdict=verdict)
    done = _activated(asked, proved, own)
    done = _verified(asked, entered, proved, done)
    if done.verdict.passed or not asked.stage.auto_rollback:
        return done
    return _backed_out(asked, done, own=own)


def _activated(asked: Asked, proved: Proved, own: str) -> Switched:
    """Make the release what runs: by a new generation, unless it does, or an earlier try's still goes on.

    Where it does, but what brought it there did not end well, a new one takes it over: the stage after this
    one goes by how the last generation and its promotion ended.
    """
    last, record = asked.state.last, asked.state.record
    if record is not None and last is not None and last.asked_by == own and not last.ended:
        return _by_generation(asked, last.number, last.execution)
    runs = runs_already(asked.state, asked.manifest, proved.version)
    if record is not None and last is not None and runs and _ended_well(asked, last, own):
        return Switched(
            verdict=Verdict(status=Status.PASSED, summary="it is active already"),
            generation=record.generation,
            execution=last.execution,
            unchanged=last.asked_by != own,
        )
    activation = next_generation(asked, proved.version, proved.after, own)
    launched = launch_activation(asked.home, activation)
    return _by_generation(asked, activation.generation, launched.id.name)


def _ended_well(asked: Asked, last: Generation, own: str) -> bool:
    if last.phase != "SUCCEEDED":
        return False
    return last.asked_by == own or isinstance(find_verified(asked.home, asked.state), Verified)


def _by_generation(asked: Asked, number: int, execution: str) -> Switched:
    activated = follow_activation(asked.home, execution)
    return Switched(
        verdict=Verdict(status=Status.PASSED, summary=f"generation {number} is active"),
        generation=number,
        execution=execution,
        activated=activated,
    )


def _verified(asked: Asked, entered: Entered, proved: Proved, done: Switched) -> Switched:
    tests = verification_tests(asked)
    if not tests:
        return done
    place = smoke_place(asked, version=proved.version, attempt=entered.attempt, round_="verify")
    report = run_smoke(tests, asked.flyte, place)
    if report.verdict.status is not Status.FAILED:
        return done.model_copy(update={"verification": report})
    failed = Verdict(
        status=Status.FAILED,
        summary=f"the verification after the activation failed: {report.verdict.summary}",
        findings=report.verdict.findings,
    )
    return done.model_copy(update={"verification": report, "verdict": failed})


def _backed_out(asked: Asked, done: Switched, *, own: str) -> Switched:
    """Roll the stage back to what was verified before; where there is nothing, it stays and that is said."""
    try:
        launched = launch_or_find(
            asked.home,
            asked.stage.name,
            to=PREVIOUS,
            reason=done.verdict.summary,
            asked_by=own,
            credentials=read_stage_credentials(current_context().secrets),
        )
    except NothingToRollBackTo as error:
        finding = Finding(where="auto_rollback", problem=error.problem, remedy=error.remedy)
        verdict = done.verdict.model_copy(update={"findings": [*done.verdict.findings, finding]})
        return done.model_copy(update={"verdict": verdict})
    follow_activation(asked.home, launched.id.name)
    return done.model_copy(update={"rolled_back": launched.id.name})


@task(
    requests=Resources(cpu="250m", mem="400Mi"),
    limits=Resources(cpu="1", mem="1Gi"),
    secret_requests=[*GIT_SECRETS, *STAGE_SECRETS],
    retries=5,
)
def switch(enrolment: Enrolment, entered: Entered, proved: Proved) -> Switched:
    """Make the release the one that runs in its stage; nothing where it was not proved."""
    if not proved.verdict.passed:
        return Switched(verdict=Verdict(status=Status.SKIPPED, summary="nothing was activated"))
    into, own = Path(current_context().working_directory), own_execution().name
    arguments = (enrolment, entered.sha, entered.stage.name)
    with entering(*arguments, into=into / "before", environ=os.environ) as found:
        rival = rival_generation(found.asked.state, own)
        if not rival:
            return switch_stage(found.asked, entered, proved, own=own)
        found.asked.home.end_of(rival, timeout_s=ACTIVATION_TIMEOUT_S)
    with entering(*arguments, into=into / "after", environ=os.environ) as found:
        return switch_stage(found.asked, entered, proved, own=own)
