from __future__ import annotations

from scripts.commands.where import as_document, text_of
from tasks.gates import GateState, GateVerdict
from tasks.where import Promotion, StagePlace, Where

SHA = "a" * 40
WAITING = Promotion(
    execution="promote-1",
    sha="b" * 40,
    at="2026-01-05T10:00:00+00:00",
    who="lead",
    outcome="waiting",
    waits=[GateVerdict(gate="soak", state=GateState.WAITING, because="1 h of 24 h", opens="tomorrow")],
)
DONE = StagePlace(
    stage="production",
    sha=SHA,
    version=f"{SHA}-abcd",
    generation=4,
    cause="promotion",
    since="2026-01-05T09:00:00+00:00",
    who="lead",
    execution="fraud-production-g4",
    phase="SUCCEEDED",
    active={f"plan{number}": [SHA] for number in range(12)},
)


def test_a_stage_in_order_with_a_promotion_that_waits() -> None:
    text = text_of(Where(target="fraud", stages=[DONE.model_copy(update={"next": [WAITING]})]))
    assert "production  aaaaaaa  aaaaaaa-abcd  4 (promotion)  2026-01-05T09:00:00+00:00  lead  ok" in text
    assert "waiting: bbbbbbb since 2026-01-05T10:00:00+00:00, by lead (promote-1)" in text
    assert "soak is waiting: 1 h of 24 h; opens: tomorrow" in text
    assert "... and 2 more" in text


def test_drift_partial_hold_and_change_are_said_plainly() -> None:
    drift = ["plan1: v0 is ACTIVE, and v1 should be"]
    for changed, words in (
        (
            {"drift": drift, "held": "hold by lead"},
            ("drift, held", f"drift: {drift[0]}", "held: hold by lead"),
        ),
        ({"drift": drift, "partial": True, "phase": "FAILED"}, ("PARTIAL: fraud-production-g4 is FAILED",)),
        ({"phase": "RUNNING"}, ("changing: fraud-production-g4 is RUNNING",)),
        ({"active": None, "note": "not asked"}, ("unknown", "not asked")),
        (
            {"active": None, "note": "no answer", "endpoint": "eu:443", "fault": "TAXI:FlyteUnavailable"},
            ("unknown, eu:443 not asked (TAXI:FlyteUnavailable)", "no answer"),
        ),
        ({"active": {}}, ("none of its launch plans is ACTIVE",)),
    ):
        text = text_of(Where(target="fraud", stages=[DONE.model_copy(update=changed)]))
        assert [word for word in words if word not in text] == []


def test_a_target_without_releases_and_a_stage_that_was_never_reached() -> None:
    assert text_of(Where(target="fraud", stages=[])) == "Nothing of fraud was released yet."
    empty = Where(target="fraud", stages=[StagePlace(stage="production", next=[WAITING])])
    assert "production  -        -        -           -      -   empty" in text_of(empty)
    assert as_document(empty)["target"] == "fraud"
