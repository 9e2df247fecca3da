"""The entry gates of a promotion, in the order in which they are shown."""

from __future__ import annotations

from collections.abc import Sequence

from tasks.gate_approval import ApprovalGate
from tasks.gate_hold import HoldGate
from tasks.gate_previous import PreviousStage
from tasks.gate_soak import Soak
from tasks.gate_stale import StaleGuard
from tasks.gate_window import WindowGate
from tasks.gates import Asked, Gate, GateVerdict

ENTRY_GATES: tuple[Gate, ...] = (
    PreviousStage(),
    StaleGuard(),
    HoldGate(),
    Soak(),
    ApprovalGate(),
    WindowGate(),
)
"""All of them are asked, so that a verdict says everything that a promotion waits for, and not one by one."""


def judge_all(gates: Sequence[Gate], asked: Asked) -> list[GateVerdict]:
    """Ask every gate, and return their verdicts in the same order; what could not be found out is raised."""
    return [gate.judge(asked) for gate in gates]
