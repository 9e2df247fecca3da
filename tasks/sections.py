"""Sections that more than one kind of report has: entity diff, smoke tests, steps, versions; all pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from tasks._entities import Kind
from tasks._types import Status, Verdict
from tasks._view import Cell, Fact, Section, Table, Text, Tone
from tasks.diff import Change, EntityChange, EntityDiff
from tasks.report_records import Broken, Timing
from tasks.smoke import SmokeReport, SmokeResult

ROWS = 100
"""The most rows of a table that are shown."""
TONES = {Status.PASSED: Tone.GOOD, Status.FAILED: Tone.BAD, Status.SKIPPED: Tone.MUTED}
_PHASES = {"SUCCEEDED": Tone.GOOD, "FAILED": Tone.BAD, "TIMED_OUT": Tone.BAD, "ABORTED": Tone.BAD}
_IMAGE_PLACE = "container.image: "
_CHANGES = {Change.ADDED: Tone.GOOD, Change.REMOVED: Tone.WARN, Change.CHANGED: Tone.PLAIN}


def diff_section(diff: EntityDiff) -> Section:
    """Return what a registration changes, against what a stage runs."""
    alike, rest = _only_in_image(diff.changes)
    rows = [
        [
            Cell(text=one.change.value, tone=Tone.BAD if one.breaking else _CHANGES[one.change]),
            Cell(text=one.kind.value),
            Cell(text=one.name, code=True),
            Cell(text=_what(one)),
        ]
        for one in rest
    ]
    rows += [
        [
            Cell(text=Change.CHANGED.value),
            Cell(text=Kind.TASK.value),
            Cell(text=count(len(names), Kind.TASK.value)),
            Cell(text=f"nothing but {detail}: {', '.join(names)}"),
        ]
        for detail, names in alike.items()
    ]
    breaking = len(diff.breaking)
    alarm = f" {count(breaking, 'change')} would break callers." if breaking else ""
    return Section(
        title="Changes of entities",
        tone=Tone.WARN if breaking else Tone.PLAIN,
        summary=f"Against {diff.project}/{diff.domain}: {len(diff.changes)} changed, "
        f"{diff.unchanged} unchanged.{alarm}{' ' + diff.note if diff.note else ''}",
        tables=table(["Change", "Kind", "Name", "What"], rows),
    )


def _only_in_image(changes: Sequence[EntityChange]) -> tuple[dict[str, list[str]], list[EntityChange]]:
    """Part the tasks that changed in their image alone, by that change, from all other changes.

    A preview's image is never a release's, so that all tasks of a target change in it, and one row tells.
    """
    alike: dict[str, list[str]] = {}
    rest = []
    for one in changes:
        if one.kind is Kind.TASK and len(one.details) == 1 and one.details[0].startswith(_IMAGE_PLACE):
            alike.setdefault(one.details[0], []).append(one.name)
        else:
            rest.append(one)
    return alike, rest


def _what(change: EntityChange) -> str:
    broken = [f"breaks callers: {text}" for text in change.breaking]
    rest = [text for text in change.details if text not in change.breaking]
    return "; ".join([*broken, *rest]) or (f"against {change.against}" if change.against else "")


def broken_section(broken: Broken, *, summary: str) -> Section:
    """Return a step that broke off, with its error as it came."""
    return Section(
        title=f"The step {broken.step} broke off",
        tone=Tone.BAD,
        summary=summary,
        facts=[fact("Error code", broken.code, code=True)],
        texts=[Text(title="The error", body=broken.message)],
    )


def smoke_section(smoke: SmokeReport, *, title: str = "Smoke tests") -> Section:
    """Return how smoke tests went, with the errors of those that failed."""
    rows = [[*_result(one), Cell(text=f"{one.seconds:.1f} s")] for one in smoke.results]
    columns = ["Test", "Result", "Outputs", "Execution", "Took"]
    errors = [Text(title=f"{one.name}: its error", body=one.error) for one in smoke.results if one.error]
    tone = Tone.WARN if smoke.untested else TONES[smoke.verdict.status]
    return Section(
        title=title,
        tone=tone,
        summary=smoke.verdict.summary,
        tables=table(columns, rows),
        texts=errors,
    )


def _result(one: SmokeResult) -> list[Cell]:
    compared = "; ".join(
        f"{it.output} = {it.actual} ({'as' if it.passed else 'not'} expected: {it.expected})"
        for it in one.comparisons
    )
    where = f"{one.project}/{one.domain}/{one.execution}" if one.execution else ""
    return [
        Cell(text=one.name, code=True),
        Cell(text=_came_to(one), tone=TONES[one.status]),
        Cell(text=compared),
        Cell(text=where, href=one.url, code=True),
    ]


def _came_to(one: SmokeResult) -> str:
    """Say how a test ended; an execution that succeeds can have other outputs than expected."""
    if one.status is Status.FAILED and one.phase == "SUCCEEDED":
        return "other outputs"
    return one.phase.lower() or one.status.value


def step_section(title: str, verdict: Verdict, *, facts: Sequence[Fact] = ()) -> Section:
    """Return a step by its verdict."""
    return Section(title=title, tone=TONES[verdict.status], summary=verdict.summary, facts=facts)


def timings_section(timings: Sequence[Timing]) -> Section:
    """Return the steps of an execution and how long each took."""
    rows = [
        [
            Cell(text=f"{one.part_of} · {one.step}" if one.part_of else one.step),
            Cell(text=one.phase.lower(), tone=_PHASES.get(one.phase, Tone.PLAIN)),
            Cell(text="unknown" if one.seconds is None else f"{one.seconds:.1f} s"),
        ]
        for one in timings
    ]
    return Section(title="Steps", tone=Tone.PLAIN, summary="", tables=table(["Step", "Phase", "Took"], rows))


def versions_section(versions: Mapping[str, str]) -> Section:
    """Return what a report was made with."""
    facts = [fact(name, version, code=True) for name, version in versions.items()]
    return Section(title="Versions", tone=Tone.PLAIN, summary="", facts=facts)


def fact(label: str, value: str, *, code: bool = False) -> Fact:
    """Return a labelled text."""
    return Fact(label=label, value=Cell(text=value, code=code))


def table(columns: Sequence[str], rows: Sequence[Sequence[Cell]], *, total: int = 0) -> list[Table]:
    """Return a table of the first rows, or none where there is no row; `total` is how many there are."""
    if not rows:
        return []
    return [Table(columns=columns, rows=rows[:ROWS], more=max(total, len(rows)) - len(rows[:ROWS]))]


def count(number: int, noun: str) -> str:
    """Return `1 path`, `2 paths`."""
    return f"{number} {noun}{'' if number == 1 else 's'}"


def size(held: int) -> str:
    """Return a number of bytes for people."""
    number = float(held)
    for unit in ("B", "KiB", "MiB"):
        if number < 1024:
            return f"{number:.0f} {unit}" if unit == "B" else f"{number:.1f} {unit}"
        number /= 1024
    return f"{number:.1f} GiB"
