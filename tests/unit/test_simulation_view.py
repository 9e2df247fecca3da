from __future__ import annotations

from tasks._entities import Kind
from tasks._render import to_html, to_markdown
from tasks._schedules import ScheduleChange, ScheduleEffect
from tasks._types import Finding, Status, Verdict
from tasks._view import Tone, View
from tasks.diff import Change, EntityChange, EntityDiff
from tasks.gates import GateState, GateVerdict
from tasks.registration import EntityName
from tasks.simulation_records import Simulation, StageSimulation
from tasks.simulation_view import simulation_sections
from tests.unit.samples import PASSED

FINDING = Finding(where="stage production", problem="The project fraud does not exist.", remedy="Create it.")
MISSING = Verdict(status=Status.FAILED, summary=FINDING.problem, findings=[FINDING])
GATES = [
    GateVerdict(gate="approval", state=GateState.OPEN, because="2 of 2 approve", evidence=["lead", "ada"]),
    GateVerdict(gate="soak", state=GateState.WAITING, because="1 h of 24 h", opens="2026-01-06T09:00:00Z"),
    GateVerdict(gate="stale", state=GateState.CLOSED, because="an ancestor of what is active"),
]
BREAKING = EntityChange(
    kind=Kind.WORKFLOW,
    name="fraud.train",
    change=Change.CHANGED,
    against="v1",
    details=["node n1 runs fit"],
    breaking=["input rows is gone"],
)
STAGING = StageSimulation(
    stage="staging",
    project="fraud",
    domain="staging",
    version="v2",
    running="v1",
    verdict=PASSED,
    new=[EntityName(kind=Kind.TASK, name="fraud.explain")],
    existing=[EntityName(kind=Kind.TASK, name="fraud.fit")],
    activated={"fraud.nightly": "v1"},
    deactivated={"fraud.old": "v0"},
    kept=["fraud.kept"],
    schedules=[
        ScheduleEffect(
            launch_plan="fraud.nightly", change=ScheduleChange.CHANGES, before="0 3 * * *", after="0 4 * * *"
        ),
        ScheduleEffect(launch_plan="fraud.old", change=ScheduleChange.STOPS, before="0 5 * * *"),
    ],
    diff=EntityDiff(project="fraud", domain="staging", changes=[BREAKING], unchanged=8),
    gates=GATES,
    drift=["fraud.nightly: v0 is ACTIVE, and v1 should be"],
    partial=True,
)
PRODUCTION = StageSimulation(
    stage="production", project="fraud", domain="production", version="v2", verdict=MISSING
)


def _words(simulation: Simulation) -> tuple[str, str]:
    view = View(
        headline="Simulation",
        tone=Tone.PLAIN,
        summary="",
        facts=[],
        findings=[],
        sections=simulation_sections(simulation),
    )
    return to_markdown(view), to_html(view, "{}")


def test_everything_that_was_found_is_shown_in_both_renderings() -> None:
    verdict = Verdict(status=Status.FAILED, summary="It would break off in production.", findings=[FINDING])
    for text in _words(Simulation(verdict=verdict, stages=[STAGING, PRODUCTION], seconds=1.2)):
        for words in (
            "Nothing was written; it took 1.2 s.",
            "1 new, 1 there",
            "1 would break callers",
            "1 on, 1 off, 1 stay",
            "1 stop, 1 change",
            "2026-01-06T09:00:00Z",
            "never, for this release",
            "2 of 2 approve; lead; ada",
            "breaks callers: input rows is gone",
            "0 4 * * *",
            "ended halfway",
            "v1 should be",
            "The project fraud does not exist.",
            "would break off",
        ):
            assert words in text.replace("\\", ""), words


def test_a_stage_after_another_keeps_the_order_of_the_policy() -> None:
    sections = simulation_sections(Simulation(verdict=PASSED, stages=[STAGING, PRODUCTION]))
    assert [one.title for one in sections] == [
        "Simulation",
        "Simulation of staging",
        "Simulation of production",
    ]
    assert [one.tone for one in sections] == [Tone.GOOD, Tone.WARN, Tone.BAD]
    assert sections[2].tables[0].columns[0] == "Missing"


def test_a_stage_in_order_says_so_in_few_words() -> None:
    calm = StageSimulation(stage="dev", project="p", domain="d", version="v", verdict=PASSED, gates=GATES[:1])
    [row] = simulation_sections(Simulation(verdict=PASSED, stages=[calm]))[0].tables[0].rows
    assert [cell.text for cell in row] == [
        "dev",
        "would go through",
        "0 new, 0 there",
        "not known",
        "nothing",
        "as they are",
        "open",
    ]
