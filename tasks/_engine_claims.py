"""One build of one image at a time on an engine, whoever asks for it, from whichever pod.

A registry has no way to let exactly one of many write; an engine has: of a volume's name there is one, and
whoever made it is in its labels. A claim is one volume for each minute. Whoever builds holds this minute's
and the next one's, and goes on taking the next; whoever dies holds the claim for two minutes more at most.
Clocks may be a minute apart. Where two engines build the same, both do, and the first image is taken.
"""

from __future__ import annotations

import logging
import threading
import time
import uuid
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, Protocol

from tasks._engine import ENGINE_FAULTS, Engine, engine_fault
from tasks._errors import BuildBusy, TaxiwayError
from tasks._wait import Clock, Sleep, delays

log = logging.getLogger(__name__)

SLOT_S = 60.0
_KEY, _OWNER = "dev.taxiway.claim", "dev.taxiway.owner"


class Volumes(Protocol):
    """What is needed of an engine."""

    def create_volume(self, name: str, *, labels: Mapping[str, str]) -> dict[str, Any]:
        """Make a volume, or return the one that has this name."""

    def remove_volume(self, name: str, *, force: bool) -> None:
        """Remove a volume; with `force`, one that is not there counts as removed."""

    def volumes(self, filters: Mapping[str, Sequence[str]]) -> dict[str, Any]:
        """List volumes by their labels."""


@dataclass(frozen=True, kw_only=True)
class EngineVolumes:
    """The volumes of an engine; one that breaks off is named as everywhere."""

    engine: Engine

    def create_volume(self, name: str, *, labels: Mapping[str, str]) -> dict[str, Any]:
        """Make a volume, or return the one that has this name."""
        made: dict[str, Any] = self._asked(
            lambda: self.engine.client.create_volume(name, labels=dict(labels))
        )
        return made

    def remove_volume(self, name: str, *, force: bool) -> None:
        """Remove a volume; with `force`, one that is not there counts as removed."""
        self._asked(lambda: self.engine.client.remove_volume(name, force=force))

    def volumes(self, filters: Mapping[str, Sequence[str]]) -> dict[str, Any]:
        """List volumes by their labels."""
        found: dict[str, Any] = self._asked(lambda: self.engine.client.volumes(filters=dict(filters)))
        return found

    def _asked(self, call: Callable[[], Any]) -> Any:
        try:
            return call()
        except ENGINE_FAULTS as error:
            raise engine_fault(str(error), self.engine.address) from error


@dataclass(frozen=True, kw_only=True)
class _Claim:
    volumes: Volumes
    key: str
    clock: Clock
    owner: str = field(default_factory=lambda: uuid.uuid4().hex)

    def hold(self) -> bool:
        """Take this slot and then the next one, and say whether both are ours."""
        now = int(self.clock() // SLOT_S)
        return self._take(now) and (self._take(now + 1) or self._give_up())

    def release(self, *, stale: bool = False) -> None:
        """Give up what is ours; with `stale`, remove also what has run out, whosever it was."""
        past = int(self.clock() // SLOT_S) - 1
        for volume in self.volumes.volumes({"label": [f"{_KEY}={self.key}"]}).get("Volumes") or []:
            mine = (volume.get("Labels") or {}).get(_OWNER) == self.owner
            slot = volume["Name"].rpartition("-")[2]
            if mine or (stale and slot.isdecimal() and int(slot) < past):
                self.volumes.remove_volume(volume["Name"], force=True)

    def _give_up(self) -> bool:
        self.release()
        return False

    def _take(self, slot: int) -> bool:
        labels = {_KEY: self.key, _OWNER: self.owner}
        made = self.volumes.create_volume(f"taxiway-claim-{self.key}-{slot}", labels=labels)
        return bool((made.get("Labels") or {}).get(_OWNER) == self.owner)


@contextmanager
def only_one(
    volumes: Volumes,
    key: str,
    *,
    timeout_s: float,
    over: Callable[[], bool] = lambda: False,
    clock: Clock = time.time,
    sleep: Sleep = time.sleep,
) -> Iterator[bool]:
    """Let one caller at a time into the block, of all that name the same `key` on this engine.

    Gives True to that one. `over` is asked by those who wait: where it says that nothing is left to do, they
    come in, too, and are given False.

    Raises:
        BuildBusy: others have been in it for more than `timeout_s` seconds; 0 is no limit.
    """
    claim = _Claim(volumes=volumes, key=key, clock=clock)
    deadline = clock() + timeout_s
    pauses = delays(0.2, 2.0)
    while not claim.hold():
        if over():
            yield False
            return
        if timeout_s and clock() > deadline:
            raise BuildBusy(
                f"The image {key} has been in the making for over {timeout_s:g} s.",
                remedy="It is tried again; if it takes that long by itself, raise TAXIWAY_BUILD_TIMEOUT_S.",
            )
        sleep(next(pauses))
    done = threading.Event()
    keeper = threading.Thread(target=_keep, args=(claim, done), name="image-claim", daemon=True)
    keeper.start()
    try:
        yield True
    finally:
        done.set()
        keeper.join()
        claim.release(stale=True)


def _keep(claim: _Claim, done: threading.Event) -> None:
    while not done.wait(SLOT_S / 3):
        try:
            if not claim.hold():
                return
        except TaxiwayError as error:
            # The build itself will say so, if it lasts.
            log.warning("the claim of an image could not be kept: %s", error)
