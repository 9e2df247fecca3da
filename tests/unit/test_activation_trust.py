from __future__ import annotations

from dataclasses import replace

import pytest
from flyteidl.admin.common_pb2 import Annotations
from flyteidl.admin.execution_pb2 import Execution, ExecutionSpec
from flyteidl.core.identifier_pb2 import WorkflowExecutionIdentifier

from tasks._enrolment import Enrolment, Limits, PreviewStage
from tasks._names import generation_name
from tasks._typed import literals, value_of
from tasks._types import Record
from tasks.activation_trust import (
    Promotion,
    Proof,
    broke_off,
    wrong_adoption,
    wrong_launch,
    wrong_promotion,
    wrong_rollback,
)
from tasks.stage_state import (
    WHOLE_NOTE,
    Activation,
    Cause,
    Generation,
    generation_of,
    notes_of,
    tags_of,
)

ENROLMENT = Enrolment(
    name="fraud",
    repository="https://git.example/fraud",
    preview=PreviewStage(project="fraud-previews", domain="development"),
    limits=Limits(projects=["fraud"], domains=["production"]),
)
SHA = "f" * 40
ASKED = Activation(
    target="fraud",
    stage="production",
    project="fraud",
    domain="production",
    generation=2,
    cause=Cause.PROMOTION,
    sha=SHA,
    version=SHA,
    before={"a": "v1"},
    after={"a": SHA},
    asked_by="promote-fraud-1",
)
PROOF = Proof(open=True, project="fraud", domain="production", after={"a": SHA})
PROMOTION = Promotion(
    launch_plan="taxiway.promote.fraud",
    version="v",
    installed="v",
    phase="RUNNING",
    sha=SHA,
    stage="production",
    proof=PROOF,
)
EARLIER = Generation(
    execution="fraud-production-g0",
    number=0,
    cause=Cause.PROMOTION,
    stage="production",
    sha=SHA,
    version=SHA,
    manifest="",
    phase="SUCCEEDED",
    at=0,
    principal="",
)


def execution(
    activation: Activation,
    *,
    name: str = "",
    notes: dict[str, str] | None = None,
    tags: list[str] | None = None,
) -> Execution:
    name = name or generation_name(activation.target, activation.stage, activation.generation)
    spec = ExecutionSpec(
        annotations=Annotations(values=notes_of(activation) if notes is None else notes),
        tags=tags_of(activation) if tags is None else tags,
    )
    return Execution(id=WorkflowExecutionIdentifier(name=name), spec=spec)


FORGED = {**notes_of(ASKED), WHOLE_NOTE: ASKED.model_copy(update={"after": {"a": "v9"}}).model_dump_json()}


def test_launch_that_notes_no_whole_record_is_taken() -> None:
    notes = {key: value for key, value in notes_of(ASKED).items() if key != WHOLE_NOTE}
    assert list(wrong_launch(ASKED, execution(ASKED, notes=notes), ENROLMENT)) == []


def test_annotations_hold_the_whole_record_unless_it_is_long() -> None:
    found = generation_of(execution(ASKED))
    assert found is not None and found.record == ASKED
    long = ASKED.model_copy(update={"after": {f"launch-plan-{number}": SHA for number in range(200)}})
    found = generation_of(execution(long))
    assert found is not None and found.record is None
    later = generation_of(execution(ASKED, notes={**notes_of(ASKED), WHOLE_NOTE: '{"new": 1}'}))
    assert later is not None and later.record is None


def test_own_launch_is_taken() -> None:
    assert list(wrong_launch(ASKED, execution(ASKED), ENROLMENT)) == []


@pytest.mark.parametrize(
    ("asked", "own", "said"),
    [
        pytest.param({}, {"name": "by-hand"}, "not under its generation's name", id="another-name"),
        pytest.param({}, {"notes": {}}, "annotations", id="no-annotations"),
        pytest.param({}, {"notes": FORGED}, "annotations", id="another-record"),
        pytest.param({}, {"tags": []}, "tags", id="no-tags"),
        pytest.param({"target": "other"}, {}, "this launch plan is fraud's", id="another-target"),
        pytest.param({"project": "taxiway"}, {}, "not allow the project taxiway", id="project"),
        pytest.param({"domain": "staging"}, {}, "not allow the domain staging", id="domain"),
        pytest.param({"endpoint": "dns:///x"}, {}, "not allow the endpoint", id="endpoint"),
        pytest.param({"after": {"a": ""}}, {}, "is empty", id="no-version"),
        pytest.param({"generation": -1}, {}, "generation's name", id="no-generation"),
    ],
)
def test_wrong_launches_are_refused(asked: dict[str, object], own: dict[str, object], said: str) -> None:
    changed = ASKED.model_copy(update=asked)
    found = list(wrong_launch(changed, execution(changed, **own), ENROLMENT))  # type: ignore[arg-type]
    assert len(found) == 1 and said in found[0]


def test_running_promotion_that_proved_it_vouches() -> None:
    assert list(wrong_promotion(ASKED, PROMOTION)) == []


@pytest.mark.parametrize(
    ("promotion", "said"),
    [
        pytest.param(None, "there is no execution", id="none"),
        pytest.param(replace(PROMOTION, launch_plan="x"), "no execution of taxiway.promote", id="look-alike"),
        pytest.param(replace(PROMOTION, installed="w"), "as it is installed", id="another-version"),
        pytest.param(replace(PROMOTION, phase="SUCCEEDED"), "not running", id="ended"),
        pytest.param(replace(PROMOTION, sha="e" * 40), "another release", id="another-release"),
        pytest.param(replace(PROMOTION, stage="staging"), "another stage", id="another-stage"),
        pytest.param(replace(PROMOTION, proof=None), "has not proved", id="not-proved"),
        pytest.param(
            replace(PROMOTION, proof=PROOF.model_copy(update={"open": False})), "gate is closed", id="closed"
        ),
        pytest.param(
            replace(PROMOTION, proof=PROOF.model_copy(update={"project": "x"})), "another place", id="place"
        ),
        pytest.param(
            replace(PROMOTION, proof=PROOF.model_copy(update={"after": {"a": "v9"}})),
            "another set",
            id="another-set",
        ),
    ],
)
def test_promotions_that_do_not_vouch(promotion: Promotion | None, said: str) -> None:
    found = list(wrong_promotion(ASKED, promotion))
    assert len(found) == 1 and said in found[0]


@pytest.mark.parametrize(
    ("promotion", "active", "expected"),
    [
        pytest.param({"phase": "ABORTED"}, {"a": [SHA]}, True, id="aborted-on-the-way"),
        pytest.param({"phase": "FAILED"}, {"a": [SHA, "v1"]}, True, id="failed-on-the-way"),
        pytest.param({"phase": "ABORTED"}, {"a": ["v1"]}, False, id="nothing-was-done"),
        pytest.param({"phase": "ABORTED"}, {}, False, id="nothing-is-active"),
        pytest.param({"phase": "RUNNING"}, {"a": [SHA]}, False, id="goes-on"),
        pytest.param({"phase": "SUCCEEDED"}, {"a": [SHA]}, False, id="succeeded"),
        pytest.param({"phase": "ABORTED", "proof": None}, {"a": [SHA]}, False, id="never-vouched"),
        pytest.param({"phase": "ABORTED", "sha": "e" * 40}, {"a": [SHA]}, False, id="another-release"),
    ],
)
def test_activation_that_had_begun_for_a_promotion_that_ended(
    promotion: dict[str, object], active: dict[str, list[str]], expected: bool
) -> None:
    assert broke_off(ASKED, replace(PROMOTION, **promotion), active) is expected  # type: ignore[arg-type]


def test_what_was_active_before_is_no_beginning() -> None:
    same = ASKED.model_copy(update={"before": {"a": SHA}})
    assert not broke_off(same, replace(PROMOTION, phase="ABORTED"), {"a": [SHA]})


def test_proof_is_read_from_a_record_that_says_more() -> None:
    class Proved(Record):
        open: bool = True
        project: str = "fraud"
        domain: str = "production"
        endpoint: str = ""
        after: dict[str, str] = {"a": SHA}
        seconds: float = 1.5

    assert value_of(literals({"o0": Proved()}), "o0", Proof) == PROOF


ROLLBACK = ASKED.model_copy(update={"cause": Cause.ROLLBACK, "back_to": 0, "asked_by": ""})


def test_earlier_generation_vouches_for_a_rollback() -> None:
    assert list(wrong_rollback(ROLLBACK, EARLIER, ASKED)) == []


@pytest.mark.parametrize(
    ("earlier", "record", "said"),
    [
        pytest.param(None, None, "no earlier generation 0", id="none"),
        pytest.param(replace(EARLIER, phase="FAILED"), ASKED, "did not succeed", id="refused-or-broken"),
        pytest.param(
            EARLIER, ASKED.model_copy(update={"after": {"a": "v9"}}), "another set", id="another-set"
        ),
        pytest.param(EARLIER, ASKED.model_copy(update={"project": "x"}), "another place", id="place"),
        pytest.param(EARLIER, ASKED.model_copy(update={"version": "x"}), "another release", id="release"),
    ],
)
def test_generations_that_do_not_vouch(
    earlier: Generation | None, record: Activation | None, said: str
) -> None:
    found = list(wrong_rollback(ROLLBACK, earlier, record))
    assert len(found) == 1 and said in found[0]


@pytest.mark.parametrize(
    ("active", "wrong"),
    [
        pytest.param({"a": ["v1"], "other": ["v2"]}, 0, id="as-it-is"),
        pytest.param({"a": ["v2"]}, 1, id="another-version"),
        pytest.param({}, 1, id="not-active"),
        pytest.param({"a": ["v1", "v2"]}, 1, id="two-versions"),
    ],
)
def test_adoption_says_what_is_active(active: dict[str, list[str]], wrong: int) -> None:
    adoption = ASKED.model_copy(update={"cause": Cause.ADOPTION, "after": {"a": "v1"}})
    assert len(list(wrong_adoption(adoption, active))) == wrong
