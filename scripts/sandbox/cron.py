"""Schedules of launch plans: what the scheduler's cron parser takes.

Source: robfig/cron v3 `parser.go` (ParseStandard): five fields, or one of the descriptors.
"""

from __future__ import annotations

import re
import zoneinfo
from dataclasses import dataclass, field

from scripts.sandbox.gotext import parse_duration

_DESCRIPTORS = ("@yearly", "@annually", "@monthly", "@weekly", "@daily", "@midnight", "@hourly")
_MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
_DAYS = ("sun", "mon", "tue", "wed", "thu", "fri", "sat")


class BadCron(ValueError):
    """An expression is no schedule; the message is the parser's own."""


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


def check_cron(expression: str) -> None:
    """Check that `expression` is a schedule.

    Raises:
        BadCron: it is none.
    """
    if not expression:
        raise BadCron("empty spec string")
    if expression.startswith(("TZ=", "CRON_TZ=")):
        zone, _, rest = expression.partition(" ")
        _check_zone(zone.partition("=")[2])
        expression = rest.strip()
    if expression.startswith("@"):
        _check_descriptor(expression)
        return
    fields = expression.split()
    if len(fields) != len(_FIELDS):
        raise BadCron(f"expected exactly {len(_FIELDS)} fields, found {len(fields)}: [{' '.join(fields)}]")
    for text, bounds in zip(fields, _FIELDS, strict=True):
        for part in filter(None, text.split(",")):
            _check_range(part, bounds)


def _check_zone(name: str) -> None:
    try:
        zoneinfo.ZoneInfo(name or "UTC")
    except (zoneinfo.ZoneInfoNotFoundError, ValueError) as error:
        raise BadCron(f"provided bad location {name}: unknown time zone {name}") from error


def _check_descriptor(expression: str) -> None:
    if expression in _DESCRIPTORS:
        return
    if not expression.startswith("@every "):
        raise BadCron(f"unrecognized descriptor: {expression}")
    try:
        parse_duration(expression.removeprefix("@every "))
    except ValueError as error:
        raise BadCron(f"failed to parse duration {expression}: {error}") from error


def _check_range(text: str, bounds: _Bounds) -> None:
    """Check `*`, `N`, `N-M`, each also with `/STEP`."""
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


def _number(text: str, bounds: _Bounds | None) -> int:
    if bounds is not None and text.lower() in bounds.names:
        return bounds.names[text.lower()]
    if not re.fullmatch(r"[+-]?[0-9]+", text):
        raise BadCron(f'failed to parse int from {text}: strconv.Atoi: parsing "{text}": invalid syntax')
    if int(text) < 0:
        raise BadCron(f"negative number ({int(text)}) not allowed: {text}")
    return int(text)
