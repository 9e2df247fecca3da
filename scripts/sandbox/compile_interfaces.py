"""What goes into a node and comes out of it, by what the node refers to.

Source: propeller `compiler/validators/interface.go`, `branch.go`, `condition.go`.
"""

from __future__ import annotations

from flyteidl.core.condition_pb2 import BooleanExpression, Operand
from flyteidl.core.identifier_pb2 import Identifier
from flyteidl.core.interface_pb2 import TypedInterface, Variable
from flyteidl.core.types_pb2 import LiteralType

from scripts.sandbox.compile_bindings import Checker, Edges, type_text
from scripts.sandbox.compile_problems import Problems
from scripts.sandbox.compiled_graph import BuiltNode, Graph, key
from scripts.sandbox.gotext import message_text
from scripts.sandbox.literals import primitive_type


def find_interface(graph: Graph, node: BuiltNode, problems: Problems) -> TypedInterface | None:
    """Return a node's interface and keep it in the node; complain and return None where it has none."""
    if node.interface is not None:
        return node.interface
    before = len(problems)
    target = node.core.WhichOneof("target")
    if target == "task_node":
        interface = _of_task(graph, node, problems)
    elif target == "workflow_node":
        interface = _of_workflow(graph, node, problems)
    elif target == "branch_node":
        interface = _of_branch(graph, node, problems)
    elif target == "gate_node":
        interface = _of_gate(graph, node, problems)
    elif target == "array_node":
        # flytekit wraps the variables of the node inside into lists by itself.
        interface = find_interface(graph, node.inner[0], problems)
    else:
        interface = None
        problems.value_required(node.id, "Target")
    if interface is not None:
        complete(node.id, interface, problems)
    if len(problems) > before:
        return None
    node.interface = interface
    return interface


def complete(node_id: str, interface: TypedInterface, problems: Problems) -> None:
    """Give an interface both its sides, empty where they were missing, and check their variables."""
    for variables in (interface.inputs, interface.outputs):
        variables.SetInParent()
        for name, variable in sorted(variables.variables.items()):
            if not name:
                problems.value_required(node_id, "paramName")
            if not variable.HasField("type"):
                problems.value_required(node_id, "param.Type")


def check_condition(node: BuiltNode, expression: BooleanExpression | None, problems: Problems) -> None:
    """Check that the condition of a branch compares what can be compared."""
    kind = None if expression is None else expression.WhichOneof("expr")
    if expression is None:
        text = "One of the branches on the node doesn't have a condition."
        problems.add("BranchNodeHasNoCondition", node.id, text)
    elif kind == "comparison":
        before = len(problems)
        comparison = expression.comparison
        right = _operand(
            node,
            "RightValue",
            comparison.right_value if comparison.HasField("right_value") else None,
            problems,
        )
        left = _operand(
            node, "LeftValue", comparison.left_value if comparison.HasField("left_value") else None, problems
        )
        if len(problems) == before and right is not None and left is not None and right != left:
            problems.types_differ(node.id, "RightValue", type_text(right), type_text(left))
    elif kind == "conjunction":
        for side in ("left_expression", "right_expression"):
            inner = getattr(expression.conjunction, side) if expression.conjunction.HasField(side) else None
            check_condition(node, inner, problems)
    else:
        problems.value_required(node.id, "Expr")


def _operand(node: BuiltNode, side: str, operand: Operand | None, problems: Problems) -> LiteralType | None:
    kind = None if operand is None else operand.WhichOneof("val")
    if operand is None:
        problems.value_required(node.id, side)
    elif kind == "primitive":
        return LiteralType(simple=primitive_type(operand.primitive))
    elif kind == "var" and operand.var:
        if node.interface is None:
            problems.value_required(node.id, operand.var)
        elif operand.var in node.interface.inputs.variables:
            found: Variable = node.interface.inputs.variables[operand.var]
            return found.type
        elif operand.var not in {binding.var for binding in node.core.inputs}:
            problems.variable_not_found(node.id, operand.var)
    else:
        problems.value_required(node.id, f"{side}.Val")
    return None


def _of_task(graph: Graph, node: BuiltNode, problems: Problems) -> TypedInterface | None:
    if not node.core.task_node.HasField("reference_id"):
        problems.value_required(node.id, "TaskNode.ReferenceId")
        return None
    reference: Identifier = node.core.task_node.reference_id
    task = graph.library.tasks.get(key(reference))
    if task is None:
        problems.task_not_found(node.id, message_text(reference))
        return None
    return task.interface


def _of_workflow(graph: Graph, node: BuiltNode, problems: Problems) -> TypedInterface | None:
    kind = node.core.workflow_node.WhichOneof("reference")
    if kind == "launchplan_ref":
        return _of_launch_plan(graph, node, problems)
    if kind == "sub_workflow_ref":
        reference = node.core.workflow_node.sub_workflow_ref
        workflow = graph.library.workflows.get(key(reference))
        if workflow is None:
            problems.workflow_not_found(node.id, message_text(reference))
            return None
        if not workflow.template.HasField("interface"):
            problems.value_required(node.id, "WorkflowNode.Template.Interface")
            return None
        return workflow.template.interface
    problems.workflow_not_found(node.id, "<nil>/<nil>")
    return None


def _of_launch_plan(graph: Graph, node: BuiltNode, problems: Problems) -> TypedInterface | None:
    """What a launch plan requires, and what it has a default for if the node gives something else."""
    reference = node.core.workflow_node.launchplan_ref
    plan = graph.library.launch_plans.get(key(reference))
    if plan is None:
        problems.workflow_not_found(node.id, message_text(reference))
        return None
    given = {binding.var for binding in node.core.inputs}
    interface = TypedInterface()
    for name, parameter in plan.closure.expected_inputs.parameters.items():
        if parameter.required or name in given:
            interface.inputs.variables[name].CopyFrom(parameter.var)
    interface.outputs.CopyFrom(plan.closure.expected_outputs)
    return interface


def _of_gate(graph: Graph, node: BuiltNode, problems: Problems) -> TypedInterface | None:
    gate = node.core.gate_node
    condition = gate.WhichOneof("condition")
    if condition == "approve":
        checker = Checker(graph=graph, node=node, typed=False, problems=problems)
        passed = checker.check(node.core.inputs, {}, Edges.UPSTREAM)
        return None if passed is None else TypedInterface(inputs=passed, outputs=passed)
    if condition == "signal":
        if not gate.signal.HasField("type"):
            problems.value_required(node.id, "GateNode.Signal.Type")
            return None
        if not gate.signal.output_variable_name:
            problems.value_required(node.id, "GateNode.Signal.OutputVariableName")
            return None
        interface = TypedInterface()
        interface.outputs.variables[gate.signal.output_variable_name].type.CopyFrom(gate.signal.type)
        return interface
    if condition == "sleep":
        return TypedInterface()
    problems.add("NoConditionFound", node.id, f"Can't find any condition in gate node [{node.id}].")
    return None


def _of_branch(graph: Graph, node: BuiltNode, problems: Problems) -> TypedInterface | None:
    """The outputs that all cases have in common, and for inputs whatever is bound to the branch."""
    if_else = node.core.branch_node.if_else
    for present, name in (
        (node.core.branch_node.HasField("if_else"), "Branch.IfElse"),
        (if_else.HasField("case"), "Branch.IfElse.Case"),
        (if_else.case.HasField("then_node"), "Branch.IfElse.Case.ThenNode"),
    ):
        if not present:
            problems.value_required(node.id, name)
            return None
    before = len(problems)
    for other in if_else.other:
        if not other.HasField("then_node"):
            problems.value_required(node.id, "IfElse.Case.ThenNode")
    common = _common_outputs(graph, node, problems)
    checker = Checker(graph=graph, node=node, typed=False, problems=problems)
    inputs = checker.check(node.core.inputs, {}, Edges.UPSTREAM)
    if len(problems) > before or common is None or inputs is None:
        return None
    interface = TypedInterface(inputs=inputs)
    for name, variable in common.items():
        interface.outputs.variables[name].CopyFrom(variable)
    return interface


def _common_outputs(graph: Graph, node: BuiltNode, problems: Problems) -> dict[str, Variable] | None:
    common: dict[str, Variable] | None = None
    for inner in node.inner:
        inner.core.id = f"{node.id}-{inner.id}"
        interface = find_interface(graph, inner, problems)
        if interface is None:
            continue
        outputs = interface.outputs.variables
        if common is None:
            common = dict(outputs.items())
            continue
        common = {name: variable for name, variable in common.items() if name in outputs}
        for name, variable in sorted(common.items()):
            if variable.type != outputs[name].type:
                problems.types_differ(inner.id, name, type_text(variable.type), type_text(outputs[name].type))
    return common
