"""A report's records as what a person reads: headline, facts, sections; all pure."""

from __future__ import annotations

from tasks._engine_record import by_folder
from tasks._types import Status
from tasks._view import Cell, Fact, Section, Tone, View
from tasks.image import ImageStep
from tasks.plan import Build, Plan
from tasks.registration import Registered
from tasks.report_records import Report
from tasks.sections import (
    ROWS,
    TONES,
    broken_section,
    count,
    diff_section,
    fact,
    size,
    smoke_section,
    step_section,
    table,
    timings_section,
    versions_section,
)

_BROKE_OFF = "It did not find out whether the revision is good. The error is shown as it came."


def view_of(report: Report) -> View:
    """Return a report as its readers see it: the verdict, what to do, then the steps in their order."""
    return View(
        headline=report.headline,
        tone=_tone(report),
        summary=report.verdict.summary,
        facts=_facts(report),
        findings=report.findings,
        sections=[
            *([broken_section(report.broken, summary=_BROKE_OFF)] if report.broken else []),
            *([_plan(report.plan)] if report.plan else []),
            *([_image(report.image)] if report.image else []),
            *(_registered(report.registered) if report.registered else []),
            *([smoke_section(report.smoke)] if report.smoke else []),
            *([timings_section(report.timings)] if report.timings else []),
            *([versions_section(report.versions)] if report.versions else []),
        ],
    )


def _tone(report: Report) -> Tone:
    if report.broken is not None:
        return Tone.BAD
    return Tone.WARN if report.verdict.status is Status.SKIPPED else TONES[report.verdict.status]


def _facts(report: Report) -> list[Fact]:
    facts = [
        fact("Target", report.target),
        fact("Repository", report.repository, code=True),
        fact("Revision", report.sha, code=True),
    ]
    if report.commit is not None:
        facts.append(fact("Commit", f"{report.commit.subject} ({report.commit.author})"))
    if report.pull_request:
        facts.append(fact("Pull request", str(report.pull_request)))
    where = report.execution
    name = f"{where.project}/{where.domain}/{where.name}"
    facts.append(Fact(label="Execution", value=Cell(text=name, href=where.url, code=True)))
    if report.attempt > 1:
        facts.append(fact("Attempt", str(report.attempt)))
    if report.bundle is not None:
        held = f"{report.bundle.entries} files, {size(report.bundle.size_bytes)}"
        facts.append(fact("Code bundle", f"{report.bundle.digest} ({held})", code=True))
    return facts


def _plan(plan: Plan) -> Section:
    base = plan.base.sha or "nothing"
    build = isinstance(plan.decision, Build)
    facts = [
        fact("Compared with", f"{base} ({plan.base.because})"),
        fact("Image", "to be built" if build else "to be reused"),
        fact("Because", plan.decision.because),
        fact("Fingerprint of the image", plan.fingerprint, code=True),
        *([fact("Build context", size(plan.context_bytes))] if plan.context_bytes else []),
    ]
    rows = [[Cell(text=one.path, code=True), Cell(text=one.change.value)] for one in plan.changed[:ROWS]]
    ingredients = by_folder(plan.ingredients, plan.terms.dependencies).items()
    made_of = [[Cell(text=name, code=True), Cell(text=value, code=True)] for name, value in ingredients]
    return Section(
        title="Plan",
        tone=Tone.PLAIN,
        summary=_what_changes(plan),
        facts=facts,
        tables=[
            *table(["Path", "Changes"], rows, total=plan.changed_count),
            *table(["The image is made from", "Which is"], made_of),
        ],
    )


def _what_changes(plan: Plan) -> str:
    if not plan.base.found:
        return "What it changes is not known, for there is nothing to compare it with."
    return f"Changes {plan.change.value}: {count(plan.changed_count, 'path')}."


def _image(step: ImageStep) -> Section:
    facts = [fact("Reference", step.image.reference, code=True), fact("Because", step.because)]
    if step.size_bytes:
        facts.append(fact("Size", size(step.size_bytes)))
    facts += [fact("Note", f"{note.problem} {note.remedy}") for note in step.notes]
    return Section(
        title="Image",
        tone=Tone.WARN if step.notes else Tone.GOOD,
        summary=f"{step.action.value.capitalize()} in {step.seconds:.1f} s.",
        facts=facts,
    )


def _registered(done: Registered) -> list[Section]:
    sections = [step_section("Package", done.package), step_section("Admission", done.admission)]
    facts = []
    if done.verdict.passed:
        facts = [
            fact("Where", f"{done.project}/{done.domain}"),
            fact("Version", done.version, code=True),
            fact("Registered now", str(len(done.created))),
            fact("Were there", str(len(done.existing))),
            fact("Took", f"{done.seconds:.1f} s"),
        ]
    sections.append(step_section("Registration", done.verdict, facts=facts))
    return [*sections, *([diff_section(done.diff)] if done.diff is not None else [])]
