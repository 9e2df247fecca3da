"""A promotion's last step, done once or again after it was killed: which generation it makes or finds."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from flyteidl.core.execution_pb2 import WorkflowExecution

from tasks._errors import ActivationBroken, FlyteExists, GenerationTaken
from tasks._typed import value_of
from tasks._types import Status
from tasks.converge import Activated
from tasks.gates import Asked
from tasks.manifest import StoredManifest
from tasks.policy import Gates, SmokeTest, Stage
from tasks.promotion import Entered
from tasks.proving import Proved
from tasks.stage_state import Activation, Cause, StageState
from tasks.switching import (
    next_generation,
    others_since,
    rival_generation,
    switch_stage,
    verification_tests,
)
from tests.unit.promotions import (
    DIGEST,
    MANIFEST,
    OLDER,
    PLAN,
    SHA,
    Ledger,
    activation,
    asked,
    promoted,
    stage,
    state,
)
from tests.unit.samples import PASSED

OWN = "promote-own"
QUIET = stage("staging").model_copy(update={"verify": "none"})
ENTERED = Entered(
    verdict=PASSED,
    sha=SHA,
    attempt=1,
    manifest=MANIFEST,
    stored=StoredManifest(uri="s3://bucket/manifest.json", digest=MANIFEST.digest),
    policy=DIGEST,
    stage=QUIET,
    gates=[],
)
PROVED = Proved(verdict=PASSED, open=True, version=SHA, after={PLAN: SHA})
DONE = Activated(changed={PLAN: SHA}, calls=1, active={PLAN: SHA})


def test_the_next_generation_is_of_what_taxiway_manages() -> None:
    running = state(
        activation(after={PLAN: "v0", "old": "v0"}), active={PLAN: ["v0"], "old": ["v0"], "other": ["x"]}
    )
    running = replace(running, next=4)
    made = next_generation(asked(running=running, wanted=QUIET), SHA, {PLAN: SHA}, OWN)
    assert (made.generation, made.cause, made.asked_by) == (4, Cause.PROMOTION, OWN)
    assert (made.before, made.after) == ({PLAN: "v0", "old": "v0"}, {PLAN: SHA})
    assert (made.sha, made.version, made.manifest) == (SHA, SHA, MANIFEST.digest)


@pytest.mark.parametrize(
    ("verify", "expected"),
    [("none", []), ("smoke", ["fraud.train"]), ("fraud.check", ["fraud.check"])],
    ids=["nothing", "the-smoke-tests", "a-launch-plan"],
)
def test_what_is_run_after_the_activation(verify: str, expected: list[str]) -> None:
    tests = [SmokeTest(launch_plan="fraud.train")]
    wanted = stage().model_copy(update={"verify": verify, "smoke": tests})
    assert [one.launch_plan for one in verification_tests(asked(wanted=wanted))] == expected


def ready(ledger: Ledger, running: StageState, wanted: Stage = QUIET) -> tuple[Asked, list[Activation]]:
    """A promotion whose activations succeed as soon as they are launched, and the list of those."""
    launched: list[Activation] = []

    def create(request: Any, timeout: float) -> None:
        if request.name in ledger.executions:
            raise FlyteExists("It is there.", remedy="", status="ALREADY_EXISTS", details="")
        launched.append(value_of(request.inputs, "activation", Activation))
        ledger.add(request.name, "activate", outputs={"o0": DONE})

    found = asked(ledger, running=running, wanted=wanted)
    flyte = replace(found.flyte, rpcs={**found.flyte.rpcs, "CreateExecution": create}, sleep=lambda s: None)
    return replace(found, flyte=flyte, home=replace(found.home, flyte=flyte)), launched


def empty() -> StageState:
    return state(None, of=QUIET)


def own_state(phase: str, **changed: Any) -> StageState:
    running = state(activation(asked_by=OWN), of=QUIET, phase=phase, **changed)
    assert running.last is not None
    return replace(running, last=replace(running.last, asked_by=OWN), next=4)


def test_a_first_release_is_activated() -> None:
    found, launched = ready(Ledger(), empty())
    switched = switch_stage(found, ENTERED, PROVED, own=OWN)
    assert (switched.verdict.status, switched.generation, switched.activated) == (Status.PASSED, 0, DONE)
    assert [one.after for one in launched] == [{PLAN: SHA}]


def test_what_runs_already_is_not_activated_again() -> None:
    ledger = Ledger()
    promoted(ledger)
    found, launched = ready(ledger, state(activation(), of=QUIET))
    switched = switch_stage(found, ENTERED, PROVED, own=OWN)
    assert (switched.unchanged, launched) == (True, [])


@pytest.mark.parametrize("phase", ["ABORTED", "FAILED"])
def test_what_runs_by_a_promotion_that_did_not_end_well_is_taken_over(phase: str) -> None:
    ledger = Ledger()
    ledger.add("promote-1", "promote", phase=phase)
    found, launched = ready(ledger, replace(state(activation(), of=QUIET), next=4))
    switched = switch_stage(found, ENTERED, PROVED, own=OWN)
    assert (switched.unchanged, switched.generation) == (False, 4)
    assert [(one.before, one.after, one.asked_by) for one in launched] == [({PLAN: SHA}, {PLAN: SHA}, OWN)]


@pytest.mark.parametrize(
    ("phase", "own", "rival"),
    [
        ("RUNNING", OWN, "fraud-staging-g3"),
        ("ABORTING", OWN, "fraud-staging-g3"),
        ("SUCCEEDED", OWN, ""),
        ("FAILED", OWN, ""),
        ("RUNNING", "", ""),
    ],
    ids=["runs", "ends", "done", "broke-off", "its-own"],
)
def test_whose_activation_has_to_end_first(phase: str, own: str, rival: str) -> None:
    assert rival_generation(state(activation(), of=QUIET, phase=phase), own) == rival
    assert rival_generation(empty(), own) == ""


@pytest.mark.parametrize(
    ("following", "own", "expected"),
    [(3, OWN, True), (4, OWN, False), (-1, OWN, False), (3, "", False)],
    ids=["one-more", "none", "not-known", "its-own"],
)
def test_whether_another_came_since_the_gates_were_asked(following: int, own: str, expected: bool) -> None:
    running = replace(state(activation(), of=QUIET), next=4)
    assert others_since(running, following, own) is expected


@pytest.mark.parametrize(("following", "status"), [(3, Status.SKIPPED), (4, Status.PASSED)])
def test_gates_are_asked_again_where_another_came_since(following: int, status: Status) -> None:
    closed = QUIET.model_copy(update={"gates": Gates(window=["Sat 08:00-16:00 UTC"])})
    running = replace(state(activation(sha=OLDER, manifest=DIGEST), of=closed), next=4)
    found, launched = ready(Ledger(), running, closed)
    switched = switch_stage(found, ENTERED, PROVED.model_copy(update={"next": following}), own=OWN)
    assert (switched.verdict.status, bool(launched)) == (status, status is Status.PASSED)


def test_the_same_release_with_other_settings_is_activated() -> None:
    found, launched = ready(Ledger(), replace(state(activation(), of=QUIET), next=4))
    version = f"{SHA}-01234567"
    proved = PROVED.model_copy(update={"version": version, "after": {PLAN: version}})
    switched = switch_stage(found, ENTERED, proved, own=OWN)
    assert not switched.unchanged
    assert [one.after for one in launched] == [{PLAN: version}]


def test_drift_is_mended_by_a_new_generation() -> None:
    drifted = replace(state(activation(), of=QUIET, active={PLAN: ["by-hand"]}), next=4)
    found, launched = ready(Ledger(), drifted)
    assert switch_stage(found, ENTERED, PROVED, own=OWN).generation == 4
    assert launched[0].before == {PLAN: "by-hand"}


def test_killed_after_the_activation_it_was_promoted_all_the_same() -> None:
    found, launched = ready(Ledger(), own_state("SUCCEEDED"))
    switched = switch_stage(found, ENTERED, PROVED, own=OWN)
    assert (switched.verdict.status, switched.unchanged, launched) == (Status.PASSED, False, [])


def test_killed_while_its_activation_runs_it_follows_that_one() -> None:
    ledger = Ledger()
    ledger.add("fraud-staging-g3", "activate", outputs={"o0": DONE})
    found, launched = ready(ledger, own_state("RUNNING", active={PLAN: ["v0"]}))
    switched = switch_stage(found, ENTERED, PROVED, own=OWN)
    assert (switched.generation, switched.activated, launched) == (3, DONE, [])


def test_killed_and_its_activation_broken_off_it_makes_another_one() -> None:
    found, launched = ready(Ledger(), own_state("FAILED", active={PLAN: ["v0"]}))
    assert switch_stage(found, ENTERED, PROVED, own=OWN).generation == 4
    assert len(launched) == 1


def test_an_activation_that_broke_off_once_all_was_done_is_made_again() -> None:
    found, launched = ready(Ledger(), own_state("FAILED"))
    assert switch_stage(found, ENTERED, PROVED, own=OWN).generation == 4
    assert launched[0].before == launched[0].after == {PLAN: SHA}


def test_an_activation_that_breaks_off_is_no_promotion() -> None:
    ledger = Ledger()
    execution = ledger.add("fraud-staging-g3", "activate", phase="ABORTED")
    execution.closure.abort_metadata.cause = "by hand"
    found, _ = ready(ledger, own_state("RUNNING", active={PLAN: ["v0"]}))
    with pytest.raises(ActivationBroken, match="by hand"):
        switch_stage(found, ENTERED, PROVED, own=OWN)


def test_a_generation_that_another_one_has_is_waited_for() -> None:
    found, _ = ready(Ledger(), empty())
    first = switch_stage(found, ENTERED, PROVED, own=OWN)
    ledger = Ledger()
    other = activation(generation=0, after={PLAN: "v9"})
    ledger.add(first.execution, "activate", inputs={"activation": other}, phase="RUNNING")
    found, _ = ready(ledger, empty())
    with pytest.raises(GenerationTaken, match="launched for something else"):
        switch_stage(found, ENTERED, PROVED, own=OWN)
    assert ledger.executions[first.execution].closure.phase == WorkflowExecution.RUNNING
