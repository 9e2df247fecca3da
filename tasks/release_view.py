"""A release's report as a person reads it: how far it got, what it was going to do; all pure."""

from __future__ import annotations

from collections.abc import Sequence

from tasks._types import Status
from tasks._view import Cell, Fact, Section, Tone, View
from tasks.carrying import Carried, StageOutcome
from tasks.promotion_records import PromotionStatus
from tasks.release_records import ReleaseReport
from tasks.releases import Released
from tasks.sections import TONES, broken_section, fact, step_section, table, timings_section, versions_section
from tasks.simulation_view import simulation_sections

_STAGES = {
    PromotionStatus.PROMOTED: Tone.GOOD,
    PromotionStatus.UNCHANGED: Tone.GOOD,
    PromotionStatus.WAITING: Tone.WARN,
    None: Tone.BAD,
}

_BROKE_OFF = "The release did not get to its end. The error is shown as it came."


def view_of(report: ReleaseReport) -> View:
    """Return a release as its readers see it: how far it got, then how it was made."""
    waits = report.verdict.status is Status.SKIPPED
    return View(
        headline=report.headline,
        tone=Tone.BAD if report.broken else Tone.WARN if waits else TONES[report.verdict.status],
        summary=report.verdict.summary,
        facts=_facts(report),
        findings=report.findings,
        sections=[
            *([broken_section(report.broken, summary=_BROKE_OFF)] if report.broken else []),
            *([_pipeline(report.carried)] if report.carried and report.carried.stages else []),
            *(_made(report.released) if report.released else []),
            *(_simulated(report.carried) if report.carried else []),
            *([timings_section(report.timings)] if report.timings else []),
            *([versions_section(report.versions)] if report.versions else []),
        ],
    )


def _facts(report: ReleaseReport) -> list[Fact]:
    where = report.execution
    name = f"{where.project}/{where.domain}/{where.name}"
    facts = [
        fact("Target", report.target),
        fact("Repository", report.repository, code=True),
        fact("Revision", report.sha, code=True),
        Fact(label="Execution", value=Cell(text=name, href=where.url, code=True)),
    ]
    if report.prepared is not None:
        commit = report.prepared.commit
        facts.append(fact("Commit", f"{commit.subject} ({commit.author})"))
    manifest = report.carried.manifest if report.carried else None
    if manifest is not None:
        facts += [
            fact("Version", manifest.version, code=True),
            fact("Image", manifest.image.reference, code=True),
            fact("Code bundle", manifest.bundle.digest, code=True),
            fact("Package", f"{manifest.package.digest} ({manifest.package.entries} entities)", code=True),
            fact("Release manifest", manifest.digest, code=True),
        ]
    return facts


def _pipeline(carried: Carried) -> Section:
    rows = [_row(one) for one in carried.stages]
    return Section(
        title="Stages",
        tone=Tone.PLAIN,
        summary=" → ".join(f"{one.stage} {_word(one)}" for one in carried.stages),
        tables=table(["Stage", "How it ended", "Because", "Promotion"], rows),
    )


def _word(one: StageOutcome) -> str:
    return one.status.value if one.status else one.phase.lower()


def _row(one: StageOutcome) -> Sequence[Cell]:
    return [
        Cell(text=one.stage),
        Cell(text=_word(one), tone=_STAGES.get(one.status, Tone.BAD)),
        Cell(text=one.summary),
        Cell(text=one.execution, code=True),
    ]


def _made(released: Released) -> list[Section]:
    return [
        step_section("Package", released.package),
        step_section("Admission", released.admission),
        step_section("Release", released.verdict),
    ]


def _simulated(carried: Carried) -> list[Section]:
    return [] if carried.simulation is None else simulation_sections(carried.simulation)
