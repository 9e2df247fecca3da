"""Finds and ends every process that belongs to an attempt, wherever it went.

A process belongs to an attempt if it is in the session that the attempt's first process leads, or if it
carries the attempt's mark in its environment, as a daemon in a session of its own still does. One that
also clears its environment before it starts a program in a new session is not found.
"""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import psutil

MARK = "_TAXIWAY_ATTEMPT"
_ROUNDS = 20
_PAUSE_S = 0.05


@dataclass(frozen=True, kw_only=True)
class Leader:
    """The first process of an attempt, told from a later one of the same number by its start."""

    pid: int
    started: float

    @classmethod
    def of(cls, pid: int) -> Leader:
        """Return the leader with this number, which must be running or not yet waited for."""
        return cls(pid=pid, started=psutil.Process(pid).create_time())

    @classmethod
    def read(cls, file: Path) -> Leader | None:
        """Return what `write` left in a file; None where that is broken."""
        try:
            pid, started = file.read_text().split()
            return cls(pid=int(pid), started=float(started))
        except (OSError, ValueError):
            return None

    def write(self, file: Path) -> None:
        """Leave a note of this process for a later life of the sandbox."""
        file.write_text(f"{self.pid} {self.started!r}\n")

    def alive(self) -> bool:
        """Whether this very process is still there."""
        with contextlib.suppress(psutil.Error):
            return abs(psutil.Process(self.pid).create_time() - self.started) < 1
        return False


def end(belongs: Callable[[psutil.Process], bool]) -> int:
    """Kill every process that belongs, until none is found; return how many there were."""
    ended: set[int] = set()
    for _ in range(_ROUNDS):
        found = [process for process in psutil.process_iter() if _safe(belongs, process)]
        if not found:
            break
        for process in found:
            with contextlib.suppress(psutil.Error):
                process.kill()
        ended.update(process.pid for process in found)
        time.sleep(_PAUSE_S)
    return len(ended)


def in_session(leader: int) -> Callable[[psutil.Process], bool]:
    """Tell the processes of the session that `leader` leads."""
    return lambda process: os.getsid(process.pid) == leader


def marked(belongs: Callable[[str], bool]) -> Callable[[psutil.Process], bool]:
    """Tell the processes that carry a mark of which `belongs` is true."""

    def check(process: psutil.Process) -> bool:
        mark = process.environ().get(MARK)
        return mark is not None and belongs(mark)

    return check


def either(*checks: Callable[[psutil.Process], bool]) -> Callable[[psutil.Process], bool]:
    """Tell the processes that pass any of `checks`."""
    return lambda process: any(_safe(check, process) for check in checks)


def _safe(check: Callable[[psutil.Process], bool], process: psutil.Process) -> bool:
    """A process that ended meanwhile, or is somebody else's, belongs to no attempt."""
    try:
        return process.pid != os.getpid() and check(process) and process.status() != psutil.STATUS_ZOMBIE
    except (psutil.Error, OSError):
        return False
