"""What strikes a promotion at a chosen point: its stage ends as it was, as it should be, or is mended next.

Each promotion is held by one of its own calls (see `wire`), so that the point is exact and was reached.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from itertools import pairwise

import pytest

from tasks.promotion_records import PromotionStatus
from tests.acceptance.promoting import BEFORE
from tests.acceptance.rig import Rig, rig
from tests.acceptance.staging import Target
from tests.acceptance.ticking import Ticking
from tests.acceptance.wire import Hold

pytestmark = pytest.mark.timeout(600)  # fifty pods, and the machine may be busy
ACTIVATIONS = 20
Point = Callable[[Target], Hold]


@pytest.fixture(scope="module")
def struck(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Rig]:
    with rig(tmp_path_factory.mktemp("faults")) as made:
        yield made


@dataclass(kw_only=True)
class Held:
    """A promotion of a target's first release, held at a point, where `done` of three plans are ACTIVE of it.

    Its next try is held by `again`.
    """

    target: Target
    promotion: str
    hold: Hold
    again: Point
    done: int

    @property
    def sha(self) -> str:
        return self.target.shas[0]

    @property
    def step(self) -> tuple[str, str]:
        """The execution and its node that are held."""
        return (self.target.generation(0), "n0") if self.done else (self.promotion, "switch")

    def check(self, attempts: int) -> None:
        """Check that this is the step's so many-eth attempt, at its point and no further."""
        assert self.hold.there().execution == self.step[0]
        assert self.target.attempts(*self.step) == attempts
        assert self.target.active == [self.sha] * self.done + [BEFORE] * (3 - self.done)


@pytest.fixture(scope="module")
def held(struck: Rig) -> list[Held]:
    """Three promotions: one that has registered, one after the first of three activations, one after all."""

    def hold_at(name: str, first: Point, again: Point, done: int) -> Held:
        target = struck.bench.target(name, releases=2 if name == "registered" else 1)
        hold = first(target)
        promotion = target.promote(target.shas[0])
        return Held(target=target, promotion=promotion, hold=hold, again=again, done=done)

    return [
        hold_at("registered", struck.registered, struck.registered, 0),
        hold_at("one", struck.after_one, struck.after_one, 1),
        hold_at("all", struck.after_all, struck.finding_all_done, 3),
    ]


def test_a_task_killed_at_any_point_comes_to_the_same_point_again(held: list[Held]) -> None:
    for one in held:
        one.check(attempts=1)
        caller, before = one.hold.there(), one.hold
        one.hold = one.again(one.target)
        caller.kill()
        before.drop()
    for one in held:
        one.check(attempts=2)


def test_flyte_lost_at_any_point_and_found_again_it_is_promoted(struck: Rig, held: list[Held]) -> None:
    for one in held:
        one.check(attempts=2)
    struck.sandbox.lose()
    for one in held:
        one.hold.go_on()
    struck.sandbox.start()
    waited_for, *others = held
    waited_for.hold = waited_for.again(waited_for.target)
    waited_for.check(attempts=3)
    for one in others:
        report = one.target.report_of(one.promotion)
        assert report.status is PromotionStatus.PROMOTED
        assert one.target.attempts(*one.step) == 3
        assert [(each.number, each.phase) for each in one.target.generations] == [(0, "SUCCEEDED")]
        runs_whole(one.target, one.sha)


@pytest.fixture(scope="module")
def side_by_side(struck: Rig, held: list[Held]) -> Iterator[dict[str, Future[None]]]:
    """Stories of targets of their own, all of them begun; to be asked for once Flyte is no longer lost."""
    with ThreadPoolExecutor() as pool:
        stories = {"waits": pool.submit(waits, struck, held[0])}
        yield stories | {story.__name__: pool.submit(story, struck) for story in (supersedes, aborts, ticks)}


def test_of_two_promotions_at_once_the_later_one_waits(side_by_side: dict[str, Future[None]]) -> None:
    side_by_side["waits"].result()


def test_of_two_promotions_at_once_the_later_one_supersedes(side_by_side: dict[str, Future[None]]) -> None:
    side_by_side["supersedes"].result()


def test_aborted_by_hand_at_any_step_and_run_again_it_is_promoted(
    side_by_side: dict[str, Future[None]],
) -> None:
    side_by_side["aborts"].result()


def test_a_schedule_ticks_once_a_time_across_activations(side_by_side: dict[str, Future[None]]) -> None:
    side_by_side["ticks"].result()


def waits(struck: Rig, first: Held) -> None:
    target, second = first.target, first.target.shas[1]
    promotion = target.promote(second)
    turn = struck.wire.hold("GetExecution", lambda asked: asked.id.name == first.promotion, by=promotion)
    turn.there()
    assert target.active == [BEFORE] * 3
    turn.go_on()
    first.hold.go_on()
    assert target.report_of(first.promotion).status is PromotionStatus.PROMOTED
    report = target.report_of(promotion)
    assert report.status is PromotionStatus.PROMOTED
    assert report.gates[0].evidence == [f"waited for {first.promotion}"]
    assert [(each.sha, each.phase) for each in target.generations] == [
        (first.sha, "SUCCEEDED"),
        (second, "SUCCEEDED"),
    ]
    runs_whole(target, second)


def supersedes(struck: Rig) -> None:
    """The first one's activation is under way as it is superseded; it goes on, and is waited for."""
    target = struck.bench.target("supersedes", releases=2, on_conflict="supersede")
    first, second = target.shas
    hold, one = struck.after_one(target), target.promote(first)
    hold.there()
    two = target.promote(second)
    turn = struck.wire.hold("GetExecution", lambda asked: asked.id.name == target.generation(0), by=two)
    turn.there()
    assert target.end_of(one) == "ABORTED"
    assert target.active == [first, BEFORE, BEFORE]
    turn.go_on()
    hold.go_on()
    report = target.report_of(two)
    assert report.status is PromotionStatus.PROMOTED
    assert report.gates[0].evidence == [f"superseded {one}", f"waited for {one}"]
    assert target.attempts(two, "switch") == 1
    assert [(each.sha, each.phase) for each in target.generations] == [
        (first, "SUCCEEDED"),
        (second, "SUCCEEDED"),
    ]
    runs_whole(target, second)


def aborts(struck: Rig) -> None:
    target = struck.bench.target("aborts", releases=1)
    (sha,) = target.shas
    for point in (struck.at_the_gates, struck.registering):
        aborted_at(target, point)
        assert target.active == [BEFORE] * 3
        assert target.generations == []

    # The activation of an aborted promotion is killed on its way, and nobody vouches for it any more.
    hold = aborted_at(target, struck.after_one, drop=False)
    assert hold.caller is not None
    hold.caller.kill()
    hold.drop()
    assert target.end_of(target.generation(0)) == "FAILED"
    state = target.state
    assert state.partial
    assert state.drift == [f"{name}: {BEFORE} is ACTIVE, and {sha} should be" for name in ("p1", "p2")]

    # That of the next one goes on to its end, though its promotion is aborted, too.
    aborted_at(target, struck.after_one, drop=False).go_on()
    assert target.end_of(target.generation(1)) == "SUCCEEDED"
    runs_whole(target, sha)

    report = target.report_of(target.promote(sha))
    assert (report.status, report.generation) == (PromotionStatus.PROMOTED, 2)
    runs_whole(target, sha)


def aborted_at(target: Target, point: Point, *, drop: bool = True) -> Hold:
    """Promote a target's first release, and abort the promotion at a point."""
    hold, promotion = point(target), target.promote(target.shas[0])
    hold.there()
    target.abort(promotion)
    if drop:
        hold.drop()
    return hold


def ticks(struck: Rig) -> None:
    versions = [f"v{number:02}" for number in range(ACTIVATIONS)]
    ticking = Ticking(flyte=struck.bench.flyte, project="ticks")
    ticking.register(versions)
    for number, version in enumerate(versions):
        ticking.activate(version)
        if number % 2:  # every other one is followed at once
            ticking.await_tick(version)
    ticking.activate("")
    found = ticking.ticks()
    moments = [one.spec.metadata.scheduled_at.seconds for one in found]
    assert [later - earlier for earlier, later in pairwise(moments)] == [1] * (len(moments) - 1)
    assert len({one.id.name for one in found}) == len(found) >= ACTIVATIONS / 2
    spans = {span.version: span for span in ticking.spans}
    for one in found:
        span = spans[one.spec.launch_plan.version]
        assert span.began.timestamp() <= one.spec.metadata.scheduled_at.seconds <= span.ended.timestamp()


def runs_whole(target: Target, sha: str) -> None:
    """Check that a stage runs all of a release and nothing else, and that the records say so."""
    assert target.active == [sha] * 3
    state = target.state
    assert state.record is not None
    assert (state.record.sha, state.drift, state.partial) == (sha, [], False)
