"""What a simulation finds: for every stage, what a promotion would do there and what it would lack."""

from __future__ import annotations

from pydantic import Field

from tasks._schedules import ScheduleEffect
from tasks._types import Record, Verdict
from tasks.diff import EntityChange, EntityDiff
from tasks.gates import GateVerdict
from tasks.registration import EntityName


class StageSimulation(Record):
    """What a promotion into one stage would do, if nothing changed until then.

    `verdict` is failed where something is missing or the promotion would break off. `running` is the
    version of the stage's last generation. `new` would be registered; `existing` is there with the same
    content; `different` is there under this version with other content, at which a registration ends.
    """

    stage: str
    project: str
    domain: str
    endpoint: str = ""
    version: str
    verdict: Verdict
    running: str = ""
    new: list[EntityName] = []
    existing: list[EntityName] = []
    different: list[EntityChange] = []
    activated: dict[str, str] = Field(default_factory=dict)
    """Launch plans that would become ACTIVE at `version`, each with what is ACTIVE now, or an empty text."""
    deactivated: dict[str, str] = Field(default_factory=dict)
    """Launch plans of which no version would be ACTIVE any more, each with what is ACTIVE now."""
    kept: list[str] = []
    """Launch plans that are ACTIVE at `version` already."""
    schedules: list[ScheduleEffect] = []
    diff: EntityDiff | None = None
    gates: list[GateVerdict] = []
    drift: list[str] = []
    """What is ACTIVE otherwise than the last record says; a promotion would put it right."""
    partial: bool = False
    seconds: float = 0


class Simulation(Record):
    """A whole simulation: the stages in their order, and the verdict that theirs add up to."""

    verdict: Verdict
    stages: list[StageSimulation] = []
    seconds: float = 0
