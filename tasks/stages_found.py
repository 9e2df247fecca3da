"""Which stages a target has, and what happened to each of late: a few lists of executions."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, field

from flyteidl.admin.common_pb2 import NamedEntityIdentifier, ResourceListRequest, Sort
from flyteidl.admin.execution_pb2 import Execution

from tasks._flyte import PAGE
from tasks._home import Home
from tasks._names import generation_name, plan_name
from tasks.history import flow_of, stage_of
from tasks.stage_state import GENERATION_FLOWS, Generation, generation_of

ACTS = (*GENERATION_FLOWS, "hold")
"""The flows that change a stage, or keep it as it is."""


@dataclass(kw_only=True)
class Found:
    """What lists say of one stage; executions are the newest first.

    `began` is when it was first released to, as far as that is known; `more` is whether older executions
    than those listed can be there.
    """

    target: str
    stage: str
    executions: list[Execution] = field(default_factory=list)
    began: float = math.inf
    more: bool = False

    @property
    def last(self) -> Generation | None:
        """Its newest generation that was not refused, if one is among them."""
        return next((one for one in self.generations if not one.refused), None)

    @property
    def generations(self) -> Iterator[Generation]:
        """Its generations among them."""
        for found in map(generation_of, self.executions):
            if found is not None and found.execution == generation_name(
                self.target, self.stage, found.number
            ):
                yield found

    def of(self, *flows: str) -> list[Execution]:
        """Its executions of these flows."""
        return [one for one in self.executions if flow_of(one) in flows]


def find_stages(home: Home) -> list[Found]:
    """Return the stages that executions speak of, in the order of their first generations.

    Calls: two lists, of the newest 100 promotions, and of the newest 100 executions that change or hold a
    stage; one more where the second is full.
    """
    acts = list(home.executions(ACTS, limit=PAGE))
    promotions = list(home.executions(("promote",), limit=PAGE))
    full = len(acts) == PAGE
    found: dict[str, Found] = {}

    def of(stage: str) -> Found:
        return found.setdefault(stage, Found(target=home.target, stage=stage, more=full))

    for execution in (*acts, *promotions):
        if stage := stage_of(execution, home.target):
            of(stage).executions.append(execution)
    for one in list(found.values()):
        one.began = min((each.at for each in one.generations), default=math.inf)
    for first in _first_generations(home) if full else ():
        of(first.stage).began = first.at
    return sorted(found.values(), key=lambda one: (one.began, one.stage))


def _first_generations(home: Home) -> list[Generation]:
    """Return the generation 0 of every stage: every stage that was ever released to has exactly one."""
    plans = ";".join(plan_name(flow, home.target) for flow in GENERATION_FLOWS)
    request = ResourceListRequest(
        id=NamedEntityIdentifier(project=home.project, domain=home.domain),
        filters=f"value_in(launch_plan.name,{plans})+contains(execution_name,-g0)",
        limit=PAGE,
        sort_by=Sort(key="execution_created_at", direction=Sort.ASCENDING),
    )
    listed = map(generation_of, home.flyte.call("ListExecutions", request).executions)
    return [
        one
        for one in listed
        if one is not None and one.execution == generation_name(home.target, one.stage, 0)
    ]
