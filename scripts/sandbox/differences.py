"""How flyteadmin shows that a version exists with another structure: values that differ, old and new.

Source: flyteadmin `pkg/errors/errors.go` (compareJsons), wI2L/jsondiff, and Go's `encoding/json` on
generated messages, which is what is compared there: enumerations are numbers, a oneof is an object named
in Go's way.
"""

from __future__ import annotations

import base64
from collections.abc import Iterator, Mapping, MutableSequence
from typing import Any

from google.protobuf.descriptor import FieldDescriptor
from google.protobuf.message import Message

from scripts.sandbox.gotext import shown


def differences(old: Message, new: Message) -> str:
    """Return one entry for each place that is replaced, comes or goes: its path, what was and what is.

    Elements by which a list grew or shrank are left out, as there: they have no path in common.
    """
    places = _compare("", _as_go(old), _as_go(new))
    return "\n".join(f"{path}:\n\t- {shown(was)} \n\t+ {shown(now)}" for path, was, now in places)


def _compare(path: str, old: object, new: object) -> Iterator[tuple[str, object, object]]:
    if isinstance(old, Mapping) and isinstance(new, Mapping):
        for name in sorted({*old, *new}):
            step = f"{path}/{name.replace('~', '~0').replace('/', '~1')}"
            if name in old and name in new:
                yield from _compare(step, old[name], new[name])
            else:
                yield step, old.get(name), new.get(name)
    elif isinstance(old, list) and isinstance(new, list):
        for number, (was, now) in enumerate(zip(old, new, strict=False)):
            yield from _compare(f"{path}/{number}", was, now)
    elif old != new or isinstance(old, bool) is not isinstance(new, bool):
        yield path, old, new


def _as_go(message: Message) -> dict[str, object]:
    """Return a message as `encoding/json` of Go writes the struct that stands for it."""
    result: dict[str, object] = {}
    for oneof in message.DESCRIPTOR.oneofs:
        if not _is_synthetic(oneof):
            name = message.WhichOneof(oneof.name)
            chosen = None if name is None else message.DESCRIPTOR.fields_by_name[name]
            result[_camel(oneof.name)] = (
                None
                if chosen is None
                else {_camel(chosen.name): _value(chosen, getattr(message, chosen.name))}
            )
    for field, value in message.ListFields():
        if field.containing_oneof is None or _is_synthetic(field.containing_oneof):
            result[field.name] = _field(field, value)
    return result


def _is_synthetic(oneof: Any) -> bool:
    return len(oneof.fields) == 1 and oneof.name == f"_{oneof.fields[0].name}"


def _field(field: Any, value: Any) -> object:
    entry = field.message_type
    if entry is not None and entry.GetOptions().map_entry:
        inner = entry.fields_by_name["value"]
        return {str(key): _value(inner, value[key]) for key in value}
    if isinstance(value, MutableSequence):
        return [_value(field, item) for item in value]
    return _value(field, value)


def _value(field: Any, value: Any) -> object:
    if field.type == FieldDescriptor.TYPE_MESSAGE:
        return _as_go(value)
    if isinstance(value, bytes):
        return base64.b64encode(value).decode()
    if isinstance(value, (bool, str)):
        return value
    return float(value)


def _camel(name: str) -> str:
    """Return a name as protoc-gen-go makes it Go's: `k8s_pod` becomes `K8SPod`."""
    result, up = "", True
    for letter in name:
        if letter == "_":
            up = True
        else:
            result += letter.upper() if up else letter
            up = letter.isdigit()
    return result
