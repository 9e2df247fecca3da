from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from typing import Any

import pytest
from flyteidl.admin.execution_pb2 import Execution, ExecutionMetadata

from tasks._names import release_tag
from tasks.gate_approval import POLICY_LINE, ApprovalGate
from tasks.gates import Asked, GateState, GateVerdict
from tests.unit.promotions import (
    DIGEST,
    ENROLMENT,
    NOW,
    OLDER,
    OTHER_DIGEST,
    SHA,
    Ledger,
    asked,
    plan_id,
    stage,
)

GOOD: dict[str, Any] = {"sha": SHA, "stage": "production", "policy": DIGEST, "approve": True, "comment": ""}
LEADS = {"required": 1, "by": ["risk-leads"]}


def give(
    ledger: Ledger,
    principal: str = "00u-lead",
    *,
    hours_ago: float = 1,
    inputs: Mapping[str, Any] = GOOD,
    **more: Any,
) -> str:
    name = f"approve-{len(ledger.executions)}"
    at = NOW - timedelta(hours=hours_ago)
    ledger.add(name, "approve", inputs={**GOOD, **inputs}, principal=principal, at=at, **more)
    return name


def needing(ledger: Ledger, approval: Mapping[str, Any] = LEADS, **more: Any) -> Asked:
    return asked(ledger, wanted=stage(approval=approval), **more)


def judged(ledger: Ledger, approval: Mapping[str, Any] = LEADS, **more: Any) -> GateVerdict:
    return ApprovalGate().judge(needing(ledger, approval, **more))


def test_nobody_has_to_approve_and_nothing_is_asked() -> None:
    ledger = Ledger()
    assert judged(ledger, {}).state is GateState.OPEN
    assert ledger.calls == []


def test_missing_approval_names_the_act_and_the_policy() -> None:
    verdict = judged(Ledger())
    assert verdict.state is GateState.WAITING
    assert verdict.opens == f"`taxiway approve fraud {SHA} production` by risk-leads"
    assert verdict.evidence == [f"{POLICY_LINE}{DIGEST}"]


@pytest.mark.parametrize(
    "by", [pytest.param(["risk-leads"], id="group"), pytest.param(["lead"], id="person")]
)
def test_approval_of_one_of_the_named_opens(by: list[str]) -> None:
    ledger = Ledger()
    name = give(ledger)
    verdict = judged(ledger, {"required": 1, "by": by})
    assert (verdict.state, verdict.because) == (GateState.OPEN, "1 of 1 approved: lead")
    assert verdict.evidence[1] == f"approved by lead ({name})"


def launched_by_another(execution: Execution) -> None:
    execution.spec.metadata.mode = ExecutionMetadata.CHILD_WORKFLOW


def inside_of_another(execution: Execution) -> None:
    execution.spec.metadata.parent_node_execution.node_id = "n0"


def scheduled(execution: Execution) -> None:
    execution.spec.metadata.mode = ExecutionMetadata.SCHEDULED


@pytest.mark.parametrize(
    ("given", "because"),
    [
        pytest.param({"principal": "00u-dev"}, "dev is none of risk-leads", id="not-listed"),
        pytest.param({"principal": "00u-stranger"}, "identity map does not know", id="unknown-principal"),
        pytest.param({"principal": ""}, "Flyte knows no principal", id="no-principal"),
        pytest.param({"inputs": {"policy": OTHER_DIGEST}}, "under another policy", id="another-policy"),
        pytest.param({"inputs": {"sha": OLDER}}, "", id="another-release"),
        pytest.param({"inputs": {"stage": "staging"}}, "", id="another-stage"),
        pytest.param({"inputs": {"approve": False}}, "does not approve", id="never-approved"),
        pytest.param({"inputs": {"approve": "yes"}}, "", id="inputs-of-no-approval"),
        pytest.param({"phase": "RUNNING"}, "", id="still-running"),
        pytest.param({"phase": "FAILED"}, "", id="failed"),
        pytest.param({"plan": plan_id("approve", version="mine")}, "is installed", id="version-look-alike"),
        pytest.param(
            {"plan": plan_id("approve", project="mine")}, "not the installed", id="project-look-alike"
        ),
        pytest.param({"plan": plan_id("approves")}, "", id="name-look-alike"),
        pytest.param({"change": launched_by_another}, "not a person", id="child-of-another"),
        pytest.param({"change": inside_of_another}, "not a person", id="node-of-another"),
        pytest.param({"change": scheduled}, "not a person", id="scheduled"),
        pytest.param({"tags": [release_tag("fraud", OLDER)]}, "", id="tagged-for-another-release"),
        pytest.param({"hours_ago": 24 * 30}, "", id="before-the-release-was-made"),
    ],
)
def test_approval_that_does_not_count(given: dict[str, Any], because: str) -> None:
    ledger = Ledger()
    give(ledger, **given)
    verdict = judged(ledger)
    assert verdict.state is GateState.WAITING, verdict
    said = verdict.evidence[1:]
    assert because in said[0] if because else said == []


def test_approval_by_the_author_does_not_count() -> None:
    ledger = Ledger()
    give(ledger, "00u-dev")
    by_dev = {"required": 1, "by": ["dev"]}
    verdict = judged(ledger, by_dev)
    assert verdict.state is GateState.WAITING and "author" in verdict.evidence[1]
    assert judged(ledger, {**by_dev, "not_author": False}).state is GateState.OPEN


def test_one_person_counts_once_however_often_and_as_whom() -> None:
    ledger = Ledger()
    for principal in ("00u-lead", "00u-lead", "00u-lead-2"):
        give(ledger, principal)
    two = {"required": 2, "by": ["risk-leads"]}
    verdict = judged(ledger, two)
    assert verdict.state is GateState.WAITING and verdict.because.startswith("1 of 2 approved")
    give(ledger, "00u-deputy")
    assert judged(ledger, two).because == "2 of 2 approved: deputy, lead"


@pytest.mark.parametrize(
    ("acts", "state"),
    [
        pytest.param(
            [("00u-lead", True, DIGEST), ("00u-lead", False, DIGEST)], GateState.WAITING, id="withdrawn"
        ),
        pytest.param(
            [("00u-lead", True, DIGEST), ("00u-lead-2", False, DIGEST)], GateState.WAITING, id="as-another"
        ),
        pytest.param(
            [("00u-lead", True, DIGEST), ("00u-lead", False, OTHER_DIGEST)],
            GateState.WAITING,
            id="any-policy",
        ),
        pytest.param(
            [("00u-lead", True, DIGEST), ("00u-deputy", False, DIGEST)],
            GateState.OPEN,
            id="by-another-person",
        ),
        pytest.param(
            [("00u-lead", True, DIGEST), ("00u-lead", False, DIGEST), ("00u-lead", True, DIGEST)],
            GateState.OPEN,
            id="and-given-again",
        ),
        pytest.param(
            [("00u-lead", True, DIGEST), ("00u-lead", True, OTHER_DIGEST)],
            GateState.OPEN,
            id="other-policy-later",
        ),
    ],
)
def test_newest_word_of_a_person_counts(acts: list[tuple[str, bool, str]], state: GateState) -> None:
    ledger = Ledger()
    for number, (principal, approve, policy) in enumerate(acts):
        inputs = {"approve": approve, "policy": policy}
        give(ledger, principal, hours_ago=9 - number, inputs=inputs)
    assert judged(ledger).state is state


def test_anonymous_approvals_count_once_and_the_record_says_so() -> None:
    ledger = Ledger()
    give(ledger, "")
    give(ledger, "")
    allowed = ENROLMENT.model_copy(update={"anonymous_approvals": True})
    verdict = judged(ledger, enrolment=allowed)
    assert verdict.state is GateState.OPEN
    assert "nobody whom Flyte could name" in verdict.evidence[1] and len(verdict.evidence) == 2
    two = {"required": 2, "by": ["risk-leads"]}
    assert judged(ledger, two, enrolment=allowed).state is GateState.WAITING
    give(ledger, "", hours_ago=0.5, inputs={"approve": False})
    assert judged(ledger, enrolment=allowed).state is GateState.WAITING


def test_anonymous_approvals_let_no_unknown_principal_in() -> None:
    ledger = Ledger()
    give(ledger, "00u-stranger")
    allowed = ENROLMENT.model_copy(update={"anonymous_approvals": True})
    assert judged(ledger, enrolment=allowed).state is GateState.WAITING


def test_approvals_of_other_releases_are_not_read() -> None:
    ledger = Ledger()
    for _ in range(30):
        give(ledger, tags=[release_tag("fraud", OLDER)], inputs={"sha": OLDER})
    give(ledger, tags=[release_tag("fraud", SHA)])
    assert judged(ledger).state is GateState.OPEN
    assert ledger.calls.count("GetExecutionData") == 1


def test_withdrawal_without_tags_counts_all_the_same() -> None:
    ledger = Ledger()
    give(ledger, tags=[release_tag("fraud", SHA)], hours_ago=2)
    give(ledger, inputs={"approve": False}, hours_ago=1)
    assert judged(ledger).state is GateState.WAITING
