"""Which executions are a target's records, and how few calls find them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from flyteidl.admin.execution_pb2 import ExecutionList

from tasks._errors import FlyteNotFound, NotInstalled
from tasks._home import Home
from tasks._names import stage_tag
from tests.unit.promotions import INSTALLED, NOW, Ledger

TAG = stage_tag("fraud", "staging")


def home(ledger: Ledger) -> Home:
    return Home(flyte=ledger.flyte(), project="taxiway", domain="production", target="fraud")


def full() -> Ledger:
    ledger = Ledger()
    for number in range(5):
        ledger.add(f"promote-{number}", "promote", at=NOW - timedelta(hours=number), tags=[TAG])
    ledger.add("elsewhere", "promote", at=NOW)
    ledger.add("running", "promote", at=NOW - timedelta(hours=9), phase="RUNNING", tags=[TAG])
    ledger.add("hold-1", "hold", at=NOW + timedelta(hours=1), tags=[TAG])
    return ledger


@pytest.mark.parametrize(
    ("asked", "expected"),
    [
        pytest.param({"tag": TAG, "limit": 2}, ["promote-0", "promote-1"], id="the-newest"),
        pytest.param({"tag": TAG, "phases": ["RUNNING"]}, ["running"], id="of-a-phase"),
        pytest.param({"since": NOW, "limit": 9}, ["elsewhere", "promote-0"], id="since-a-time"),
        pytest.param({"tag": stage_tag("fraud", "stag")}, [], id="of-a-tag-that-only-begins-so"),
    ],
)
def test_records_are_found_newest_first_in_one_call(asked: Mapping[str, Any], expected: list[str]) -> None:
    ledger = full()
    found = [one.id.name for one in home(ledger).executions(("promote",), **asked)]
    assert sorted(found) == sorted(expected)
    assert ledger.calls == ["ListExecutions"]


def test_no_more_is_read_than_is_asked_for() -> None:
    ledger = full()
    sizes: list[int] = []

    def page(request: Any, timeout: float) -> ExecutionList:
        sizes.append(request.limit)
        return ExecutionList(executions=list(ledger.executions.values())[: request.limit], token="more")

    found = home(ledger)
    found = replace(found, flyte=replace(found.flyte, rpcs={"ListExecutions": page}))
    assert len(list(found.executions(("promote",), limit=3))) == 3
    assert sizes == [3]


def test_the_active_launch_plan_is_the_installed_one() -> None:
    assert home(Ledger()).plan("promote").id.version == INSTALLED


def test_a_target_that_is_not_enrolled() -> None:
    def absent(request: Any, timeout: float) -> None:
        raise FlyteNotFound("There is none.", remedy="", status="NOT_FOUND", details="")

    found = home(Ledger())
    found = replace(found, flyte=replace(found.flyte, rpcs={"GetActiveLaunchPlan": absent}))
    with pytest.raises(NotInstalled, match=r"taxiway\.promote\.fraud is not installed"):
        found.plan("promote")
