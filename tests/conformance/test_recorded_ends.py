"""Every run ends as it was recorded from Flyte 1.16.8: the same phase, error code and outputs."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from flyteidl.core.execution_pb2 import WorkflowExecution
from flyteidl.core.identifier_pb2 import WorkflowExecutionIdentifier

from tests.conformance.flyte import Flyte, python

Runs = Callable[..., WorkflowExecutionIdentifier]
OTHER = object()
"""Stands for the other image's reference among inputs."""

SUCCESSES: dict[str, tuple[dict[str, object], dict[str, object]]] = {
    "basic.main": ({}, {"o0": "small 6", "o1": 2.0}),
    "basic.fixed": ({}, {"o0": "large 18", "o1": 6.0}),
    "basic.parent": ({"values": [4]}, {"o0": "small 4", "o1": 4.0}),
    "kinds.main": (
        {},
        {
            "o0": "Point(x=1, names=['a'], level='high') "
            "Level.HIGH 2026-01-02 00:00:00+00:00 0:01:00 None ['a.txt'] {'a': 1} text"
        },
    ),
    "dynamics.main": ({"image": OTHER}, {"o0": [0, 2], "o1": 8, "o2": "other"}),
    "failures.recovers": ({}, {"o0": 2}),
    "maps.main": ({}, {"o0": [10, 20, 30]}),
    "maps.tolerant": ({}, {"o0": [1, None, 3]}),
    "raw.main": ({}, {"o0": "log", "o1": "a b; $(id)", "o2": 7}),
    "raw.override": ({"image": OTHER}, {"o0": "log", "o1": "t", "o2": 7}),
}
_LAST = " currentAttempt done. Last Error: "
FAILURES = {
    "failures.user_error": ("USER:RuntimeError", "Trace:"),
    "failures.exhausts": ("RetriesExhausted|USER:Recoverable", f"[2/2]{_LAST}USER::"),
    "failures.process_exits": ("RetriesExhausted|Error", f"[2/2]{_LAST}USER::"),
    "failures.times_out": ("Timeout", "Timeout in node"),
    "failures.handled": ("USER:RuntimeError", "Trace:"),
    "failures.finishes_others": ("USER:RuntimeError", "Trace:"),
    "maps.strict": ("", "[1]: Trace:"),
    "raw.failing": ("RetriesExhausted|Interrupted", f"[3/3]{_LAST}SYSTEM::"),
    "raw.too_long": ("RetriesExhausted|OutputsNotFound", f"[1/1]{_LAST}UNKNOWN::"),
    "raw.no_output": ("RetriesExhausted|OutputsNotFound", f"[1/1]{_LAST}UNKNOWN::"),
}
# What the real one makes of an exit depends on how fast it looks; the sandbox always takes the recorded way.
TIMING = ("failures.process_exits", "raw.failing")


@pytest.fixture(scope="module")
def launched(registered: Flyte, runs: Runs) -> dict[str, WorkflowExecutionIdentifier]:
    """All runs, side by side."""

    def launch(plan: str, inputs: dict[str, object]) -> WorkflowExecutionIdentifier:
        return runs(plan, **{k: registered.other_image if v is OTHER else v for k, v in inputs.items()})

    successes = {plan: launch(plan, inputs) for plan, (inputs, _) in SUCCESSES.items()}
    return successes | {plan: launch(plan, {}) for plan in FAILURES}


@pytest.mark.parametrize(
    "plan",
    [pytest.param(plan, marks=[pytest.mark.other_image] * (plan == "dynamics.main")) for plan in SUCCESSES],
)
def test_it_succeeds_with_the_recorded_outputs(
    registered: Flyte, launched: dict[str, WorkflowExecutionIdentifier], plan: str
) -> None:
    execution = registered.ended(launched[plan])
    assert execution.closure.phase == WorkflowExecution.SUCCEEDED, execution.closure.error
    outputs = registered.outputs(launched[plan])
    found = {name: python(outputs, name) for name in outputs.literals}
    # Of a file, only the name is the same everywhere.
    names = {name: str(value).rpartition("/")[2] for name, value in found.items() if "://" in str(value)}
    assert found | names == SUCCESSES[plan][1]


@pytest.mark.parametrize(
    "plan",
    [pytest.param(plan, marks=[pytest.mark.sandbox_only] * (plan in TIMING)) for plan in FAILURES],
)
def test_it_fails_with_the_recorded_error(
    registered: Flyte, launched: dict[str, WorkflowExecutionIdentifier], plan: str
) -> None:
    execution = registered.ended(launched[plan])
    code, text = FAILURES[plan]
    error = execution.closure.error
    assert (execution.closure.phase, error.code) == (WorkflowExecution.FAILED, code)
    assert error.message.startswith(text)
