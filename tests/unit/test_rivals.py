"""Who makes way for whom, of executions about the same thing."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from flyteidl.admin.execution_pb2 import Execution
from flyteidl.core.execution_pb2 import WorkflowExecution

from tasks._errors import FlyteRefused
from tasks._home import Home
from tasks._names import stage_tag
from tasks.gates import GateState
from tasks.rivals import make_way, older, supersede_previews
from tests.unit.promotions import NEWER, NOW, OLDER, SHA, Ledger

TAG = stage_tag("fraud", "production")
ABORTED = WorkflowExecution.Phase.Value("ABORTED")


def home(ledger: Ledger, *, ends: Callable[[], None] = lambda: None) -> Home:
    """Records whose executions can be terminated, and where `ends` happens whenever somebody waits."""

    def terminate(request: Any, timeout: float) -> None:
        execution = ledger.executions[request.id.name]
        if execution.closure.phase != WorkflowExecution.RUNNING:
            raise FlyteRefused("It has ended.", remedy="", status="FAILED_PRECONDITION", details="")
        execution.closure.phase = ABORTED
        execution.closure.abort_metadata.cause = request.cause

    seconds = iter(range(10_000))
    flyte = ledger.flyte()
    return Home(
        flyte=replace(
            flyte,
            rpcs={**flyte.rpcs, "TerminateExecution": terminate},
            clock=lambda: float(next(seconds)),
            sleep=lambda seconds: ends(),
        ),
        project="taxiway",
        domain="production",
        target="fraud",
    )


def promotion(ledger: Ledger, name: str, sha: str, minutes: int, **changed: Any) -> Execution:
    values = {"inputs": {"sha": sha, "stage": "production"}, "phase": "RUNNING", "tags": [TAG], **changed}
    return ledger.add(name, "promote", at=NOW + timedelta(minutes=minutes), **values)


def test_of_two_in_the_same_moment_one_is_the_older() -> None:
    ledger = Ledger()
    both = [promotion(ledger, name, SHA, 0) for name in ("b", "a")]
    assert [one.id.name for one in older(both, "b")] == ["a"]
    assert older(both, "a") == []
    assert older(both, "not-among-them") == []


def test_nobody_else_is_an_open_gate() -> None:
    ledger = Ledger()
    promotion(ledger, "own", SHA, 0)
    promotion(ledger, "later", NEWER, 1)
    promotion(ledger, "elsewhere", OLDER, -1, tags=[stage_tag("fraud", "staging")])
    promotion(ledger, "ended", OLDER, -1, phase="FAILED")
    gate = make_way(home(ledger), "own", sha=SHA, stage="production", supersede=True)
    assert (gate.state, gate.evidence) == (GateState.OPEN, [])
    assert ledger.executions["elsewhere"].closure.phase == WorkflowExecution.RUNNING


def test_an_older_one_is_waited_for() -> None:
    ledger = Ledger()
    first = promotion(ledger, "first", OLDER, -1)
    promotion(ledger, "own", SHA, 0)

    def ends() -> None:
        first.closure.phase = WorkflowExecution.SUCCEEDED

    gate = make_way(home(ledger, ends=ends), "own", sha=SHA, stage="production", supersede=False)
    assert (gate.state, gate.evidence) == (GateState.OPEN, ["waited for first"])


def test_one_that_is_being_aborted_is_waited_for_and_not_aborted_again() -> None:
    ledger = Ledger()
    first = promotion(ledger, "first", OLDER, -1, phase="ABORTING")
    promotion(ledger, "own", SHA, 0)

    def ends() -> None:
        first.closure.phase = ABORTED

    gate = make_way(home(ledger, ends=ends), "own", sha=SHA, stage="production", supersede=True)
    assert gate.evidence == ["waited for first"]
    assert first.closure.abort_metadata.cause == ""


def test_one_that_does_not_end_lets_the_later_one_end_as_waiting() -> None:
    ledger = Ledger()
    promotion(ledger, "first", OLDER, -1)
    promotion(ledger, "own", SHA, 0)
    gate = make_way(home(ledger), "own", sha=SHA, stage="production", supersede=False, wait_s=60)
    assert (gate.state, gate.evidence) == (GateState.WAITING, ["first"])
    assert gate.opens == "the end of first"


def test_an_older_one_is_superseded_where_the_policy_says_so() -> None:
    ledger = Ledger()
    first = promotion(ledger, "first", OLDER, -1)
    promotion(ledger, "own", SHA, 0)
    gate = make_way(home(ledger), "own", sha=SHA, stage="production", supersede=True)
    assert gate.evidence == ["superseded first", "waited for first"]
    assert first.closure.phase == ABORTED
    assert SHA[:12] in first.closure.abort_metadata.cause


def test_one_of_the_same_release_is_waited_for_and_never_superseded() -> None:
    ledger = Ledger()
    first = promotion(ledger, "first", SHA, -1)
    promotion(ledger, "own", SHA, 0)

    def ends() -> None:
        first.closure.phase = WorkflowExecution.SUCCEEDED

    gate = make_way(home(ledger, ends=ends), "own", sha=SHA, stage="production", supersede=True)
    assert gate.evidence == ["waited for first"]


def preview(
    ledger: Ledger, name: str, sha: str, minutes: int, number: int = 7, phase: str = "RUNNING"
) -> None:
    inputs = {"sha": sha, "pull_request": number}
    ledger.add(name, "preview", inputs=inputs, at=NOW + timedelta(minutes=minutes), phase=phase)


def running(ledger: Ledger) -> set[str]:
    return {name for name, one in ledger.executions.items() if one.closure.phase == WorkflowExecution.RUNNING}


def test_a_newer_push_ends_the_older_previews_of_its_pull_request_alone() -> None:
    ledger = Ledger()
    preview(ledger, "older", OLDER, -2)
    preview(ledger, "same-revision", SHA, -1)
    preview(ledger, "another-pull-request", OLDER, -1, number=8)
    preview(ledger, "ended", OLDER, -1, phase="SUCCEEDED")
    preview(ledger, "own", SHA, 0)
    preview(ledger, "newer", NEWER, 1)
    ledger.add("unreadable", "preview", at=NOW - timedelta(minutes=3), phase="RUNNING")
    assert supersede_previews(home(ledger), "own", sha=SHA, pull_request=7) == ["older"]
    assert running(ledger) == {"same-revision", "another-pull-request", "own", "newer", "unreadable"}


@pytest.mark.parametrize("number", [0])
def test_without_a_pull_request_nothing_is_superseded(number: int) -> None:
    ledger = Ledger()
    preview(ledger, "older", OLDER, -2, number=number)
    preview(ledger, "own", SHA, 0, number=number)
    assert supersede_previews(home(ledger), "own", sha=SHA, pull_request=number) == []
    assert ledger.calls == []


def test_one_that_ends_before_it_can_be_terminated_is_left() -> None:
    ledger = Ledger()
    preview(ledger, "older", OLDER, -2)
    preview(ledger, "own", SHA, 0)
    ours = home(ledger)
    data = ours.flyte.rpcs["GetExecutionData"]

    def ends_meanwhile(request: Any, timeout: float) -> Any:
        ledger.executions["older"].closure.phase = WorkflowExecution.SUCCEEDED
        return data(request, timeout=timeout)

    rpcs = {**ours.flyte.rpcs, "GetExecutionData": ends_meanwhile}
    ours = replace(ours, flyte=replace(ours.flyte, rpcs=rpcs))
    supersede_previews(ours, "own", sha=SHA, pull_request=7)
    assert ledger.executions["older"].closure.phase == WorkflowExecution.SUCCEEDED
