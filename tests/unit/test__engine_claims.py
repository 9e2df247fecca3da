from __future__ import annotations

import threading
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import docker
import pytest

from tasks._engine import Engine as ContainerEngine
from tasks._engine import EngineAddress
from tasks._engine_claims import SLOT_S, EngineVolumes, only_one
from tasks._errors import BuildBusy, EngineUnavailable


class Engine:
    """Volumes as an engine keeps them: of a name there is one, with the labels that it was made with."""

    def __init__(self) -> None:
        self.kept: dict[str, dict[str, Any]] = {}
        self._lock = threading.Lock()

    def create_volume(self, name: str, *, labels: Mapping[str, str]) -> dict[str, Any]:
        with self._lock:
            return self.kept.setdefault(name, {"Name": name, "Labels": dict(labels)})

    def remove_volume(self, name: str, *, force: bool) -> None:
        assert force
        with self._lock:
            self.kept.pop(name, None)

    def volumes(self, filters: Mapping[str, Sequence[str]]) -> dict[str, Any]:
        [(key, _, value)] = [label.partition("=") for label in filters["label"]]
        with self._lock:
            return {"Volumes": [one for one in self.kept.values() if one["Labels"].get(key) == value]}


class Time:
    """A clock that moves as its reader sleeps."""

    def __init__(self, now: float = 1000 * SLOT_S) -> None:
        self.now = now

    def clock(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.now += seconds


def test_claim_is_gone_afterwards() -> None:
    engine = Engine()
    with only_one(engine, "a", timeout_s=1):
        assert len(engine.kept) == 2
    assert engine.kept == {}


def test_one_at_a_time_gets_in() -> None:
    engine, inside, most = Engine(), 0, 0
    lock = threading.Lock()

    def enter(_: int) -> None:
        nonlocal inside, most
        with only_one(engine, "a", timeout_s=60, sleep=lambda _: None):
            with lock:
                inside += 1
                most = max(most, inside)
            with lock:
                inside -= 1

    with ThreadPoolExecutor(max_workers=8) as pool:
        list(pool.map(enter, range(24)))
    assert most == 1
    assert engine.kept == {}


def test_other_images_are_not_waited_for() -> None:
    engine = Engine()
    with only_one(engine, "a", timeout_s=1), only_one(engine, "b", timeout_s=0.001):
        assert len(engine.kept) == 4


def test_one_that_takes_too_long_is_busy() -> None:
    engine, time = Engine(), Time()
    with only_one(engine, "a", timeout_s=1, clock=time.clock):
        labels = engine.kept["taxiway-claim-a-1000"]["Labels"]
        for slot in range(1002, 1012):  # as its keeper would go on
            engine.create_volume(f"taxiway-claim-a-{slot}", labels=labels)
        with (
            pytest.raises(BuildBusy, match="over 90 s"),
            only_one(engine, "a", timeout_s=90, clock=time.clock, sleep=time.sleep),
        ):
            pytest.fail("it got in")


def test_those_who_wait_come_in_once_there_is_nothing_left_to_do() -> None:
    engine = Engine()
    with (
        only_one(engine, "a", timeout_s=1) as mine,
        only_one(engine, "a", timeout_s=1, over=lambda: True) as too,
    ):
        assert (mine, too) == (True, False)
    assert engine.kept == {}


def test_claim_of_the_dead_runs_out_and_is_removed() -> None:
    engine, time = Engine(), Time()
    dead = {"dev.taxiway.claim": "a", "dev.taxiway.owner": "dead"}
    for slot in (1000, 1001):
        engine.create_volume(f"taxiway-claim-a-{slot}", labels=dead)
    with only_one(engine, "a", timeout_s=600, clock=time.clock, sleep=time.sleep):
        assert 1002 * SLOT_S <= time.now < 1003 * SLOT_S
        time.now += 60
    assert engine.kept.keys() <= {"taxiway-claim-a-1001"}


def test_clocks_may_be_a_slot_apart() -> None:
    engine, late, early = Engine(), Time(1000 * SLOT_S), Time(1001 * SLOT_S)
    with only_one(engine, "a", timeout_s=1, clock=late.clock):
        early_until = early.now + 30
        with (
            pytest.raises(BuildBusy),
            only_one(engine, "a", timeout_s=30, clock=early.clock, sleep=early.sleep),
        ):
            pytest.fail("it got in")
        assert early.now >= early_until


def test_engine_that_is_gone_is_named() -> None:
    address = EngineAddress(host="unix:///nowhere/docker.sock")
    client = docker.APIClient(address.host, version="1.41")
    gone = ContainerEngine(address=address, client=client, environ={}, platform="linux/amd64", buildkit=True)
    with (
        pytest.raises(EngineUnavailable, match="/nowhere/docker"),
        only_one(EngineVolumes(engine=gone), "a", timeout_s=1),
    ):
        pytest.fail("it got in")
    client.close()
