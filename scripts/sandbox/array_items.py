"""The items of an array node: how many there are, what each gets, and what their failures come to.

Source: flytepropeller `nodes/array/handler.go`, `node_execution_context.go`, flyteplugins
`array/errorcollector`.
"""

from __future__ import annotations

import enum
import math
import sqlite3
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from itertools import groupby

from flyteidl.core.execution_pb2 import ExecutionError
from flyteidl.core.literals_pb2 import LiteralMap
from flyteidl.core.tasks_pb2 import TaskTemplate
from flyteidl.core.workflow_pb2 import ArrayNode

from scripts.sandbox import clock
from scripts.sandbox.nodes import Outcome


class Phase(str, enum.Enum):
    """Where an item stands; one that is to be tried again is waiting."""

    WAITING = "waiting"
    RUNNING = "running"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    ABORTED = "aborted"


OVER = frozenset({Phase.SUCCEEDED, Phase.FAILED, Phase.ABORTED})


@dataclass(frozen=True, kw_only=True)
class ItemState:
    """One item of an array node. `attempt` counts from 0."""

    index: int
    phase: Phase = Phase.WAITING
    attempt: int = 0
    system_failures: int = 0
    attempt_at: datetime | None = None
    outcome: Outcome = Outcome.NONE
    error: ExecutionError | None = None

    @property
    def over(self) -> bool:
        """Whether nothing more happens to it."""
        return self.phase in OVER

    @classmethod
    def from_row(cls, row: sqlite3.Row) -> ItemState:
        """Read a row of `array_items`."""
        return cls(
            index=row["item"],
            phase=Phase(row["phase"]),
            attempt=row["attempt"],
            system_failures=row["system_failures"],
            attempt_at=clock.from_text(row["attempt_at"]) if row["attempt_at"] is not None else None,
            outcome=Outcome(row["outcome"]),
            error=ExecutionError.FromString(row["error"]) if row["error"] is not None else None,
        )


class BadArray(Exception):
    """The inputs of an array node do not come to a number of items; the message is Flyte's."""


def array_size(node: ArrayNode, inputs: LiteralMap) -> int:
    """Return how many items a node has.

    Raises:
        BadArray: the lists have different lengths, or there is none.
    """
    size = None
    for name, literal in sorted(inputs.literals.items()):
        if name in node.bound_inputs or not literal.HasField("collection"):
            continue
        length = len(literal.collection.literals)
        if size is not None and size != length:
            raise BadArray(f"input arrays have different lengths: expecting '{size}' found '{length}'")
        size = length
    if size is None and len(node.bound_inputs) == len(inputs.literals):
        return 1
    if size is None:
        raise BadArray("no input array provided")
    return size


def item_inputs(node: ArrayNode, inputs: LiteralMap, index: int) -> LiteralMap:
    """Return the inputs of one item: its element of each list that is not bound as a whole."""
    found = LiteralMap()
    for name, literal in inputs.literals.items():
        is_list = literal.HasField("collection") and name not in node.bound_inputs
        found.literals[name].CopyFrom(literal.collection.literals[index] if is_list else literal)
    return found


def item_task(task: TaskTemplate) -> TaskTemplate:
    """Return a task as one item sees it: its outputs are single values."""
    single = TaskTemplate()
    single.CopyFrom(task)
    for name, variable in task.interface.outputs.variables.items():
        if variable.type.HasField("collection_type"):
            single.interface.outputs.variables[name].type.CopyFrom(variable.type.collection_type)
    return single


def needed_successes(node: ArrayNode, size: int) -> int:
    """Return how many items have to succeed for the node to succeed."""
    criterion = node.WhichOneof("success_criteria")
    if criterion == "min_successes":
        return int(node.min_successes)
    if criterion == "min_success_ratio":
        return math.ceil(float(node.min_success_ratio) * size)
    return size


def gather(results: Iterable[LiteralMap | None], names: Iterable[str]) -> LiteralMap:
    """Make lists of what the items gave; None stands for an item that failed and was tolerated."""
    gathered = LiteralMap()
    outputs = sorted(names)
    for name in outputs:
        gathered.literals[name].collection.SetInParent()
    for result in results:
        for name in outputs if result is None else sorted(result.literals):
            literal = gathered.literals[name].collection.literals.add()
            if result is None:
                literal.scalar.none_type.SetInParent()
            else:
                literal.CopyFrom(result.literals[name])
    return gathered


def failure_of(errors: Mapping[int, ExecutionError]) -> ExecutionError:
    """Return the error of a node whose items failed with these: one line for each text, no code, no kind."""
    by_text: dict[str, list[int]] = {}
    for index, error in sorted(errors.items()):
        by_text.setdefault(error.message, []).append(index)
    lines = (f"{_ranges(indices)}: {text}\n" for text, indices in sorted(by_text.items()))
    return ExecutionError(message="".join(lines))


def _ranges(indices: list[int]) -> str:
    """Write indices as `[0-2][5]`."""
    text = ""
    for _, group in groupby(enumerate(indices), lambda pair: pair[1] - pair[0]):
        run = [index for _, index in group]
        text += f"[{run[0]}]" if len(run) == 1 else f"[{run[0]}-{run[-1]}]"
    return text
