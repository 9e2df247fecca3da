"""The inputs of a node, put together from what the nodes before it have written.

Source: flytepropeller `controller/nodes/resolve.go`, `attr_path_resolver.go`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

import msgpack
from flyteidl.core.literals_pb2 import Binary, Binding, BindingData, Literal, LiteralMap
from flyteidl.core.types_pb2 import OutputReference, PromiseAttribute
from google.protobuf.json_format import MessageToDict, ParseDict
from google.protobuf.struct_pb2 import Struct

MSGPACK = "msgpack"
Outputs = Callable[[str], LiteralMap]


class BindingError(Exception):
    """A binding refers to something that is not there."""


def resolve(bindings: Iterable[Binding], outputs: Outputs) -> LiteralMap:
    """Return the literals that `bindings` stand for; `outputs` gives what a node has written.

    Raises:
        BindingError: an output, a key or an index does not exist.
    """
    inputs = LiteralMap()
    for binding in bindings:
        try:
            inputs.literals[binding.var].CopyFrom(_resolve(binding.binding, outputs))
        except BindingError as error:
            raise BindingError(f"Error binding Var [wf].[{binding.var}], caused by: {error}") from error
    return inputs


def _resolve(data: BindingData, outputs: Outputs) -> Literal:
    literal = Literal()
    kind = data.WhichOneof("value")
    if kind == "scalar":
        literal.scalar.CopyFrom(data.scalar)
    elif kind == "collection":
        literal.collection.SetInParent()
        literal.collection.literals.extend(_resolve(item, outputs) for item in data.collection.bindings)
    elif kind == "map":
        literal.map.SetInParent()
        for key, item in data.map.bindings.items():
            literal.map.literals[key].CopyFrom(_resolve(item, outputs))
    elif kind == "promise":
        return _promised(data.promise, outputs)
    return literal


def _promised(promise: OutputReference, outputs: Outputs) -> Literal:
    written = outputs(promise.node_id).literals
    if promise.var not in written:
        raise BindingError(f"Outputs not found at [{promise.node_id}].[{promise.var}]")
    return follow(written[promise.var], list(promise.attr_path))


def follow(literal: Literal, path: list[PromiseAttribute]) -> Literal:
    """Return the part of a literal that a path of keys and indices leads to, `o.a["b"][0]`.

    Raises:
        BindingError: the path leads nowhere.
    """
    while path and literal.WhichOneof("value") in ("map", "collection"):
        step, path = path[0], path[1:]
        if literal.WhichOneof("value") == "map":
            literal = _item(literal.map.literals, step.string_value)
        else:
            literal = _item(literal.collection.literals, step.int_value)
    if not path:
        return literal
    if literal.scalar.HasField("binary"):
        return _in_binary(literal.scalar.binary, path)
    if literal.scalar.HasField("generic"):
        value = MessageToDict(literal.scalar.generic)
        return _from_plain(_walk(value, path))
    return literal


def _item(container: Any, step: str | int) -> Any:
    if isinstance(step, str):
        if step not in container:
            raise BindingError(f"key [{step}] does not exist in literal {sorted(container)}")
    elif not 0 <= step < len(container):
        raise BindingError(f"index [{step}] is out of range of {len(container)} items")
    return container[step]


def _walk(value: Any, path: list[PromiseAttribute]) -> Any:
    for step in path:
        wanted = step.string_value if step.WhichOneof("value") == "string_value" else step.int_value
        if not isinstance(value, Mapping | list) or isinstance(wanted, str) != isinstance(value, Mapping):
            raise BindingError(f"unexpected attribute [{wanted}] for value {value}")
        value = _item(value, wanted)
    return value


def _in_binary(binary: Binary, path: list[PromiseAttribute]) -> Literal:
    if binary.tag != MSGPACK:
        raise BindingError(f"Unsupported format '{binary.tag}' found for literal value.")
    value = _walk(msgpack.unpackb(binary.value, strict_map_key=False), path)
    if isinstance(value, list):
        literal = Literal()
        literal.collection.SetInParent()
        literal.collection.literals.extend(_packed(item) for item in value)
        return literal
    return _primitive(value) or _packed(value)


def _packed(value: Any) -> Literal:
    literal = Literal()
    literal.scalar.binary.value, literal.scalar.binary.tag = msgpack.packb(value), MSGPACK
    return literal


def _primitive(value: Any) -> Literal | None:
    literal = Literal()
    for kind, field in ((bool, "boolean"), (int, "integer"), (float, "float_value"), (str, "string_value")):
        if isinstance(value, kind):
            setattr(literal.scalar.primitive, field, value)
            return literal
    return None


def _from_plain(value: Any) -> Literal:
    literal = Literal()
    if isinstance(value, Mapping):
        literal.scalar.generic.CopyFrom(ParseDict(dict(value), Struct()))
    elif isinstance(value, list):
        literal.collection.SetInParent()
        literal.collection.literals.extend(_from_plain(item) for item in value)
    elif value is None:
        literal.scalar.none_type.SetInParent()
    else:
        return _primitive(value) or literal
    return literal
