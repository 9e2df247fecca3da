"""Flyte's literal types, in words for people and compared as callers feel them; all pure."""

from __future__ import annotations

from flyteidl.core.types_pb2 import LiteralType, SimpleType

_SIMPLE = {
    SimpleType.NONE: "none",
    SimpleType.INTEGER: "int",
    SimpleType.FLOAT: "float",
    SimpleType.STRING: "str",
    SimpleType.BOOLEAN: "bool",
    SimpleType.DATETIME: "datetime",
    SimpleType.DURATION: "timedelta",
    SimpleType.BINARY: "binary",
    SimpleType.ERROR: "error",
}


def type_name(kind: LiteralType) -> str:
    """Return a type as a Python author would write it: `list[int]`, `Color(red, blue)`, `file`."""
    chosen = kind.WhichOneof("type")
    if chosen == "simple":
        return _title(kind) if kind.simple == SimpleType.STRUCT else _SIMPLE.get(kind.simple, "unknown")
    if chosen == "collection_type":
        return f"list[{type_name(kind.collection_type)}]"
    if chosen == "map_value_type":
        return f"dict[str, {type_name(kind.map_value_type)}]"
    if chosen == "union_type":
        return " | ".join(type_name(one) for one in kind.union_type.variants)
    if chosen == "enum_type":
        return f"enum({', '.join(kind.enum_type.values)})"
    if chosen == "blob":
        folder = kind.blob.dimensionality == kind.blob.MULTIPART
        return f"{'directory' if folder else 'file'}{f'[{kind.blob.format}]' if kind.blob.format else ''}"
    return {"structured_dataset_type": "dataframe", "schema": "schema"}.get(chosen or "", "unknown")


def _title(kind: LiteralType) -> str:
    """Return a structure's name from its JSON Schema, and its fields, since these make it what it is."""
    schema = kind.metadata.fields
    title = schema["title"].string_value if "title" in schema else "dict"
    fields = sorted(kind.structure.dataclass_type)
    inner = ", ".join(f"{name}: {type_name(kind.structure.dataclass_type[name])}" for name in fields)
    return f"{title}({inner})" if inner else title


def same(one: LiteralType, other: LiteralType) -> bool:
    """Whether two types are the same to a caller; annotations, such as cache keys' format, are not."""
    return bool(one == other or _bare(one) == _bare(other))


def widened(old: LiteralType, new: LiteralType) -> bool:
    """Whether everything of type `old` is also of type `new`: a union that has it among its variants."""
    olds = old.union_type.variants if old.HasField("union_type") else [old]
    news = new.union_type.variants if new.HasField("union_type") else [new]
    if old.HasField("enum_type") and new.HasField("enum_type"):
        return set(old.enum_type.values) <= set(new.enum_type.values)
    return all(any(same(one, other) for other in news) for one in olds)


def _bare(kind: LiteralType) -> LiteralType:
    copy = LiteralType()
    copy.CopyFrom(kind)
    for part in _parts(copy):
        part.ClearField("annotation")
        # The tag says which of flytekit's transformers wrote the type.
        part.structure.ClearField("tag")
        if not part.structure.dataclass_type:
            part.ClearField("structure")
    return copy


def _parts(kind: LiteralType) -> list[LiteralType]:
    inner = []
    if kind.HasField("collection_type"):
        inner = [kind.collection_type]
    elif kind.HasField("map_value_type"):
        inner = [kind.map_value_type]
    elif kind.HasField("union_type"):
        inner = list(kind.union_type.variants)
    return [kind, *(part for one in inner for part in _parts(one))]
