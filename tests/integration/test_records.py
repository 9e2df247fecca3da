"""What happened, what is where, what differs: read from a sandbox with a long past, and counted in calls."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from tasks._enrolment import Enrolment, Identity, PreviewStage
from tasks._flyte import Flyte
from tasks._home import Home
from tasks._names import generation_name
from tasks.gates import GateState, GateVerdict
from tasks.history import read_history
from tasks.policy import Stage
from tasks.promotion_records import PromotionReport, PromotionStatus
from tasks.stage_diff import read_diff
from tasks.stage_state import Activation, Cause
from tasks.where import read_where
from tests import running
from tests.integration.packaged import activate, flyte_of, make_project, register
from tests.integration.past import Past, write_past
from tests.integration.test_simulation import Recorder
from tests.running import Sandbox
from tests.unit.entities import a_plan, a_task, a_workflow

SHAS = [letter * 40 for letter in "abcd"]
PROJECT = "recorded"
START = 1_760_000_000
APPROVAL = GateVerdict(
    gate="approval", state=GateState.WAITING, because="0 of 1 approve", opens="`taxiway approve fraud`"
)
ENROLMENT = Enrolment(
    name="fraud",
    repository="https://git.example.com/risk/fraud",
    preview=PreviewStage(project="p", domain="development"),
    identities={"00u1": Identity(name="lead")},
)


def generation(stage: str, number: int, sha: str, before: str = "", **changed: object) -> Activation:
    values: dict[str, object] = {
        "target": "fraud",
        "stage": stage,
        "project": PROJECT,
        "domain": stage,
        "generation": number,
        "cause": Cause.PROMOTION,
        "sha": sha,
        "version": sha,
        "before": {"nightly": before} if before else {},
        "after": {"nightly": sha},
    }
    return Activation.model_validate({**values, **changed})


def activated(activation: Activation, at: int, *, flow: str = "activate", phase: str = "SUCCEEDED") -> Past:
    name = generation_name("fraud", activation.stage, activation.generation)
    return Past(flow=flow, name=name, at=at, phase=phase, activation=activation, principal="00u1", reason="")


def promoted(
    name: str, at: int, stage: str, sha: str, status: str, *gates: GateVerdict, noted: bool = True
) -> Past:
    report = PromotionReport(stage=stage, sha=sha, status=PromotionStatus(status), gates=list(gates))
    inputs = {"stage": stage, "sha": sha, "attempt": 1}
    return Past(
        flow="promote", name=name, at=at, stage=stage, sha=sha, output=report, inputs=inputs, noted=noted
    )


def the_past() -> list[Past]:
    """Two stages that were released to, one that broke off halfway, one that was never reached."""
    a, b, c, _ = SHAS
    return [
        activated(generation("development", 0, a), START),
        activated(generation("production", 0, a, cause=Cause.ADOPTION), START + 1),
        activated(generation("staging", 0, a), START + 2),
        promoted("promote-dev-b", START + 100, "development", b, "promoted"),
        activated(generation("development", 1, b, a), START + 101),
        activated(generation("staging", 1, b, a), START + 102, phase="FAILED"),
        Past(
            flow="hold",
            name="hold-1",
            at=START + 200,
            stage="production",
            act="hold",
            reason="month end",
            principal="00u1",
        ),
        Past(flow="approve", name="approve-1", at=START + 300, stage="production", sha=b, principal="00u9"),
        promoted("promote-prod-b", START + 400, "production", b, "waiting", APPROVAL),
        Past(
            flow="promote",
            name="promote-dev-c",
            at=START + 500,
            stage="development",
            sha=c,
            phase="FAILED",
            error_code="TAXI:VerdictFailed",
        ),
        promoted("promote-moon", START + 600, "moon", c, "waiting", noted=False),
        Past(flow="nightly", name="nightly-1", at=START + 700),
        Past(flow="promote", name="promote-dev-d", at=START + 800, stage="development", phase="RUNNING"),
    ]


@pytest.fixture(scope="module")
def past(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sandbox]:
    """A sandbox of its own, for its database is written to by hand."""
    folder = tmp_path_factory.mktemp("past")
    with running.sandbox(folder / "state") as sandbox:
        sandbox.install()
        sandbox.taxiway("doctor", "--run", expect=(0, 1))
        words = ("enroll", "https://git.example.com/risk/fraud", "--name", "fraud")
        sandbox.taxiway(*words, "--create-projects")
        write_past(sandbox, "fraud", the_past(), folder)
        with flyte_of(sandbox) as flyte:
            _register(flyte)
        yield sandbox


def _register(flyte: Flyte) -> None:
    make_project(flyte, PROJECT)
    package, other = (
        [a_task(task), a_workflow("nightly", tasks=[task]), a_plan("nightly")] for task in ("t", "u")
    )
    for entity in (*package[:2], *other[:2]):
        entity.message.template.interface.inputs.SetInParent()
        entity.message.template.interface.outputs.SetInParent()
    a, b = SHAS[:2]
    for domain, entities, version in (
        ("development", package, a),
        ("development", other, b),
        ("staging", package, a),
        ("production", package, a),
        ("production", package, "by-hand"),
    ):
        stage = Stage(
            name=domain, project=PROJECT, domain=domain, env={"MODE": domain}, max_parallelism=len(domain)
        )
        register(flyte, entities, stage, version)
    for domain, version in (("development", b), ("staging", a), ("production", "by-hand")):
        stage = Stage(name=domain, project=PROJECT, domain=domain)
        activate(flyte, stage, "nightly", version)


@pytest.fixture
def recorder(past: Sandbox) -> Iterator[Recorder]:
    with flyte_of(past) as flyte:
        yield Recorder(flyte)


def home_of(recorder: Recorder) -> Home:
    return Home(flyte=recorder.recorded(), project="taxiway", domain="production", target="fraud")


def test_history_is_newest_first_and_says_who_what_and_how_it_ended(recorder: Recorder) -> None:
    events = read_history(home_of(recorder), ENROLMENT)
    assert [(one.what, one.stage, one.sha[:1], one.who, one.outcome) for one in events] == [
        ("promotion", "development", "", "-", "running"),
        ("nightly", "", "", "-", "succeeded"),
        ("promotion", "moon", "c", "-", "waiting"),
        ("promotion", "development", "c", "-", "failed (TAXI:VerdictFailed)"),
        ("promotion", "production", "b", "-", "waiting (approval: `taxiway approve fraud`)"),
        ("approval", "production", "b", "00u9", "succeeded"),
        ("hold", "production", "", "lead", "succeeded"),
        ("activation", "staging", "b", "lead", "failed"),
        ("activation", "development", "b", "lead", "succeeded"),
        ("promotion", "development", "b", "-", "promoted"),
        ("activation", "staging", "a", "lead", "succeeded"),
        ("adoption", "production", "a", "lead", "succeeded"),
        ("activation", "development", "a", "lead", "succeeded"),
    ]
    assert events[0].at == "2025-10-09T09:06:40+00:00"
    assert events[6].reason == "month end"
    assert len(recorder.calls) == 1 + 3


def test_history_of_a_stage_and_its_newest_alone(recorder: Recorder) -> None:
    events = read_history(home_of(recorder), ENROLMENT, stage="production", limit=2)
    assert [one.execution for one in events] == ["promote-prod-b", "approve-1"]
    assert len(recorder.calls) <= 3


def test_where_shows_release_drift_partial_holds_and_what_waits(recorder: Recorder) -> None:
    found = {one.stage: one for one in read_where(home_of(recorder), ENROLMENT).stages}
    assert list(found) == ["development", "production", "staging"]
    a, b = SHAS[:2]
    development, production, staging = found.values()
    assert (development.condition, development.sha, development.generation) == ("ok", b, 1)
    assert development.active == {"nightly": [b]} and development.who == "lead"
    assert [(one.execution, one.outcome) for one in development.next] == [
        ("promote-dev-d", "running"),
        ("promote-dev-c", "failed (TAXI:VerdictFailed)"),
    ]
    assert (production.condition, production.sha, production.cause) == ("drift", a, "adoption")
    assert production.drift == [f"nightly: by-hand is ACTIVE, and {a} should be"]
    assert production.held.startswith("hold by lead at 2025-10-09T08:56:40+00:00: month end")
    [waiting] = production.next
    assert (waiting.sha, waiting.outcome, waiting.waits) == (b, "waiting", [APPROVAL])
    assert (staging.condition, staging.partial) == ("PARTIAL", True)
    rows = len(found) + len([production])  # one report tells what the release for production waits for
    assert len(recorder.calls) + 1 == 3 + rows
    assert all(name.startswith(("Get", "List")) for name in recorder.calls)


def test_the_commands_say_the_same_to_people_and_to_machines(past: Sandbox) -> None:
    shown = past.taxiway("where", "fraud").stdout
    for words in ("drift: nightly: by-hand is ACTIVE", "PARTIAL", "held: hold by", "approval is waiting"):
        assert words in shown
    found = json.loads(past.taxiway("where", "fraud", "--json").stdout)
    assert [one["condition"] for one in found["stages"]] == ["ok", "drift", "PARTIAL"]
    assert "month end" in past.taxiway("history", "fraud", "--stage", "production").stdout
    events = json.loads(past.taxiway("history", "fraud", "--limit", "3", "--json").stdout)["events"]
    assert len(events) == 3
    shown = past.taxiway("diff", "fraud", "production", "development").stdout
    assert "1 release apart" in shown
    assert "removed task t" in shown and "[MODE].value: production → development" in shown
    assert "drift in production" in shown
    done = past.taxiway("diff", "fraud", "production", "moon", expect=(2,))
    assert "was never released to" in done.stderr


def test_diff_keeps_settings_apart_from_entities(recorder: Recorder) -> None:
    found = read_diff(home_of(recorder), "production", "staging", open_flyte=lambda record: recorder.open(
        Stage(name=record.stage, project=record.project, domain=record.domain)
    ))  # fmt: skip
    assert found.second.generation == 1 and found.second.sha == SHAS[1]
    found = read_diff(
        home_of(recorder),
        "production",
        "development",
        open_flyte=lambda record: recorder.open(Stage(name="s", project="p", domain="d")),
    )
    assert found.releases_apart == 1
    assert [(str(one.kind.value), one.name, one.change.value) for one in found.changes] == [
        ("task", "t", "removed"),
        ("task", "u", "added"),
        ("workflow", "nightly", "changed"),
    ]
    assert str(found.bytes).startswith("same bytes: 1 of 3")
    [setting] = found.settings
    assert setting.launch_plans == ["nightly"]
    assert any("production → development" in text for text in setting.details)


@pytest.mark.timeout(300)
def test_where_on_ten_thousand_executions_is_quick_and_makes_few_calls(
    past: Sandbox, recorder: Recorder, tmp_path: Path
) -> None:
    busy = [
        Past(
            flow=("promote", "approve", "nightly")[number % 3],
            name=f"busy-{number}",
            at=START + 10_000 + number,
            stage="development",
            sha=SHAS[number % 4],
            phase="FAILED" if number % 3 == 0 else "SUCCEEDED",
        )
        for number in range(10_000)
    ]
    write_past(past, "fraud", busy, tmp_path)
    found = {one.stage: one for one in read_where(home_of(recorder), ENROLMENT).stages}
    assert {name: one.condition for name, one in found.items()} == {
        "development": "ok",
        "production": "drift",
        "staging": "PARTIAL",
    }
    assert found["production"].held
    assert len(recorder.calls) + 1 == 3 + len(found)
    recorder.calls.clear()
    assert len(read_history(home_of(recorder), ENROLMENT, stage="production")) == 4
    assert len(recorder.calls) <= 3


def test_where_finds_stages_that_have_been_quiet_while_another_was_held_again_and_again(
    past: Sandbox, recorder: Recorder, tmp_path: Path
) -> None:
    holds = [
        Past(flow="hold", name=f"again-{number}", at=START + 50_000 + number, stage="development", act="hold")
        for number in range(120)
    ]
    write_past(past, "fraud", holds, tmp_path)
    found = {one.stage: one for one in read_where(home_of(recorder), ENROLMENT).stages}
    assert {name: (one.condition, one.generation) for name, one in found.items()} == {
        "development": ("ok", 1),
        "production": ("drift", 0),
        "staging": ("PARTIAL", 1),
    }
    assert found["development"].held and found["production"].held
    quiet = 2 * len(found)
    assert len(recorder.calls) + 1 <= 4 + len(found) + quiet
