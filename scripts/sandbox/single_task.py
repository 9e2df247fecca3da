"""The workflow and the launch plan that flyteadmin makes up so that a task can be launched by itself.

Source: flyteadmin `manager/impl/util/single_task_execution.go`.
"""

from __future__ import annotations

from flyteidl.admin.execution_pb2 import ExecutionSpec
from flyteidl.admin.launch_plan_pb2 import LaunchPlanCreateRequest
from flyteidl.admin.workflow_pb2 import WorkflowCreateRequest
from flyteidl.core.identifier_pb2 import LAUNCH_PLAN, WORKFLOW, Identifier, ResourceType
from flyteidl.core.literals_pb2 import Binding, BindingData
from flyteidl.core.tasks_pb2 import TaskTemplate
from flyteidl.core.types_pb2 import OutputReference

PREFIX = ".flytegen."
_MAX_NODE_ID = 63


def generated_id(task: Identifier, resource_type: ResourceType) -> Identifier:
    """Return the id of the workflow or launch plan that stands for a task."""
    made = Identifier()
    made.CopyFrom(task)
    made.resource_type = resource_type
    made.name = PREFIX + task.name
    return made


def node_name(task_name: str) -> str:
    """Return the id of the only node: the end of the task's name, letters, digits and dashes alone."""
    return "".join(letter for letter in task_name[-_MAX_NODE_ID:] if letter == "-" or letter.isalnum())


def skeleton_workflow(task: TaskTemplate) -> WorkflowCreateRequest:
    """Return the request that registers a workflow of this task alone."""
    request = WorkflowCreateRequest(id=generated_id(task.id, WORKFLOW))
    template = request.spec.template
    template.id.CopyFrom(request.id)
    template.interface.CopyFrom(task.interface)
    node = template.nodes.add(id=node_name(task.id.name))
    node.metadata.name = node.id
    node.metadata.retries.CopyFrom(task.metadata.retries)
    node.task_node.reference_id.CopyFrom(task.id)
    node.inputs.extend(_bindings("", task.interface.inputs.variables))
    template.outputs.extend(_bindings(node.id, task.interface.outputs.variables))
    return request


def skeleton_plan(task: Identifier, spec: ExecutionSpec) -> LaunchPlanCreateRequest:
    """Return the request that registers the launch plan of that workflow."""
    request = LaunchPlanCreateRequest(id=generated_id(task, LAUNCH_PLAN))
    plan = request.spec
    plan.workflow_id.CopyFrom(generated_id(task, WORKFLOW))
    for field in ("entity_metadata", "default_inputs", "fixed_inputs", "labels", "annotations"):
        getattr(plan, field).SetInParent()
    if spec.HasField("auth_role"):
        plan.auth_role.CopyFrom(spec.auth_role)
    if spec.HasField("security_context"):
        plan.security_context.CopyFrom(spec.security_context)
    return request


def _bindings(node_id: str, variables: object) -> list[Binding]:
    names = sorted(variables)  # type: ignore[call-overload]
    return [
        Binding(var=name, binding=BindingData(promise=OutputReference(node_id=node_id, var=name)))
        for name in names
    ]
