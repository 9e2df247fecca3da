"""Between plain values, as a policy has them, and Flyte literals of exactly the type asked for; pure."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from datetime import datetime, timedelta, timezone
from typing import TypeAlias

import msgpack
from flyteidl.core.literals_pb2 import Literal, Primitive, Scalar
from flyteidl.core.types_pb2 import LiteralType, SimpleType
from google.protobuf.json_format import MessageToDict

from tasks._literal_types import type_name

Value: TypeAlias = "bool | int | float | str | list[Value] | dict[str, Value] | None"

_DURATION = re.compile(r"(?:(\d+)d)?(?:(\d+)h)?(?:(\d+)m)?(?:(\d+(?:\.\d+)?)s)?")
_MSGPACK = "msgpack"


class Mismatch(ValueError):
    """A value is not of the type that an input has; the text says which, where and what would be."""


def to_literal(value: Value, kind: LiteralType, where: str) -> Literal:
    """Return `value` as a literal of exactly type `kind`; `where` names it in an error, such as `rows`.

    A whole number is given to a float, and text to a date (ISO 8601; UTC where it says no zone), a duration
    (`1h30m`, or seconds as a number), an enum, a file or folder (its URI). A table becomes a dataclass or
    dict the way flytekit sends one: MessagePack where the type says so, else a Struct.

    Raises:
        Mismatch: it is of another type.
    """
    chosen = kind.WhichOneof("type")
    if chosen == "collection_type":
        items = _items(value, kind, where)
        inner = [to_literal(one, kind.collection_type, f"{where}[{at}]") for at, one in enumerate(items)]
        literal = Literal()
        literal.collection.literals.extend(inner)
        literal.collection.SetInParent()
        return literal
    if chosen == "map_value_type":
        literal = Literal()
        literal.map.SetInParent()
        for key, one in _table(value, kind, where).items():
            literal.map.literals[key].CopyFrom(to_literal(one, kind.map_value_type, f"{where}.{key}"))
        return literal
    if chosen == "union_type":
        return _variant(value, kind, where)
    return Literal(scalar=_scalar(value, kind, where))


def to_value(literal: Literal) -> Value:
    """Return a literal as a plain value: dates as ISO 8601, durations in seconds, files as their URI."""
    chosen = literal.WhichOneof("value")
    if chosen == "collection":
        return [to_value(one) for one in literal.collection.literals]
    if chosen == "map":
        return {key: to_value(one) for key, one in sorted(literal.map.literals.items())}
    if chosen == "offloaded_metadata":
        return str(literal.offloaded_metadata.uri)
    return _scalar_value(literal.scalar)


def _scalar(value: Value, kind: LiteralType, where: str) -> Scalar:
    plain = _plain(value, kind, where)
    chosen = kind.WhichOneof("type")
    scalar = Scalar()
    if chosen == "blob":
        scalar.blob.uri = str(plain)
        scalar.blob.metadata.type.CopyFrom(kind.blob)
    elif chosen == "structured_dataset_type":
        scalar.structured_dataset.uri = str(plain)
        scalar.structured_dataset.metadata.structured_dataset_type.CopyFrom(kind.structured_dataset_type)
    elif chosen == "enum_type":
        scalar.primitive.string_value = str(plain)
    elif kind.simple == SimpleType.NONE:
        scalar.none_type.SetInParent()
    elif kind.simple == SimpleType.STRUCT and _packed(kind):
        scalar.binary.value, scalar.binary.tag = msgpack.packb(plain), _MSGPACK
    elif kind.simple == SimpleType.STRUCT:
        scalar.generic.update(plain)
    else:
        scalar.primitive.CopyFrom(_primitive(plain, kind))
    return scalar


def _primitive(plain: Value, kind: LiteralType) -> Primitive:
    primitive = Primitive()
    if kind.simple == SimpleType.DATETIME:
        primitive.datetime.FromDatetime(datetime.fromisoformat(str(plain)))
    elif kind.simple == SimpleType.DURATION:
        primitive.duration.FromTimedelta(timedelta(seconds=float(str(plain))))
    else:
        setattr(primitive, _PRIMITIVES[kind.simple], plain)
    return primitive


_PRIMITIVES = {
    SimpleType.INTEGER: "integer",
    SimpleType.FLOAT: "float_value",
    SimpleType.STRING: "string_value",
    SimpleType.BOOLEAN: "boolean",
}


def _packed(kind: LiteralType) -> bool:
    """Whether a structure travels as MessagePack, as flytekit writes it since 1.14, and says so."""
    said = MessageToDict(kind.annotation.annotations).get("cache-key-metadata", {})
    return bool(said.get("serialization-format") == _MSGPACK)


def _plain(value: Value, kind: LiteralType, where: str) -> Value:
    """Return `value` in the form that a field of type `kind` has inside a structure."""
    chosen = kind.WhichOneof("type")
    if chosen == "collection_type":
        items = _items(value, kind, where)
        return [_plain(one, kind.collection_type, f"{where}[{at}]") for at, one in enumerate(items)]
    if chosen == "map_value_type":
        table = _table(value, kind, where)
        return {key: _plain(one, kind.map_value_type, f"{where}.{key}") for key, one in table.items()}
    if chosen == "union_type":
        return _fitting(value, kind, where)[1]
    if chosen == "enum_type":
        if not isinstance(value, str) or value not in kind.enum_type.values:
            raise _mismatch(value, kind, where)
        return value
    if chosen in ("blob", "structured_dataset_type"):
        return _uri(value, kind, where)
    reader = _SIMPLE.get(kind.simple) if chosen == "simple" else None
    if reader is None:
        raise Mismatch(f"{where} is of type {type_name(kind)}, which cannot be given as a value.")
    return reader(value, kind, where)


def _exactly(*types: type) -> Callable[[Value, LiteralType, str], Value]:
    def read(value: Value, kind: LiteralType, where: str) -> Value:
        if type(value) not in types:
            raise _mismatch(value, kind, where)
        return value

    return read


def _float(value: Value, kind: LiteralType, where: str) -> Value:
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        raise _mismatch(value, kind, where)
    return float(value)


def _date(value: Value, kind: LiteralType, where: str) -> Value:
    try:
        moment = datetime.fromisoformat(str(value).replace("Z", "+00:00"))
    except ValueError as error:
        raise _mismatch(value, kind, where, "such as 2026-01-31T08:00:00Z") from error
    return (moment if moment.tzinfo else moment.replace(tzinfo=timezone.utc)).isoformat()


def _duration(value: Value, kind: LiteralType, where: str) -> Value:
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        return float(value)
    form = _DURATION.fullmatch(value) if isinstance(value, str) and value else None
    if not form:
        raise _mismatch(value, kind, where, "such as 1h30m, or a number of seconds")
    days, hours, minutes, seconds = (float(part or 0) for part in form.groups())
    return ((days * 24 + hours) * 60 + minutes) * 60 + seconds


def _structure(value: Value, kind: LiteralType, where: str) -> Value:
    table = _table(value, kind, where)
    fields = kind.structure.dataclass_type
    if not fields:
        return table
    unknown = sorted(table.keys() - set(fields))
    if unknown:
        raise Mismatch(f"{where} has no field {', '.join(unknown)}; it has {', '.join(sorted(fields))}.")
    schema = kind.metadata.fields
    listed = schema["required"].list_value.values if "required" in schema else []
    required = {one.string_value for one in listed}
    missing = sorted(required - table.keys())
    if missing:
        raise Mismatch(f"{where} lacks its required field {', '.join(missing)}.")
    plain = {key: _plain(one, fields[key], f"{where}.{key}") for key, one in table.items()}
    # flytekit keeps a file inside a dataclass as a table of its path.
    return {key: {"path": one} if fields[key].HasField("blob") else one for key, one in plain.items()}


_SIMPLE: Mapping[int, Callable[[Value, LiteralType, str], Value]] = {
    SimpleType.INTEGER: _exactly(int),
    SimpleType.FLOAT: _float,
    SimpleType.STRING: _exactly(str),
    SimpleType.BOOLEAN: _exactly(bool),
    SimpleType.NONE: _exactly(type(None)),
    SimpleType.DATETIME: _date,
    SimpleType.DURATION: _duration,
    SimpleType.STRUCT: _structure,
}


def _variant(value: Value, kind: LiteralType, where: str) -> Literal:
    variant = _fitting(value, kind, where)[0]
    literal = Literal()
    literal.scalar.union.value.CopyFrom(to_literal(value, variant, where))
    literal.scalar.union.type.CopyFrom(variant)
    return literal


def _fitting(value: Value, kind: LiteralType, where: str) -> tuple[LiteralType, Value]:
    """Return the first variant of a union that takes a value; one that takes it unchanged goes first."""
    fitting = []
    for variant in kind.union_type.variants:
        try:
            fitting.append((variant, _plain(value, variant, where)))
        except Mismatch:
            continue
    if not fitting:
        raise _mismatch(value, kind, where)
    return next((one for one in fitting if type(one[1]) is type(value) and one[1] == value), fitting[0])


def _items(value: Value, kind: LiteralType, where: str) -> list[Value]:
    if not isinstance(value, list):
        raise _mismatch(value, kind, where)
    return value


def _table(value: Value, kind: LiteralType, where: str) -> dict[str, Value]:
    if not isinstance(value, dict):
        raise _mismatch(value, kind, where)
    return value


def _uri(value: Value, kind: LiteralType, where: str) -> str:
    if not isinstance(value, str) or "://" not in value:
        raise _mismatch(value, kind, where, "by its URI, such as s3://bucket/data.csv")
    return value


def _mismatch(value: Value, kind: LiteralType, where: str, hint: str = "") -> Mismatch:
    wanted = f"{type_name(kind)}{f', {hint}' if hint else ''}"
    return Mismatch(f"{where} has to be {wanted}, and is {value!r:.100}.")


def _scalar_value(scalar: Scalar) -> Value:
    chosen = scalar.WhichOneof("value")
    if chosen == "primitive":
        return _primitive_value(scalar.primitive)
    if chosen == "union":
        return to_value(scalar.union.value)
    if chosen in ("blob", "structured_dataset", "schema"):
        return str(getattr(scalar, chosen).uri)
    if chosen == "binary" and scalar.binary.tag == _MSGPACK:
        value: Value = msgpack.unpackb(scalar.binary.value, strict_map_key=False)
        return value
    if chosen == "generic":
        table: Value = MessageToDict(scalar.generic)
        return table
    if chosen == "error":
        return str(scalar.error.message)
    return None


def _primitive_value(primitive: Primitive) -> Value:
    chosen = primitive.WhichOneof("value")
    if chosen == "datetime":
        return str(primitive.datetime.ToDatetime(tzinfo=timezone.utc).isoformat())
    if chosen == "duration":
        return float(primitive.duration.ToTimedelta().total_seconds())
    value: Value = getattr(primitive, chosen) if chosen else None
    return value
