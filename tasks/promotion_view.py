"""A promotion's report as a person reads it: pipeline, gates with evidence, what changed; all pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from tasks._view import Cell, Fact, Section, Table, Text, Tone, View
from tasks.gates import GateState, GateVerdict
from tasks.promotion_records import PromotionReport, PromotionStatus
from tasks.sections import (
    broken_section,
    diff_section,
    fact,
    smoke_section,
    table,
    timings_section,
    versions_section,
)

_TONES = {
    PromotionStatus.PROMOTED: Tone.GOOD,
    PromotionStatus.UNCHANGED: Tone.GOOD,
    PromotionStatus.WAITING: Tone.WARN,
    PromotionStatus.REFUSED: Tone.BAD,
    PromotionStatus.FAILED: Tone.BAD,
    PromotionStatus.ROLLED_BACK: Tone.BAD,
}
_GATES = {GateState.OPEN: Tone.GOOD, GateState.WAITING: Tone.WARN, GateState.CLOSED: Tone.BAD}

_BROKE_OFF = "Whether the release is good was not found out. The error is shown as it came."


def view_of(report: PromotionReport) -> View:
    """Return a promotion as its readers see it: how it ended, the gates, then what it did."""
    return View(
        headline=report.headline,
        tone=Tone.BAD if report.broken else _TONES[report.status],
        summary=report.summary,
        facts=_facts(report),
        findings=report.findings,
        sections=[
            *([broken_section(report.broken, summary=_BROKE_OFF)] if report.broken else []),
            *([_pipeline(report)] if report.stages else []),
            *([gates_section("Entry gates", report.gates)] if report.gates else []),
            *([gates_section("Result gates", report.result_gates)] if report.result_gates else []),
            *([_drift(report.drift)] if report.drift else []),
            *([_activation(report)] if report.generation >= 0 else []),
            *([diff_section(report.diff)] if report.diff else []),
            *([smoke_section(report.smoke)] if report.smoke else []),
            *([_verification(report)] if report.verification else []),
            *([timings_section(report.timings)] if report.timings else []),
            *([versions_section(report.versions)] if report.versions else []),
        ],
    )


def gates_section(title: str, gates: Sequence[GateVerdict]) -> Section:
    """Return how gates stand, each with what it rests on and what would open it."""
    rows = [
        [
            Cell(text=gate.gate),
            Cell(text=gate.state.value, tone=_GATES[gate.state]),
            Cell(text=gate.because),
            Cell(text=gate.opens),
        ]
        for gate in gates
    ]
    shut = [gate for gate in gates if gate.state is not GateState.OPEN]
    evidence = [
        Text(title=f"{gate.gate}: what it rests on", body="\n".join(gate.evidence))
        for gate in gates
        if gate.evidence
    ]
    return Section(
        title=title,
        tone=Tone.GOOD if not shut else max((_GATES[gate.state] for gate in shut), key=_severity),
        summary=f"{len(gates) - len(shut)} of {len(gates)} are open.",
        tables=table(["Gate", "Stands", "Because", "Opens"], rows),
        texts=evidence,
    )


def _severity(tone: Tone) -> int:
    return [Tone.GOOD, Tone.WARN, Tone.BAD].index(tone)


def _facts(report: PromotionReport) -> list[Fact]:
    place = f"({report.project}/{report.domain})" if report.project else ""
    facts = [
        fact("Target", report.target),
        fact("Stage", f"{report.stage} {place}".strip()),
        fact("Revision", report.sha, code=True),
    ]
    for label, value in (
        ("Version", report.version),
        ("Release manifest", report.manifest),
        ("Policy in force", report.policy),
    ):
        if value:
            facts.append(fact(label, value, code=True))
    if report.same is not None:
        facts.append(fact("Compared with the package", str(report.same)))
    if report.execution is not None:
        where = report.execution
        name = f"{where.project}/{where.domain}/{where.name}"
        facts.append(Fact(label="Execution", value=Cell(text=name, href=where.url, code=True)))
    if report.attempt > 1:
        facts.append(fact("Attempt", str(report.attempt)))
    return facts


def _pipeline(report: PromotionReport) -> Section:
    """Return the stages in their order, with the one that this promotion is about."""
    rows = []
    for at, name in enumerate(report.stages):
        here = name == report.stage
        words = report.outcome if here else "before" if at < report.stages.index(report.stage) else "after"
        tone = (_TONES[report.status] if not report.broken else Tone.BAD) if here else Tone.MUTED
        rows.append([Cell(text=str(at + 1)), Cell(text=name, code=here), Cell(text=words, tone=tone)])
    return Section(
        title="Pipeline",
        tone=Tone.PLAIN,
        summary=" → ".join(f"[{name}]" if name == report.stage else name for name in report.stages),
        tables=table(["", "Stage", ""], rows),
    )


def _drift(drift: Sequence[str]) -> Section:
    rows = [[Cell(text=sentence)] for sentence in drift]
    return Section(
        title="The stage was not as its last record says",
        tone=Tone.WARN,
        summary="Somebody activated by hand, or an activation was cut short.",
        tables=table(["Drift"], rows),
    )


def _activation(report: PromotionReport) -> Section:
    facts = [
        fact("Generation", str(report.generation)),
        fact("Its record", report.record, code=True),
    ]
    if report.rolled_back:
        facts.append(fact("Rolled back by", report.rolled_back, code=True))
    return Section(
        title="Activation",
        tone=Tone.BAD if report.rolled_back else Tone.GOOD,
        summary=report.summary,
        facts=facts,
        tables=_active(report.before, report.after),
    )


def _active(before: Mapping[str, Sequence[str]], after: Mapping[str, str]) -> list[Table]:
    names = sorted({*before, *after}) if after else []
    rows = [
        [
            Cell(text=name, code=True),
            Cell(text=" and ".join(before.get(name, [])) or "none", code=True),
            Cell(text=after.get(name) or "none", code=True),
        ]
        for name in names
    ]
    return table(["Launch plan", "Was active", "Is active"], rows)


def _verification(report: PromotionReport) -> Section:
    if report.verification is None:
        raise TypeError("there is no verification to show")
    return smoke_section(report.verification, title="Verification after the activation")
