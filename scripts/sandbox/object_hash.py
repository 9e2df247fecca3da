"""The hash that Flyte gives to a message: objecthash over its JSON form.

Source: flytestdlib `pbhash/pbhash.go`, benlaurie/objecthash `go/objecthash/objecthash.go`. Keys of cached
results are made of it, so it has to be exact.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Mapping, Sequence
from typing import TypeAlias

from google.protobuf.json_format import MessageToDict
from google.protobuf.message import Message

Json: TypeAlias = "bool | int | float | str | Sequence[Json] | Mapping[str, Json] | None"


def message_hash(message: Message) -> bytes:
    """Return the hash of a message, 32 bytes; fields without a value do not count."""
    return json_hash(MessageToDict(message))


def json_hash(value: Json) -> bytes:
    """Return the hash of a JSON value, 32 bytes; of numbers only their value counts, not their type."""
    if value is None:
        return _tagged("n", b"")
    if isinstance(value, bool):
        return _tagged("b", b"1" if value else b"0")
    if isinstance(value, str):
        return _tagged("u", value.encode())
    if isinstance(value, (int, float)):
        return _tagged("f", _normal(float(value)).encode())
    if isinstance(value, Mapping):
        pairs = sorted(json_hash(key) + json_hash(item) for key, item in value.items())
        return _tagged("d", b"".join(pairs))
    return _tagged("l", b"".join(json_hash(item) for item in value))


def _tagged(tag: str, data: bytes) -> bytes:
    return hashlib.sha256(tag.encode() + data).digest()


def _normal(number: float) -> str:
    """Write a number as sign, exponent and the bits of a mantissa that is above one half and at most one."""
    if number == 0:
        return "+0:"
    mantissa, exponent = math.frexp(abs(number))
    if mantissa == 0.5:
        mantissa, exponent = 1.0, exponent - 1
    bits = []
    while mantissa:
        bits.append("1" if mantissa >= 1 else "0")
        mantissa = (mantissa - 1 if mantissa >= 1 else mantissa) * 2
    return f"{'-' if number < 0 else '+'}{exponent}:{''.join(bits)}"
