"""A container engine: the one that is there, else a dockerd of the tests' own."""

from __future__ import annotations

import contextlib
import os
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NoReturn

import docker
import pytest
import requests
from docker.errors import DockerException

_START_S, _STOP_S, _POLL_S = 60, 60, 0.1
_SYSTEM = "/usr/local/sbin:/usr/sbin:/sbin"  # where packages put what dockerd itself starts


def skip(error: NotHere) -> NoReturn:
    """Skip the tests that need it; in CI, where all is installed, that would hide them."""
    if os.environ.get("CI") == "true":
        pytest.fail(str(error), pytrace=False)
    pytest.skip(str(error))


class NotHere(Exception):
    """This machine has no such thing and cannot start one; the message says why."""


@contextmanager
def engine() -> Iterator[str]:
    """Yield the `DOCKER_HOST` of a running engine, and stop it afterwards if it was started here.

    Raises:
        NotHere: none answers, and none can be started.
    """
    given = os.environ.get("DOCKER_HOST")
    for host in (given, "unix:///var/run/docker.sock"):
        if host and answers(host):
            yield host
            return
    if given:
        raise NotHere(f"the engine that DOCKER_HOST names, {given}, does not answer")
    path = f"{os.environ['PATH']}{os.pathsep}{_SYSTEM}"
    program = shutil.which("dockerd", path=path)
    if program is None or os.geteuid():
        raise NotHere("no container engine answers, and dockerd is not installed, or we are not root")
    # Short, for its sockets lie below.
    made = tempfile.TemporaryDirectory(prefix="engine-", dir="/tmp", ignore_cleanup_errors=True)
    with made as folder, _dockerd(program, Path(folder), {**os.environ, "PATH": path}) as host:
        yield host


def answers(host: str) -> bool:
    """Whether a container engine is at this address."""
    with contextlib.suppress(DockerException, requests.RequestException, OSError):
        client = docker.APIClient(host, version="auto", timeout=5)
        client.close()
        return True
    return False


@contextmanager
def _dockerd(program: str, folder: Path, environ: dict[str, str]) -> Iterator[str]:
    host = f"unix://{folder}/docker.sock"
    words = [program, "--host", host, "--data-root", f"{folder}/data", "--exec-root", f"{folder}/exec"]
    words += ["--pidfile", f"{folder}/pid"]
    log = folder / "log"
    with log.open("wb") as output, subprocess.Popen(words, env=environ, stderr=output) as process:
        try:
            deadline = time.monotonic() + _START_S
            while not answers(host):
                if process.poll() is not None or time.monotonic() > deadline:
                    raise NotHere(f"dockerd does not start: {_last_line(log)}")
                time.sleep(_POLL_S)
            yield host
        finally:
            process.terminate()
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(_STOP_S)
            process.kill()


def _last_line(log: Path) -> str:
    return (log.read_text(errors="replace").strip().splitlines() or ["it printed nothing"])[-1]
