"""The one door to processes: argv only, always a timeout, secrets masked, both streams kept."""

from __future__ import annotations

import contextlib
import logging
import os
import shlex
import signal
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from tasks._errors import CommandFailed, CommandMissing, CommandTimedOut

log = logging.getLogger(__name__)

MASK = "***"
WATCH_INTERVAL_S = 0.2


@dataclass(frozen=True, kw_only=True)
class Done:
    """What a process left behind. `stdout` and `stderr` are text with undecodable bytes escaped."""

    code: int
    stdout: str
    stderr: str


def masked(text: str, secrets: Sequence[str]) -> str:
    """Return `text` with every one of `secrets` replaced; empty ones are passed over."""
    for secret in sorted(filter(None, secrets), key=len, reverse=True):
        text = text.replace(secret, MASK)
    return text


def run(
    argv: Sequence[str | Path],
    *,
    timeout_s: float,
    cwd: Path | None = None,
    env: Mapping[str, str] | None = None,
    stdin: bytes = b"",
    stdout: IO[bytes] | None = None,
    stderr: IO[bytes] | None = None,
    secrets: Sequence[str] = (),
    expect: Sequence[int] = (0,),
    watch: Callable[[], None] | None = None,
) -> Done:
    """Run `argv` to its end and return what it printed.

    `env` is the whole environment of the process (nothing is inherited) or None to inherit ours. The
    process leads a session of its own; past `timeout_s` all of that session is killed. `secrets` are
    masked in the log, in the result and in every error; they belong in `stdin` or in a file, never in
    `argv`. What the process writes goes to the files `stdout` and `stderr` as it is, where they are given.
    `watch` is called every `WATCH_INTERVAL_S`; what it raises ends the process and is raised.

    Raises:
        CommandMissing: the program is not there.
        CommandTimedOut: it ran longer than `timeout_s` seconds.
        CommandFailed: its exit code is none of `expect`.
    """
    words = [str(word) for word in argv]
    shown = masked(shlex.join(words), secrets)
    log.debug("run %s", shown)
    try:
        with contextlib.ExitStack() as opened:
            process = subprocess.Popen(
                words,
                cwd=cwd,
                env=None if env is None else dict(env),
                stdin=subprocess.PIPE if watch is None else opened.enter_context(_file_of(stdin)),
                stdout=subprocess.PIPE if stdout is None else stdout,
                stderr=subprocess.PIPE if stderr is None else stderr,
                start_new_session=True,
            )
    except (FileNotFoundError, PermissionError) as error:
        raise CommandMissing(
            f"`{words[0]}` could not be started: {error}.", remedy=f"Install {words[0]}."
        ) from error
    try:
        out, err = _communicate(process, stdin, timeout_s, watch)
    except subprocess.TimeoutExpired as error:
        raise CommandTimedOut(
            f"`{shown}` was ended after {timeout_s:g} s.", remedy="Raise its limit or see what it waited for."
        ) from error
    finally:
        _end(process)
    done = Done(
        code=process.returncode,
        stdout=masked((out or b"").decode(errors="backslashreplace"), secrets),
        stderr=masked((err or b"").decode(errors="backslashreplace"), secrets),
    )
    if done.code not in expect:
        raise CommandFailed(shown, done.code, done.stdout, done.stderr)
    return done


def _communicate(
    process: subprocess.Popen[bytes], stdin: bytes, timeout_s: float, watch: Callable[[], None] | None
) -> tuple[bytes | None, bytes | None]:
    """Wait for the process's end, in short turns where somebody watches.

    In turns there must be no input left to send: `Popen.communicate` forgets it after the first timeout.
    """
    if watch is None:
        return process.communicate(stdin, timeout=timeout_s)
    deadline = time.monotonic() + timeout_s
    while True:
        left = deadline - time.monotonic()
        try:
            return process.communicate(timeout=max(0.0, min(left, WATCH_INTERVAL_S)))
        except subprocess.TimeoutExpired:
            if left <= WATCH_INTERVAL_S:
                raise
        watch()


@contextlib.contextmanager
def _file_of(content: bytes) -> Iterator[IO[bytes]]:
    """Give an unnamed file of `content`, at its start."""
    with tempfile.TemporaryFile() as file:
        file.write(content)
        file.seek(0)
        yield file


def _end(process: subprocess.Popen[bytes]) -> None:
    """Kill what is left of the process's session; a session that is gone is what we want.

    A child can outlive the process and hold its pipes open. Its group keeps the number that was the
    process's, so that number cannot have gone to somebody else while there is such a child.
    """
    if process.returncode is None:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.communicate()
