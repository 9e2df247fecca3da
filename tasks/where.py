"""Which release is in which stage since when, and what waits for what: from Flyte alone, in few calls."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, nullcontext

from flyteidl.admin.execution_pb2 import Execution

from tasks._enrolment import Enrolment
from tasks._errors import TaxiwayError
from tasks._executions import ENDED, phase_of
from tasks._flyte import Flyte
from tasks._home import Home
from tasks._names import stage_tag
from tasks._stage_flyte import open_stage
from tasks._typed import Unreadable
from tasks._types import Record
from tasks.gates import GateState, GateVerdict
from tasks.history import (
    event_of,
    flow_of,
    iso,
    moment_of,
    needs_data,
    outcome_of,
    report_of,
    who,
)
from tasks.policy import Stage
from tasks.promotion_records import PromotionStatus
from tasks.stage_state import (
    Activation,
    Generation,
    StageState,
    active_plans,
    newest,
    record_of,
)
from tasks.stages_found import ACTS, Found, find_stages

_AT_ONCE = 4
_LATEST = 20
"""How many executions of a stage are looked through that has been quiet for long."""

Open = Callable[[str], AbstractContextManager[Flyte]]
"""Opens the Flyte of an endpoint that is not Taxiway's own."""


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

    `active` holds what is ACTIVE of the launch plans that Taxiway manages there; None where that could not
    be found out, and then `note` says why, and `fault` is the code of the error if there was one. `drift`
    is what is ACTIVE otherwise than the record says. `held` says by whom and why; empty where the stage is
    not held.
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
    fault: str = ""

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


def read_where(home: Home, enrolment: Enrolment, *, open_other: Open | None = None) -> Where:
    """Read where a target's releases are.

    Calls: two lists, of the newest 100 promotions, and of the newest 100 executions that change or hold a
    stage; for each stage one list of what is ACTIVE. One more list tells all stages where the second was
    full, and then one or two more for each stage that has been quiet for long. One read for each stage whose
    newest promotion did not end in its newest generation; one where a generation's annotations do not
    hold all of its record.

    `open_other` opens another Flyte; left out, nobody logs in there. One that cannot be asked is said so.

    Raises:
        FlyteUnavailable, FlyteUnauthenticated: Taxiway's own Flyte cannot be asked.
    """
    opened = open_other or (lambda endpoint: open_stage(endpoint, home.flyte, {}))
    found = find_stages(home)
    with ThreadPoolExecutor(max_workers=_AT_ONCE) as pool:
        places = list(pool.map(lambda one: _place(home, enrolment, one, opened), found))
    return Where(target=home.target, stages=places)


def _place(home: Home, enrolment: Enrolment, found: Found, opened: Open) -> StagePlace:
    if found.last is None and found.more:
        known = {one.id.name for one in found.executions}
        older = home.executions(ACTS, tag=stage_tag(home.target, found.stage), limit=_LATEST)
        found.executions += [one for one in older if one.id.name not in known]
    last = found.last or (newest(home, found.stage)[0] if found.more else None)
    place = StagePlace(
        stage=found.stage, held=_held(home, enrolment, found), next=_next(home, enrolment, found, last)
    )
    if last is None:
        return place
    return place.model_copy(update=_running(home, enrolment, last, opened))


def _running(home: Home, enrolment: Enrolment, last: Generation, opened: Open) -> dict[str, object]:
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
        record = last.record or record_of(home, last)
    except Unreadable as error:
        return {**values, "note": f"The record {last.execution} cannot be read: {error}"}
    values |= {"project": record.project, "domain": record.domain, "endpoint": record.endpoint}
    return {**values, **_active(home, last, record, opened)}


def _active(home: Home, last: Generation, record: Activation, opened: Open) -> dict[str, object]:
    """Return what is ACTIVE in a stage, or why that could not be found out: one list."""
    try:
        with opened(record.endpoint) if record.endpoint else nullcontext(home.flyte) as flyte:
            active = active_plans(flyte, record.project, record.domain)
    except TaxiwayError as error:
        if not record.endpoint:
            raise
        note = f"What is ACTIVE in {record.endpoint} could not be asked. {error}"
        return {"note": note, "fault": error.error_code}
    stage = Stage(name=last.stage, project=record.project, domain=record.domain)
    state = StageState(stage=stage, active=active, last=last, record=record)
    managed = {name: active[name] for name in sorted(state.managed) if name in active}
    return {"active": managed, "drift": state.drift, "partial": state.partial}


def _held(home: Home, enrolment: Enrolment, found: Found) -> str:
    """Return who holds a stage and why: by the newest hold or rollback that SUCCEEDED."""
    acts = (one for one in found.of("hold", "rollback") if phase_of(one) == "SUCCEEDED")
    newest = next(acts, None)
    if newest is None:
        return ""
    told = "taxiway/act" in newest.spec.annotations.values or flow_of(newest) == "rollback"
    event = event_of(newest, enrolment, None if told else home.data(newest.id.name))
    reason = f": {event.reason}" if event.reason else ""
    return "" if event.what == "let go" else f"{event.what} by {event.who} at {event.at}{reason}"


def _next(home: Home, enrolment: Enrolment, found: Found, last: Generation | None) -> list[Promotion]:
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
