"""When promotions may happen: weekly windows in named time zones, with days of the calendar as exceptions.

A window is read as people read a clock on the wall. Where clocks go back, an hour that comes twice counts
twice; where they go forward, an hour that does not come is not missed: what begins in it begins with the
next one. A window that ends before it begins runs past midnight, and its day is the one on which it begins.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, time, timedelta, timezone, tzinfo
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

_DAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
_FORM = re.compile(r"(\S+) ([0-9]{2}):([0-9]{2})-([0-9]{2}):([0-9]{2}) (\S+)")
_MIDNIGHT = 24 * 60
_STEP = timedelta(minutes=15)
"""Every change of clocks that there is falls on a whole quarter of an hour."""
SEARCHED_DAYS = 400
"""How far ahead the next opening is looked for: a year, and the holidays after it."""


@dataclass(frozen=True, kw_only=True)
class Window:
    """A weekly window: `days` count from Monday, 0; `start` and `end` are minutes of the day."""

    text: str
    days: frozenset[int]
    start: int
    end: int
    zone: tzinfo

    def holds(self, at: datetime) -> bool:
        """Whether the moment `at` is within it."""
        local = at.astimezone(self.zone)
        day, minute = local.weekday(), local.hour * 60 + local.minute
        if self.start < self.end:
            return day in self.days and self.start <= minute < self.end
        began_today = day in self.days and minute >= self.start
        return began_today or ((day - 1) % 7 in self.days and minute < self.end)


def parse(text: str) -> Window:
    """Read a window such as `Mon-Thu,Sat 08:00-16:00 Europe/Berlin`.

    Raises:
        ValueError: it is none, or its time zone is not known.
    """
    form = _FORM.fullmatch(text)
    if form is None:
        raise ValueError(f"{text!r} is no window such as `Mon-Thu 08:00-16:00 UTC`")
    start, end = int(form[2]) * 60 + int(form[3]), int(form[4]) * 60 + int(form[5])
    if start in (end, _MIDNIGHT):
        raise ValueError(f"{text!r} ends when it begins; the whole of a day is 00:00-24:00")
    days = frozenset(day for part in form[1].split(",") for day in _span(part))
    return Window(text=text, days=days, start=start, end=end, zone=_zone(form[6]))


def _span(part: str) -> Iterator[int]:
    first, _, last = part.partition("-")
    begin, end = _DAYS.index(first), _DAYS.index(last or first)
    for offset in range((end - begin) % 7 + 1):
        yield (begin + offset) % 7


def _zone(name: str) -> tzinfo:
    if name == "UTC":
        return timezone.utc
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError) as error:  # a folder such as `Europe` is an OSError
        raise ValueError(f"{name!r} is no time zone such as `Europe/Berlin` or `UTC`") from error


@dataclass(frozen=True, kw_only=True)
class Standing:
    """Whether promotions may happen at a moment, and why."""

    allowed: bool
    because: str


@dataclass(frozen=True, kw_only=True)
class Calendar:
    """All that says when promotions may happen. No `windows` is always; `frozen` goes before `windows`.

    `days` go before both: True is all of that day, False none of it. A day is one of the time zone of the
    first window, else of the first frozen one, else of UTC.
    """

    windows: Sequence[Window] = ()
    frozen: Sequence[Window] = ()
    days: Mapping[date, bool] = field(default_factory=dict)

    @property
    def zone(self) -> tzinfo:
        """The time zone that `days` are days of."""
        return next((one.zone for one in (*self.windows, *self.frozen)), timezone.utc)

    def standing(self, at: datetime) -> Standing:
        """Say whether promotions may happen at the moment `at`."""
        day = at.astimezone(self.zone).date()
        if day in self.days:
            allowed = self.days[day]
            return Standing(allowed=allowed, because=f"{day} is {'open' if allowed else 'closed'} all day")
        stopped = next((one for one in self.frozen if one.holds(at)), None)
        if stopped is not None:
            return Standing(allowed=False, because=f"frozen: {stopped.text}")
        if not self.windows:
            return Standing(allowed=True, because="no window is set, and nothing is frozen now")
        inside = next((one for one in self.windows if one.holds(at)), None)
        if inside is not None:
            return Standing(allowed=True, because=f"within {inside.text}")
        return Standing(allowed=False, because=f"outside of {', '.join(one.text for one in self.windows)}")

    def next_opening(self, after: datetime, *, days: int = SEARCHED_DAYS) -> datetime | None:
        """Return the first moment after `after` at which promotions may happen, in UTC.

        None where there is none within `days` days. It looks only at moments at which something can
        change, a few a day.
        """
        moments = {moment for number in range(-1, days + 1) for moment in self._turns(after, number)}
        later = sorted(moment for moment in moments if moment > after)
        return next((moment for moment in later if self.standing(moment).allowed), None)

    def _turns(self, after: datetime, number: int) -> Iterator[datetime]:
        """Yield when things may change on the `number`th day from `after`, in every time zone named."""
        day = after.astimezone(timezone.utc).date() + timedelta(days=number)
        yield from _instants(day, 0, self.zone)
        for window in (*self.windows, *self.frozen):
            yield from _instants(day, window.start, window.zone)
            yield from _instants(day, window.end, window.zone)
            yield from _clock_changes(day, window.zone)


def _instants(day: date, minute: int, zone: tzinfo) -> Iterator[datetime]:
    """Yield when it is `minute` on `day` in a zone: twice where clocks go back."""
    local = datetime.combine(day, time()) + timedelta(minutes=minute)
    for fold in (0, 1):
        yield local.replace(tzinfo=zone, fold=fold).astimezone(timezone.utc)


def _clock_changes(day: date, zone: tzinfo) -> Iterator[datetime]:
    """Yield every quarter of an hour of a day on which a zone's clocks change."""
    begin = datetime.combine(day, time(), zone)
    end = datetime.combine(day + timedelta(days=1), time(), zone)
    if begin.utcoffset() != end.utcoffset():
        moment, last = begin.astimezone(timezone.utc), end.astimezone(timezone.utc)
        while moment < last:
            yield moment
            moment += _STEP
