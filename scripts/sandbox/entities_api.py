"""The RPCs about tasks, workflows and launch plans, in proto order."""

from __future__ import annotations

from flyteidl.admin.common_pb2 import (
    NamedEntityIdentifierList,
    NamedEntityIdentifierListRequest,
    ObjectGetRequest,
    ResourceListRequest,
)
from flyteidl.admin.launch_plan_pb2 import (
    ActiveLaunchPlanListRequest,
    ActiveLaunchPlanRequest,
    LaunchPlan,
    LaunchPlanCreateRequest,
    LaunchPlanCreateResponse,
    LaunchPlanList,
    LaunchPlanUpdateRequest,
    LaunchPlanUpdateResponse,
)
from flyteidl.admin.task_pb2 import Task, TaskCreateRequest, TaskCreateResponse, TaskList
from flyteidl.admin.workflow_pb2 import (
    Workflow,
    WorkflowCreateRequest,
    WorkflowCreateResponse,
    WorkflowList,
)
from flyteidl.core.identifier_pb2 import LAUNCH_PLAN, TASK, WORKFLOW

from scripts.sandbox.caller import Caller
from scripts.sandbox.entities import Entities
from scripts.sandbox.entity_lists import EntityLists
from scripts.sandbox.entity_rows import to_launch_plan, to_task, to_workflow, without_closure
from scripts.sandbox.identifiers import check_identifier, check_named


class EntitiesApi:
    """Answers for tasks, workflows and launch plans."""

    def __init__(self, entities: Entities, lists: EntityLists) -> None:
        self._entities = entities
        self._lists = lists

    def CreateTask(self, request: TaskCreateRequest, caller: Caller) -> TaskCreateResponse:
        """Register a task."""
        self._entities.register_task(request)
        return TaskCreateResponse()

    def GetTask(self, request: ObjectGetRequest, caller: Caller) -> Task:
        """Return a task. As in flyteadmin an incomplete id is no error: the first row that fits is meant."""
        return self._entities.task(request.id)

    def ListTaskIds(
        self, request: NamedEntityIdentifierListRequest, caller: Caller
    ) -> NamedEntityIdentifierList:
        """Return the names of tasks."""
        return self._lists.names(TASK, request, "ListUniqueTaskIdentifiers")

    def ListTasks(self, request: ResourceListRequest, caller: Caller) -> TaskList:
        """Return versions of tasks."""
        page = self._lists.versions(TASK, request, "ListTasks")
        return TaskList(tasks=map(to_task, page.rows), token=page.token)

    def CreateWorkflow(self, request: WorkflowCreateRequest, caller: Caller) -> WorkflowCreateResponse:
        """Compile and register a workflow."""
        self._entities.register_workflow(request)
        return WorkflowCreateResponse()

    def GetWorkflow(self, request: ObjectGetRequest, caller: Caller) -> Workflow:
        """Return a workflow with its closure."""
        check_identifier(request.id, WORKFLOW)
        return self._entities.workflow(request.id)

    def ListWorkflowIds(
        self, request: NamedEntityIdentifierListRequest, caller: Caller
    ) -> NamedEntityIdentifierList:
        """Return the names of workflows."""
        return self._lists.names(WORKFLOW, request, "ListWorkflowIdentifiers")

    def ListWorkflows(self, request: ResourceListRequest, caller: Caller) -> WorkflowList:
        """Return versions of workflows, without their closures."""
        page = self._lists.versions(WORKFLOW, request, "ListWorkflows")
        workflows = (without_closure(to_workflow(row)) for row in page.rows)
        return WorkflowList(workflows=workflows, token=page.token)

    def CreateLaunchPlan(self, request: LaunchPlanCreateRequest, caller: Caller) -> LaunchPlanCreateResponse:
        """Register a launch plan."""
        self._entities.register_launch_plan(request)
        return LaunchPlanCreateResponse()

    def GetLaunchPlan(self, request: ObjectGetRequest, caller: Caller) -> LaunchPlan:
        """Return a launch plan."""
        check_identifier(request.id, LAUNCH_PLAN)
        return self._entities.launch_plan(request.id)

    def GetActiveLaunchPlan(self, request: ActiveLaunchPlanRequest, caller: Caller) -> LaunchPlan:
        """Return the active version of a launch plan."""
        check_named(request.id)
        return self._entities.active_launch_plan(request.id.project, request.id.domain, request.id.name)

    def ListActiveLaunchPlans(self, request: ActiveLaunchPlanListRequest, caller: Caller) -> LaunchPlanList:
        """Return the active version of every launch plan that has one."""
        page = self._lists.active(request)
        return LaunchPlanList(launch_plans=map(to_launch_plan, page.rows), token=page.token)

    def ListLaunchPlanIds(
        self, request: NamedEntityIdentifierListRequest, caller: Caller
    ) -> NamedEntityIdentifierList:
        """Return the names of launch plans."""
        return self._lists.names(LAUNCH_PLAN, request, "")

    def ListLaunchPlans(self, request: ResourceListRequest, caller: Caller) -> LaunchPlanList:
        """Return versions of launch plans."""
        page = self._lists.versions(LAUNCH_PLAN, request, "ListLaunchPlans")
        return LaunchPlanList(launch_plans=map(to_launch_plan, page.rows), token=page.token)

    def UpdateLaunchPlan(self, request: LaunchPlanUpdateRequest, caller: Caller) -> LaunchPlanUpdateResponse:
        """Make a version the active one of its name, or inactive."""
        self._entities.update_launch_plan(request.id, request.state)
        return LaunchPlanUpdateResponse()
