"""Schedules of launch plans as text: what the scheduler's cron parser makes of them.

Source: robfig/cron v3 `parser.go` (ParseStandard): five fields, or one of the descriptors.
"""

from __future__ import annotations

import re
import zoneinfo
from dataclasses import dataclass, field
from datetime import timezone, tzinfo

from scripts.sandbox.gotext import parse_duration

_DESCRIPTORS = {
    "@yearly": "0 0 1 1 *",
    "@annually": "0 0 1 1 *",
    "@monthly": "0 0 1 * *",
    "@weekly": "0 0 * * 0",
    "@daily": "0 0 * * *",
    "@midnight": "0 0 * * *",
    "@hourly": "0 * * * *",
}
_MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
_DAYS = ("sun", "mon", "tue", "wed", "thu", "fri", "sat")


class BadCron(ValueError):
    """An expression is no schedule; the message is the parser's own."""


@dataclass(frozen=True, kw_only=True)
class Cron:
    """The minutes of a time zone that five fields name, each with the values it allows.

    Sunday is weekday 0. Where one of `days` and `weekdays` is any (`*`, `?`), the other decides; where both
    are limited, a day that fits either is meant.
    """

    minutes: frozenset[int]
    hours: frozenset[int]
    days: frozenset[int]
    months: frozenset[int]
    weekdays: frozenset[int]
    any_day: bool
    any_weekday: bool
    zone: tzinfo


@dataclass(frozen=True, kw_only=True)
class Every:
    """A constant time between ticks, at least one second."""

    seconds: int


@dataclass(frozen=True, kw_only=True)
class _Bounds:
    least: int
    most: int
    names: dict[str, int] = field(default_factory=dict)


_FIELDS = (
    _Bounds(least=0, most=59),
    _Bounds(least=0, most=23),
    _Bounds(least=1, most=31),
    _Bounds(least=1, most=12, names={name: number for number, name in enumerate(_MONTHS, 1)}),
    _Bounds(least=0, most=6, names={name: number for number, name in enumerate(_DAYS)}),
)


def parse_cron(expression: str) -> Cron | Every:
    """Read a schedule; without a time zone of its own it is one in UTC.

    Raises:
        BadCron: it is none.
    """
    if not expression:
        raise BadCron("empty spec string")
    zone: tzinfo = timezone.utc
    if expression.startswith(("TZ=", "CRON_TZ=")):
        named, _, rest = expression.partition(" ")
        zone, expression = _zone(named.partition("=")[2]), rest.strip()
    if expression.startswith("@every "):
        return _every(expression)
    if expression.startswith("@"):
        if expression not in _DESCRIPTORS:
            raise BadCron(f"unrecognized descriptor: {expression}")
        expression = _DESCRIPTORS[expression]
    return _five_fields(expression, zone)


def _zone(name: str) -> tzinfo:
    try:
        return zoneinfo.ZoneInfo(name or "UTC")
    except (zoneinfo.ZoneInfoNotFoundError, ValueError) as error:
        raise BadCron(f"provided bad location {name}: unknown time zone {name}") from error


def _every(expression: str) -> Every:
    try:
        delay = parse_duration(expression.removeprefix("@every "))
    except ValueError as error:
        raise BadCron(f"failed to parse duration {expression}: {error}") from error
    return Every(seconds=max(1, delay.seconds))


def _five_fields(expression: str, zone: tzinfo) -> Cron:
    fields = expression.split()
    if len(fields) != len(_FIELDS):
        raise BadCron(f"expected exactly {len(_FIELDS)} fields, found {len(fields)}: [{' '.join(fields)}]")
    values = [_values(text, bounds) for text, bounds in zip(fields, _FIELDS, strict=True)]
    (minutes, _), (hours, _), (days, any_day), (months, _), (weekdays, any_weekday) = values
    return Cron(
        minutes=minutes,
        hours=hours,
        days=days,
        months=months,
        weekdays=weekdays,
        any_day=any_day,
        any_weekday=any_weekday,
        zone=zone,
    )


def _values(text: str, bounds: _Bounds) -> tuple[frozenset[int], bool]:
    """Return the values of a field, and whether it stands for any; `*/2` does not."""
    parts = [(part, _range(part, bounds)) for part in text.split(",") if part]
    is_any = any(part[0] in "*?" and values.step == 1 for part, values in parts)
    return frozenset(value for _, values in parts for value in values), is_any


def _range(text: str, bounds: _Bounds) -> range:
    """Read `*`, `N`, `N-M`, each also with `/STEP`."""
    span, *steps = text.split("/")
    low, *high = span.split("-")
    start, end = bounds.least, bounds.most
    if low not in ("*", "?"):
        start = _number(low, bounds)
        if len(high) > 1:
            raise BadCron(f"too many hyphens: {text}")
        end = _number(high[0], bounds) if high else start
    if len(steps) > 1:
        raise BadCron(f"too many slashes: {text}")
    step = _number(steps[0], None) if steps else 1
    if steps and not high:
        end = bounds.most
    if start < bounds.least:
        raise BadCron(f"beginning of range ({start}) below minimum ({bounds.least}): {text}")
    if end > bounds.most:
        raise BadCron(f"end of range ({end}) above maximum ({bounds.most}): {text}")
    if start > end:
        raise BadCron(f"beginning of range ({start}) beyond end of range ({end}): {text}")
    if step == 0:
        raise BadCron(f"step of range should be a positive number: {text}")
    return range(start, end + 1, step)


def _number(text: str, bounds: _Bounds | None) -> int:
    if bounds is not None and text.lower() in bounds.names:
        return bounds.names[text.lower()]
    if not re.fullmatch(r"[+-]?[0-9]+", text):
        raise BadCron(f'failed to parse int from {text}: strconv.Atoi: parsing "{text}": invalid syntax')
    if int(text) < 0:
        raise BadCron(f"negative number ({int(text)}) not allowed: {text}")
    return int(text)
