"""How many calls run side by side: a window that grows while the line is long and Flyte is not busy."""

from __future__ import annotations

import math
import queue
import statistics
import time
from collections import deque
from collections.abc import Callable, Sequence, Set
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from typing import Generic, TypeVar

from tasks._errors import FlyteUnavailable
from tasks._wait import Clock, Sleep, delays

FIRST, MOST = 8, 32
"""A Flyte without a line in between is served best by 8 calls, and at 64 its database refuses some
(measured on 1.16.8)."""
LONG_S = 0.008
"""A shortest round trip of this many seconds or more is mostly line, which more calls fill."""
FLAT = 2.0
"""Round trips this many times the shortest mean that calls wait in Flyte, not on the line."""

T = TypeVar("T")
R = TypeVar("R")


@dataclass(frozen=True, kw_only=True)
class Window:
    """How many calls may be in flight, and what that rests on.

    `generation` counts the changes of its size: only calls begun under the present one may change it.
    """

    size: int = FIRST
    most: int = MOST
    generation: int = 0
    shortest_s: float = math.inf
    round_s: tuple[float, ...] = ()

    @classmethod
    def over(cls, trip_s: float) -> Window:
        """Return the window to begin with on a line whose shortest round trip yet was `trip_s` seconds."""
        return cls(size=FIRST * 2 if LONG_S <= trip_s < math.inf else FIRST, shortest_s=trip_s)

    def after(self, seconds: float, generation: int) -> Window:
        """Return the window after a call that was answered: doubled when a whole round came back flat."""
        shortest = min(self.shortest_s, seconds)
        if generation != self.generation:
            return replace(self, shortest_s=shortest)
        calls = (*self.round_s, seconds)
        if len(calls) < self.size:
            return replace(self, shortest_s=shortest, round_s=calls)
        flat = statistics.median(calls) <= FLAT * shortest
        room = self.size < self.most and (shortest >= LONG_S or self.size < FIRST)
        if room and flat:
            return self._sized(min(self.size * 2, self.most), shortest)
        return replace(self, shortest_s=shortest, round_s=())

    def shrunk(self, generation: int) -> Window:
        """Return the window after a call that Flyte was too busy for: halved, once per generation.

        It may grow again to where it was refused, but not beyond.
        """
        if generation != self.generation:
            return self
        return replace(self._sized(max(1, self.size // 2), self.shortest_s), most=self.size)

    def _sized(self, size: int, shortest_s: float) -> Window:
        return replace(self, size=size, generation=self.generation + 1, shortest_s=shortest_s, round_s=())


def side_by_side(
    items: Sequence[T],
    action: Callable[[T], R],
    *,
    needs: Sequence[Set[int]],
    good: Callable[[R], bool],
    known: Callable[[T], R | None],
    window: Window,
    patience_s: float,
    clock: Clock = time.monotonic,
    sleep: Sleep = time.sleep,
) -> dict[int, R]:
    """Do `action` to every item, as many at once as the window allows; return the results by index.

    An item begins once all that it `needs`, each earlier in the sequence, came out `good`; where one did
    not, it is left out. An item whose (good) result is `known` by then needs no call. Items that meet an
    unavailable Flyte are done again after a pause. At any other error no new call begins, and the error is
    raised once those in flight have ended.

    Raises:
        FlyteUnavailable: nothing went through for `patience_s` seconds.
    """
    with ThreadPoolExecutor(max_workers=min(window.most, max(1, len(items)))) as pool:
        flight = _Flight(pool, items, action, needs, known, window, clock)
        pauses, moved = delays(0.1, 5.0), clock()
        while flight.goes_on():
            ended = flight.next()
            if ended.error is None:
                flight.window = flight.window.after(clock() - ended.began, ended.generation)
                (flight.done if good(flight.results[ended.index]) else flight.lost).add(ended.index)
                pauses, moved = delays(0.1, 5.0), clock()
            elif isinstance(ended.error, FlyteUnavailable) and clock() - moved < patience_s:
                if ended.generation == flight.window.generation:
                    sleep(next(pauses))
                flight.window = flight.window.shrunk(ended.generation)
                flight.waiting.appendleft(ended.index)
            else:
                flight.broken = flight.broken or ended.error
    if flight.broken is not None:
        raise flight.broken
    return flight.results


@dataclass(frozen=True, kw_only=True)
class _Ended:
    """A call that came back: of which item, begun when and under which window, and with what error."""

    index: int
    generation: int
    began: float
    error: BaseException | None


class _Flight(Generic[T, R]):
    """The calls of one run: what waits, what flies, what came back."""

    def __init__(
        self,
        pool: ThreadPoolExecutor,
        items: Sequence[T],
        action: Callable[[T], R],
        needs: Sequence[Set[int]],
        known: Callable[[T], R | None],
        window: Window,
        clock: Clock,
    ) -> None:
        self.window = window
        self.waiting = deque(range(len(items)))
        self.results: dict[int, R] = {}
        self.done: set[int] = set()
        self.lost: set[int] = set()
        self.broken: BaseException | None = None
        self._pool, self._items, self._action, self._needs = pool, items, action, needs
        self._known, self._clock = known, clock
        self._flying = 0
        self._ended: queue.SimpleQueue[_Ended] = queue.SimpleQueue()

    def goes_on(self) -> bool:
        """Begin as many calls as the window and their needs allow, and say whether any is to come back."""
        while self.waiting and self._flying < self.window.size and self.broken is None:
            index = self.waiting[0]
            if self._needs[index] & self.lost:
                self.lost.add(self.waiting.popleft())
            elif not self._needs[index] <= self.done:
                break
            elif (result := self._known(self._items[index])) is not None:
                self.results[self.waiting.popleft()] = result
                self.done.add(index)
            else:
                self._flying += 1
                self._pool.submit(self._do, self.waiting.popleft(), self.window.generation, self._clock())
        return self._flying > 0

    def next(self) -> _Ended:
        """Wait for the next call to come back."""
        ended = self._ended.get()
        self._flying -= 1
        return ended

    def _do(self, index: int, generation: int, began: float) -> None:
        error: BaseException | None = None
        try:
            self.results[index] = self._action(self._items[index])
        except BaseException as caught:
            error = caught
        self._ended.put(_Ended(index=index, generation=generation, began=began, error=error))
