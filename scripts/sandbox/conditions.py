"""Which node a branch node takes. Source: flytepropeller `nodes/branch/evaluator.go`, `comparator.go`."""

from __future__ import annotations

from typing import Any

from flyteidl.core.condition_pb2 import (
    BooleanExpression,
    ComparisonExpression,
    ConjunctionExpression,
    Operand,
)
from flyteidl.core.execution_pb2 import ExecutionError
from flyteidl.core.literals_pb2 import LiteralMap, Primitive
from flyteidl.core.workflow_pb2 import BranchNode

_MALFORMED = "MalformedBranchUserError"
_ORDERED = {
    ComparisonExpression.GT: lambda left, right: left > right,
    ComparisonExpression.GTE: lambda left, right: left >= right,
    ComparisonExpression.LT: lambda left, right: left < right,
    ComparisonExpression.LTE: lambda left, right: left <= right,
}


class BranchFailed(Exception):
    """No node can be taken; `error` is what the branch node fails with."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.error = ExecutionError(code=code, message=f"[{code}] {message}", kind=ExecutionError.USER)


def choose(branch: BranchNode, inputs: LiteralMap) -> str:
    """Return the id of the node that the first true condition, or else the last branch, leads to.

    Raises:
        BranchFailed: none does, or a condition cannot be evaluated.
    """
    block = branch.if_else
    for case in (block.case, *block.other):
        if _holds(case.condition, inputs):
            return str(case.then_node.id)
    if block.HasField("else_node"):
        return str(block.else_node.id)
    if block.HasField("error"):
        raise BranchFailed("UserProvidedError", block.error.message)
    raise BranchFailed(_MALFORMED, "No branch satisfied")


def _holds(expression: BooleanExpression, inputs: LiteralMap) -> bool:
    if expression.HasField("comparison"):
        return _compare(expression.comparison, inputs)
    if not expression.HasField("conjunction"):
        raise BranchFailed(_MALFORMED, "No Comparison or Conjunction found in Branch node expression.")
    both = expression.conjunction
    left, right = _holds(both.left_expression, inputs), _holds(both.right_expression, inputs)
    return left or right if both.operator == ConjunctionExpression.OR else left and right


def _compare(comparison: ComparisonExpression, inputs: LiteralMap) -> bool:
    left, right = _primitive(comparison.left_value, inputs), _primitive(comparison.right_value, inputs)
    kinds = left.WhichOneof("value"), right.WhichOneof("value")
    if kinds[0] != kinds[1]:
        raise BranchFailed(
            _MALFORMED, f"Comparison between different primitives types. lVal[{kinds[0]}]:rVal[{kinds[1]}]"
        )
    values = _plain(left), _plain(right)
    if comparison.operator == ComparisonExpression.EQ:
        return bool(values[0] == values[1])
    if comparison.operator == ComparisonExpression.NEQ:
        return bool(values[0] != values[1])
    if kinds[0] == "boolean":
        name = ComparisonExpression.Operator.Name(comparison.operator)
        raise BranchFailed(_MALFORMED, f"[{name}] not defined for boolean operands.")
    return bool(_ORDERED[comparison.operator](*values))


def _primitive(operand: Operand, inputs: LiteralMap) -> Primitive:
    if operand.HasField("primitive"):
        return operand.primitive
    if operand.var not in inputs.literals:
        raise BranchFailed(_MALFORMED, f"Failed to find Value for Variable [{operand.var}]")
    scalar = inputs.literals[operand.var].scalar
    while scalar.HasField("union"):
        scalar = scalar.union.value.scalar
    if not scalar.HasField("primitive"):
        raise BranchFailed(_MALFORMED, "Only primitives can be compared. Variable is non primitive.")
    return scalar.primitive


def _plain(primitive: Primitive) -> Any:
    """Return the value; times and durations by their seconds alone, as propeller compares them."""
    kind = primitive.WhichOneof("value")
    value = getattr(primitive, kind) if kind else None
    return value.seconds if kind in ("datetime", "duration") and value is not None else value
