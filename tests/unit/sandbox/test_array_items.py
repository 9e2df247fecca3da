"""Items of array nodes, purely: their number, their inputs, what they come to."""

from __future__ import annotations

import pytest
from flyteidl.core.execution_pb2 import ExecutionError
from flyteidl.core.literals_pb2 import LiteralMap
from flyteidl.core.tasks_pb2 import TaskTemplate
from flyteidl.core.types_pb2 import INTEGER
from flyteidl.core.workflow_pb2 import ArrayNode

from scripts.sandbox.array_items import (
    BadArray,
    array_size,
    failure_of,
    gather,
    item_inputs,
    item_task,
    needed_successes,
)
from tests.unit.sandbox.rig import literal, plain


def inputs(**values: object) -> LiteralMap:
    return LiteralMap(literals={name: literal(value) for name, value in values.items()})


@pytest.mark.parametrize(
    ("bound", "given", "size"),
    [
        ([], inputs(x=[1, 2, 3]), 3),
        ([], inputs(x=[]), 0),
        (["y"], inputs(x=[1, 2], y=[1, 2, 3]), 2),
        ([], inputs(x=[1, 2], y="for all"), 2),
        (["x", "y"], inputs(x=[1, 2], y=3), 1),
    ],
    ids=["a list", "an empty list", "a bound list", "a single value", "all bound"],
)
def test_there_are_as_many_items_as_elements(bound: list[str], given: LiteralMap, size: int) -> None:
    assert array_size(ArrayNode(bound_inputs=bound), given) == size


@pytest.mark.parametrize(
    ("given", "text"),
    [
        (inputs(x=[1, 2], y=[1]), "input arrays have different lengths: expecting '2' found '1'"),
        (inputs(x=1), "no input array provided"),
    ],
    ids=["different lengths", "no list"],
)
def test_lists_that_do_not_fit_are_refused(given: LiteralMap, text: str) -> None:
    with pytest.raises(BadArray) as error:
        array_size(ArrayNode(), given)
    assert str(error.value) == text


def test_an_item_gets_its_element_and_what_is_bound_as_a_whole() -> None:
    node = ArrayNode(bound_inputs=["y"])
    found = item_inputs(node, inputs(x=[1, 2], y=[3, 4], z="all"), 1)
    assert {name: plain(value) for name, value in found.literals.items()} == {"x": 2, "y": [3, 4], "z": "all"}


def test_an_item_gives_single_values() -> None:
    task = TaskTemplate()
    task.interface.outputs.variables["o0"].type.collection_type.simple = INTEGER
    assert item_task(task).interface.outputs.variables["o0"].type.simple == INTEGER
    assert task.interface.outputs.variables["o0"].type.HasField("collection_type")


@pytest.mark.parametrize(
    ("node", "needed"),
    [
        (ArrayNode(), 10),
        (ArrayNode(min_successes=3), 3),
        (ArrayNode(min_success_ratio=0.25), 3),
        (ArrayNode(min_success_ratio=1), 10),
        (ArrayNode(min_success_ratio=0), 0),
    ],
    ids=["nothing said", "a number", "a ratio", "all", "none"],
)
def test_how_many_have_to_succeed(node: ArrayNode, needed: int) -> None:
    assert needed_successes(node, 10) == needed


def test_outputs_become_lists_with_none_for_what_failed() -> None:
    made = gather([inputs(o0=1, o1="a"), None, inputs(o0=3, o1="c")], ["o0", "o1"])
    assert {name: plain(value) for name, value in made.literals.items()} == {
        "o0": [1, None, 3],
        "o1": ["a", None, "c"],
    }
    assert made.literals["o0"].collection.literals[1].scalar.HasField("none_type")


def test_failures_of_one_text_share_a_line() -> None:
    def boom(text: str) -> ExecutionError:
        return ExecutionError(code="USER:X", message=text, kind=ExecutionError.USER)

    errors = {4: boom("b"), 0: boom("a"), 1: boom("a"), 2: boom("a"), 7: boom("a")}
    assert failure_of(errors) == ExecutionError(message="[0-2][7]: a\n[4]: b\n")
