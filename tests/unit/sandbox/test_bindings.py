"""Inputs put together from outputs: promises, attributes of dataclasses, collections, maps."""

from collections.abc import Mapping

import msgpack
import pytest
from flyteidl.core.literals_pb2 import Binding, BindingData, Literal, LiteralMap
from flyteidl.core.types_pb2 import OutputReference, PromiseAttribute
from google.protobuf.json_format import ParseDict
from google.protobuf.struct_pb2 import Struct

from scripts.sandbox.bindings import BindingError, follow, resolve
from tests.unit.sandbox.rig import literal, plain


def path(*steps: str | int) -> list[PromiseAttribute]:
    return [
        PromiseAttribute(string_value=step) if isinstance(step, str) else PromiseAttribute(int_value=step)
        for step in steps
    ]


def promise(node: str, var: str, *steps: str | int) -> BindingData:
    return BindingData(promise=OutputReference(node_id=node, var=var, attr_path=path(*steps)))


def binary(value: object) -> Literal:
    made = Literal()
    made.scalar.binary.value, made.scalar.binary.tag = msgpack.packb(value), "msgpack"
    return made


def generic(value: Mapping[str, object]) -> Literal:
    made = Literal()
    made.scalar.generic.CopyFrom(ParseDict(dict(value), Struct()))
    return made


def unpacked(made: Literal) -> object:
    return msgpack.unpackb(made.scalar.binary.value)


def test_promises_are_looked_up_inside_collections_and_maps() -> None:
    written = {"n0": LiteralMap(literals={"a": literal(1)}), "n1": LiteralMap(literals={"b": literal("x")})}
    several = BindingData()
    several.collection.bindings.extend([promise("n0", "a"), promise("n0", "a")])
    named = BindingData()
    named.map.bindings["key"].CopyFrom(promise("n1", "b"))
    bindings = [Binding(var="list", binding=several), Binding(var="map", binding=named)]
    inputs = resolve(bindings, lambda node: written[node]).literals
    assert plain(inputs["list"]) == [1, 1]
    assert plain(inputs["map"].map.literals["key"]) == "x"


def test_empty_collections_stay_collections() -> None:
    empty = BindingData()
    empty.collection.SetInParent()
    made = resolve([Binding(var="x", binding=empty)], lambda node: LiteralMap())
    assert made.literals["x"].WhichOneof("value") == "collection"


def test_an_output_that_was_not_written_is_an_error_that_names_both() -> None:
    with pytest.raises(
        BindingError, match=r"\[wf\]\.\[x\], caused by: Outputs not found at \[n0\]\.\[gone\]"
    ):
        resolve([Binding(var="x", binding=promise("n0", "gone"))], lambda node: LiteralMap())


POINT = {"x": 1, "names": ["a", "b"], "deep": {"y": 2.5, "flag": True}, "none": None}


@pytest.mark.parametrize(
    ("value", "steps", "expected"),
    [
        pytest.param(binary(POINT), ("x",), 1, id="an integer of a dataclass"),
        pytest.param(binary(POINT), ("deep", "y"), 2.5, id="a float inside a dataclass inside it"),
        pytest.param(binary(POINT), ("deep", "flag"), True, id="a boolean, not an integer"),
        pytest.param(binary(POINT), ("names", 1), "b", id="an item of a list in it"),
        pytest.param(generic({"x": 1, "l": [{"k": "v"}]}), ("l", 0, "k"), "v", id="the older form"),
        pytest.param(generic({"x": 1}), ("x",), 1.0, id="where numbers are floats"),
        pytest.param(literal([[1, 2], [3]]), (1, 0), 3, id="lists of lists"),
    ],
)
def test_a_path_leads_to_a_primitive(value: Literal, steps: tuple[str | int, ...], expected: object) -> None:
    found = plain(follow(value, path(*steps)))
    assert (found, type(found)) == (expected, type(expected))


def test_a_part_of_a_dataclass_stays_packed() -> None:
    assert unpacked(follow(binary(POINT), path("deep"))) == POINT["deep"]
    assert unpacked(follow(binary(POINT), path("none"))) is None


def test_a_list_in_a_dataclass_becomes_a_collection() -> None:
    items = follow(binary(POINT), path("names")).collection.literals
    assert [unpacked(item) for item in items] == ["a", "b"]


def test_a_path_goes_on_from_a_map_into_a_dataclass() -> None:
    named = Literal()
    named.map.literals["k"].CopyFrom(binary(POINT))
    assert plain(follow(named, path("k", "deep", "y"))) == 2.5


@pytest.mark.parametrize(
    ("value", "steps", "problem"),
    [
        (binary(POINT), ("gone",), r"key \[gone\] does not exist"),
        (binary(POINT), ("names", 7), r"index \[7\] is out of range"),
        (binary(POINT), ("names", "a"), "unexpected attribute"),
        (binary(POINT), ("x", "y"), "unexpected attribute"),
        (literal([1]), (1,), r"index \[1\] is out of range"),
    ],
    ids=["key", "index", "key of a list", "attribute of a number", "index of a collection"],
)
def test_a_path_that_leads_nowhere_is_an_error(
    value: Literal, steps: tuple[str | int, ...], problem: str
) -> None:
    with pytest.raises(BindingError, match=problem):
        follow(value, path(*steps))
