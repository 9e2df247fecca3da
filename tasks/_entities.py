"""What a package holds: task, workflow and launch-plan protos, each under its kind and name.

In a package the project, domain and version of an identifier are empty (or flytekit's placeholders,
`{{ registration.project }}`): that means "wherever and whenever this is registered".
"""

from __future__ import annotations

import enum
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TypeAlias

from flyteidl.admin.launch_plan_pb2 import LaunchPlan
from flyteidl.admin.task_pb2 import TaskSpec
from flyteidl.admin.workflow_pb2 import WorkflowSpec
from flyteidl.core.identifier_pb2 import Identifier
from flyteidl.core.workflow_pb2 import Node, WorkflowTemplate

Message: TypeAlias = TaskSpec | WorkflowSpec | LaunchPlan


class Kind(str, enum.Enum):
    """The three kinds of entity that a package holds; the values are words for people."""

    TASK = "task"
    WORKFLOW = "workflow"
    LAUNCH_PLAN = "launch plan"


MESSAGES: dict[Kind, type[TaskSpec] | type[WorkflowSpec] | type[LaunchPlan]] = {
    Kind.TASK: TaskSpec,
    Kind.WORKFLOW: WorkflowSpec,
    Kind.LAUNCH_PLAN: LaunchPlan,
}


@dataclass(frozen=True, kw_only=True)
class Entity:
    """One entity: its kind and its proto, which is never changed in place."""

    kind: Kind
    message: Message

    @property
    def id(self) -> Identifier:
        """The proto's own identifier."""
        return self.message.id if isinstance(self.message, LaunchPlan) else self.message.template.id

    @property
    def name(self) -> str:
        """Its name, such as `fraud.workflows.train`."""
        return str(self.id.name)

    def __str__(self) -> str:
        return f"{self.kind.value} {self.name}"


def parse(kind: Kind, content: bytes) -> Entity:
    """Parse one member of a package.

    Raises:
        google.protobuf.message.DecodeError: `content` is no such proto.
    """
    message = MESSAGES[kind]()
    message.ParseFromString(content)
    return Entity(kind=kind, message=message)


def templates(message: WorkflowSpec) -> Iterator[WorkflowTemplate]:
    """Yield a workflow's own template and those of the sub-workflows inside it."""
    yield message.template
    yield from message.sub_workflows


def nodes(template: WorkflowTemplate) -> Iterator[Node]:
    """Yield every node of a template, with those inside branches and arrays and the failure node."""
    waiting = list(template.nodes)
    if template.HasField("failure_node"):
        waiting.append(template.failure_node)
    while waiting:
        node = waiting.pop(0)
        yield node
        waiting.extend(_inner(node))


def _inner(node: Node) -> list[Node]:
    if node.HasField("array_node"):
        return [node.array_node.node]
    if not node.HasField("branch_node"):
        return []
    choice = node.branch_node.if_else
    inner = [choice.case.then_node, *(block.then_node for block in choice.other)]
    return [*inner, choice.else_node] if choice.HasField("else_node") else inner
