"""Waiting: for a state to come, and for a busy service to recover; the clock is passed in."""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Iterator
from typing import TypeVar

from tasks._errors import FlyteUnavailable, Recoverable, WaitTimedOut

Clock = Callable[[], float]
Sleep = Callable[[float], None]
T = TypeVar("T")


def delays(first_s: float, most_s: float, *, growth: float = 1.5) -> Iterator[float]:
    """Yield `first_s`, then `growth` times as much each time, never more than `most_s`."""
    delay = first_s
    while True:
        yield min(delay, most_s)
        delay = min(delay * growth, most_s)


def wait(
    fetch: Callable[[], T],
    done: Callable[[T], bool],
    *,
    what: str,
    timeout_s: float,
    describe: Callable[[T], str] = str,
    clock: Clock = time.monotonic,
    sleep: Sleep = time.sleep,
) -> T:
    """Fetch until `done` says so and return what was fetched: every 0.2 s at first, later every 5 s.

    In between, a pause is about a sixth of the time waited so far, and what happens is seen so much late.
    It fetches at least once, and once more when the time is up. `what` completes "waited for ...".

    Raises:
        WaitTimedOut: `timeout_s` seconds went by; the text names the last state seen.
    """
    deadline = clock() + timeout_s
    pauses = delays(0.2, 5.0, growth=1.2)
    while True:
        late = clock() >= deadline
        state = fetch()
        if done(state):
            return state
        if late:
            raise WaitTimedOut(
                f"Waited {timeout_s:g} s for {what}; last seen: {describe(state)}.",
                remedy="See why it takes so long, or raise the limit.",
            )
        sleep(max(0.0, min(next(pauses), deadline - clock())))


def patiently(
    action: Callable[[], T],
    *,
    patience_s: float,
    passing: type[Recoverable] = FlyteUnavailable,
    clock: Clock = time.monotonic,
    sleep: Sleep = time.sleep,
) -> T:
    """Do `action`, again and again while it raises `passing`, for up to `patience_s` seconds.

    Pauses grow from 0.1 s to 5 s and vary by a quarter, so that many clients do not return together; none
    is shorter than the other side asks for (`Recoverable.after_s`).

    Raises:
        Recoverable: `passing` was still raised when patience ran out.
    """
    deadline = clock() + patience_s
    pauses = delays(0.1, 5.0)
    while True:
        pause = next(pauses) * random.uniform(0.75, 1.25)  # noqa: S311 - spreads load, keeps no secret
        try:
            return action()
        except passing as error:
            pause = max(pause, error.after_s)
            if clock() + pause >= deadline:
                raise
        sleep(pause)
