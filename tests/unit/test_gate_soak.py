from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta

import pytest

from tasks._errors import BadUsage
from tasks.gate_soak import Soak
from tasks.gates import Asked, GateState
from tests.unit.promotions import (
    NOW,
    OLDER,
    PLAN,
    SHA,
    Ledger,
    activation,
    asked,
    plan_id,
    promoted,
    stage,
    state,
)

VERIFIED = NOW - timedelta(days=2) + timedelta(minutes=1)


def soaking(ledger: Ledger, soak: str) -> Asked:
    return asked(ledger, before=state(activation()), wanted=stage(soak=soak))


@pytest.fixture
def ledger() -> Ledger:
    made = Ledger()
    promoted(made)
    return made


def test_no_soak_time_asks_nothing() -> None:
    ledger = Ledger()
    assert Soak().judge(soaking(ledger, "0s")).state is GateState.OPEN
    assert ledger.calls == []


def test_first_stage_has_nothing_to_soak_in() -> None:
    assert Soak().judge(asked(wanted=stage(soak="24h"))).state is GateState.OPEN


def test_soaked_release_is_let_in(ledger: Ledger) -> None:
    assert Soak().judge(soaking(ledger, "24h")).state is GateState.OPEN
    assert ledger.calls.count("ListExecutions") == 1


def test_time_to_wait_for_counts_from_the_verification(ledger: Ledger) -> None:
    verdict = Soak().judge(soaking(ledger, "3d"))
    assert verdict.state is GateState.WAITING
    assert verdict.opens == (VERIFIED + timedelta(days=3)).isoformat()


def test_time_counts_from_the_rollback_that_brought_it_back(ledger: Ledger) -> None:
    back = state(activation(), at=NOW - timedelta(hours=1))
    verdict = Soak().judge(asked(ledger, before=back, wanted=stage(soak="24h")))
    assert verdict.opens == (NOW + timedelta(hours=23)).isoformat()


def test_clock_that_was_put_back_makes_it_wait_longer(ledger: Ledger) -> None:
    early = replace(soaking(ledger, "1h"), now=VERIFIED - timedelta(days=9))
    assert Soak().judge(early).state is GateState.WAITING


@pytest.mark.parametrize(
    ("version", "phase", "at", "state_"),
    [
        pytest.param(SHA, "FAILED", VERIFIED + timedelta(hours=1), GateState.WAITING, id="failed"),
        pytest.param(SHA, "TIMED_OUT", VERIFIED + timedelta(hours=1), GateState.WAITING, id="timed-out"),
        pytest.param(SHA, "ABORTED", VERIFIED + timedelta(hours=1), GateState.OPEN, id="aborted-by-hand"),
        pytest.param(SHA, "SUCCEEDED", VERIFIED + timedelta(hours=1), GateState.OPEN, id="succeeded"),
        pytest.param(SHA, "FAILED", VERIFIED - timedelta(hours=1), GateState.OPEN, id="before-that"),
        pytest.param(OLDER, "FAILED", VERIFIED + timedelta(hours=1), GateState.OPEN, id="another-version"),
    ],
)
def test_failed_execution_of_the_release_since_then_closes_it(
    ledger: Ledger, version: str, phase: str, at: datetime, state_: GateState
) -> None:
    ledger.add("f1", "", plan=plan_id("", name=PLAN, version=version), phase=phase, at=at)
    verdict = Soak().judge(soaking(ledger, "24h"))
    assert verdict.state is state_
    assert (f"failed: f1 ({PLAN})" in verdict.evidence) is (state_ is GateState.WAITING)


def test_unverified_release_does_not_soak() -> None:
    verdict = Soak().judge(soaking(Ledger(), "1h"))
    assert verdict.state is GateState.WAITING and "not verified" in verdict.because


def test_another_release_in_the_stage_before_does_not_soak_for_this_one(ledger: Ledger) -> None:
    other = state(activation(sha=OLDER, version=OLDER))
    verdict = Soak().judge(asked(ledger, before=other, wanted=stage(soak="1h")))
    assert verdict.state is GateState.WAITING and "does not run in staging" in verdict.because


def test_failures_are_looked_for_on_the_flyte_of_the_stage_before(ledger: Ledger) -> None:
    there = Ledger()
    far = state(activation())
    far = replace(far, stage=far.stage.model_copy(update={"endpoint": "dns:///far.example.com"}))
    elsewhere = replace(soaking(ledger, "1h"), previous=far.stage, before=far)
    with pytest.raises(BadUsage):
        Soak().judge(elsewhere)
    assert Soak().judge(replace(elsewhere, flyte_before=there.flyte())).state is GateState.OPEN
    assert there.calls == ["ListExecutions"]


def test_stage_before_that_cannot_be_looked_at_does_not_soak() -> None:
    lost = replace(asked(wanted=stage(soak="1h")), previous=stage("staging"), lost="no answer")
    verdict = Soak().judge(lost)
    assert verdict.state is GateState.WAITING
    assert "staging cannot be looked at" in verdict.because and verdict.evidence == ["no answer"]
