from __future__ import annotations

import pytest

from scripts.deciding import policy_asked_for, waiting_policy
from tasks._errors import BadUsage
from tasks._names import release_tag, stage_tag
from tasks.gate_approval import ApprovalGate
from tasks.gates import GateVerdict
from tasks.promotion_records import PromotionReport, PromotionStatus
from tests.unit.promotions import DIGEST, SHA, Ledger, asked, promoted, stage

TAGS = [release_tag("fraud", SHA), stage_tag("fraud", "production")]


def report(*gates: GateVerdict, status: PromotionStatus = PromotionStatus.WAITING) -> PromotionReport:
    return PromotionReport(stage="production", sha=SHA, status=status, gates=list(gates))


@pytest.fixture
def waiting() -> PromotionReport:
    needs = stage(approval={"required": 1, "by": ["risk-leads"]})
    return report(ApprovalGate().judge(asked(wanted=needs)))


def test_waiting_promotion_names_the_policy_to_approve(waiting: PromotionReport) -> None:
    ledger = Ledger()
    promoted(ledger, outputs={"o0": waiting}, tags=TAGS)
    assert waiting_policy(asked(ledger).home, SHA, "production") == DIGEST


def test_promotion_into_another_stage_names_none_for_this(waiting: PromotionReport) -> None:
    ledger = Ledger()
    promoted(ledger, outputs={"o0": waiting}, tags=[TAGS[0], stage_tag("fraud", "staging")])
    with pytest.raises(BadUsage, match="waits for an approval"):
        waiting_policy(asked(ledger).home, SHA, "production")


def test_only_a_waiting_promotion_that_asks_for_approval_names_a_policy(waiting: PromotionReport) -> None:
    assert policy_asked_for(waiting.model_dump(mode="json")) == DIGEST
    done = waiting.model_copy(update={"status": PromotionStatus.PROMOTED})
    assert policy_asked_for(done.model_dump(mode="json")) == ""
    assert policy_asked_for(report().model_dump(mode="json")) == ""
    assert policy_asked_for(None) == ""
