"""Requests for tests of what is registered, and a registry to send them to."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from flyteidl.admin.launch_plan_pb2 import LaunchPlanCreateRequest
from flyteidl.admin.task_pb2 import TaskCreateRequest
from flyteidl.admin.workflow_pb2 import WorkflowCreateRequest
from flyteidl.core.identifier_pb2 import LAUNCH_PLAN, TASK, WORKFLOW, Identifier, ResourceType
from flyteidl.core.types_pb2 import INTEGER
from flyteidl.core.workflow_pb2 import Node

from scripts.sandbox.attributes import Attributes
from scripts.sandbox.database import Database
from scripts.sandbox.entities import Entities
from scripts.sandbox.projects import Projects


@dataclass(frozen=True, kw_only=True)
class Registry:
    """A database with the project `p`, and the objects that write to it."""

    db: Database
    projects: Projects
    attributes: Attributes
    entities: Entities


def registry(folder: Path) -> Registry:
    db = Database(folder / "flyte.db")
    projects, attributes = Projects(db), Attributes(db)
    projects.ensure("p")
    entities = Entities(db, projects, attributes)
    return Registry(db=db, projects=projects, attributes=attributes, entities=entities)


def identifier(kind: ResourceType.ValueType, name: str, version: str = "v1") -> Identifier:
    return Identifier(resource_type=kind, project="p", domain="development", name=name, version=version)


def task_request(name: str = "t", version: str = "v1") -> TaskCreateRequest:
    """A task from `a` to `o0`, both integers."""
    request = TaskCreateRequest(id=identifier(TASK, name, version))
    template = request.spec.template
    template.id.CopyFrom(request.id)
    template.type = "python-task"
    template.metadata.runtime.version = "1.16.31"
    template.interface.inputs.variables["a"].type.simple = INTEGER
    template.interface.outputs.variables["o0"].type.simple = INTEGER
    template.container.image = "image:1"
    template.container.args.append("run")
    return request


def task_node(id_: str, task: str = "t", a: str = "start-node.a") -> Node:
    """A node of a task with its `a` bound to the output of another node."""
    node = Node(id=id_)
    node.task_node.reference_id.CopyFrom(identifier(TASK, task))
    bind(node, "a", a)
    return node


def bind(node: Node, variable: str, promise: str) -> None:
    binding = node.inputs.add(var=variable).binding.promise
    binding.node_id, _, binding.var = promise.rpartition(".")


def workflow_request(*nodes: Node, name: str = "w", output: str = "n0.o0") -> WorkflowCreateRequest:
    """A workflow from `a` to `o0`, both integers, of the nodes."""
    request = WorkflowCreateRequest(id=identifier(WORKFLOW, name))
    template = request.spec.template
    template.interface.inputs.variables["a"].type.simple = INTEGER
    template.interface.outputs.variables["o0"].type.simple = INTEGER
    template.nodes.extend(nodes or [task_node("n0")])
    promise = template.outputs.add(var="o0").binding.promise
    promise.node_id, _, promise.var = output.rpartition(".")
    return request


def plan_request(
    name: str = "w", version: str = "v1", fixed: Mapping[str, int] | None = None
) -> LaunchPlanCreateRequest:
    """A launch plan of the workflow `w`."""
    request = LaunchPlanCreateRequest(id=identifier(LAUNCH_PLAN, name, version))
    request.spec.workflow_id.CopyFrom(identifier(WORKFLOW, "w"))
    for key, value in (fixed or {}).items():
        request.spec.fixed_inputs.literals[key].scalar.primitive.integer = value
    return request
