"""Fields of a request out of a URL: those of the path, and the query's.

Source: grpc-gateway `runtime/query.go`, `runtime/convert.go`. As there, a name in the query that the request
does not have is passed over, and one that the path has set already is too.
"""

from __future__ import annotations

import base64
import binascii
import json
import re
from collections.abc import Mapping, Sequence
from typing import Any, TypeAlias

from google.protobuf import json_format
from google.protobuf.descriptor import EnumDescriptor, FieldDescriptor
from google.protobuf.message import Message

from scripts.sandbox.errors import InvalidArgument

Kind: TypeAlias = Any
Field: TypeAlias = Any
"""A descriptor of a message and one of a field, of which protobuf's types know two classes each."""
_IN_BRACKETS = re.compile(r"(.*)\[(.*)\]")
_TRUE = frozenset({"1", "t", "T", "true", "TRUE", "True"})
_FALSE = frozenset({"0", "f", "F", "false", "FALSE", "False"})
_WHOLE = frozenset(
    {
        FieldDescriptor.CPPTYPE_INT32,
        FieldDescriptor.CPPTYPE_INT64,
        FieldDescriptor.CPPTYPE_UINT32,
        FieldDescriptor.CPPTYPE_UINT64,
    }
)
_BROKEN = frozenset({FieldDescriptor.CPPTYPE_FLOAT, FieldDescriptor.CPPTYPE_DOUBLE})
_FROM_TEXT = frozenset({"google.protobuf.Timestamp", "google.protobuf.Duration", "google.protobuf.FieldMask"})


def set_from_path(request: Message, values: Mapping[str, str]) -> None:
    """Set the fields that the path names.

    Raises:
        InvalidArgument: a value is not of its field's type.
    """
    for name, text in values.items():
        try:
            _set(request, name.split("."), [text])
        except ValueError as error:
            raise InvalidArgument(f"type mismatch, parameter: {name}, error: {error}") from error


def set_from_query(request: Message, pairs: Mapping[str, Sequence[str]], taken: Sequence[str]) -> None:
    """Set the fields that the query names, but for those in `taken`, which the path has set.

    Raises:
        InvalidArgument: a value is not of its field's type, or there are too many.
    """
    for key, given in pairs.items():
        entry = _IN_BRACKETS.fullmatch(key)
        name, values = (entry[1], [entry[2], *given]) if entry else (key, list(given))
        path = _proto_names(request.DESCRIPTOR, name.split("."))
        if not path or any(path[: len(other)] == other for other in (one.split(".") for one in taken)):
            continue
        try:
            _set(request, path, values)
        except ValueError as error:
            raise InvalidArgument(str(error)) from error


def _proto_names(kind: Kind, path: Sequence[str]) -> list[str]:
    """Return a path by the names of the protocol, whichever names it came with; empty for an unknown one."""
    names = []
    here: Kind | None = kind
    for name in path:
        field = (here.fields_by_name.get(name) or here.fields_by_camelcase_name.get(name)) if here else None
        if field is None:
            return []
        names.append(field.name)
        here = field.message_type
    return names


def _set(message: Message, path: Sequence[str], texts: Sequence[str]) -> None:
    """Set one field, however deep.

    Raises:
        ValueError: a value is not of the field's type.
    """
    first, rest = path[0], path[1:]
    field = message.DESCRIPTOR.fields_by_name[first]
    _check_choice(message, field)
    if rest:
        if field.message_type is None or field.is_repeated:
            raise ValueError(f'invalid path: "{first}" is not a message')
        inner = getattr(message, first)
        inner.SetInParent()
        _set(inner, rest, texts)
    elif field.message_type is not None and field.message_type.GetOptions().map_entry:
        _set_entry(getattr(message, first), field.message_type, texts)
    elif field.is_repeated:
        getattr(message, first).extend([_parsed(field, text) for text in texts])
    elif len(texts) > 1:
        raise ValueError(f'too many values for field "{first}": {", ".join(texts)}')
    elif field.message_type is not None:
        _set_message(getattr(message, first), field, texts[0])
    else:
        setattr(message, first, _parsed(field, texts[0]))


def _check_choice(message: Message, field: Field) -> None:
    if field.containing_oneof is None:
        return
    there = message.WhichOneof(field.containing_oneof.name)
    if there is not None and (field.message_type is None or there != field.name):
        raise ValueError(f'field already set for oneof "{field.containing_oneof.name}"')


def _set_entry(entries: Any, kind: Kind, texts: Sequence[str]) -> None:
    key, value = kind.fields_by_name["key"], kind.fields_by_name["value"]
    if len(texts) != 2 or value.message_type is not None:
        raise ValueError(f'a map takes one value for a key, not {len(texts) - 1}: "{texts[0]}"')
    entries[_parsed(key, texts[0])] = _parsed(value, texts[1])


def _set_message(message: Message, field: Field, text: str) -> None:
    kind = message.DESCRIPTOR.full_name
    if kind not in _FROM_TEXT:
        raise ValueError(f'unsupported message type "{kind}"')
    try:
        json_format.Parse(json.dumps(text), message)
    except json_format.ParseError as error:
        raise ValueError(f'parsing field "{field.name}": {error}') from error


def _parsed(field: Field, text: str) -> Any:
    """Return a text as the value of a field that is no message."""
    try:
        return _value(field, text)
    except (ValueError, OverflowError) as error:
        raise ValueError(f'parsing field "{field.name}": parsing "{text}": invalid syntax') from error


def _value(field: Field, text: str) -> Any:
    if field.type == FieldDescriptor.TYPE_BYTES:
        return _bytes(text)
    if field.enum_type is not None:
        return _member(field.enum_type, text)
    kind = field.cpp_type
    if kind == FieldDescriptor.CPPTYPE_BOOL:
        if text not in _TRUE | _FALSE:
            raise ValueError(text)
        return text in _TRUE
    if kind in _WHOLE:
        return _whole(
            text,
            wide=kind in (FieldDescriptor.CPPTYPE_INT64, FieldDescriptor.CPPTYPE_UINT64),
            signed=kind in (FieldDescriptor.CPPTYPE_INT32, FieldDescriptor.CPPTYPE_INT64),
        )
    if kind in _BROKEN:
        return float(text)
    return text


def _member(kind: EnumDescriptor, text: str) -> int:
    named = kind.values_by_name.get(text)
    number = named.number if named else int(text)
    if number not in kind.values_by_number:
        raise ValueError(text)
    return number


def _whole(text: str, *, wide: bool, signed: bool) -> int:
    if re.fullmatch(r"[-+]?[0-9]+" if signed else r"[0-9]+", text) is None:
        raise ValueError(text)
    bits = (64 if wide else 32) - (1 if signed else 0)
    if not (-(1 << bits) if signed else 0) <= int(text) < 1 << bits:
        raise ValueError(text)
    return int(text)


def _bytes(text: str) -> bytes:
    try:
        return base64.b64decode(text.replace("-", "+").replace("_", "/"), validate=True)
    except binascii.Error as error:
        raise ValueError(text) from error
