"""Small entities made by hand, for what registration says about each of their parts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from flyteidl.admin.launch_plan_pb2 import LaunchPlanCreateRequest, LaunchPlanSpec
from flyteidl.admin.task_pb2 import TaskCreateRequest, TaskSpec
from flyteidl.admin.workflow_pb2 import WorkflowCreateRequest, WorkflowSpec
from flyteidl.core.identifier_pb2 import LAUNCH_PLAN, TASK, WORKFLOW, Identifier
from flyteidl.core.interface_pb2 import TypedInterface
from flyteidl.core.literals_pb2 import Binding, BindingData, Literal, Primitive, Scalar
from flyteidl.core.tasks_pb2 import Container, Resources, RuntimeMetadata, TaskMetadata, TaskTemplate
from flyteidl.core.types_pb2 import LiteralType, OutputReference, SimpleType
from flyteidl.core.workflow_pb2 import Node, TaskNode, WorkflowTemplate

from tests.conformance.flyte import Flyte

INTEGER, FLOAT, STRING, DATETIME = (
    SimpleType.INTEGER,
    SimpleType.FLOAT,
    SimpleType.STRING,
    SimpleType.DATETIME,
)
Types = Mapping[str, SimpleType.ValueType]
_RUNTIME = RuntimeMetadata(type=RuntimeMetadata.FLYTE_SDK, version="1.16.31", flavor="python")


def interface(inputs: Types, outputs: Types) -> TypedInterface:
    made = TypedInterface()
    for variables, types in ((made.inputs.variables, inputs), (made.outputs.variables, outputs)):
        for name, kind in types.items():
            variables[name].type.simple = kind
    return made


def task(
    flyte: Flyte,
    name: str = "t",
    version: str = "v1",
    *,
    inputs: Types | None = None,
    outputs: Types | None = None,
    args: Sequence[str] = ("true",),
    resources: Resources | None = None,
) -> TaskCreateRequest:
    template = TaskTemplate(
        id=flyte.id(TASK, name, version),
        type="python-task",
        metadata=TaskMetadata(runtime=_RUNTIME),
        interface=interface(inputs or {}, outputs or {}),
        container=Container(image="registry.example.com/image:1", args=args, resources=resources),
    )
    return TaskCreateRequest(id=template.id, spec=TaskSpec(template=template))


def node(name: str, of: Identifier, **inputs: BindingData) -> Node:
    bindings = [Binding(var=var, binding=binding) for var, binding in inputs.items()]
    upstream = sorted({b.promise.node_id for b in inputs.values() if b.promise.node_id} - {""})
    return Node(id=name, task_node=TaskNode(reference_id=of), inputs=bindings, upstream_node_ids=upstream)


def value(number: int) -> BindingData:
    return BindingData(scalar=Scalar(primitive=Primitive(integer=number)))


def output(of: str, var: str) -> BindingData:
    return BindingData(promise=OutputReference(node_id=of, var=var))


def workflow(
    flyte: Flyte,
    name: str = "wf",
    version: str = "v1",
    *,
    nodes: Sequence[Node],
    inputs: Types | None = None,
) -> WorkflowCreateRequest:
    template = WorkflowTemplate(
        id=flyte.id(WORKFLOW, name, version), interface=interface(inputs or {}, {}), nodes=nodes
    )
    template.metadata.SetInParent()
    template.metadata_defaults.SetInParent()
    return WorkflowCreateRequest(id=template.id, spec=WorkflowSpec(template=template))


def workflow_of_nothing(
    flyte: Flyte, name: str, inputs: Types | None = None, *, args: Sequence[str] = ("true",)
) -> Identifier:
    """Register a workflow that can run, costs little and does nothing; `args` can do it for longer."""
    nothing = task(flyte, f"{name}_task", args=args)
    nothing.spec.template.container.image = flyte.task_image
    flyte.admin.CreateTask(nothing)
    request = workflow(flyte, name, nodes=[node("n0", nothing.id)], inputs=inputs)
    flyte.admin.CreateWorkflow(request)
    return request.id


def launch_plan(
    flyte: Flyte, name: str, version: str = "v1", *, of: Identifier, spec: LaunchPlanSpec | None = None
) -> LaunchPlanCreateRequest:
    whole = LaunchPlanSpec()
    whole.CopyFrom(spec or LaunchPlanSpec())
    whole.workflow_id.CopyFrom(of)
    whole.default_inputs.SetInParent()
    whole.fixed_inputs.SetInParent()
    return LaunchPlanCreateRequest(id=flyte.id(LAUNCH_PLAN, name, version), spec=whole)


def integer(number: int) -> Literal:
    return Literal(scalar=Scalar(primitive=Primitive(integer=number)))


def simple(kind: SimpleType.ValueType) -> LiteralType:
    return LiteralType(simple=kind)
