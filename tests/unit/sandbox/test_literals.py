from __future__ import annotations

import pytest
from flyteidl.core.literals_pb2 import Literal
from flyteidl.core.types_pb2 import LiteralType
from google.protobuf.json_format import ParseDict

from scripts.sandbox.errors import InvalidArgument
from scripts.sandbox.gotext import message_text
from scripts.sandbox.literals import castable, literal_type, named_type

Json = dict[str, object]
INTEGER: Json = {"simple": "INTEGER"}
STRING: Json = {"simple": "STRING"}
NONE: Json = {"simple": "NONE"}
STRUCT: Json = {"simple": "STRUCT"}


def scalar(**primitive: object) -> Json:
    return {"scalar": {"primitive": primitive}}


def structure(*required: str) -> Json:
    """The type of a dataclass with these fields, as flytekit writes its JSON schema."""
    fields = {name: {"type": "integer"} for name in required}
    schema = {"type": "object", "title": "X", "properties": fields, "required": list(required)}
    return {**STRUCT, "metadata": schema}


ONE, TEXT = scalar(integer="1"), scalar(string_value="x")
EMPTY: Json = {"collection": {}}
BLOB: Json = {"scalar": {"blob": {"metadata": {"type": {"format": "csv"}}, "uri": "file:///x"}}}
PACKED: Json = {"scalar": {"binary": {"value": "gA==", "tag": "msgpack"}}}
DATASET: Json = {
    "scalar": {"structured_dataset": {"metadata": {"structured_dataset_type": {"format": "parquet"}}}}
}


@pytest.mark.parametrize(
    ("literal", "kind"),
    [
        pytest.param(ONE, "simple:INTEGER", id="integer"),
        pytest.param({"scalar": {"none_type": {}}}, "simple:NONE", id="none"),
        pytest.param({"scalar": {"generic": {}}}, "simple:STRUCT", id="generic"),
        pytest.param(PACKED, "simple:STRUCT", id="msgpack"),
        pytest.param({"scalar": {"binary": {"value": "gA=="}}}, "simple:BINARY", id="binary"),
        pytest.param(BLOB, 'blob:{format:"csv"}', id="blob"),
        pytest.param(DATASET, 'structured_dataset_type:{format:"parquet"}', id="dataset"),
        pytest.param(EMPTY, "collection_type:{simple:NONE}", id="empty list"),
        pytest.param({"collection": {"literals": [ONE, ONE]}}, "collection_type:{simple:INTEGER}", id="list"),
        pytest.param(
            {"collection": {"literals": [TEXT, ONE]}},
            "collection_type:{union_type:{variants:{simple:INTEGER} variants:{simple:STRING}}}",
            id="list of two types",
        ),
        pytest.param(
            {"collection": {"literals": [EMPTY, {"collection": {"literals": [ONE]}}]}},
            "collection_type:{collection_type:{simple:INTEGER}}",
            id="empty list beside a list",
        ),
        pytest.param({"map": {"literals": {"a": ONE}}}, "map_value_type:{simple:INTEGER}", id="map"),
    ],
)
def test_a_literal_shows_its_type(literal: Json, kind: str) -> None:
    assert message_text(literal_type(ParseDict(literal, Literal()))) == kind


def test_a_literal_without_a_value_has_no_type() -> None:
    with pytest.raises(
        InvalidArgument, match=r"Failed to validate literal type for \[x\] with err: got unknown"
    ):
        named_type("x", Literal())


def collection(kind: Json) -> Json:
    return {"collection_type": kind}


def union(*variants: Json) -> Json:
    return {"union_type": {"variants": list(variants)}}


def enumeration(*values: str) -> Json:
    return {"enum_type": {"values": list(values)}}


def columns(*names: str) -> Json:
    listed = [{"name": name, "literal_type": INTEGER} for name in names]
    return {"structured_dataset_type": {"columns": listed}}


@pytest.mark.parametrize(
    ("upstream", "downstream", "fits"),
    [
        pytest.param(INTEGER, INTEGER, True, id="the same"),
        pytest.param(INTEGER, {"simple": "FLOAT"}, False, id="integer for float"),
        pytest.param({**INTEGER, "annotation": {"annotations": {"a": 1}}}, INTEGER, True, id="annotated"),
        pytest.param(STRING, enumeration("a"), True, id="string for enum"),
        pytest.param(enumeration("a"), STRING, True, id="enum for string"),
        pytest.param(collection(NONE), collection(INTEGER), True, id="empty list"),
        pytest.param(collection(STRING), collection(INTEGER), False, id="list of another type"),
        pytest.param({"map_value_type": NONE}, {"map_value_type": INTEGER}, True, id="empty map"),
        pytest.param(INTEGER, collection(INTEGER), False, id="element for list"),
        pytest.param({"blob": {"format": "csv"}}, {"blob": {}}, True, id="blob for any blob"),
        pytest.param({"blob": {"format": "csv"}}, {"blob": {"format": "png"}}, False, id="other format"),
        pytest.param(INTEGER, union(INTEGER, STRING), True, id="one variant"),
        pytest.param(union(INTEGER, NONE), union(INTEGER, STRING, NONE), True, id="narrower union"),
        pytest.param(union(INTEGER, STRING), union(INTEGER, NONE), False, id="wider union"),
        pytest.param(union(INTEGER), INTEGER, True, id="union of one"),
        pytest.param(collection(NONE), union(collection(INTEGER), collection(STRING)), False, id="ambiguous"),
        pytest.param(NONE, NONE, True, id="nothing"),
        pytest.param(INTEGER, NONE, False, id="something for nothing"),
        pytest.param(structure("a"), STRUCT, True, id="structure for any"),
        pytest.param(structure("a", "b"), structure("a"), True, id="child for parent"),
        pytest.param(structure("a"), structure("a", "b"), False, id="parent for child"),
        pytest.param(columns("a", "b"), columns("a"), True, id="more columns"),
        pytest.param(columns("a"), columns("b"), False, id="other columns"),
        pytest.param(NONE, columns("a"), True, id="nothing for a dataset"),
    ],
)
def test_one_type_may_stand_for_another(upstream: Json, downstream: Json, fits: bool) -> None:
    assert castable(ParseDict(upstream, LiteralType()), ParseDict(downstream, LiteralType())) is fits
