"""The container engine of a test run: the one that is there, else a dockerd that all its processes share.

    python -m tests.engine.shared FOLDER

is that dockerd's keeper: it ends it when nobody uses it any more, also where those who did were killed.
Whoever uses it holds a lock on a file, and locks end with their processes.
"""

from __future__ import annotations

import fcntl
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from filelock import FileLock

from tests.engine.daemon import NotHere, answers, dockerd

_ROOT = Path(__file__).parents[2]
_START_S, _POLL_S = 90, 0.1
_USUAL = "unix:///var/run/docker.sock"


@contextmanager
def engine(run: Path) -> Iterator[str]:
    """Yield the `DOCKER_HOST` of a running engine; `run` is a folder that all processes of a run know.

    Raises:
        NotHere: none answers, and none can be started.
    """
    given = os.environ.get("DOCKER_HOST")
    for host in (given, _USUAL):
        if host and answers(host):
            yield host
            return
    if given:
        raise NotHere(f"the engine that DOCKER_HOST names, {given}, does not answer")
    with shared(run) as host:
        yield host


@contextmanager
def shared(run: Path) -> Iterator[str]:
    """Yield the `DOCKER_HOST` of a dockerd that ends with the last process that is in here.

    Raises:
        NotHere: it cannot be started.
    """
    with _users(run).open("a+") as users:
        fcntl.lockf(users, fcntl.LOCK_SH)
        with FileLock(run / "engine.starting"):
            host = _host(run) or _start(run)
        yield host


def keep(run: Path) -> None:
    """Run a dockerd until nobody uses it."""
    try:
        with dockerd() as host:
            _note(run, "host", host)
            with _users(run).open("a+") as users:
                fcntl.lockf(users, fcntl.LOCK_EX)
                (run / "engine.host").unlink()
    except NotHere as error:
        _note(run, "failed", str(error))


def _start(run: Path) -> str:
    failed = run / "engine.failed"
    failed.unlink(missing_ok=True)
    words = ["setsid", "--fork", sys.executable, "-m", "tests.engine.shared", str(run)]
    with (run / "engine.log").open("ab") as log:
        subprocess.run(words, cwd=_ROOT, stdin=subprocess.DEVNULL, stdout=log, stderr=log, check=True)
    deadline = time.monotonic() + _START_S
    while (host := _host(run)) is None:
        if failed.exists():
            raise NotHere(f"no container engine answers, and {failed.read_text()}")
        if time.monotonic() > deadline:
            raise NotHere(f"no container engine answers, and none came up: see {run}/engine.log")
        time.sleep(_POLL_S)
    return host


def _host(run: Path) -> str | None:
    try:
        return (run / "engine.host").read_text()
    except FileNotFoundError:
        return None


def _note(run: Path, name: str, text: str) -> None:
    draft = run / f"engine.{name}.draft"
    draft.write_text(text)
    draft.replace(run / f"engine.{name}")


def _users(run: Path) -> Path:
    return run / "engine.users"


if __name__ == "__main__":
    keep(Path(sys.argv[1]))
