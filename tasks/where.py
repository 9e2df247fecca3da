"""Which release is in which stage since when, and what waits for what: from Flyte alone, in few calls."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field

from flyteidl.admin.common_pb2 import NamedEntityIdentifier, ResourceListRequest, Sort
from flyteidl.admin.execution_pb2 import Execution

from tasks._enrolment import Enrolment
from tasks._errors import TaxiwayError
from tasks._executions import ENDED, phase_of
from tasks._flyte import PAGE, Flyte
from tasks._home import Home
from tasks._names import generation_name, plan_name, stage_tag
from tasks._typed import Unreadable
from tasks._types import Record
from tasks.gates import GateState, GateVerdict
from tasks.history import (
    FLOWS,
    event_of,
    flow_of,
    iso,
    moment_of,
    needs_data,
    outcome_of,
    report_of,
    stage_of,
    who,
)
from tasks.policy import Stage
from tasks.promotion_records import PromotionStatus
from tasks.stage_state import (
    GENERATION_FLOWS,
    Activation,
    Generation,
    StageState,
    active_plans,
    generation_of,
    record_of,
)

_AT_ONCE = 4
_LATEST = 20
"""How many executions of a stage are looked through that has been quiet for long."""

Ask = Callable[[Activation], AbstractContextManager[Flyte | None]]
"""Gives the Flyte of a stage, or None where it is not to be asked."""


class Promotion(Record):
    """A promotion that has not changed its stage, or not yet. `waits` are its gates that are closed."""

    execution: str
    sha: str
    at: str
    who: str
    outcome: str
    waits: list[GateVerdict] = []


class StagePlace(Record):
    """One stage: the release that is in it, since when, and what comes next.

    `active` holds what is ACTIVE of the launch plans that Taxiway manages there; None where the stage's
    Flyte was not asked. `drift` is what is ACTIVE otherwise than the record says. `held` says by whom and
    why; empty where the stage is not held. `note` says what could not be found out.
    """

    stage: str
    project: str = ""
    domain: str = ""
    endpoint: str = ""
    sha: str = ""
    version: str = ""
    generation: int = -1
    cause: str = ""
    since: str = ""
    who: str = ""
    execution: str = ""
    phase: str = ""
    active: dict[str, list[str]] | None = None
    drift: list[str] = []
    partial: bool = False
    held: str = ""
    next: list[Promotion] = []
    note: str = ""

    @property
    def condition(self) -> str:
        """The stage in one word: empty, PARTIAL, changing, drift, unknown, or ok."""
        if self.generation < 0:
            return "empty"
        if self.partial:
            return "PARTIAL"
        if self.phase not in ENDED:
            return "changing"
        if self.active is None:
            return "unknown"
        return "drift" if self.drift else "ok"


class Where(Record):
    """All stages of a target, in the order in which they were first released to."""

    target: str
    stages: list[StagePlace]


@dataclass(kw_only=True)
class _Found:
    """What lists say of one stage; executions are the newest first."""

    stage: str
    executions: list[Execution] = field(default_factory=list)
    first: Generation | None = None

    @property
    def last(self) -> Generation | None:
        """Its newest generation, if one is among them."""
        return next((one for one in map(generation_of, self.executions) if one is not None), None)

    def of(self, *flows: str) -> list[Execution]:
        return [one for one in self.executions if flow_of(one) in flows]


def read_where(home: Home, enrolment: Enrolment, *, ask: Ask | None = None) -> Where:
    """Read where a target's releases are.

    Calls: two lists, of the newest 100 executions and of the first generations, which tell the stages; for
    each stage one record and one list of what is ACTIVE; one more list where a stage has been quiet for
    long; one read where its newest promotion did not end in its newest generation.

    Raises:
        FlyteUnavailable, FlyteUnauthenticated: Taxiway's own Flyte cannot be asked.
    """
    asked = ask or (lambda record: nullcontext(None if record.endpoint else home.flyte))
    found = _stages(home)
    with ThreadPoolExecutor(max_workers=_AT_ONCE) as pool:
        places = list(pool.map(lambda one: _place(home, enrolment, one, asked), found))
    return Where(target=home.target, stages=places)


def _stages(home: Home) -> list[_Found]:
    """Return the stages that executions speak of, in the order of their first generations."""
    found: dict[str, _Found] = {}
    for execution in home.executions(FLOWS, limit=PAGE):
        if name := stage_of(execution, home.target):
            found.setdefault(name, _Found(stage=name)).executions.append(execution)
    for first in _first_generations(home):
        found.setdefault(first.stage, _Found(stage=first.stage)).first = first
    never = float("inf")
    return sorted(found.values(), key=lambda one: (one.first.at if one.first else never, one.stage))


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


def _place(home: Home, enrolment: Enrolment, found: _Found, ask: Ask) -> StagePlace:
    if found.last is None and found.first is not None:
        flows = (*GENERATION_FLOWS, "hold")
        tag = stage_tag(home.target, found.stage)
        known = {one.id.name for one in found.executions}
        older = home.executions(flows, tag=tag, limit=_LATEST)
        found.executions += [one for one in older if one.id.name not in known]
    last = found.last or found.first
    place = StagePlace(
        stage=found.stage, held=_held(home, enrolment, found), next=_next(home, enrolment, found, last)
    )
    if last is None:
        return place
    return place.model_copy(update=_running(home, enrolment, found, last, ask))


def _running(
    home: Home, enrolment: Enrolment, found: _Found, last: Generation, ask: Ask
) -> dict[str, object]:
    """Return what a stage runs: its newest generation, and what is ACTIVE against the record of it."""
    known = enrolment.identities.get(last.principal)
    values: dict[str, object] = {
        "sha": last.sha,
        "version": last.version,
        "generation": last.number,
        "cause": last.cause.value,
        "since": iso(last.at),
        "who": known.name if known else last.principal or "-",
        "execution": last.execution,
        "phase": last.phase,
    }
    try:
        record = record_of(home, last)
    except Unreadable as error:
        return {**values, "note": f"The record {last.execution} cannot be read: {error}"}
    values |= {"project": record.project, "domain": record.domain, "endpoint": record.endpoint}
    with ask(record) as flyte:
        if flyte is None:
            return {
                **values,
                "note": f"The stage is at another Flyte, {record.endpoint}, which is not asked.",
            }
        stage = Stage(name=last.stage, project=record.project, domain=record.domain)
        try:
            active = active_plans(flyte, record.project, record.domain)
        except TaxiwayError as error:
            if not record.endpoint:
                raise
            return {**values, "note": f"What is ACTIVE could not be read. {error}"}
    state = StageState(stage=stage, active=active, last=last, record=record)
    managed = {name: active[name] for name in sorted(state.managed) if name in active}
    return {**values, "active": managed, "drift": state.drift, "partial": state.partial}


def _held(home: Home, enrolment: Enrolment, found: _Found) -> str:
    """Return who holds a stage and why: by the newest hold or rollback that SUCCEEDED."""
    acts = (one for one in found.of("hold", "rollback") if phase_of(one) == "SUCCEEDED")
    newest = next(acts, None)
    if newest is None:
        return ""
    told = "taxiway/act" in newest.spec.annotations.values or flow_of(newest) == "rollback"
    event = event_of(newest, enrolment, None if told else home.data(newest.id.name))
    reason = f": {event.reason}" if event.reason else ""
    return "" if event.what == "let go" else f"{event.what} by {event.who} at {event.at}{reason}"


def _next(home: Home, enrolment: Enrolment, found: _Found, last: Generation | None) -> list[Promotion]:
    """Return the promotions that run, and the newest one that ended without changing the stage."""
    promotions = found.of("promote")
    running = [one for one in promotions if phase_of(one) not in ENDED]
    ended = next((one for one in promotions if phase_of(one) in ENDED), None)
    shown = [_promotion(home, enrolment, one) for one in running]
    if ended is not None and not _became(ended, last):
        newest = _promotion(home, enrolment, ended)
        shown += [] if newest.outcome in _CAME_THROUGH else [newest]
    return shown


_CAME_THROUGH = {PromotionStatus.PROMOTED.value, PromotionStatus.UNCHANGED.value}


def _became(promotion: Execution, last: Generation | None) -> bool:
    """Whether a promotion ended in the stage's newest generation, or in one before it."""
    if last is None:
        return False
    sha = promotion.spec.annotations.values.get("taxiway/sha", "")
    began = promotion.closure.created_at.ToMilliseconds() / 1000
    return last.at >= began and (sha == last.sha or phase_of(promotion) != "SUCCEEDED")


def _promotion(home: Home, enrolment: Enrolment, execution: Execution) -> Promotion:
    data = home.data(execution.id.name) if needs_data(execution, home.target) else None
    report = report_of(data) if data else None
    gates: Sequence[GateVerdict] = report.gates if report else []
    outcome = report.status.value if report else outcome_of(execution, data)
    return Promotion(
        execution=execution.id.name,
        sha=event_of(execution, enrolment, data).sha,
        at=moment_of(execution),
        who=who(execution, enrolment),
        outcome=outcome,
        waits=[gate for gate in gates if gate.state is not GateState.OPEN],
    )
