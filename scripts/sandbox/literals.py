"""Types of literals, and which type may stand where another is expected.

Source: propeller `compiler/validators/utils.go` (LiteralTypeForLiteral) and `typing.go` (AreTypesCastable).
"""

from __future__ import annotations

from collections.abc import Iterable

from flyteidl.core.literals_pb2 import Literal, Primitive, Scalar
from flyteidl.core.types_pb2 import (
    BINARY,
    BOOLEAN,
    DATETIME,
    DURATION,
    ERROR,
    FLOAT,
    INTEGER,
    NONE,
    STRING,
    STRUCT,
    LiteralType,
    SchemaType,
    SimpleType,
    StructuredDatasetType,
)

from scripts.sandbox.errors import InvalidArgument
from scripts.sandbox.gotext import message_text
from scripts.sandbox.json_schemas import accepts

_PRIMITIVES = {
    "integer": INTEGER,
    "float_value": FLOAT,
    "string_value": STRING,
    "boolean": BOOLEAN,
    "datetime": DATETIME,
    "duration": DURATION,
    None: NONE,
}
_COLUMNS = {
    SchemaType.SchemaColumn.INTEGER: INTEGER,
    SchemaType.SchemaColumn.FLOAT: FLOAT,
    SchemaType.SchemaColumn.STRING: STRING,
    SchemaType.SchemaColumn.BOOLEAN: BOOLEAN,
    SchemaType.SchemaColumn.DATETIME: DATETIME,
    SchemaType.SchemaColumn.DURATION: DURATION,
}
_UNKNOWN = (
    "got unknown literal type: [<nil>].\n"
    "Suggested solution: Please update all your Flyte deployment images to the latest version and try again"
)


def literal_type(literal: Literal) -> LiteralType:
    """Return the type that a literal shows.

    Raises:
        InvalidArgument: it holds no value, or one that nobody knows.
    """
    kind = literal.WhichOneof("value")
    if kind == "scalar":
        return scalar_type(literal.scalar)
    if kind == "collection":
        return LiteralType(collection_type=_element_type(literal.collection.literals))
    if kind == "map":
        return LiteralType(map_value_type=_element_type(literal.map.literals.values()))
    if kind == "offloaded_metadata" and literal.offloaded_metadata.HasField("inferred_type"):
        inferred: LiteralType = literal.offloaded_metadata.inferred_type
        return inferred
    raise InvalidArgument(_UNKNOWN)


def named_type(name: str, literal: Literal) -> LiteralType:
    """Return the type of the literal that goes by `name`.

    Raises:
        InvalidArgument: as `literal_type`, with the name, in flyteadmin's words.
    """
    try:
        return literal_type(literal)
    except InvalidArgument as error:
        raise InvalidArgument(
            f"Failed to validate literal type for [{name}] with err: {error.message}"
        ) from error


def scalar_type(scalar: Scalar) -> LiteralType:
    """Return the type that a scalar shows.

    Raises:
        InvalidArgument: it holds no value, or a blob without metadata.
    """
    kind = scalar.WhichOneof("value")
    if kind == "primitive":
        return LiteralType(simple=primitive_type(scalar.primitive))
    if kind == "blob" and scalar.blob.HasField("metadata"):
        return LiteralType(blob=scalar.blob.metadata.type)
    if kind == "binary":
        return LiteralType(simple=STRUCT if scalar.binary.tag == "msgpack" else BINARY)
    if kind == "schema":
        return LiteralType(schema=scalar.schema.type)
    if kind == "structured_dataset":
        return LiteralType(structured_dataset_type=scalar.structured_dataset.metadata.structured_dataset_type)
    if kind == "union":
        return LiteralType(union_type={"variants": [scalar.union.type]})
    simple = {"none_type": NONE, "error": ERROR, "generic": STRUCT}.get(kind)
    if simple is None:
        raise InvalidArgument(_UNKNOWN)
    return LiteralType(simple=simple)


def primitive_type(primitive: Primitive) -> SimpleType.ValueType:
    """Return the type of a primitive; NONE where it holds nothing."""
    return _PRIMITIVES[primitive.WhichOneof("value")]


def castable(upstream: LiteralType, downstream: LiteralType) -> bool:
    """Whether a value of type `upstream` may go where `downstream` is expected."""
    variants = upstream.union_type.variants
    if len(variants) == 1 and _casts(variants[0], downstream):
        return True
    return _casts(upstream, downstream)


def _element_type(literals: Iterable[Literal]) -> LiteralType:
    """Return the one type of all, or their union; empty lists count only where nothing else is."""
    kinds: dict[str, LiteralType] = {}
    empty: LiteralType | None = None
    for literal in literals:
        kind = literal_type(literal)
        if literal.WhichOneof("value") == "collection" and not literal.collection.literals:
            empty = kind
        else:
            kinds.setdefault(message_text(kind), kind)
    if not kinds:
        return empty if empty is not None else LiteralType(simple=NONE)
    return _union([kinds[key] for key in sorted(kinds)]) if len(kinds) > 1 else next(iter(kinds.values()))


def _union(kinds: list[LiteralType]) -> LiteralType:
    variants: list[LiteralType] = []
    nested = False
    for kind in kinds:
        inner = kind.collection_type
        if inner.HasField("union_type"):
            nested = True
            variants.extend(inner.union_type.variants)
        else:
            variants.append(kind)
    union = LiteralType(union_type={"variants": variants})
    return LiteralType(collection_type=union) if nested else union


def _casts(upstream: LiteralType, downstream: LiteralType) -> bool:
    kind = downstream.WhichOneof("type")
    if kind == "collection_type":
        return _element_casts(upstream, downstream, "collection_type")
    if kind == "map_value_type":
        return _element_casts(upstream, downstream, "map_value_type")
    if kind == "blob":
        formats = upstream.blob.format, downstream.blob.format
        return bool(upstream.HasField("blob")) and ("" in formats or formats[0] == formats[1])
    if kind == "schema":
        return _schema_casts(upstream, downstream.schema)
    if kind == "union_type":
        return _union_casts(upstream, downstream)
    if kind == "structured_dataset_type":
        return _dataset_casts(upstream, downstream.structured_dataset_type)
    return _is_none(upstream) if _is_none(downstream) else _plain_casts(upstream, downstream)


def _is_none(kind: LiteralType) -> bool:
    return bool(kind.WhichOneof("type") == "simple" and kind.simple == NONE)


def _element_casts(upstream: LiteralType, downstream: LiteralType, field: str) -> bool:
    if not upstream.HasField(field):
        return False
    inner: LiteralType = getattr(upstream, field)
    return _is_none(inner) or _casts(inner, getattr(downstream, field))


def _union_casts(upstream: LiteralType, downstream: LiteralType) -> bool:
    """A union fits if each of its variants does; anything else, if it fits exactly one variant."""
    wanted = downstream.union_type.variants
    if upstream.HasField("union_type"):
        return all(any(castable(one, other) for other in wanted) for one in upstream.union_type.variants)
    return sum(castable(upstream, variant) for variant in wanted) == 1


def _plain_casts(upstream: LiteralType, downstream: LiteralType) -> bool:
    # An enumeration is a string with fewer values, so either may stand for the other.
    if upstream.HasField("enum_type") and downstream.simple == STRING:
        return True
    if downstream.HasField("enum_type") and upstream.simple == STRING:
        return True
    if upstream.structure.tag and upstream.structure.tag != downstream.structure.tag:
        return False
    if upstream.simple == STRUCT and downstream.simple == STRUCT:
        if not upstream.HasField("metadata") or not downstream.HasField("metadata"):
            return True
        return accepts(downstream.metadata, upstream.metadata)
    return bool(_bare(upstream) == _bare(downstream))


def _bare(kind: LiteralType) -> LiteralType:
    bare = LiteralType()
    bare.CopyFrom(kind)
    for field in ("structure", "annotation", "metadata"):
        bare.ClearField(field)
    return bare


def _schema_casts(upstream: LiteralType, downstream: SchemaType) -> bool:
    wanted = {column.name: _COLUMNS[column.type] for column in downstream.columns}
    if upstream.HasField("schema"):
        return _columns_cast({c.name: _COLUMNS[c.type] for c in upstream.schema.columns}, wanted)
    given = upstream.structured_dataset_type
    if not upstream.HasField("structured_dataset_type") or given.format.lower() not in ("", "parquet"):
        return False
    return _columns_cast({c.name: c.literal_type.simple for c in given.columns}, wanted)


def _dataset_casts(upstream: LiteralType, downstream: StructuredDatasetType) -> bool:
    if _is_none(upstream):
        return True
    if upstream.HasField("schema"):
        if downstream.format.lower() not in ("", "parquet"):
            return False
        return _columns_cast(
            {column.name: _COLUMNS[column.type] for column in upstream.schema.columns},
            {column.name: column.literal_type.simple for column in downstream.columns},
        )
    if not upstream.HasField("structured_dataset_type"):
        return False
    given = upstream.structured_dataset_type
    formats = given.format.lower(), downstream.format.lower()
    if "" not in formats and formats[0] != formats[1]:
        return False
    kinds = {column.name: column.literal_type for column in given.columns}
    return (
        not given.columns
        or not downstream.columns
        or all(c.name in kinds and _casts(kinds[c.name], c.literal_type) for c in downstream.columns)
    )


def _columns_cast(given: dict[str, int], wanted: dict[str, int]) -> bool:
    """No columns at all fit any; else those wanted must be there, with the same type."""
    return not given or not wanted or wanted.items() <= given.items()
