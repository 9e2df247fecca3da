"""One round of decisions about one execution, and what is left to do once it is written."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime

from flyteidl.admin.matchable_resource_pb2 import WorkflowExecutionConfig
from flyteidl.core.tasks_pb2 import TaskTemplate

from scripts.sandbox.attempts import AttemptRef
from scripts.sandbox.ids import ExecutionKey
from scripts.sandbox.nodes import Snapshot
from scripts.sandbox.runtime import Attempt


@dataclass(frozen=True, kw_only=True)
class Started:
    """An attempt that is to run; `output_dir` is relative to the storage's root."""

    ref: AttemptRef
    attempt: Attempt
    task: TaskTemplate
    output_dir: str


@dataclass(kw_only=True)
class Round:
    """What the effects of one decision share: the execution, the time, and what waits for the commit."""

    snapshot: Snapshot
    config: WorkflowExecutionConfig
    at: datetime
    starts: list[Started] = field(default_factory=list)
    kills: list[str] = field(default_factory=list)
    wakes: list[ExecutionKey] = field(default_factory=list)

    @property
    def key(self) -> ExecutionKey:
        """The execution that is decided about."""
        return self.snapshot.key
