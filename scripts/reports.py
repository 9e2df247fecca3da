"""The report of an execution, out of the deck that it left; and how an execution ended, for a person."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeAlias

from flyteidl.core.identifier_pb2 import NodeExecutionIdentifier, WorkflowExecutionIdentifier
from flyteidl.service.dataproxy_pb2 import ARTIFACT_TYPE_DECK, CreateDownloadLinkRequest

from tasks._errors import FlyteRefused, ReportMissing, StorageRefused
from tasks._executions import Progress, Step
from tasks._flyte import Flyte
from tasks._git_url import masked_urls
from tasks._render import printable, report_json
from tasks._storage import fetch
from tasks._types import Finding, Status
from tasks._view import View
from tasks.promotion_records import PromotionReport
from tasks.promotion_view import view_of as promotion_view
from tasks.release_records import ReleaseReport
from tasks.release_view import view_of as release_view
from tasks.report_records import Report
from tasks.report_view import view_of as preview_view

AnyReport: TypeAlias = Report | PromotionReport | ReleaseReport
KINDS: dict[str, tuple[type[AnyReport], Callable[[Any], View]]] = {
    "preview": (Report, preview_view),
    "promotion": (PromotionReport, promotion_view),
    "release": (ReleaseReport, release_view),
}
"""The kinds of report: the record of each, and how it is shown."""


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """How an execution ended. `report` is None where it left none; `problem` then says why."""

    state: Progress
    report: AnyReport | None
    problem: str = ""

    @property
    def passed(self) -> bool | None:
        """Whether the verdict is passed; None where there is no verdict: something broke off.

        What has to wait for something has not failed; a preview that could not be tested has.
        """
        if self.report is None or self.report.broken is not None:
            return None
        waits = self.report.kind != "preview" and self.report.verdict.status is Status.SKIPPED
        return (self.report.verdict.passed or waits) and self.state.phase == "SUCCEEDED"

    def as_json(self) -> dict[str, Any]:
        """Return the outcome for machines."""
        return {
            "execution": {
                "project": self.state.id.project,
                "domain": self.state.id.domain,
                "name": self.state.id.name,
                "phase": self.state.phase,
            },
            "passed": self.passed,
            "problem": self.problem,
            "report": self.report.model_dump(mode="json") if self.report else None,
        }

    def text(self) -> str:
        """Return the outcome for a person: the verdict, what to do, and where to look."""
        lines = [f"{self.state.id.name}: {self._headline()}"]
        findings: list[Finding] = self.report.findings[:10] if self.report else []
        for finding in findings:
            lines += [
                f"  {finding.where}: {finding.problem}".replace("\n", "\n    "),
                f"    {finding.remedy}",
            ]
        text = printable("\n".join(lines))
        return "\n".join([text, where_to_look(self.state.id, report=self.report is not None)])

    def _headline(self) -> str:
        if self.report is None:
            return f"{self.state.phase.lower()}. {self.problem}"
        return f"{self.report.outcome}. {self.report.verdict.summary}"


def outcome_of(flyte: Flyte, state: Progress) -> Outcome:
    """Return how an ended execution ended, with its report if it left one."""
    try:
        return Outcome(state=state, report=read_report(flyte, state))
    except ReportMissing as error:
        cause = state.error_message or state.abort_cause or error.problem
        return Outcome(state=state, report=None, problem=masked_urls(cause.strip())[-2000:])


def read_report(flyte: Flyte, state: Progress) -> AnyReport:
    """Return the report that an execution's deck carries.

    Raises:
        ReportMissing: no step left one (yet).
    """
    document = report_json(read_deck(flyte, state)) or "{}"
    kind, _ = KINDS[json.loads(document).get("kind", "preview")]
    return kind.model_validate_json(document)


def shown(report: AnyReport) -> View:
    """Return a report of any kind as its readers see it."""
    _, view = KINDS[report.kind]
    return view(report)


def read_deck(flyte: Flyte, state: Progress) -> str:
    """Return the deck that holds the report, as the page that Flyte stores.

    Raises:
        ReportMissing: no step left one (yet).
    """
    for step in candidates(state.steps):
        page = _deck_of(flyte, state.id, step)
        if page and report_json(page) is not None:
            return page
    remedy = "Wait until it has ended." if not state.ended else "See its steps and their errors in Flyte."
    raise ReportMissing(f"{state.id.name} ({state.phase}) has no report.", remedy=remedy)


def candidates(steps: Sequence[Step]) -> list[Step]:
    """Return the steps that may have left a report: the one named so first, then the latest."""
    decks = [step for step in steps if step.deck_uri and not step.parent]
    return sorted(decks, key=lambda step: (step.node != "report", -step.started))


def where_to_look(identifier: WorkflowExecutionIdentifier, *, report: bool = False) -> str:
    """Return the commands that show more of an execution."""
    place = f"--project {identifier.project} --domain {identifier.domain}"
    place = "" if place == "--project taxiway --domain production" else f" {place}"
    if report:
        return f"The whole report: taxiway report {identifier.name}{place} --open"
    return f"Its report, once it is there: taxiway report {identifier.name}{place}"


def _deck_of(flyte: Flyte, identifier: WorkflowExecutionIdentifier, step: Step) -> str:
    request = CreateDownloadLinkRequest(
        artifact_type=ARTIFACT_TYPE_DECK,
        node_execution_id=NodeExecutionIdentifier(node_id=step.id, execution_id=identifier),
    )
    with tempfile.TemporaryDirectory(prefix="taxiway-") as folder:
        target = Path(folder) / "deck.html"
        try:
            answer = flyte.call("CreateDownloadLink", request)
            urls = list(answer.pre_signed_urls.signed_url) or list(answer.signed_url)
            return fetch(urls[0], target, flyte.config.platform).read_text(encoding="utf-8")
        except (FlyteRefused, StorageRefused):
            return _stored(step.deck_uri, target, flyte)


def _stored(uri: str, target: Path, flyte: Flyte) -> str:
    """Read a deck from the storage itself, for a Flyte that signs no URLs; empty where it is not there."""
    try:
        return fetch(uri, target, flyte.config.platform).read_text(encoding="utf-8")
    except StorageRefused:
        return ""


def as_document(report: AnyReport) -> str:
    """Return a report as indented JSON."""
    return json.dumps(report.model_dump(mode="json"), indent=2, ensure_ascii=False)
