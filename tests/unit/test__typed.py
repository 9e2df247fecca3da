"""Values as Flyte's literals outside of a task, and everything that is none."""

from __future__ import annotations

from typing import Any

import pytest
from flyteidl.core.literals_pb2 import LiteralMap

from tasks._typed import Unreadable, literals, value_of
from tasks.manifest import Manifest
from tasks.promotion_records import PromotionReport, PromotionStatus
from tasks.stage_state import Activation
from tests.unit.promotions import MANIFEST, SHA, activation


@pytest.mark.parametrize(
    ("value", "kind"),
    [(SHA, str), (3, int), (True, bool), (activation(), Activation), (MANIFEST, Manifest)],
    ids=["text", "number", "boolean", "activation", "manifest"],
)
def test_a_value_comes_back_as_it_was(value: Any, kind: type) -> None:
    assert value_of(literals({"x": value}), "x", kind) == value


@pytest.mark.parametrize(
    ("found", "kind"),
    [
        pytest.param(LiteralMap(), str, id="not-there"),
        pytest.param(literals({"x": "text"}), int, id="text-for-a-number"),
        pytest.param(literals({"x": 3}), Activation, id="a-number-for-a-record"),
        pytest.param(literals({"x": MANIFEST}), Activation, id="another-record"),
        pytest.param(
            literals({"x": PromotionReport(stage="s", sha=SHA, status=PromotionStatus.PROMOTED)}),
            Manifest,
            id="a-report-for-a-manifest",
        ),
    ],
)
def test_what_is_something_else_is_unreadable(found: LiteralMap, kind: type) -> None:
    with pytest.raises(Unreadable):
        value_of(found, "x", kind)
