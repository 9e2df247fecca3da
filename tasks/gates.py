"""What all gates have in common: they are asked about one promotion, and answer with a verdict.

A gate is a module `tasks/gate_<name>.py` with a class that has `name` and `judge`. What it has to know of
Flyte it reads through the `Asked` that it is given; its decision is a pure function beside it.
"""

from __future__ import annotations

import enum
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from tasks._enrolment import Enrolment
from tasks._flyte import Flyte
from tasks._home import Home
from tasks._types import Record
from tasks.manifest import Manifest
from tasks.policy import Policy, Stage
from tasks.source import Source
from tasks.stage_state import StageState


class GateState(str, enum.Enum):
    """How a gate stands."""

    OPEN = "open"
    WAITING = "waiting"
    """Closed, and time or somebody's act can open it."""
    CLOSED = "closed"
    """Closed for this release, whatever happens."""


class GateVerdict(Record):
    """A gate's answer: data, with what it rests on. `opens` is the time (ISO 8601) or act that opens it."""

    gate: str
    state: GateState
    because: str
    evidence: list[str] = []
    opens: str = ""


@dataclass(frozen=True, kw_only=True)
class Asked:
    """One promotion that gates are asked about.

    `stages` are those of the protected branch's policy, in their order. `flyte` is the stage's own Flyte;
    `home` is where the records are. `state` is what the stage runs now, `before` the state of the stage
    before it, None where it is the first one. `source` is the fetched revision, for ancestry.
    `flyte_before` is the Flyte of the stage before; it may be left out where both are on the same one.
    `lost` is why the stage before cannot be looked at; empty where it can.
    """

    enrolment: Enrolment
    policy: Policy
    policy_digest: str
    manifest: Manifest
    stage: Stage
    previous: Stage | None
    state: StageState
    before: StageState | None
    home: Home
    flyte: Flyte
    source: Source | None
    now: datetime
    flyte_before: Flyte | None = None
    lost: str = ""

    @property
    def sha(self) -> str:
        """The commit that is to be promoted."""
        return self.manifest.revision.sha


class Gate(Protocol):
    """One condition on a promotion."""

    name: str

    def judge(self, asked: Asked) -> GateVerdict:
        """Answer; what could not be found out is raised."""


def standing(verdicts: Sequence[GateVerdict]) -> GateState:
    """Return how gates stand together: closed if one is closed for good, else waiting if one waits."""
    states = {verdict.state for verdict in verdicts}
    return next((one for one in (GateState.CLOSED, GateState.WAITING) if one in states), GateState.OPEN)
