from __future__ import annotations

import math
import threading
import time
from collections.abc import Callable

import pytest

from tasks._errors import BadUsage, FlyteUnavailable
from tasks._window import FIRST, LONG_S, MOST, Window, side_by_side

BUSY = FlyteUnavailable("sorry, too many clients already.", remedy="Wait.")


def _after(window: Window, *seconds: float) -> Window:
    for one in seconds:
        window = window.after(one, window.generation)
    return window


@pytest.mark.parametrize(
    ("trip_s", "size"),
    [(math.inf, FIRST), (0.001, FIRST), (LONG_S, 2 * FIRST), (0.2, 2 * FIRST)],
    ids=["unknown line", "short line", "long line", "very long line"],
)
def test_the_first_size_follows_the_line(trip_s: float, size: int) -> None:
    assert Window.over(trip_s).size == size


@pytest.mark.parametrize(
    ("trips", "size"),
    [
        ([0.02] * FIRST, 2 * FIRST),
        ([0.02] * (FIRST - 1), FIRST),
        ([0.001] * FIRST, FIRST),
        ([0.02, *[0.2] * (FIRST - 1)], FIRST),
        ([0.02] * 10 * MOST, MOST),
    ],
    ids=["long and flat", "not a whole round yet", "short", "queueing", "never beyond the most"],
)
def test_it_grows_after_a_whole_round_over_a_long_flat_line(trips: list[float], size: int) -> None:
    assert _after(Window(), *trips).size == size


def test_it_halves_once_for_all_calls_that_began_together() -> None:
    window = Window(size=32)
    once = window.shrunk(window.generation)
    assert once.size == 16
    assert once.shrunk(window.generation).size == 16
    assert once.shrunk(once.generation).size == 8
    assert Window(size=1).shrunk(0).size == 1


def test_it_grows_again_but_not_beyond_where_it_was_refused() -> None:
    window = Window(size=16).shrunk(0)
    assert _after(window, *[0.02] * 100).size == 16


def test_below_the_first_size_it_grows_on_a_short_line_too() -> None:
    assert _after(Window().shrunk(0), *[0.001] * 100).size == FIRST


def test_calls_of_an_earlier_window_do_not_count() -> None:
    window = Window().shrunk(0)
    for _ in range(100):
        window = window.after(0.02, 0)
    assert window.size == FIRST // 2


def _run(
    items: list[int],
    action: Callable[[int], int],
    *,
    needs: list[set[int]] | None = None,
    known: Callable[[int], int | None] = lambda _: None,
    **options: float,
) -> dict[int, int]:
    return side_by_side(
        items,
        action,
        needs=needs or [set() for _ in items],
        good=lambda result: result >= 0,
        known=known,
        window=Window(),
        patience_s=options.get("patience_s", 10),
        sleep=lambda _: None,
    )


def test_an_item_begins_only_when_its_needs_are_there() -> None:
    order: list[int] = []
    lock = threading.Lock()

    def action(item: int) -> int:
        time.sleep(0.01 * (3 - item))
        with lock:
            order.append(item)
        return item

    assert _run([0, 1, 2], action, needs=[set(), {0}, {0, 1}]) == {0: 0, 1: 1, 2: 2}
    assert order == [0, 1, 2]


def test_what_needs_a_bad_result_is_left_out_and_so_is_what_needs_that() -> None:
    results = _run([0, 1, 2, 3], lambda item: -1 if item == 0 else item, needs=[set(), {0}, {1}, set()])
    assert results == {0: -1, 3: 3}


def test_unavailable_items_are_done_again_and_nothing_is_lost() -> None:
    seen: dict[int, int] = {}
    lock = threading.Lock()

    def action(item: int) -> int:
        with lock:
            seen[item] = seen.get(item, 0) + 1
        if item % 7 == 0 and seen[item] <= 2:
            raise BUSY
        return item

    assert _run(list(range(50)), action) == {item: item for item in range(50)}
    assert seen[7] == 3
    assert seen[8] == 1


def test_patience_ends() -> None:
    def action(item: int) -> int:
        raise BUSY

    with pytest.raises(FlyteUnavailable):
        _run([0, 1], action, patience_s=0)


def test_another_error_stops_what_has_not_begun() -> None:
    begun: list[int] = []

    def action(item: int) -> int:
        begun.append(item)
        raise BadUsage("no", remedy="")

    with pytest.raises(BadUsage):
        _run(list(range(100)), action)
    assert len(begun) <= FIRST


def test_what_is_known_needs_no_call_and_lets_others_begin() -> None:
    called: list[int] = []

    def action(item: int) -> int:
        called.append(item)
        return item

    known = {0: 0, 1: 1}
    assert _run([0, 1, 2], action, needs=[set(), {0}, {1}], known=known.get) == {0: 0, 1: 1, 2: 2}
    assert called == [2]
