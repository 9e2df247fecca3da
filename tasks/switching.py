"""The third step of a promotion: take the stage's next generation, activate, verify, or roll back."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

from flytekit import Resources, current_context, task

from tasks._enrolment import Enrolment
from tasks._git_credentials import GIT_SECRETS
from tasks._own import own_execution
from tasks._stage_flyte import STAGE_SECRETS
from tasks._types import Record, Status, Verdict
from tasks.activation import Activated, follow_activation, launch_activation
from tasks.gates import Asked
from tasks.policy import SmokeTest
from tasks.promotion import Entered, entering, runs_already
from tasks.proving import Proved, smoke_place
from tasks.smoke import SmokeReport, run_smoke
from tasks.stage_state import Activation, Cause

NO_VERIFICATION, BY_SMOKE = "none", "smoke"
ACTIVATION_TIMEOUT_S = 1800


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


def switch_stage(asked: Asked, entered: Entered, proved: Proved) -> Switched:
    """Activate a release that was proved, and verify it.

    Raises:
        GenerationTaken: another execution changes the stage; the next try looks at it anew.
    """
    if runs_already(asked.state, asked.manifest) and asked.state.record:
        done = Switched(
            verdict=Verdict(status=Status.PASSED, summary="it is active already"),
            generation=asked.state.record.generation,
            execution=asked.state.last.execution if asked.state.last else "",
            unchanged=True,
        )
    else:
        activation = next_generation(asked, proved.version, proved.after, own_execution().name)
        launched = launch_activation(asked.home, activation)
        activated = follow_activation(asked.home, launched.id.name, timeout_s=ACTIVATION_TIMEOUT_S)
        done = Switched(
            verdict=Verdict(status=Status.PASSED, summary=f"generation {activation.generation} is active"),
            generation=activation.generation,
            execution=launched.id.name,
            activated=activated,
        )
    return _verified(asked, entered, proved, done)


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
    into = Path(current_context().working_directory)
    with entering(enrolment, entered.sha, entered.stage.name, into=into, environ=os.environ) as found:
        return switch_stage(found.asked, entered, proved)
