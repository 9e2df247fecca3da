"""Where the records of one target are: the executions of its launch plans, in Taxiway's own project.

There is no database of our own. What was promoted, approved, held or rolled back is read from Flyte's list
of executions, by launch plan, tag and time, in a bounded number of calls.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime

from flyteidl.admin.common_pb2 import NamedEntityIdentifier, ResourceListRequest, Sort
from flyteidl.admin.execution_pb2 import (
    Execution,
    WorkflowExecutionGetDataRequest,
    WorkflowExecutionGetDataResponse,
)
from flyteidl.admin.launch_plan_pb2 import ActiveLaunchPlanRequest, LaunchPlan
from flyteidl.core.identifier_pb2 import WorkflowExecutionIdentifier

from tasks._errors import FlyteNotFound, NotInstalled
from tasks._executions import ENDED, get_execution, phase_of
from tasks._flyte import PAGE, Flyte
from tasks._names import plan_name
from tasks._wait import wait


@dataclass(frozen=True, kw_only=True)
class Home:
    """Taxiway's own Flyte, project and domain, and one target there."""

    flyte: Flyte
    project: str
    domain: str
    target: str

    def plan(self, flow: str) -> LaunchPlan:
        """Return the version of the target's launch plan for `flow` that is ACTIVE.

        Raises:
            NotInstalled: there is none.
        """
        name = plan_name(flow, self.target)
        identifier = NamedEntityIdentifier(project=self.project, domain=self.domain, name=name)
        try:
            plan: LaunchPlan = self.flyte.call("GetActiveLaunchPlan", ActiveLaunchPlanRequest(id=identifier))
        except FlyteNotFound as error:
            raise NotInstalled(
                f"{name} is not installed in {self.project}/{self.domain} of {self.flyte.endpoint}.",
                remedy="Enrol the target (again) with this version of Taxiway: `taxiway enroll`.",
            ) from error
        return plan

    def executions(
        self,
        flows: Sequence[str],
        *,
        tag: str = "",
        since: datetime | None = None,
        phases: Sequence[str] = (),
        limit: int = 0,
    ) -> Iterator[Execution]:
        """Yield executions of the target's launch plans for `flows`, the newest first.

        At most `limit` of them, of 100 a call; 0 is all. `phases` are names such as SUCCEEDED. Inputs
        and outputs are not in a list: see `data`.
        """
        filters = [f"value_in(launch_plan.name,{';'.join(plan_name(flow, self.target) for flow in flows)})"]
        if tag:
            filters.append(f"eq(admin_tag.name,{tag})")
        if phases:
            filters.append(f"value_in(phase,{';'.join(phases)})")
        if since is not None:
            filters.append(f"gte(execution_created_at,{since:%Y-%m-%dT%H:%M:%SZ})")
        request = ResourceListRequest(
            id=NamedEntityIdentifier(project=self.project, domain=self.domain),
            filters="+".join(filters),
            limit=min(limit or PAGE, PAGE),
            sort_by=Sort(key="execution_created_at", direction=Sort.DESCENDING),
        )
        for count, execution in enumerate(self.flyte.pages("ListExecutions", request, "executions"), 1):
            yield execution
            if count == limit:
                return

    def execution(self, name: str) -> Execution:
        """Return an execution by its name.

        Raises:
            FlyteNotFound: there is none.
        """
        return get_execution(self.flyte, self.identifier(name))

    def end_of(
        self,
        name: str,
        *,
        timeout_s: float,
        what: str = "",
        describe: Callable[[Execution], str] = phase_of,
    ) -> Execution:
        """Wait for the end of an execution, whichever it is; `what` names it in errors.

        Raises:
            WaitTimedOut: it still runs; it goes on.
        """
        return wait(
            lambda: self.execution(name),
            lambda execution: phase_of(execution) in ENDED,
            what=what or f"execution {name}",
            timeout_s=timeout_s,
            describe=describe,
            clock=self.flyte.clock,
            sleep=self.flyte.sleep,
        )

    def data(self, name: str) -> WorkflowExecutionGetDataResponse:
        """Return the inputs and outputs of an execution."""
        request = WorkflowExecutionGetDataRequest(id=self.identifier(name))
        answer: WorkflowExecutionGetDataResponse = self.flyte.call("GetExecutionData", request)
        return answer

    def identifier(self, name: str) -> WorkflowExecutionIdentifier:
        """Return the full identifier of an execution here."""
        return WorkflowExecutionIdentifier(project=self.project, domain=self.domain, name=name)
