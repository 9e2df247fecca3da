from __future__ import annotations

import io

from flyteidl.core.identifier_pb2 import WorkflowExecutionIdentifier
from rich.console import Console

from scripts.follow import changes, table
from tasks._executions import Progress, Step

ID = WorkflowExecutionIdentifier(project="taxiway", domain="production", name="preview-x")


def state(phase: str, **steps: str) -> Progress:
    return Progress(
        id=ID, phase=phase, steps=[Step(node=name, phase=at, seconds=1.25) for name, at in steps.items()]
    )


def test_first_state_is_told_with_what_has_begun() -> None:
    told = changes(None, state("RUNNING", prepare="SUCCEEDED", package="QUEUED"))
    assert told[0] == "preview-x: running"
    assert [line.split() for line in told[1:]] == [["prepare", "succeeded", "1.2", "s"]]


def test_only_what_changed_is_told() -> None:
    before = state("RUNNING", prepare="SUCCEEDED", package="RUNNING")
    assert changes(before, before) == []
    after = state("SUCCEEDED", prepare="SUCCEEDED", package="SUCCEEDED")
    assert [line.split()[0] for line in changes(before, after)] == ["package", "preview-x:"]


def test_names_are_never_taken_as_mark_up() -> None:
    out = io.StringIO()
    Console(file=out, width=100).print(table(state("RUNNING", **{"[red]x[/red]": "RUNNING"})))
    assert "[red]x[/red]" in out.getvalue()
