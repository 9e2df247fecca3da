from __future__ import annotations

from collections.abc import Mapping

import pytest

from tasks.converge import Step, plan_activation
from tasks.stage_state import Activation, Cause, differences, notes_of, tags_of


def activation(**given: object) -> Activation:
    values: dict[str, object] = {
        "target": "fraud",
        "stage": "production",
        "project": "fraud",
        "domain": "production",
        "generation": 1,
        "cause": Cause.PROMOTION,
        "before": {"a": "v1", "b": "v1"},
        "after": {"a": "v2", "c": "v2"},
    }
    return Activation.model_validate({**values, **given})


START_A = Step(name="a", wanted="v2", there=("v1",))
STOP_B = Step(name="b", wanted="", there=("v1",))
START_C = Step(name="c", wanted="v2")


@pytest.mark.parametrize(
    ("active", "expected"),
    [
        pytest.param({"a": ["v1"], "b": ["v1"]}, [START_A, START_C, STOP_B], id="nothing-done"),
        pytest.param({"a": ["v2"], "b": ["v1"]}, [START_C, STOP_B], id="killed-after-the-first"),
        pytest.param({"a": ["v2"], "c": ["v2"]}, [], id="all-done"),
        pytest.param({"a": ["v2"], "c": ["v2"], "other": ["v9"]}, [], id="somebody-elses-is-left-alone"),
        pytest.param(
            {"a": ["v1", "v2"], "c": ["v2"]},
            [Step(name="a", wanted="v2", there=("v1", "v2"))],
            id="surplus-beside-the-wanted",
        ),
        pytest.param(
            {"a": ["v2"], "b": ["v1", "v3"], "c": ["v2"]},
            [Step(name="b", wanted="", there=("v1", "v3"))],
            id="two-of-what-must-not-run",
        ),
        pytest.param({}, [Step(name="a", wanted="v2"), START_C], id="all-stopped-by-hand"),
    ],
)
def test_plan_has_what_is_missing(active: Mapping[str, list[str]], expected: list[Step]) -> None:
    assert plan_activation(active, activation()) == expected


def test_what_an_earlier_generation_managed_is_stopped() -> None:
    active = {"a": ["v2"], "c": ["v2"], "left": ["v0"]}
    assert plan_activation(active, activation(), {"left"}) == [Step(name="left", wanted="", there=("v0",))]


def test_a_version_that_is_active_already_is_not_started_again() -> None:
    assert START_A.starts and START_C.starts
    assert not STOP_B.starts
    assert not Step(name="a", wanted="v2", there=("v1", "v2")).starts


def test_sets_are_stored_in_one_order() -> None:
    assert list(activation(after={"z": "1", "a": "2"}).after) == ["a", "z"]


def test_notes_say_what_a_list_has_to_know() -> None:
    notes = notes_of(activation(sha="f" * 40, reason="r" * 500, back_to=3))
    assert notes["taxiway/generation"] == "1"
    assert notes["taxiway/cause"] == "promotion"
    assert notes["taxiway/back_to"] == "3"
    assert len(notes["taxiway/reason"]) == 200


def test_tags_name_a_release_if_there_is_one() -> None:
    assert tags_of(activation()) == ["taxiway.fraud", "taxiway.fraud.stage.production"]
    assert tags_of(activation(sha="abc"))[2:] == ["taxiway.fraud.release.abc"]


def test_every_difference_is_a_sentence() -> None:
    found = differences({"a": ["v1", "v2"], "b": ["v1"]}, {"a": "v2", "c": "v2"}, {"b"})
    assert list(found) == [
        "a: v1 and v2 is ACTIVE, and v2 should be",
        "b: v1 is ACTIVE, and none should be",
        "c: no version is ACTIVE, and v2 should be",
    ]
