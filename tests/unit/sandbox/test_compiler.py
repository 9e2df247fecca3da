from __future__ import annotations

from collections.abc import Callable

import pytest
from flyteidl.core.compiler_pb2 import CompiledTask, CompiledWorkflowClosure
from flyteidl.core.identifier_pb2 import WORKFLOW
from flyteidl.core.types_pb2 import STRING
from flyteidl.core.workflow_pb2 import Node, WorkflowTemplate

from scripts.sandbox.compiler import compile_task, compile_workflow
from scripts.sandbox.errors import InvalidArgument
from tests.unit.sandbox.registry import identifier, task_node, task_request, workflow_request


def compiled(template: WorkflowTemplate, *subs: WorkflowTemplate) -> CompiledWorkflowClosure:
    task = CompiledTask(template=task_request().spec.template)
    return compile_workflow(template, subs, [task, task], [])


def template_of(*nodes: Node, output: str = "n0.o0", name: str = "w") -> WorkflowTemplate:
    request = workflow_request(*nodes, output=output, name=name)
    request.spec.template.id.CopyFrom(request.id)
    return request.spec.template


def unbound() -> WorkflowTemplate:
    node = task_node("n0")
    del node.inputs[:]
    return template_of(node)


def bound_twice() -> WorkflowTemplate:
    node = task_node("n0")
    node.inputs.append(node.inputs[0])
    return template_of(node)


def unknown_input() -> WorkflowTemplate:
    node = task_node("n0")
    node.inputs.add(var="b").binding.scalar.primitive.integer = 1
    return template_of(node)


def mistyped_scalar() -> WorkflowTemplate:
    node = task_node("n0")
    node.inputs[0].binding.scalar.primitive.string_value = "x"
    return template_of(node)


def cycle() -> WorkflowTemplate:
    node = task_node("n0")
    node.upstream_node_ids.append("n1")
    return template_of(node, task_node("n1", a="n0.o0"))


def without_target() -> WorkflowTemplate:
    return template_of(task_node("n0"), Node(id="n1"))


def branch(*, complete: bool) -> WorkflowTemplate:
    node = Node(id="n0")
    node.inputs.add(var="a").binding.promise.var = "a"
    case = node.branch_node.if_else.case
    comparison = case.condition.comparison
    comparison.left_value.var = "a"
    comparison.right_value.primitive.integer = 1
    case.then_node.CopyFrom(task_node("n1"))
    if complete:
        node.branch_node.if_else.else_node.CopyFrom(task_node("n2"))
    return template_of(node)


def mixed_branch() -> WorkflowTemplate:
    template = branch(complete=True)
    comparison = template.nodes[0].branch_node.if_else.case.condition.comparison
    comparison.right_value.primitive.string_value = "x"
    comparison.left_value.primitive.integer = 1
    return template


def in_itself() -> WorkflowTemplate:
    node = Node(id="n0")
    node.workflow_node.sub_workflow_ref.CopyFrom(identifier(WORKFLOW, "w"))
    node.inputs.add(var="a").binding.promise.var = "a"
    return template_of(node)


@pytest.mark.parametrize(
    ("make", "problem"),
    [
        pytest.param(
            unbound,
            "Code: ParameterNotBound, Node Id: n0, Description: Parameter not bound [a].",
            id="unbound input",
        ),
        pytest.param(
            bound_twice,
            "Code: ParameterBoundMoreThanOnce, Node Id: n0, Description: Input [a] is bound more than once.",
            id="bound twice",
        ),
        pytest.param(
            unknown_input,
            "Code: VariableNameNotFound, Node Id: n0, Description: Variable [b] not found on node [n0].",
            id="unknown input",
        ),
        pytest.param(
            mistyped_scalar,
            "Code: MismatchingTypes, Node Id: n0, Description: Variable [a] (type [simple:STRING]) doesn't "
            "match expected type [simple:INTEGER].",
            id="mistyped constant",
        ),
        pytest.param(
            lambda: template_of(task_node("n0", a="n7.o0")),
            "Code: NodeReferenceNotFound, Node Id: n7, Description: Referenced node [n7] not found.",
            id="unknown node",
        ),
        pytest.param(
            lambda: template_of(task_node("n0", task="other")),
            "Code: TaskReferenceNotFound, Node Id: start-node, Description: Referenced Task [",
            id="unknown task",
        ),
        pytest.param(
            lambda: template_of(task_node("n0"), task_node("n1", a="n2.o0"), task_node("n2", a="n1.o0")),
            "Code: UnreachableNodes, Node Id: start-node, Description: The Workflow contain unreachable "
            "nodes [n1,n2].",
            id="island",
        ),
        pytest.param(
            cycle,
            "Code: CycleDetected, Node Id: start-node, Description: A cycle has been detected while "
            "traversing the Workflow [start-node>n0>n1>n0].",
            id="cycle",
        ),
        pytest.param(
            lambda: template_of(task_node("n0"), output="n0.o1"),
            "Code: VariableNameNotFound, Node Id: n0, Description: Variable [o1] not found on node [n0].",
            id="unknown output",
        ),
        pytest.param(
            without_target,
            "Code: ValueRequired, Node Id: n1, Description: Value required [Target].",
            id="node without a target",
        ),
        pytest.param(
            lambda: branch(complete=False),
            "Code: BranchNodeHasNoDefault, Node Id: n0, Description: Branch Node must have either the else "
            "case set or a default error.",
            id="branch without else",
        ),
        pytest.param(
            mixed_branch,
            "Code: MismatchingTypes, Node Id: n0, Description: Variable [RightValue] (type [simple:STRING]) "
            "doesn't match expected type [simple:INTEGER].",
            id="condition of two types",
        ),
        pytest.param(
            in_itself,
            "Code: WorkflowReferenceNotFound, Node Id: n0, Description: Referenced Workflow [",
            id="unknown sub-workflow",
        ),
    ],
)
def test_what_cannot_run_does_not_compile(make: Callable[[], WorkflowTemplate], problem: str) -> None:
    with pytest.raises(InvalidArgument) as refused:
        compiled(make())
    assert refused.value.message.startswith("Collected Errors: ")
    assert problem in refused.value.message


def test_a_workflow_within_itself_does_not_compile() -> None:
    with pytest.raises(InvalidArgument, match="CycleDetected"):
        compiled(in_itself(), in_itself())


def test_two_sub_workflows_of_one_id_do_not_compile() -> None:
    sub = template_of(name="sub")
    with pytest.raises(InvalidArgument, match="Trying to insert two nodes with the same id"):
        compiled(template_of(), sub, sub)


def test_each_task_comes_into_the_closure_once_and_inputs_are_left_alone() -> None:
    template = template_of()
    before = template.SerializeToString(deterministic=True)
    closure = compiled(template)
    assert len(closure.tasks) == 1
    assert [node.id for node in closure.primary.template.nodes] == ["start-node", "end-node", "n0"]
    assert template.SerializeToString(deterministic=True) == before


def test_nodes_of_a_branch_are_named_after_it_and_wait_for_what_they_need() -> None:
    closure = compiled(branch(complete=True))
    if_else = closure.primary.template.nodes[2].branch_node.if_else
    assert (if_else.case.then_node.id, if_else.else_node.id) == ("n0-n1", "n0-n2")
    assert list(closure.primary.connections.upstream["n0-n1"].ids) == ["start-node"]


def test_what_nothing_depends_on_runs_between_start_and_end() -> None:
    node = task_node("n1")
    node.inputs[0].binding.scalar.primitive.integer = 1
    connections = compiled(template_of(task_node("n0"), node)).primary.connections
    assert list(connections.upstream["n1"].ids) == ["start-node"]
    assert list(connections.upstream["end-node"].ids) == ["n0", "n1"]


def test_resources_in_no_known_form_do_not_compile() -> None:
    template = task_request().spec.template
    template.container.resources.limits.add(name=1, value="much")
    with pytest.raises(
        InvalidArgument, match=r"Node Id: resources.CPU, Description: Unrecognized value \[much\]"
    ):
        compile_task(template)


def test_a_list_of_another_type_does_not_fit() -> None:
    template = template_of()
    template.interface.inputs.variables["a"].type.collection_type.simple = STRING
    with pytest.raises(InvalidArgument, match=r"collection_type:{simple:STRING}"):
        compiled(template)
