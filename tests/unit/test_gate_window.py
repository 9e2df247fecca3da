from __future__ import annotations

from datetime import datetime, timezone
from typing import Any

import pytest

from tasks._toml import Invalid
from tasks.entry_gates import ENTRY_GATES, judge_all
from tasks.gate_window import WindowGate
from tasks.gates import GateState, standing
from tasks.policy import read_policy
from tests.unit.promotions import asked, stage

BERLIN = "Mon-Thu 08:00-16:00 Europe/Berlin"


@pytest.mark.parametrize(
    ("gates", "now", "state", "opens"),
    [
        pytest.param({}, "2026-03-07T03:00", GateState.OPEN, "", id="no-window"),
        pytest.param({"window": [BERLIN]}, "2026-03-26T14:30", GateState.OPEN, "", id="in-winter"),
        pytest.param(
            {"window": [BERLIN]}, "2026-03-26T15:30", GateState.WAITING, "2026-03-30T06:00:00+00:00", id="dst"
        ),
        pytest.param(
            {"window": [BERLIN], "days": {"2026-03-30": "closed"}},
            "2026-03-26T15:30",
            GateState.WAITING,
            "2026-03-31T06:00:00+00:00",
            id="holiday",
        ),
        pytest.param(
            {"frozen": ["Mon-Sun 00:00-24:00 UTC"]},
            "2026-03-26T15:30",
            GateState.WAITING,
            "another policy on the protected branch",
            id="never",
        ),
    ],
)
def test_closed_window_says_when_it_opens(
    gates: dict[str, Any], now: str, state: GateState, opens: str
) -> None:
    moment = datetime.fromisoformat(now).replace(tzinfo=timezone.utc)
    verdict = WindowGate().judge(asked(wanted=stage(**gates), now=moment))
    assert (verdict.state, verdict.opens) == (state, opens)


@pytest.mark.parametrize(
    ("gates", "where", "problem"),
    [
        pytest.param('window = ["Mon 08:00-09:00 Mars/Base"]', "gates.window[0]", "time zone", id="zone"),
        pytest.param('frozen = ["Mon 08:00-08:00 UTC"]', "gates.frozen[0]", "ends when", id="empty"),
        pytest.param('days = { 2026-02-31 = "open" }', "gates.days", "no day", id="day"),
    ],
)
def test_calendar_that_cannot_be_is_an_error_of_the_policy(gates: str, where: str, problem: str) -> None:
    policy = f"""
        [package]
        modules = ["fraud"]
        [image]
        repository = "registry.example.com/fraud"
        [[stage]]
        name = "production"
        project = "fraud"
        domain = "production"
        [stage.gates]
        {gates}
    """
    found = read_policy(policy.encode())
    assert isinstance(found, Invalid)
    [finding] = found.findings
    assert where in finding.where and problem in finding.problem


def test_every_gate_is_asked_and_named_once() -> None:
    verdicts = judge_all(ENTRY_GATES, asked(wanted=stage(frozen=["Mon-Sun 00:00-24:00 UTC"])))
    assert [verdict.gate for verdict in verdicts] == [
        "previous",
        "stale",
        "hold",
        "soak",
        "approval",
        "window",
    ]
    assert standing(verdicts) is GateState.WAITING
