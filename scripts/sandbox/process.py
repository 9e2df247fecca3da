"""The process runtime: an attempt is a process of this machine, in the environment that its image stands for.

It keeps apart what processes can keep apart: environment, home, working and temporary directory, session.
It limits neither memory nor CPU, and hides no file from a task.
"""

from __future__ import annotations

import contextlib
import logging
import os
import select
import shutil
import subprocess
import threading
import time
from collections.abc import Mapping
from datetime import datetime, timezone
from pathlib import Path

import psutil

from scripts.sandbox import processes, raw_container, secrets
from scripts.sandbox.attempt_log import MAX_BYTES, AttemptLog
from scripts.sandbox.command import Command, StartFailed, plan
from scripts.sandbox.environment import machine_environment
from scripts.sandbox.images import Images, UnknownImage, VenvImage
from scripts.sandbox.processes import Leader
from scripts.sandbox.rootfs import SECRETS, Rootfs
from scripts.sandbox.runtime import Attempt, Exit, Reason

log = logging.getLogger(__name__)

_TICK_S = 0.1
_GRACE_S = 2.0
_DRAIN_S = 1.0
_CHUNK_BYTES = 1 << 16


class ProcessRuntime:
    """Runs attempts as processes. `work` holds the attempts' own folders, and nothing else.

    `environ` is the machine's environment, of which a task gets the few settings that it needs.
    `secret_folder` is where secrets come from; of what an attempt prints, `max_log_bytes` are kept.
    """

    def __init__(
        self,
        *,
        images: Images,
        work: Path,
        environ: Mapping[str, str],
        secret_folder: Path | None = None,
        max_log_bytes: int = MAX_BYTES,
    ) -> None:
        self._images = images
        self._work = work.resolve()
        self._machine = machine_environment(environ)
        self._secret_folder = secret_folder
        self._max_log_bytes = max_log_bytes
        self._lock = threading.Lock()
        self._stops: dict[str, threading.Event] = {}
        self._work.mkdir(parents=True, exist_ok=True)

    def run(self, attempt: Attempt) -> Exit:
        """Run the attempt to its end, end all that it started, and say how it ended."""
        started_at = datetime.now(timezone.utc)
        stop = self._stop_of(attempt.pod)
        try:
            reason, code, message = self._run(attempt, stop)
        finally:
            with self._lock:
                self._stops.pop(attempt.pod, None)
            shutil.rmtree(attempt.folder, ignore_errors=True)
        ended_at = datetime.now(timezone.utc)
        return Exit(reason=reason, started_at=started_at, ended_at=ended_at, code=code, message=message)

    def kill(self, pod: str) -> None:
        """Ask the attempt to end, and end it two seconds later; returns at once."""
        self._stop_of(pod).set()

    def clean(self) -> None:
        """End what an earlier life left running in this work folder, and empty the folder."""
        for note in self._work.glob("*.pid"):
            leader = Leader.read(note)
            if leader is not None and leader.alive():
                processes.end(processes.in_session(leader.pid))
        ended = processes.end(processes.marked(lambda mark: mark.startswith(f"{self._work}/")))
        if ended:
            log.warning("ended %d processes that an earlier life of this sandbox had left", ended)
        shutil.rmtree(self._work)
        self._work.mkdir(parents=True)

    def _stop_of(self, pod: str) -> threading.Event:
        with self._lock:
            return self._stops.setdefault(pod, threading.Event())

    def _run(self, attempt: Attempt, stop: threading.Event) -> tuple[Reason, int | None, str]:
        with AttemptLog(attempt.log, max_bytes=self._max_log_bytes) as output:
            try:
                return self._run_in(self._images.resolve(attempt.image), attempt, output, stop)
            except UnknownImage as error:
                output.remark(str(error))
                return Reason.IMAGE_MISSING, None, str(error)
            except (StartFailed, OSError) as error:
                # OSError: no room for its folders, words too long for the kernel, a file that is no program.
                output.remark(str(error))
                return Reason.START_FAILED, None, str(error)

    def _run_in(
        self, image: VenvImage, attempt: Attempt, output: AttemptLog, stop: threading.Event
    ) -> tuple[Reason, int | None, str]:
        rootfs = Rootfs(attempt=attempt.folder.resolve())
        rootfs.make()
        raw_container.before(attempt, rootfs, output)
        mounted = secrets.mount(
            attempt.secrets,
            source=self._secret_folder,
            namespace=attempt.namespace,
            target=rootfs.at(SECRETS),
            seen_as=rootfs.seen(SECRETS),
        )
        command = plan(
            attempt,
            image=image,
            rootfs=rootfs,
            machine=self._machine,
            mounted=mounted,
            data_paths=raw_container.data_paths(attempt.files, rootfs),
        )
        if stop.is_set():
            return Reason.STOPPED, None, ""
        code = self._execute(command, attempt, output, stop)
        if not stop.is_set():
            raw_container.after(attempt, rootfs, output)
        return _reason(code, stopped=stop.is_set()), _shell_code(code), output.tail() if code else ""

    def _execute(self, command: Command, attempt: Attempt, output: AttemptLog, stop: threading.Event) -> int:
        if command.destination:
            command.destination.mkdir(parents=True, exist_ok=True)
        note = self._work / f"{attempt.namespace}.{attempt.name}.pid"
        with subprocess.Popen(
            command.words,
            executable=command.program,
            cwd=command.directory,
            env=command.environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            bufsize=0,
            start_new_session=True,
        ) as process:
            try:
                with contextlib.suppress(OSError, psutil.Error):
                    Leader.of(process.pid).write(note)
                return _follow(process, command.environment[processes.MARK], output, stop)
            finally:
                process.kill()
                note.unlink(missing_ok=True)


def _follow(process: subprocess.Popen[bytes], mark: str, output: AttemptLog, stop: threading.Event) -> int:
    """Keep what the process prints until it ends; then end the rest of its kin and return its code.

    Its first process gone, an attempt is over, as a container is, even if a child still holds the output.
    """
    kin = processes.either(processes.in_session(process.pid), processes.marked(lambda own: own == mark))
    printing, asked_at = True, None
    while process.poll() is None:
        if printing:
            printing = _take(process, output, _TICK_S)
        else:
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(_TICK_S)
        if stop.is_set() and asked_at is None:
            process.terminate()
            asked_at = time.monotonic()
        if asked_at is not None and time.monotonic() > asked_at + _GRACE_S:
            process.kill()
    processes.end(kin)
    deadline = time.monotonic() + _DRAIN_S
    while printing and time.monotonic() < deadline:
        printing = _take(process, output, _TICK_S)
    return process.returncode


def _take(process: subprocess.Popen[bytes], output: AttemptLog, timeout_s: float) -> bool:
    """Wait for output and keep it; False once there can be no more."""
    stream = process.stdout
    if stream is None:
        return False
    ready = select.poll()  # select() knows no descriptor beyond 1023
    ready.register(stream, select.POLLIN | select.POLLHUP)
    if not ready.poll(timeout_s * 1000):
        return True
    data = os.read(stream.fileno(), _CHUNK_BYTES)
    output.write(data)
    return bool(data)


def _reason(code: int, *, stopped: bool) -> Reason:
    if stopped:
        return Reason.STOPPED
    if code < 0:
        return Reason.KILLED
    return Reason.ERROR if code else Reason.COMPLETED


def _shell_code(code: int) -> int:
    """A container ended by a signal has the code 128 + its number."""
    return code if code >= 0 else 128 - code
