from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from tasks._names import stage_tag
from tasks.gate_hold import HoldGate
from tasks.gates import GateState
from tests.unit.promotions import NOW, SHA, Ledger, activation, asked, plan_id

Act = tuple[str, dict[str, Any], dict[str, Any]]
HELD: Act = ("hold", {"stage": "production", "reason": "month end", "hold": True}, {})
LET_GO: Act = ("hold", {"stage": "production", "reason": "done", "hold": False}, {})
ROLLED_BACK: Act = ("rollback", {"stage": "production", "to": "previous", "reason": "it pages"}, {})
TAGGED = {"tags": [stage_tag("fraud", "production")]}


def with_(act: Act, **more: Any) -> Act:
    return (act[0], act[1], {**act[2], **more})


@pytest.mark.parametrize(
    ("acts", "state", "said"),
    [
        pytest.param([], GateState.OPEN, "", id="never-held"),
        pytest.param([HELD], GateState.WAITING, "hold by lead (act-0): month end", id="held"),
        pytest.param([HELD, LET_GO], GateState.OPEN, "let go by lead (act-1): done", id="let-go"),
        pytest.param([LET_GO, HELD], GateState.WAITING, "month end", id="held-again"),
        pytest.param(
            [ROLLED_BACK], GateState.WAITING, "rollback by lead (act-0): it pages", id="rolled-back"
        ),
        pytest.param(
            [("rollback", {**ROLLED_BACK[1], "activation": activation(stage="", reason="")}, {})],
            GateState.WAITING,
            "it pages",
            id="rolled-back-by-what-was-not-planned-yet",
        ),
        pytest.param([ROLLED_BACK, LET_GO], GateState.OPEN, "let go", id="let-go-after-rollback"),
        pytest.param(
            [
                (
                    "rollback",
                    {"activation": activation(stage="production", reason="it pages")},
                    {},
                )
            ],
            GateState.WAITING,
            "it pages",
            id="rollback-named-by-generation",
        ),
        pytest.param(
            [HELD, with_(LET_GO, phase="FAILED")], GateState.WAITING, "month end", id="letting-go-failed"
        ),
        pytest.param(
            [HELD, with_(LET_GO, phase="RUNNING")], GateState.WAITING, "month end", id="letting-go-runs"
        ),
        pytest.param(
            [HELD, with_(LET_GO, plan=plan_id("hold", project="mine"))],
            GateState.WAITING,
            "",
            id="look-alike",
        ),
        pytest.param(
            [with_(HELD, plan=plan_id("hold", version="older"))], GateState.WAITING, "", id="older-version"
        ),
        pytest.param([with_(HELD, **TAGGED)], GateState.WAITING, "", id="tagged"),
        pytest.param(
            [("hold", {"stage": "staging", "reason": "x", "hold": True}, {})],
            GateState.OPEN,
            "",
            id="another-stage",
        ),
        pytest.param(
            [("hold", {"stage": "production", "reason": "x", "hold": "yes"}, {})],
            GateState.OPEN,
            "",
            id="no-hold",
        ),
        pytest.param(
            [with_(HELD, principal="")], GateState.WAITING, "whom Flyte does not name", id="anonymous"
        ),
    ],
)
def test_newest_of_holds_and_rollbacks_is_how_a_stage_stands(
    acts: list[Act], state: GateState, said: str
) -> None:
    ledger = Ledger()
    for number, (flow, inputs, more) in enumerate(acts):
        at = NOW - timedelta(hours=9 - number)
        ledger.add(f"act-{number}", flow, inputs=inputs, at=at, **{"principal": "00u-lead", **more})
    verdict = HoldGate().judge(asked(ledger))
    assert verdict.state is state, verdict
    assert said in "".join(verdict.evidence)
    assert ("unhold fraud production" in verdict.opens) is (state is GateState.WAITING)


def test_holds_of_other_stages_are_not_read() -> None:
    ledger = Ledger()
    for number in range(20):
        inputs = {"stage": "staging", "reason": SHA, "hold": True}
        ledger.add(f"act-{number}", "hold", inputs=inputs, tags=[stage_tag("fraud", "staging")])
    assert HoldGate().judge(asked(ledger)).state is GateState.OPEN
    assert ledger.calls == ["ListExecutions"]
