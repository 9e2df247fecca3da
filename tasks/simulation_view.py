"""A simulation as what a person reads: the stages side by side, then each by itself; all pure."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from tasks._schedules import ScheduleChange, ScheduleEffect
from tasks._view import Cell, Fact, Section, Table, Tone
from tasks.diff import Change, EntityChange
from tasks.gates import GateState, GateVerdict
from tasks.simulation_records import Simulation, StageSimulation

_ROWS = 50
_GATES = {GateState.OPEN: Tone.GOOD, GateState.WAITING: Tone.WARN, GateState.CLOSED: Tone.BAD}
_CHANGES = {Change.ADDED: Tone.GOOD, Change.REMOVED: Tone.WARN, Change.CHANGED: Tone.PLAIN}
_SCHEDULES = {
    ScheduleChange.STARTS: Tone.GOOD,
    ScheduleChange.STOPS: Tone.WARN,
    ScheduleChange.CHANGES: Tone.PLAIN,
}


def simulation_sections(simulation: Simulation) -> list[Section]:
    """Return what a simulation found: one section with all stages, then one for each in their order."""
    return [_pipeline(simulation), *(_stage(one) for one in simulation.stages)]


def gates_table(gates: Sequence[GateVerdict]) -> list[Table]:
    """Return how gates stand, and what opens those that are closed; none where there are none."""
    rows = [
        [
            Cell(text=one.gate),
            Cell(text=one.state.value, tone=_GATES[one.state]),
            Cell(text="; ".join([one.because, *one.evidence])),
            Cell(text=one.opens or ("" if one.state is GateState.OPEN else "never, for this release")),
        ]
        for one in gates
    ]
    return _table(["Gate", "Stands", "Because", "Opens"], rows)


def _pipeline(simulation: Simulation) -> Section:
    rows = [
        [
            Cell(text=one.stage),
            Cell(
                text="would go through" if one.verdict.passed else "would break off",
                tone=Tone.GOOD if one.verdict.passed else Tone.BAD,
            ),
            Cell(text=f"{len(one.new)} new, {len(one.existing)} there"),
            Cell(text=_changed(one)),
            Cell(text=_activation(one)),
            Cell(text=_schedules(one.schedules)),
            Cell(text=_standing(one.gates), tone=_tone(one.gates)),
        ]
        for one in simulation.stages
    ]
    columns = ["Stage", "Promotion", "Registers", "Changes", "Activates", "Schedules", "Gates"]
    return Section(
        title="Simulation",
        tone=Tone.GOOD if simulation.verdict.passed else Tone.BAD,
        summary=f"{simulation.verdict.summary} Nothing was written; it took {simulation.seconds:.1f} s.",
        tables=_table(columns, rows),
    )


def _stage(one: StageSimulation) -> Section:
    where = f"{one.project}/{one.domain}" + (f" of {one.endpoint}" if one.endpoint else "")
    facts = [
        _fact("Where", where),
        _fact("Version", one.version, code=True),
        _fact("Runs now", one.running or "nothing on record", code=bool(one.running)),
    ]
    facts += [_fact("Drift", text, tone=Tone.WARN) for text in one.drift]
    if one.partial:
        partial = "The last activation ended halfway; a promotion finishes it or puts it back."
        facts.append(_fact("PARTIAL", partial, tone=Tone.BAD))
    return Section(
        title=f"Simulation of {one.stage}",
        tone=Tone.BAD
        if not one.verdict.passed
        else Tone.WARN
        if one.partial or _breaking(one)
        else Tone.GOOD,
        summary=one.verdict.summary,
        facts=facts,
        tables=[
            *_findings(one),
            *gates_table(one.gates),
            *_launch_plans(one),
            *_schedule_table(one.schedules),
            *_entities(one),
        ],
    )


def _findings(one: StageSimulation) -> list[Table]:
    rows = [
        [Cell(text=it.where, tone=Tone.BAD), Cell(text=it.problem), Cell(text=it.remedy)]
        for it in one.verdict.findings
    ]
    return _table(["Missing", "What is wrong", "What to do"], rows)


def _launch_plans(one: StageSimulation) -> list[Table]:
    rows = [
        *_plans(one.activated, "activated", Tone.GOOD, one.version),
        *_plans(one.deactivated, "deactivated", Tone.WARN, "none"),
        *_plans(dict.fromkeys(one.kept, one.version), "stays", Tone.MUTED, one.version),
    ]
    return _table(["Launch plan", "Would be", "ACTIVE now", "ACTIVE then"], rows)


def _plans(plans: dict[str, str], word: str, tone: Tone, then: str) -> Iterable[list[Cell]]:
    for name, now in plans.items():
        yield [
            Cell(text=name, code=True),
            Cell(text=word, tone=tone),
            Cell(text=now or "none", code=bool(now)),
            Cell(text=then, code=then != "none"),
        ]


def _schedule_table(effects: Sequence[ScheduleEffect]) -> list[Table]:
    rows = [
        [
            Cell(text=one.launch_plan, code=True),
            Cell(text=one.change.value, tone=_SCHEDULES[one.change]),
            Cell(text=one.before or "none"),
            Cell(text=one.after or "none"),
        ]
        for one in effects
    ]
    return _table(["Schedule of", "Then", "Runs now", "Runs then"], rows)


def _entities(one: StageSimulation) -> list[Table]:
    changes = one.diff.changes if one.diff else []
    rows = [
        [
            Cell(text=it.change.value, tone=Tone.BAD if it.breaking else _CHANGES[it.change]),
            Cell(text=f"{it.kind.value} {it.name}", code=True),
            Cell(text=_what(it)),
        ]
        for it in changes
    ]
    return _table(["Change", "Entity", "What"], rows)


def _what(change: EntityChange) -> str:
    broken = [f"breaks callers: {text}" for text in change.breaking]
    return "; ".join([*broken, *(text for text in change.details if text not in change.breaking)])


def _changed(one: StageSimulation) -> str:
    if one.diff is None:
        return "not known"
    breaking = _breaking(one)
    words = f"{len(one.diff.changes)} of {len(one.diff.changes) + one.diff.unchanged}"
    return f"{words}; {breaking} would break callers" if breaking else words


def _breaking(one: StageSimulation) -> int:
    return len(one.diff.breaking) if one.diff else 0


def _activation(one: StageSimulation) -> str:
    words = [f"{len(one.activated)} on"] if one.activated else []
    words += [f"{len(one.deactivated)} off"] if one.deactivated else []
    words += [f"{len(one.kept)} stay"] if one.kept else []
    return ", ".join(words) or "nothing"


def _schedules(effects: Sequence[ScheduleEffect]) -> str:
    counts = {kind: sum(one.change is kind for one in effects) for kind in ScheduleChange}
    words = {ScheduleChange.STARTS: "start", ScheduleChange.STOPS: "stop", ScheduleChange.CHANGES: "change"}
    return ", ".join(f"{count} {words[kind]}" for kind, count in counts.items() if count) or "as they are"


def _standing(gates: Sequence[GateVerdict]) -> str:
    shut = [one for one in gates if one.state is not GateState.OPEN]
    if not gates:
        return "not asked"
    return "; ".join(f"{one.gate}: {one.opens or one.state.value}" for one in shut) or "open"


def _tone(gates: Sequence[GateVerdict]) -> Tone:
    states = {one.state for one in gates}
    worst = (GateState.CLOSED, GateState.WAITING, GateState.OPEN)
    return next((_GATES[state] for state in worst if state in states), Tone.MUTED)


def _fact(label: str, value: str, *, code: bool = False, tone: Tone = Tone.PLAIN) -> Fact:
    return Fact(label=label, value=Cell(text=value, code=code, tone=tone))


def _table(columns: Sequence[str], rows: Sequence[Sequence[Cell]]) -> list[Table]:
    if not rows:
        return []
    return [Table(columns=columns, rows=rows[:_ROWS], more=len(rows) - len(rows[:_ROWS]))]
