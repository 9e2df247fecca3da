"""A CI job as it has `trigger.py`: a copy of that one file, and an environment with `requests` alone."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from tasks._run import Done, run

_ROOT = Path(__file__).parents[1]
_PROGRAMS = Path(sys.executable).parent
_FOREIGN = ("FLYTE", "TAXIWAY", "GITHUB_", "GITLAB_", "PYTHON")


@dataclass(frozen=True, kw_only=True)
class CiImage:
    """A folder with `trigger.py` in it, and a Python that knows `requests`."""

    python: Path
    folder: Path

    @classmethod
    def build(cls, folder: Path) -> CiImage:
        """Make it in an empty folder."""
        uv, venv = _PROGRAMS / "uv", folder / "venv"
        lock = _ROOT / "requirements.lock"
        run([uv, "venv", "--quiet", "--python", sys.executable, venv], timeout_s=60)
        install: list[str | Path] = [uv, "pip", "install", "--quiet", "--python", venv / "bin" / "python"]
        run([*install, "--constraint", lock, "requests"], timeout_s=120)
        shutil.copy(_ROOT / "scripts" / "trigger.py", folder)
        return cls(python=venv / "bin" / "python", folder=folder)

    def job(
        self,
        *words: str,
        environ: Mapping[str, str] | None = None,
        expect: Sequence[int] = (0,),
        timeout_s: float = 240,
        bare: bool = False,
    ) -> Done:
        """Run `trigger.py` to its end; with `bare` by a Python that knows no installed packages."""
        env = {**_environ(), **(environ or {})}
        flags = ["-I", "-W", "error", *(["-S"] if bare else [])]
        argv: list[str | Path] = [self.python, *flags, "trigger.py", *words]
        return run(argv, timeout_s=timeout_s, env=env, cwd=self.folder, expect=expect)

    def cancelled_job(self, *words: str, when: Callable[[], bool], signum: signal.Signals) -> Done:
        """Start `trigger.py`, send it a signal as soon as `when` holds, and return how it ended."""
        argv = [str(self.python), "-I", "trigger.py", *words]
        pipe = subprocess.PIPE
        with subprocess.Popen(
            argv, env=_environ(), cwd=self.folder, text=True, stdout=pipe, stderr=pipe
        ) as job:
            end = time.monotonic() + 60
            while not when():
                assert job.poll() is None, job.communicate()
                assert time.monotonic() < end, "it did not come to that in time"
                time.sleep(0.1)
            job.send_signal(signum)
            stdout, stderr = job.communicate(timeout=30)
        return Done(code=job.returncode, stdout=stdout, stderr=stderr)


def _environ() -> dict[str, str]:
    return {key: value for key, value in os.environ.items() if not key.startswith(_FOREIGN)}
