"""`taxiway` commands, each in a process of its own that is forked from one which has imported everything.

A command spends two seconds of CPU time on imports, mostly flytekit's, and the tests run hundreds. Each has
its own environment, streams and session, as one that is started from a shell.
"""

from __future__ import annotations

import multiprocessing
import os
import shlex
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path

from flytekit.configuration.file import get_config_file

from scripts.cli import COMMANDS, main
from tasks._errors import CommandFailed, CommandTimedOut
from tasks._run import Done

_FORKSERVER = multiprocessing.get_context("forkserver")
_FORKSERVER.set_forkserver_preload([__name__, *(f"scripts.commands.{name}" for name in COMMANDS)])


def taxiway(
    words: Sequence[str | Path], *, env: Mapping[str, str], expect: Sequence[int], timeout_s: float
) -> Done:
    """Run a `taxiway` command to its end; `env` is its whole environment.

    Raises:
        CommandTimedOut: it ran longer than `timeout_s` seconds.
        CommandFailed: its exit code is none of `expect`.
    """
    argv = [str(word) for word in words]
    shown = shlex.join(["taxiway", *argv])
    with tempfile.TemporaryDirectory() as folder:
        files = Path(folder, "stdout"), Path(folder, "stderr")
        process = _FORKSERVER.Process(target=_command, args=(argv, dict(env), *files))
        process.start()
        process.join(timeout_s)
        if process.exitcode is None:
            process.kill()
            process.join()
            raise CommandTimedOut(f"`{shown}` was ended after {timeout_s:g} s.", remedy="See its output.")
        out, err = (file.read_text(errors="backslashreplace") for file in files)
    if process.exitcode not in expect:
        raise CommandFailed(shown, process.exitcode, out, err)
    return Done(code=process.exitcode, stdout=out, stderr=err)


def _command(argv: list[str], env: dict[str, str], stdout: Path, stderr: Path) -> None:
    os.setsid()
    os.environ.clear()
    os.environ.update(env)
    for descriptor, file in ((0, Path(os.devnull)), (1, stdout), (2, stderr)):
        opened = os.open(file, os.O_RDONLY if descriptor == 0 else os.O_WRONLY | os.O_CREAT)
        os.dup2(opened, descriptor)
        os.close(opened)
    get_config_file.cache_clear()  # filled by flytekit's import, from another environment
    sys.argv = ["taxiway", *argv]
    main(argv)
