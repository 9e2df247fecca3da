"""What an execution is launched from: a launch plan and its workflow, or a task by itself."""

from __future__ import annotations

import contextlib
from dataclasses import dataclass

from flyteidl.admin.execution_pb2 import ExecutionSpec
from flyteidl.admin.launch_plan_pb2 import LaunchPlan
from flyteidl.admin.workflow_pb2 import Workflow
from flyteidl.core.identifier_pb2 import LAUNCH_PLAN, TASK, WORKFLOW
from flyteidl.core.tasks_pb2 import TaskTemplate

from scripts.sandbox.entities import Entities
from scripts.sandbox.errors import AlreadyExists, NotFound
from scripts.sandbox.single_task import generated_id, skeleton_plan, skeleton_workflow


@dataclass(frozen=True, kw_only=True)
class Launched:
    """A launch plan with its workflow; `is_task` where both were made up for a task."""

    plan: LaunchPlan
    workflow: Workflow
    is_task: bool


def resolve_launch(entities: Entities, spec: ExecutionSpec) -> Launched:
    """Return what `spec` launches; for a task, its workflow and launch plan are made if need be.

    Raises:
        NotFound: it is not registered.
    """
    if spec.launch_plan.resource_type == TASK:
        return _single_task(entities, spec)
    plan = entities.launch_plan(spec.launch_plan)
    return Launched(plan=plan, workflow=entities.workflow(plan.spec.workflow_id), is_task=False)


def _single_task(entities: Entities, spec: ExecutionSpec) -> Launched:
    task = entities.task(spec.launch_plan)
    workflow_id, plan_id = (generated_id(task.id, kind) for kind in (WORKFLOW, LAUNCH_PLAN))
    try:
        plan = entities.launch_plan(plan_id)
    except NotFound:
        _make(entities, task.closure.compiled_task.template, spec)
        plan = entities.launch_plan(plan_id)
    return Launched(plan=plan, workflow=entities.workflow(workflow_id), is_task=True)


def _make(entities: Entities, template: TaskTemplate, spec: ExecutionSpec) -> None:
    """Register the skeleton; who comes second finds it there, which is as good."""
    with contextlib.suppress(AlreadyExists):
        entities.register_workflow(skeleton_workflow(template))
    with contextlib.suppress(AlreadyExists):
        entities.register_launch_plan(skeleton_plan(template.id, spec))
