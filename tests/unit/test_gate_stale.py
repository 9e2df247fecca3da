from __future__ import annotations

import pytest

from tasks._ancestry import Ancestry
from tasks.gate_stale import StaleGuard, judge_stale
from tasks.gates import GateState
from tasks.stage_state import Activation
from tests.unit.promotions import NEWER, activation, asked, stage, state


@pytest.mark.parametrize(
    ("record", "expected"),
    [
        pytest.param(None, GateState.OPEN, id="nothing-there"),
        pytest.param(activation(sha=""), GateState.OPEN, id="adopted"),
        pytest.param(activation(), GateState.OPEN, id="the-same-once-more"),
        pytest.param(activation(sha=NEWER), GateState.WAITING, id="history-is-not-at-hand"),
    ],
)
def test_what_needs_no_history(record: Activation | None, expected: GateState) -> None:
    verdict = StaleGuard().judge(asked(running=state(record, of=stage())))
    assert verdict.state is expected


@pytest.mark.parametrize(
    ("found", "expected"),
    [
        (Ancestry.SAME, GateState.OPEN),
        (Ancestry.DESCENDANT, GateState.OPEN),
        (Ancestry.APART, GateState.OPEN),
        (Ancestry.ANCESTOR, GateState.CLOSED),
        (Ancestry.UNKNOWN, GateState.WAITING),
    ],
)
def test_only_an_ancestor_is_refused(found: Ancestry, expected: GateState) -> None:
    verdict = judge_stale(found, stage="production", active=NEWER)
    assert verdict.state is expected
    assert bool(verdict.opens) is (expected is GateState.WAITING)
