from __future__ import annotations

import json
import math
from typing import Any

import pytest
from flyteidl.core.literals_pb2 import Blob, Literal, LiteralCollection, LiteralMap, Scalar

from tasks._typed import literal_of
from tasks._types import Status, Verdict
from tasks.gate_regression import compared_tests, judge_regression
from tasks.gates import GateState
from tasks.policy import SmokeTest
from tasks.smoke import SmokeReport, SmokeResult
from tasks.smoke_case import kept_values

TRAIN = "fraud.workflows.train"


def wanting(**tolerances: str) -> SmokeTest:
    return SmokeTest(launch_plan=TRAIN, no_regression=tolerances)


def report(*values: dict[str, Any], phase: str = "SUCCEEDED") -> SmokeReport:
    results = [
        SmokeResult(
            name=TRAIN,
            launch_plan=TRAIN,
            status=Status.PASSED,
            phase=phase,
            values={name: json.dumps(value) for name, value in one.items()},
        )
        for one in values
    ]
    return SmokeReport(verdict=Verdict(status=Status.PASSED, summary="passed"), results=results)


@pytest.mark.parametrize(
    ("tolerance", "old", "new", "fine"),
    [
        pytest.param(">= -0.02", 0.9, 0.88, True, id="as-much-lower-as-allowed"),
        pytest.param(">= -0.02", 0.9, 0.8799, False, id="lower"),
        pytest.param(">= -0.02", 0.9, 0.99, True, id="better"),
        pytest.param(">= +0.01", 0.9, 0.9, False, id="has-to-improve"),
        pytest.param("<= 5%", 200, 210, True, id="five-percent-slower"),
        pytest.param("<= 5%", 200, 210.1, False, id="slower"),
        pytest.param("<= 5%", -200, -190, True, id="percent-of-a-negative"),
        pytest.param("<= 5%", 0, 0, True, id="percent-of-zero"),
        pytest.param("<= 5%", 0, 0.1, False, id="anything-is-more-than-zero"),
        pytest.param("<=0", 7, 7.0, True, id="int-and-float"),
        pytest.param("<= 1", 1, True, False, id="bool-is-no-number"),
        pytest.param("<= 1", 1, "1", False, id="text-is-no-number"),
        pytest.param("<= 1", 1, None, False, id="nothing-is-no-number"),
        pytest.param("<= 1", 1, math.nan, False, id="nan"),
        pytest.param("<= 1", 1, -math.inf, False, id="infinite"),
        pytest.param("<= 1", "1", 1, True, id="was-no-number"),
        pytest.param("<= 1", math.inf, 1, True, id="was-infinite"),
        pytest.param("same", "v1", "v1", True, id="same-text"),
        pytest.param("same", "v1", "v2", False, id="other-text"),
        pytest.param("same", 3, 3.0, True, id="same-number"),
        pytest.param("same", 1, True, False, id="number-and-bool"),
        pytest.param("same", "1", 1, False, id="text-and-number"),
        pytest.param("same", {"a": [1, 2]}, {"a": [1, 2.0]}, True, id="same-table"),
        pytest.param("same", {"a": [1, 2]}, {"a": [2, 1]}, False, id="other-order"),
        pytest.param("same", None, None, True, id="same-nothing"),
    ],
)
def test_tolerance_is_of_the_new_value_less_the_old_one(
    tolerance: str, old: Any, new: Any, fine: bool
) -> None:
    verdict = judge_regression([wanting(x=tolerance)], report({"x": new}), report({"x": old}))
    assert verdict.state is (GateState.OPEN if fine else GateState.CLOSED), verdict
    assert f"{TRAIN}: x " in verdict.evidence[0]


def test_nothing_is_compared_unless_asked_for() -> None:
    assert judge_regression([wanting()], report({}), None).state is GateState.OPEN
    assert compared_tests([wanting(), wanting(x="same")]) == [wanting(x="same")]


def test_first_release_of_a_stage_has_nothing_to_fall_behind() -> None:
    verdict = judge_regression([wanting(x="same")], report({"x": 1}), None)
    assert verdict.state is GateState.OPEN and "nothing is active" in verdict.because


@pytest.mark.parametrize(
    "theirs",
    [
        pytest.param(report({"x": 1}, phase="FAILED"), id="failed-there"),
        pytest.param(report({}), id="new-output"),
        pytest.param(report({}, phase=""), id="no-such-launch-plan-there"),
    ],
)
def test_broken_active_version_does_not_keep_its_mending_out(theirs: SmokeReport) -> None:
    verdict = judge_regression([wanting(x="<= 1")], report({"x": 1}), theirs)
    assert verdict.state is GateState.OPEN
    assert "0 of 1" in verdict.because and "active version has none" in verdict.evidence[0]


@pytest.mark.parametrize(
    "ours", [pytest.param(report({}), id="no-output"), pytest.param(report({}, phase="FAILED"), id="failed")]
)
def test_missing_value_now_is_a_regression(ours: SmokeReport) -> None:
    assert judge_regression([wanting(x="<= 1")], ours, report({"x": 1})).state is GateState.CLOSED


def test_active_version_may_have_run_only_the_tests_that_are_compared() -> None:
    tests = [wanting(), wanting(x="same"), wanting(x=">= 0")]
    ours = report({}, {"x": "a"}, {"x": 2})
    for theirs in (report({"x": "a"}, {"x": 3}), report({}, {"x": "a"}, {"x": 3})):
        verdict = judge_regression(tests, ours, theirs)
        assert verdict.state is GateState.CLOSED
        assert verdict.evidence == [
            f"{TRAIN} #3: x was 3, is 2; allowed is >= 0, by -1",
            f'{TRAIN} #2: x was "a", is "a"; allowed is same',
        ]


def test_values_are_kept_of_what_is_compared_and_can_be() -> None:
    file = Literal(scalar=Scalar(blob=Blob(uri="s3://bucket/x")))
    outputs = LiteralMap(
        literals={
            "number": literal_of(0.5),
            "text": literal_of("x" * 5000),
            "file": file,
            "files": Literal(collection=LiteralCollection(literals=[file])),
            "other": literal_of(1),
        }
    )
    kept = kept_values(["number", "text", "file", "files", "missing"], outputs)
    assert kept["number"] == "0.5"
    assert json.loads(kept["text"]).startswith("sha256:") and len(kept["text"]) < 100
    assert set(kept) == {"number", "text"}
