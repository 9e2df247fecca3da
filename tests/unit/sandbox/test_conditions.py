"""Which node a branch takes."""

from datetime import datetime, timezone

import pytest
from flyteidl.core.condition_pb2 import BooleanExpression, ComparisonExpression, ConjunctionExpression
from flyteidl.core.literals_pb2 import Literal, LiteralMap, Primitive
from flyteidl.core.workflow_pb2 import BranchNode

from scripts.sandbox.conditions import BranchFailed, choose
from tests.unit.sandbox.rig import literal


def compare(var: str, operator: str, value: object) -> BooleanExpression:
    made = BooleanExpression()
    made.comparison.operator = ComparisonExpression.Operator.Value(operator)
    made.comparison.left_value.var = var
    made.comparison.right_value.primitive.CopyFrom(literal(value).scalar.primitive)
    return made


def branch(*cases: BooleanExpression, default: str = "", error: str = "") -> BranchNode:
    made = BranchNode()
    block = made.if_else
    block.case.condition.CopyFrom(cases[0])
    block.case.then_node.id = "case0"
    for number, case in enumerate(cases[1:], 1):
        other = block.other.add(condition=case)
        other.then_node.id = f"case{number}"
    if default:
        block.else_node.id = default
    if error:
        block.error.message = error
    return made


def given(**values: object) -> LiteralMap:
    return LiteralMap(literals={name: literal(value) for name, value in values.items()})


@pytest.mark.parametrize(
    ("operator", "left", "right", "holds"),
    [
        ("GT", 2, 1, True),
        ("GT", 1, 1, False),
        ("GTE", 1, 1, True),
        ("LT", 1, 2, True),
        ("LTE", 2, 1, False),
        ("EQ", "a", "a", True),
        ("NEQ", "a", "a", False),
        ("EQ", True, True, True),
        ("LT", 1.5, 2.5, True),
        ("GT", "b", "a", True),
    ],
)
def test_comparisons(operator: str, left: object, right: object, holds: bool) -> None:
    taken = choose(branch(compare("x", operator, right), default="else"), given(x=left))
    assert taken == ("case0" if holds else "else")


def test_times_are_compared_by_their_seconds() -> None:
    made = compare("x", "EQ", 0)
    at = Primitive()
    at.datetime.FromDatetime(datetime(2026, 1, 2, tzinfo=timezone.utc))
    made.comparison.right_value.primitive.CopyFrom(at)
    value = Literal()
    value.scalar.primitive.datetime.FromDatetime(datetime(2026, 1, 2, 0, 0, 0, 5, tzinfo=timezone.utc))
    assert choose(branch(made, default="else"), LiteralMap(literals={"x": value})) == "case0"


def test_the_first_case_that_holds_is_taken() -> None:
    made = branch(compare("x", "GT", 10), compare("x", "GT", 5), compare("x", "GT", 0), default="else")
    assert [choose(made, given(x=x)) for x in (11, 6, 1, 0)] == ["case0", "case1", "case2", "else"]


@pytest.mark.parametrize(("operator", "taken"), [("AND", "else"), ("OR", "case0")])
def test_conjunctions(operator: str, taken: str) -> None:
    both = BooleanExpression()
    both.conjunction.operator = ConjunctionExpression.LogicalOperator.Value(operator)
    both.conjunction.left_expression.CopyFrom(compare("x", "GT", 0))
    both.conjunction.right_expression.CopyFrom(compare("y", "GT", 0))
    assert choose(branch(both, default="else"), given(x=1, y=0)) == taken


def test_an_optional_value_is_compared_by_what_it_holds() -> None:
    value = Literal()
    value.scalar.union.value.CopyFrom(literal(3))
    inputs = LiteralMap(literals={"x": value})
    assert choose(branch(compare("x", "EQ", 3), default="else"), inputs) == "case0"


@pytest.mark.parametrize(
    ("made", "inputs", "code", "message"),
    [
        pytest.param(
            branch(compare("x", "GT", 5), error="too small"),
            given(x=1),
            "UserProvidedError",
            "too small",
            id="the user's own error",
        ),
        pytest.param(
            branch(compare("x", "GT", 5)),
            given(x=1),
            "MalformedBranchUserError",
            "No branch satisfied",
            id="nothing holds",
        ),
        pytest.param(
            branch(compare("x", "EQ", 5), default="else"),
            given(x="5"),
            "MalformedBranchUserError",
            "Comparison between different primitives types. lVal[string_value]:rVal[integer]",
            id="different types",
        ),
        pytest.param(
            branch(compare("x", "GT", True), default="else"),
            given(x=True),
            "MalformedBranchUserError",
            "[GT] not defined for boolean operands.",
            id="order of booleans",
        ),
        pytest.param(
            branch(compare("x", "GT", 1), default="else"),
            given(y=1),
            "MalformedBranchUserError",
            "Failed to find Value for Variable [x]",
            id="a variable that is not there",
        ),
        pytest.param(
            branch(compare("x", "GT", 1), default="else"),
            given(x=[1]),
            "MalformedBranchUserError",
            "Only primitives can be compared. Variable is non primitive.",
            id="a list",
        ),
    ],
)
def test_what_cannot_be_decided_fails(made: BranchNode, inputs: LiteralMap, code: str, message: str) -> None:
    with pytest.raises(BranchFailed) as failed:
        choose(made, inputs)
    assert (failed.value.error.code, failed.value.error.message) == (code, f"[{code}] {message}")
