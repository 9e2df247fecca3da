from __future__ import annotations

from typing import Any

import pytest

from tasks import hold
from tasks._errors import BadUsage
from tasks._people import shown_principal
from tasks.approval import approval_of, checked
from tests.unit.promotions import DIGEST, ENROLMENT, NOW, SHA, Ledger

GOOD = {"sha": SHA, "stage": "production", "policy": DIGEST, "comment": ""}


def test_what_a_promotion_names_can_be_approved() -> None:
    checked(**GOOD)


@pytest.mark.parametrize(
    "changed",
    [
        pytest.param({"sha": "main"}, id="branch"),
        pytest.param({"sha": SHA[:12]}, id="abbreviation"),
        pytest.param({"policy": "latest"}, id="no-digest"),
        pytest.param({"policy": DIGEST.removeprefix("sha256:")}, id="digest-of-no-kind"),
        pytest.param({"stage": "No Stage"}, id="no-stage"),
        pytest.param({"stage": ""}, id="empty-stage"),
        pytest.param({"comment": "x" * 1001}, id="long-comment"),
    ],
)
def test_what_cannot_be_is_refused(changed: dict[str, str]) -> None:
    with pytest.raises(BadUsage):
        checked(**{**GOOD, **changed})


@pytest.mark.parametrize(
    ("stage", "reason"),
    [
        pytest.param("No Stage", "month end", id="no-stage"),
        pytest.param("production", " ", id="no-reason"),
        pytest.param("production", "x" * 1001, id="long-reason"),
    ],
)
def test_hold_without_a_stage_or_a_reason_is_refused(stage: str, reason: str) -> None:
    with pytest.raises(BadUsage):
        hold.checked(stage=stage, reason=reason)


@pytest.mark.parametrize(
    ("principal", "person", "shown"),
    [
        pytest.param("00u-lead", "lead", "lead", id="known"),
        pytest.param("00u-stranger", "", "00u-stranger", id="unknown"),
        pytest.param("", "", "somebody whom Flyte does not name", id="nobody"),
    ],
)
def test_record_has_what_flyte_knows_of_the_caller(principal: str, person: str, shown: str) -> None:
    execution = Ledger().add("a-1", "approve", principal=principal)
    asked: dict[str, Any] = {**GOOD, "approve": True}
    made = approval_of(execution, ENROLMENT, **asked)
    assert (made.principal, made.person, made.execution) == (principal, person, "a-1")
    assert made.at == NOW.isoformat()
    held = hold.hold_of(execution, ENROLMENT, stage="production", reason="month end", hold=True)
    assert (held.principal, held.person) == (principal, person)
    assert shown_principal(principal, ENROLMENT) == shown
