from __future__ import annotations

from collections.abc import Collection

import pytest
from flyteidl.core.types_pb2 import BlobType, EnumType, LiteralType, SimpleType, UnionType

from tasks._interfaces import Interface, compare
from tasks._literal_types import type_name
from tests.unit.entities import FLOAT, INT, STR, Types

NONE = LiteralType(simple=SimpleType.NONE)
OPTIONAL = LiteralType(union_type=UnionType(variants=[INT, NONE]))
RED, BOTH = (LiteralType(enum_type=EnumType(values=values)) for values in (["red"], ["red", "blue"]))
TAGGED = LiteralType(simple=SimpleType.INTEGER)
TAGGED.structure.tag = "int"
FOLDER = LiteralType(blob=BlobType(dimensionality=BlobType.MULTIPART))


def _face(inputs: Types, outputs: Types, optional: Collection[str] = ()) -> Interface:
    return Interface(inputs=inputs, outputs=outputs, optional=optional)


@pytest.mark.parametrize(
    ("old", "new", "breaking", "harmless"),
    [
        (_face({"a": INT}, {"o": INT}), _face({"a": INT}, {"o": INT}), [], []),
        (_face({"a": INT}, {}), _face({"a": TAGGED}, {}), [], []),
        (_face({"a": INT, "b": STR}, {}), _face({"b": STR}, {}), ["input a is gone"], []),
        (_face({"a": INT}, {}), _face({"n": INT}, {}), ["input a seems to be renamed to n"], []),
        (
            _face({"a": INT}, {}),
            _face({"n": STR}, {}),
            ["input a is gone", "input n is new (str) and required"],
            [],
        ),
        (_face({}, {}), _face({"n": STR}, {}), ["input n is new (str) and required"], []),
        (_face({}, {}), _face({"n": STR}, {}, ["n"]), [], ["input n is new (str, with a default)"]),
        (_face({"a": INT}, {}), _face({"a": FLOAT}, {}), ["input a was int and is float"], []),
        (_face({"a": INT}, {}), _face({"a": OPTIONAL}, {}), [], ["input a was int and is int | none"]),
        (_face({"a": OPTIONAL}, {}), _face({"a": INT}, {}), ["input a was int | none and is int"], []),
        (
            _face({"a": RED}, {}),
            _face({"a": BOTH}, {}),
            [],
            ["input a was enum(red) and is enum(red, blue)"],
        ),
        (_face({"a": INT}, {}, ["a"]), _face({"a": INT}, {}), ["input a has no default any more"], []),
        (_face({"a": INT}, {}), _face({"a": INT}, {}, ["a"]), [], ["input a has a default now"]),
        (_face({}, {"o": INT}), _face({}, {}), ["output o is gone"], []),
        (_face({}, {}), _face({}, {"o": FOLDER}), [], ["output o is new (directory)"]),
        (_face({}, {"o": INT}), _face({}, {"o": OPTIONAL}), ["output o was int and is int | none"], []),
        (_face({}, {"o": OPTIONAL}), _face({}, {"o": INT}), [], ["output o was int | none and is int"]),
    ],
    ids=[
        "same",
        "only flytekit's tag differs",
        "input removed",
        "input renamed",
        "input replaced by one of another type",
        "new required input",
        "new input with a default",
        "input type changed",
        "input widened",
        "input narrowed",
        "enum input gained a value",
        "default removed",
        "default added",
        "output removed",
        "output added",
        "output widened",
        "output narrowed",
    ],
)
def test_what_breaks_a_caller(
    old: Interface, new: Interface, breaking: list[str], harmless: list[str]
) -> None:
    changes = compare(old, new)
    assert (changes.breaking, changes.harmless) == (breaking, harmless)


def test_types_read_as_an_author_writes_them() -> None:
    structure = LiteralType(simple=SimpleType.STRUCT)
    structure.metadata.update({"title": "Row"})
    structure.structure.dataclass_type["n"].CopyFrom(LiteralType(collection_type=FLOAT))
    file = LiteralType(blob=BlobType(format="csv"))
    assert type_name(LiteralType(map_value_type=structure)) == "dict[str, Row(n: list[float])]"
    assert type_name(file) == "file[csv]"
    assert type_name(LiteralType(simple=SimpleType.STRUCT)) == "dict"
    assert type_name(LiteralType()) == "unknown"
