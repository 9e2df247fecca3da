"""Where a release is tested, and what its tests say as a gate."""

from __future__ import annotations

import pytest

from tasks import proving
from tasks._errors import RegistrationRefused
from tasks._types import Status, Verdict
from tasks.gates import GateState
from tasks.proving import Registering, prove_release, smoke_gate, smoke_place
from tests.unit.promotions import SHA, asked
from tests.unit.samples import FAILED, PASSED, UNTESTED, smoke


@pytest.mark.parametrize(
    ("verdict", "state"),
    [
        pytest.param(PASSED, GateState.OPEN, id="passed"),
        pytest.param(FAILED, GateState.CLOSED, id="failed"),
        pytest.param(UNTESTED, GateState.OPEN, id="a-stage-without-tests"),
    ],
)
def test_smoke_tests_are_a_gate(verdict: Verdict, state: GateState) -> None:
    gate = smoke_gate(smoke(verdict))
    assert (gate.gate, gate.state, gate.because) == ("smoke", state, verdict.summary)
    assert all(line.partition(": ")[0] for line in gate.evidence)


def test_tests_run_in_the_stage_at_the_version_registered_there() -> None:
    place = smoke_place(asked(), version=f"{SHA}-01234567", attempt=3, round_="verify")
    assert (place.project, place.domain, place.version) == ("fraud", "production", f"{SHA}-01234567")
    assert (place.attempt, place.round) == (3, "verify")
    assert set(place.labels.values()) == {"fraud", "production"}


def test_what_flyte_refuses_is_a_verdict_that_activates_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*asked: object) -> Registering:
        refusals = {"task fraud.tasks.fit": "Requested CPU limit [8] is greater than current limit"}
        raise RegistrationRefused("1 entity is refused.", remedy="See each.", refusals=refusals)

    monkeypatch.setattr(proving, "register_release", refuse)
    proved = prove_release(asked(), 1)
    assert (proved.verdict.status, proved.open, proved.after) == (Status.FAILED, False, {})
    assert [one.where for one in proved.verdict.findings] == ["task fraud.tasks.fit"]
