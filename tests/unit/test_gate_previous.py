from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from tasks._names import generation_name
from tasks.gate_previous import PreviousStage
from tasks.gates import GateState
from tasks.stage_state import Cause, StageState
from tests.unit.promotions import (
    OLDER,
    PLAN,
    SHA,
    Ledger,
    activation,
    asked,
    generation,
    promoted,
    stage,
    state,
)


def test_first_stage_is_open() -> None:
    assert PreviousStage().judge(asked()).state is GateState.OPEN


def test_release_that_is_verified_in_the_stage_before_is_let_in() -> None:
    ledger = Ledger()
    promoted(ledger)
    verdict = PreviousStage().judge(asked(ledger, before=state(activation())))
    assert verdict.state is GateState.OPEN, verdict
    assert "promote-1" in verdict.evidence[0] and len(ledger.calls) == 2


@pytest.mark.parametrize(
    ("before", "because"),
    [
        pytest.param(state(None), "nothing was promoted", id="nothing-there"),
        pytest.param(state(activation(sha=OLDER)), "runs aaaaaaaaaaaa", id="another-release"),
        pytest.param(
            state(activation(cause=Cause.ADOPTION, sha="", manifest="")), "before Taxiway", id="adopted"
        ),
        pytest.param(state(activation(manifest="sha256:00")), "another release of this", id="other-digest"),
        pytest.param(state(activation(), phase="RUNNING"), "is running", id="still-activating"),
        pytest.param(state(activation(), phase="ABORTED", active={}), "is aborted", id="partial"),
        pytest.param(state(activation(), active={PLAN: [OLDER, SHA]}), "not run all of it", id="two-active"),
        pytest.param(state(activation(), active={}), "not run all of it", id="deactivated-by-hand"),
    ],
)
def test_stage_before_that_does_not_run_just_this_is_waited_for(before: StageState, because: str) -> None:
    ledger = Ledger()
    promoted(ledger)
    verdict = PreviousStage().judge(asked(ledger, before=before))
    assert verdict.state is GateState.WAITING
    assert because in verdict.because and verdict.opens


@pytest.mark.parametrize(
    ("changed", "because", "opens"),
    [
        pytest.param({"phase": "RUNNING"}, "is running", "the end of promote-1", id="running"),
        pytest.param({"phase": "FAILED", "outputs": {}}, "ended failed", "a promotion", id="failed"),
        pytest.param({"status": "waiting"}, "ended waiting", "a promotion", id="waiting"),
        pytest.param({"outputs": {}}, "without a report", "a promotion", id="no-report"),
        pytest.param({"name": "promote-other"}, "no execution promote-1", "a promotion", id="gone"),
    ],
)
def test_promotion_that_did_not_verify_is_no_verification(
    changed: dict[str, Any], because: str, opens: str
) -> None:
    ledger = Ledger()
    promoted(ledger, **changed)
    verdict = PreviousStage().judge(asked(ledger, before=state(activation())))
    assert verdict.state is GateState.WAITING
    assert because in verdict.because and verdict.opens.startswith(opens), verdict


def test_what_a_rollback_went_back_to_was_verified_by_its_own_promotion() -> None:
    ledger = Ledger()
    promoted(ledger)
    generation(ledger, generation_name("fraud", "staging", 1), activation(generation=1))
    back = activation(generation=3, cause=Cause.ROLLBACK, back_to=1, asked_by="rollback-1")
    assert PreviousStage().judge(asked(ledger, before=state(back))).state is GateState.OPEN


def test_rollback_to_what_no_promotion_brought_is_not_verified() -> None:
    ledger = Ledger()
    adopted = activation(generation=0, cause=Cause.ADOPTION, asked_by="")
    generation(ledger, generation_name("fraud", "staging", 0), adopted)
    back = activation(generation=3, cause=Cause.ROLLBACK, back_to=0, sha=SHA)
    verdict = PreviousStage().judge(asked(ledger, before=state(back)))
    assert verdict.state is GateState.WAITING and "no promotion" in verdict.because


def test_stage_before_that_cannot_be_looked_at_is_no_first_stage() -> None:
    lost = replace(asked(), previous=stage("staging"), lost="ListExecutions on eu.example.com failed.")
    verdict = PreviousStage().judge(lost)
    assert verdict.state is GateState.WAITING
    assert "staging cannot be looked at" in verdict.because and "eu.example.com" in verdict.evidence[0]
