"""A registry of the demo's own: the program `docker-registry`, on loopback, in a process of its own."""

from __future__ import annotations

import json
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import click
import psutil

PROGRAM = "docker-registry"
_HOST, _USUAL_PORT = "127.0.0.1", 5000
_CONFIG, _PID, _LOG = "config.json", "pid", "log"
_START_S, _STOP_S, _POLL_S = 20.0, 20.0, 0.05


@contextmanager
def local_registry(folder: Path, *, keep: bool) -> Iterator[str]:
    """Run one that keeps everything in `folder`, and give its `HOST:PORT`.

    It ends with the block, unless it is to be kept. Its port is the usual one where that is free, for an
    engine takes the layers of earlier builds under the same name alone.

    Raises:
        click.ClickException: it does not start.
    """
    folder.mkdir(parents=True)
    port = _port()
    config = folder / _CONFIG
    config.write_text(json.dumps(_settings(folder, port)))  # JSON is YAML
    with (folder / _LOG).open("wb") as log:
        process = subprocess.Popen(
            [PROGRAM, "serve", str(config)],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            start_new_session=True,
        )
    (folder / _PID).write_text(str(process.pid))
    leave = False
    try:
        _wait_for(port, process, folder / _LOG)
        leave = keep
        yield f"{_HOST}:{port}"
    finally:
        if leave:
            process.returncode = 0  # so that nobody minds that it goes on
        else:
            process.terminate()
            process.wait(_STOP_S)


def stop_command(folder: Path) -> str:
    """Return the command that ends the registry of `folder`."""
    return f"kill {(folder / _PID).read_text()}"


def stop_earlier(folder: Path) -> None:
    """End the registry of `folder`, where one was kept running."""
    with suppress(FileNotFoundError, ValueError, psutil.NoSuchProcess):
        process = psutil.Process(int((folder / _PID).read_text()))
        if str(folder / _CONFIG) in process.cmdline():
            process.terminate()
            process.wait(_STOP_S)


def _settings(folder: Path, port: int) -> dict[str, object]:
    storage = {"filesystem": {"rootdirectory": str(folder / "data")}, "delete": {"enabled": True}}
    log = {"level": "warn", "accesslog": {"disabled": True}}
    return {"version": 0.1, "log": log, "storage": storage, "http": {"addr": f"{_HOST}:{port}"}}


def _port() -> int:
    for port in (_USUAL_PORT, 0):
        with socket.socket() as asked, suppress(OSError):
            asked.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            asked.bind((_HOST, port))
            return int(asked.getsockname()[1])
    raise click.ClickException(f"No port of {_HOST} is free.")


def _wait_for(port: int, process: subprocess.Popen[bytes], log: Path) -> None:
    deadline = time.monotonic() + _START_S
    while process.poll() is None and time.monotonic() < deadline:
        with suppress(OSError), socket.create_connection((_HOST, port), timeout=1):
            return
        time.sleep(_POLL_S)
    said = log.read_text(errors="replace").strip().splitlines() or ["it printed nothing"]
    raise click.ClickException(f"{PROGRAM} does not start: {said[-1]}")
