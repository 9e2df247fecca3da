"""Whether one JSON schema takes what another describes; dataclasses and models carry theirs in their type."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from google.protobuf.json_format import MessageToDict
from google.protobuf.struct_pb2 import Struct

Schema = Mapping[str, Any]


def accepts(target: Struct, source: Struct) -> bool:
    """Whether whatever `source` describes is valid under `target`: the same, or a child for its parent.

    Source: propeller `validators/typing.go`, `isSameTypeInJSON` and `isSuperTypeInJSON`; like there,
    `additionalProperties` and whatever else a comparison does not know is passed over.
    """
    wanted, given = MessageToDict(target), MessageToDict(source)
    return wanted == given or _Comparison(wanted, given).accepts(wanted, given)


class _Comparison:
    """Two documents and the pairs of schemas that are being compared, for schemas may refer to themselves."""

    def __init__(self, wanted: Schema, given: Schema) -> None:
        self._documents = wanted, given
        self._open: set[tuple[int, int]] = set()

    def accepts(self, wanted: Schema, given: Schema) -> bool:
        wanted, given = _resolved(self._documents[0], wanted), _resolved(self._documents[1], given)
        pair = id(wanted), id(given)
        if pair in self._open:
            return True
        self._open.add(pair)
        try:
            return self._options(wanted, given)
        finally:
            self._open.discard(pair)

    def _options(self, wanted: Schema, given: Schema) -> bool:
        if "anyOf" in wanted or "anyOf" in given:
            offered = given.get("anyOf", [given])
            allowed = wanted.get("anyOf", [wanted])
            return all(any(self.accepts(one, other) for one in allowed) for other in offered)
        if not _types(given) <= _types(wanted) | ({"integer"} if "number" in _types(wanted) else set()):
            return False
        if "enum" in wanted and not _among(given.get("enum"), wanted["enum"]):
            return False
        if "items" in wanted and isinstance(given.get("items"), Mapping):
            return self.accepts(wanted["items"], given["items"])
        return self._properties(wanted, given)

    def _properties(self, wanted: Schema, given: Schema) -> bool:
        offered = given.get("properties", {})
        if not set(wanted.get("required", ())) <= set(given.get("required", ())):
            return False
        return all(
            name in offered and self.accepts(schema, offered[name])
            for name, schema in wanted.get("properties", {}).items()
        )


def _types(schema: Schema) -> set[str]:
    kinds = schema.get("type", ())
    return {kinds} if isinstance(kinds, str) else set(kinds)


def _among(given: list[object] | None, wanted: list[object]) -> bool:
    return given is not None and all(value in wanted for value in given)


def _resolved(document: Schema, schema: Schema) -> Schema:
    """Follow `$ref` within the document; one that leads nowhere is what it is."""
    seen = 0
    while isinstance(schema.get("$ref"), str) and seen < 32:
        found: Any = document
        for part in schema["$ref"].removeprefix("#").strip("/").split("/"):
            found = found.get(part) if isinstance(found, Mapping) else None
        if not isinstance(found, Mapping):
            return schema
        schema, seen = found, seen + 1
    return schema
