"""A report's records as what a person reads: headline, facts, sections; all pure."""

from __future__ import annotations

from collections.abc import Sequence

from tasks._entities import Kind
from tasks._types import Status, Verdict
from tasks._view import Cell, Fact, Section, Table, Text, Tone, View
from tasks.diff import Change, EntityChange, EntityDiff
from tasks.image import ImageStep
from tasks.plan import Build, Plan
from tasks.registration import Registered
from tasks.report_records import Report, Timing
from tasks.smoke import SmokeReport, SmokeResult

_ROWS = 100
_TONES = {Status.PASSED: Tone.GOOD, Status.FAILED: Tone.BAD, Status.SKIPPED: Tone.MUTED}
_PHASES = {"SUCCEEDED": Tone.GOOD, "FAILED": Tone.BAD, "TIMED_OUT": Tone.BAD, "ABORTED": Tone.BAD}
_IMAGE_PLACE = "container.image: "
_CHANGES = {Change.ADDED: Tone.GOOD, Change.REMOVED: Tone.WARN, Change.CHANGED: Tone.PLAIN}


def view_of(report: Report) -> View:
    """Return a report as its readers see it: the verdict, what to do, then the steps in their order."""
    return View(
        headline=report.headline,
        tone=_tone(report),
        summary=report.verdict.summary,
        facts=_facts(report),
        findings=report.findings,
        sections=[
            *_broken(report),
            *([_plan(report.plan)] if report.plan else []),
            *([_image(report.image)] if report.image else []),
            *(_registered(report.registered) if report.registered else []),
            *([_smoke(report.smoke)] if report.smoke else []),
            *([_timings(report.timings)] if report.timings else []),
            *_versions(report),
        ],
    )


def _tone(report: Report) -> Tone:
    if report.broken is not None:
        return Tone.BAD
    return Tone.WARN if report.verdict.status is Status.SKIPPED else _TONES[report.verdict.status]


def _facts(report: Report) -> list[Fact]:
    facts = [
        _fact("Target", report.target),
        _fact("Repository", report.repository, code=True),
        _fact("Revision", report.sha, code=True),
    ]
    if report.commit is not None:
        facts.append(_fact("Commit", f"{report.commit.subject} ({report.commit.author})"))
    if report.pull_request:
        facts.append(_fact("Pull request", str(report.pull_request)))
    where = report.execution
    name = f"{where.project}/{where.domain}/{where.name}"
    facts.append(Fact(label="Execution", value=Cell(text=name, href=where.url, code=True)))
    if report.attempt > 1:
        facts.append(_fact("Attempt", str(report.attempt)))
    if report.bundle is not None:
        size = f"{report.bundle.digest} ({report.bundle.entries} files, {_size(report.bundle.size_bytes)})"
        facts.append(_fact("Code bundle", size, code=True))
    return facts


def _broken(report: Report) -> list[Section]:
    if report.broken is None:
        return []
    return [
        Section(
            title=f"The step {report.broken.step} broke off",
            tone=Tone.BAD,
            summary="It did not find out whether the revision is good. The error is shown as it came.",
            facts=[_fact("Error code", report.broken.code, code=True)],
            texts=[Text(title="The error", body=report.broken.message)],
        )
    ]


def _plan(plan: Plan) -> Section:
    base = plan.base.sha or "nothing"
    build = isinstance(plan.decision, Build)
    facts = [
        _fact("Compared with", f"{base} ({plan.base.because})"),
        _fact("Image", "to be built" if build else "to be reused"),
        _fact("Because", plan.decision.because),
        _fact("Fingerprint of the image", plan.fingerprint, code=True),
    ]
    rows = [[Cell(text=one.path, code=True), Cell(text=one.change.value)] for one in plan.changed[:_ROWS]]
    made_of = [
        [Cell(text=name, code=True), Cell(text=value, code=True)] for name, value in plan.ingredients.items()
    ]
    return Section(
        title="Plan",
        tone=Tone.PLAIN,
        summary=_what_changes(plan),
        facts=facts,
        tables=[
            *_table(["Path", "Changes"], rows, total=plan.changed_count),
            *_table(["The image is made from", "Which is"], made_of),
        ],
    )


def _what_changes(plan: Plan) -> str:
    if not plan.base.found:
        return "What it changes is not known, for there is nothing to compare it with."
    return f"Changes {plan.change.value}: {_count(plan.changed_count, 'path')}."


def _image(step: ImageStep) -> Section:
    facts = [_fact("Reference", step.image.reference, code=True), _fact("Because", step.because)]
    if step.size_bytes:
        facts.append(_fact("Size", _size(step.size_bytes)))
    return Section(
        title="Image",
        tone=Tone.GOOD,
        summary=f"{step.action.value.capitalize()} in {step.seconds:.1f} s.",
        facts=facts,
    )


def _registered(done: Registered) -> list[Section]:
    sections = [_step("Package", done.package), _step("Admission", done.admission)]
    facts = []
    if done.verdict.passed:
        facts = [
            _fact("Where", f"{done.project}/{done.domain}"),
            _fact("Version", done.version, code=True),
            _fact("Registered now", str(len(done.created))),
            _fact("Were there", str(len(done.existing))),
            _fact("Took", f"{done.seconds:.1f} s"),
        ]
    sections.append(_step("Registration", done.verdict, facts=facts))
    return [*sections, *([_diff(done.diff)] if done.diff is not None else [])]


def _diff(diff: EntityDiff) -> Section:
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
            Cell(text=_count(len(names), Kind.TASK.value)),
            Cell(text=f"nothing but {detail}: {', '.join(names)}"),
        ]
        for detail, names in alike.items()
    ]
    breaking = len(diff.breaking)
    alarm = f" {_count(breaking, 'change')} would break callers." if breaking else ""
    return Section(
        title="Changes of entities",
        tone=Tone.WARN if breaking else Tone.PLAIN,
        summary=f"Against {diff.project}/{diff.domain}: {len(diff.changes)} changed, "
        f"{diff.unchanged} unchanged.{alarm}{' ' + diff.note if diff.note else ''}",
        tables=_table(["Change", "Kind", "Name", "What"], rows),
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


def _smoke(smoke: SmokeReport) -> Section:
    rows = [[*_result(one), Cell(text=f"{one.seconds:.1f} s")] for one in smoke.results]
    columns = ["Test", "Result", "Outputs", "Execution", "Took"]
    errors = [Text(title=f"{one.name}: its error", body=one.error) for one in smoke.results if one.error]
    tone = Tone.WARN if smoke.untested else _TONES[smoke.verdict.status]
    return Section(
        title="Smoke tests",
        tone=tone,
        summary=smoke.verdict.summary,
        tables=_table(columns, rows),
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
        Cell(text=_came_to(one), tone=_TONES[one.status]),
        Cell(text=compared),
        Cell(text=where, href=one.url, code=True),
    ]


def _came_to(one: SmokeResult) -> str:
    """Say how a test ended; an execution that succeeds can have other outputs than expected."""
    if one.status is Status.FAILED and one.phase == "SUCCEEDED":
        return "other outputs"
    return one.phase.lower() or one.status.value


def _step(title: str, verdict: Verdict, *, facts: Sequence[Fact] = ()) -> Section:
    return Section(title=title, tone=_TONES[verdict.status], summary=verdict.summary, facts=facts)


def _timings(timings: Sequence[Timing]) -> Section:
    rows = [
        [
            Cell(text=f"{one.part_of} · {one.step}" if one.part_of else one.step),
            Cell(text=one.phase.lower(), tone=_PHASES.get(one.phase, Tone.PLAIN)),
            Cell(text="unknown" if one.seconds is None else f"{one.seconds:.1f} s"),
        ]
        for one in timings
    ]
    return Section(title="Steps", tone=Tone.PLAIN, summary="", tables=_table(["Step", "Phase", "Took"], rows))


def _versions(report: Report) -> list[Section]:
    if not report.versions:
        return []
    facts = [_fact(name, version, code=True) for name, version in report.versions.items()]
    return [Section(title="Versions", tone=Tone.PLAIN, summary="", facts=facts)]


def _fact(label: str, value: str, *, code: bool = False) -> Fact:
    return Fact(label=label, value=Cell(text=value, code=code))


def _table(columns: Sequence[str], rows: Sequence[Sequence[Cell]], *, total: int = 0) -> list[Table]:
    if not rows:
        return []
    return [Table(columns=columns, rows=rows[:_ROWS], more=max(total, len(rows)) - len(rows[:_ROWS]))]


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}{'' if number == 1 else 's'}"


def _size(size: int) -> str:
    number = float(size)
    for unit in ("B", "KiB", "MiB"):
        if number < 1024:
            return f"{number:.0f} {unit}" if unit == "B" else f"{number:.1f} {unit}"
        number /= 1024
    return f"{number:.1f} GiB"
