from __future__ import annotations

from itertools import islice

import pytest

from tasks._errors import FlyteRefused, FlyteUnavailable, RegistryUnavailable, WaitTimedOut
from tasks._wait import delays, patiently, wait
from tests.clock import Time


def test_delays_grow_to_their_most() -> None:
    assert list(islice(delays(1, 2), 4)) == [1, 1.5, 2, 2]


def test_it_returns_the_state_that_was_waited_for() -> None:
    time, states = Time(), iter(["queued", "running", "done"])
    found = wait(
        lambda: next(states),
        lambda state: state == "done",
        what="x",
        timeout_s=60,
        clock=time.clock,
        sleep=time.sleep,
    )
    assert found == "done"
    assert len(time.slept) == 2


def test_it_looks_often_at_first_and_every_few_seconds_later() -> None:
    time = Time()
    with pytest.raises(WaitTimedOut):
        wait(lambda: 0, bool, what="x", timeout_s=100, clock=time.clock, sleep=time.sleep)
    assert time.slept[0] == 0.2
    assert max(time.slept) == 5
    assert time.now == 100


def test_a_timeout_says_what_was_seen_last_after_one_more_look() -> None:
    time = Time()
    looked: list[float] = []

    def look() -> int:
        looked.append(time.now)
        return 4

    with pytest.raises(WaitTimedOut, match="Waited 1 s for the gate; last seen: QUEUED"):
        wait(
            look,
            lambda _: False,
            what="the gate",
            timeout_s=1,
            describe=lambda _: "QUEUED",
            clock=time.clock,
            sleep=time.sleep,
        )
    assert looked[-1] == 1


def test_what_is_there_already_is_seen_even_without_time() -> None:
    assert wait(lambda: 1, bool, what="x", timeout_s=0) == 1


def _unavailable() -> FlyteUnavailable:
    return FlyteUnavailable("down", remedy="")


def test_an_unavailable_flyte_is_asked_again_until_it_answers() -> None:
    time = Time()

    def ask() -> str:
        if len(time.slept) < 2:
            raise _unavailable()
        return "answer"

    assert patiently(ask, patience_s=10, clock=time.clock, sleep=time.sleep) == "answer"
    first, second = time.slept
    assert 0.075 <= first <= 0.125
    assert 0.1125 <= second <= 0.1875


def test_patience_ends_with_the_error_and_within_its_time() -> None:
    time = Time()

    def ask() -> None:
        raise _unavailable()

    with pytest.raises(FlyteUnavailable):
        patiently(ask, patience_s=10, clock=time.clock, sleep=time.sleep)
    assert time.now < 10


def test_a_refusal_is_not_asked_again() -> None:
    asked = []

    def ask() -> None:
        asked.append(1)
        raise FlyteRefused("no", remedy="", status="INTERNAL", details="no")

    with pytest.raises(FlyteRefused):
        patiently(ask, patience_s=10)
    assert len(asked) == 1


def test_only_what_was_named_is_waited_for() -> None:
    asked = []

    def ask() -> None:
        asked.append(1)
        raise _unavailable()

    with pytest.raises(FlyteUnavailable):
        patiently(ask, patience_s=10, passing=RegistryUnavailable)
    assert len(asked) == 1


def test_who_asks_to_be_left_alone_is_left_alone_within_our_patience() -> None:
    time, asked = Time(), [3.0, 60.0]

    def ask() -> None:
        raise RegistryUnavailable("busy", remedy="", after_s=asked.pop(0))

    with pytest.raises(RegistryUnavailable):
        patiently(ask, patience_s=10, passing=RegistryUnavailable, clock=time.clock, sleep=time.sleep)
    assert time.slept == [3.0]
