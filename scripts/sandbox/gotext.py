"""Values as Go prints and parses them, which is how Flyte hands values to containers as text.

Sources: the Go packages `fmt` (verb v), `strconv`, `time` (Duration.String, ParseDuration, RFC3339Nano)
and `encoding/json`, as propeller's templates and flytecopilot use them.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterator, Mapping, MutableSequence
from datetime import datetime, timezone
from decimal import Decimal
from typing import Any

from google.protobuf.descriptor import FieldDescriptor
from google.protobuf.duration_pb2 import Duration
from google.protobuf.message import Message
from google.protobuf.timestamp_pb2 import Timestamp

_SECOND = 1_000_000_000
_UNITS = {"ns": 1, "us": 1000, "µs": 1000, "μs": 1000, "ms": 10**6, "s": _SECOND, "m": 60 * _SECOND}
_UNITS["h"] = 60 * _UNITS["m"]
_PART = re.compile(r"(\d+(?:\.\d*)?|\.\d+)(ns|us|µs|μs|ms|s|m|h)")
_RFC3339 = re.compile(r"(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)(?:[.,](\d+))?(Z|[+-]\d\d:\d\d)")


def shown_float(value: float) -> str:
    """As `%v` shows a float64: the shortest digits, an exponent below 1e-4 and from 1e21 on."""
    if math.isnan(value) or math.isinf(value):
        return plain_float(value)
    if value and not 1e-4 <= abs(value) < 1e21:
        digits, _, exponent = repr(value).partition("e")
        return f"{digits.removesuffix('.0')}e{exponent}"
    return plain_float(value)


def plain_float(value: float) -> str:
    """As `strconv.FormatFloat(value, 'f', -1, 64)`: the shortest digits, never an exponent."""
    if math.isnan(value):
        return "NaN"
    if math.isinf(value):
        return "+Inf" if value > 0 else "-Inf"
    text = format(Decimal(repr(value)), "f")
    return text.rstrip("0").rstrip(".") if "." in text else text


def shown(value: object) -> str:
    """As `%v` shows what a message pack holds: `map[a:1 b:[x y]]`, with the keys in order."""
    if value is None:
        return "<nil>"
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, float):
        return shown_float(value)
    if isinstance(value, Mapping):
        pairs = sorted(value.items(), key=lambda pair: str(pair[0]))
        return f"map[{' '.join(f'{shown(key)}:{shown(item)}' for key, item in pairs)}]"
    if isinstance(value, list):
        return f"[{' '.join(map(shown, value))}]"
    if isinstance(value, bytes):
        return f"[{' '.join(map(str, value))}]"
    return str(value)


def timestamp_text(value: Timestamp) -> str:
    """RFC 3339 in UTC with as many digits of the second as it has."""
    moment = datetime.fromtimestamp(value.seconds, timezone.utc).strftime("%Y-%m-%dT%H:%M:%S")
    fraction = f"{value.nanos:09}".rstrip("0")
    return f"{moment}.{fraction}Z" if fraction else f"{moment}Z"


def parse_timestamp(text: str) -> Timestamp:
    """Read RFC 3339, with an offset or `Z`.

    Raises:
        ValueError: it is anything else.
    """
    match = _RFC3339.fullmatch(text)
    if match is None:
        raise ValueError(f'parsing time "{text}" as "2006-01-02T15:04:05Z07:00": cannot parse')
    moment = datetime.fromisoformat(match[1] + match[3].replace("Z", "+00:00"))
    nanos = int((match[2] or "0")[:9].ljust(9, "0"))
    return Timestamp(seconds=math.floor(moment.timestamp()), nanos=nanos)


def duration_text(value: Duration) -> str:
    """As Go's `Duration.String`: `1h0m0.5s`, `300ms`, `0s`."""
    nanos = value.seconds * _SECOND + value.nanos
    sign, nanos = ("-" if nanos < 0 else ""), abs(nanos)
    if nanos < _SECOND:
        if not nanos:
            return "0s"
        unit = "ms" if nanos >= _UNITS["ms"] else "µs" if nanos >= _UNITS["µs"] else "ns"
        return f"{sign}{_decimal(nanos, _UNITS[unit])}{unit}"
    minutes, rest = divmod(nanos, _UNITS["m"])
    hours, minutes = divmod(minutes, 60)
    head = f"{hours}h{minutes}m" if hours else f"{minutes}m" if minutes else ""
    return f"{sign}{head}{_decimal(rest, _SECOND)}s"


def parse_duration(text: str) -> Duration:
    """Read what Go's `time.ParseDuration` reads: `300ms`, `-1.5h`, `2h45m`, `0`.

    Raises:
        ValueError: it is anything else.
    """
    body = text[1:] if text[:1] in ("-", "+") else text
    nanos, end = Decimal(0), 0
    for part in _PART.finditer(body):
        if part.start() != end:
            break
        nanos, end = nanos + Decimal(part[1]) * _UNITS[part[2]], part.end()
    if body != "0" and (not body or end != len(body)):
        raise ValueError(f'time: invalid duration "{text}"')
    duration = Duration()
    duration.FromNanoseconds(int(-nanos if text.startswith("-") else nanos))
    return duration


def json_text(value: object) -> str:
    """As `encoding/json` writes it: keys in order, no spaces, `<`, `>` and `&` escaped."""
    text = json.dumps(_whole(value), sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    for character in "<>&":
        text = text.replace(character, f"\\u{ord(character):04x}")
    return text


def _whole(value: object) -> object:
    """Go writes the float 1.0 as `1`."""
    if isinstance(value, float) and value.is_integer() and abs(value) < 1e21:
        return int(value)
    if isinstance(value, Mapping):
        return {key: _whole(item) for key, item in value.items()}
    return [_whole(item) for item in value] if isinstance(value, list) else value


def _decimal(nanos: int, unit: int) -> str:
    whole, rest = divmod(nanos, unit)
    fraction = str(rest).zfill(len(str(unit)) - 1).rstrip("0")
    return f"{whole}.{fraction}" if fraction else str(whole)


def message_text(message: Message) -> str:
    """As `%v` shows a message: `resource_type:TASK project:"p"` on one line, the keys of maps in order.

    Go puts one space or two between fields, by the build of the server; this puts one.
    """
    return " ".join(_fields(message))


def _fields(message: Message) -> Iterator[str]:
    for field, value in message.ListFields():
        entry = field.message_type
        if entry is not None and entry.GetOptions().map_entry:
            names = entry.fields_by_name
            for key in sorted(value):
                pair = f"{_field(names['key'], key)} {_field(names['value'], value[key])}"
                yield f"{field.name}:{{{pair}}}"
        elif isinstance(value, MutableSequence):
            for item in value:
                yield _field(field, item)
        else:
            yield _field(field, value)


def _field(field: FieldDescriptor, value: Any) -> str:
    if field.type == FieldDescriptor.TYPE_MESSAGE:
        return f"{field.name}:{{{message_text(value)}}}"
    if field.type == FieldDescriptor.TYPE_ENUM:
        known = field.enum_type.values_by_number.get(value) if field.enum_type else None
        return f"{field.name}:{value if known is None else known.name}"
    if field.type == FieldDescriptor.TYPE_STRING:
        return f"{field.name}:{json.dumps(value, ensure_ascii=False)}"
    if field.type == FieldDescriptor.TYPE_BYTES:
        return f'{field.name}:"{value.decode("latin-1").encode("unicode_escape").decode()}"'
    return f"{field.name}:{shown(value)}"
