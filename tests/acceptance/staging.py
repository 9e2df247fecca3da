"""A target's stage as a test of its promotions sees it: what is ACTIVE there, and what became of whom."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from flyteidl.admin.execution_pb2 import ExecutionTerminateRequest
from flyteidl.admin.task_execution_pb2 import TaskExecutionListRequest
from flyteidl.core.identifier_pb2 import NodeExecutionIdentifier, WorkflowExecutionIdentifier

from scripts.enrolments import Enrolled
from scripts.promoting import promote
from tasks import policy
from tasks._executions import phase_of, steps
from tasks._home import Home
from tasks._names import generation_name
from tasks._typed import value_of
from tasks.promotion_records import PromotionReport
from tasks.stage_state import Generation, StageState, active_plans, generations, read_stage

PLANS = ["p0", "p1", "p2"]


@dataclass(frozen=True, kw_only=True)
class Target:
    """An enrolled target with releases, the first one first, and a stage of its own with three plans."""

    home: Home
    enrolled: Enrolled
    stage: policy.Stage
    shas: Sequence[str]

    def promote(self, sha: str) -> str:
        """Launch the promotion of a release, as `taxiway promote` does, and return its execution."""
        return str(promote(self.home, self.enrolled, sha=sha, stage=self.stage.name).id.name)

    def abort(self, execution: str) -> None:
        """Abort an execution by hand, and see it aborted."""
        identifier = self.home.identifier(execution)
        self.home.flyte.call("TerminateExecution", ExecutionTerminateRequest(id=identifier, cause="by hand"))
        assert self.end_of(execution) == "ABORTED"

    def attempts(self, execution: str, node: str) -> int:
        """Return how many pods an execution's node has had."""
        identifier = NodeExecutionIdentifier(node_id=node, execution_id=self.home.identifier(execution))
        request = TaskExecutionListRequest(node_execution_id=identifier, limit=100)
        return len(self.home.flyte.call("ListTaskExecutions", request).task_executions)

    def generation(self, number: int) -> str:
        """Return the execution of the stage's generation of this number."""
        return generation_name(self.home.target, self.stage.name, number)

    @property
    def active(self) -> list[str]:
        """The version of each of `PLANS` that is ACTIVE; two of them, or none, are shown as such."""
        there = active_plans(self.home.flyte, self.stage.project, self.stage.domain)
        assert set(there) <= set(PLANS)
        return [" and ".join(there.get(name, ["none"])) for name in PLANS]

    @property
    def state(self) -> StageState:
        """The stage as Taxiway reads it."""
        return read_stage(self.home, self.home.flyte, self.stage)

    @property
    def generations(self) -> list[Generation]:
        """The stage's generations, the first one first."""
        return sorted(generations(self.home, self.stage.name), key=lambda one: one.number)

    def end_of(self, execution: str, timeout_s: float = 240) -> str:
        """Wait for an execution's end and return its phase."""
        return phase_of(
            self.home.end_of(
                execution,
                timeout_s=timeout_s,
                describe=lambda one: f"{phase_of(one)}, {self._steps(one.id)}",
            )
        )

    def report_of(self, execution: str) -> PromotionReport:
        """Return what a promotion that has SUCCEEDED reports."""
        assert self.end_of(execution) == "SUCCEEDED", self.home.execution(execution).closure.error.message
        return value_of(self.home.data(execution).full_outputs, "o0", PromotionReport)

    def _steps(self, execution: WorkflowExecutionIdentifier) -> list[str]:
        return [f"{one.node} {one.phase}" for one in steps(self.home.flyte, execution, now=0)]
