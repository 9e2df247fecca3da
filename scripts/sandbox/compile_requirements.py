"""What a workflow refers to: the tasks and launch plans that must be there before it can be compiled.

Source: propeller `compiler/requirements.go`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from flyteidl.core.compiler_pb2 import CompiledWorkflow
from flyteidl.core.identifier_pb2 import Identifier
from flyteidl.core.workflow_pb2 import Node, WorkflowTemplate

from scripts.sandbox.compile_problems import Problems
from scripts.sandbox.compiled_graph import cases, key
from scripts.sandbox.errors import InvalidArgument
from scripts.sandbox.gotext import message_text


@dataclass(frozen=True, kw_only=True)
class Requirements:
    """The tasks and launch plans that a workflow needs, in order and each once."""

    tasks: Sequence[Identifier]
    launch_plans: Sequence[Identifier]


def requirements(template: WorkflowTemplate, sub_workflows: Iterable[WorkflowTemplate]) -> Requirements:
    """Return what a workflow and all the sub-workflows that it reaches refer to.

    Raises:
        InvalidArgument: two sub-workflows have the same id.
    """
    problems = Problems()
    index = index_of([CompiledWorkflow(template=one) for one in sub_workflows], problems)
    if len(problems):
        raise InvalidArgument(f"failed to get workflow requirements with err {problems}")
    return collect(template, index, Problems())


def index_of(workflows: Iterable[CompiledWorkflow], problems: Problems) -> dict[bytes, CompiledWorkflow]:
    """Return workflows by the key of their id; complain of two with the same one."""
    index: dict[bytes, CompiledWorkflow] = {}
    for workflow in workflows:
        known = key(workflow.template.id)
        if known in index:
            text = "Trying to insert two nodes with the same id."
            problems.add("DuplicateId", message_text(workflow.template.id), text)
        index.setdefault(known, workflow)
    return index


def collect(
    template: WorkflowTemplate, index: Mapping[bytes, CompiledWorkflow], problems: Problems
) -> Requirements:
    """Collect what `template` refers to; complain of sub-workflows that are not in `index`."""
    tasks: dict[bytes, Identifier] = {}
    plans: dict[bytes, Identifier] = {}
    waiting, seen = _nodes(template), set[bytes]()
    while waiting:
        node = waiting.pop()
        target = node.WhichOneof("target")
        if target == "task_node" and node.task_node.HasField("reference_id"):
            tasks[key(node.task_node.reference_id)] = node.task_node.reference_id
        elif target == "workflow_node" and node.workflow_node.HasField("launchplan_ref"):
            plans[key(node.workflow_node.launchplan_ref)] = node.workflow_node.launchplan_ref
        elif target == "workflow_node" and node.workflow_node.HasField("sub_workflow_ref"):
            known = key(node.workflow_node.sub_workflow_ref)
            if known not in index:
                problems.workflow_not_found(node.id, message_text(node.workflow_node.sub_workflow_ref))
            elif known not in seen:
                seen.add(known)
                waiting.extend(_nodes(index[known].template))
        elif target == "branch_node":
            waiting.extend(cases(node.branch_node))
        elif target == "array_node":
            waiting.append(node.array_node.node)
    return Requirements(tasks=_ordered(tasks), launch_plans=_ordered(plans))


def _nodes(template: WorkflowTemplate) -> list[Node]:
    return [*template.nodes, *([template.failure_node] if template.HasField("failure_node") else [])]


def _ordered(ids: dict[bytes, Identifier]) -> list[Identifier]:
    return sorted(ids.values(), key=lambda i: (i.resource_type, i.project, i.domain, i.name, i.version))
