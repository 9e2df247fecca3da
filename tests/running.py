"""A Flyte as its users reach it, and a sandbox as they run it: by commands, in processes of their own."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psutil

from tasks._run import Done, run
from tests import forked

PRINCIPAL_HEADER = "x-forwarded-user"
"""Who calls, to the sandbox that the tests share; without it, it knows nobody."""

_PROGRAMS = Path(sys.executable).parent


@dataclass(frozen=True, kw_only=True)
class Cluster:
    """A Flyte that is there: a sandbox of the tests' own, or the one that `--flyte-endpoint` names.

    `config` is a flytekit configuration file, `http` where its REST API is, `default_image` an image that
    its tasks can run in.
    """

    endpoint: str
    http: str
    config: Path
    default_image: str

    @property
    def environ(self) -> dict[str, str]:
        """The environment of somebody whose flytekit is configured for this Flyte and for nothing else."""
        return {**clean_environ(), "FLYTECTL_CONFIG": str(self.config)}

    def taxiway(self, *words: str | Path, expect: Sequence[int] = (0,), timeout_s: float = 240) -> Done:
        """Run a `taxiway` command to its end."""
        return forked.taxiway(words, env=self.environ, expect=expect, timeout_s=timeout_s)

    def install(self, *options: str) -> None:
        """Install Taxiway as on Kubernetes: its tasks run from the image, and fetch no bundle of code."""
        self.taxiway("install", "--image", self.default_image, *options)

    def pyflyte(self, *words: str | Path, cwd: Path, expect: Sequence[int] = (0,)) -> Done:
        """Run a `pyflyte` command to its end, in the folder `cwd`."""
        return program("pyflyte", *words, env=self.environ, cwd=cwd, expect=expect)

    def preview(self, *words: str, expect: Sequence[int] = (0,)) -> dict[str, Any]:
        """Run `taxiway preview` to its end and return its JSON."""
        done = self.taxiway("preview", *words, "--json", expect=(0, 1, 2))
        assert done.code in expect, done.stderr + done.stdout
        outcome: dict[str, Any] = json.loads(done.stdout)
        return outcome


@dataclass(frozen=True, kw_only=True)
class Sandbox(Cluster):
    """A running sandbox, whose files can be looked into and which can be stopped.

    `options` are those of `taxiway sandbox start` that it was started with, and is again; `given` is what
    it, and whoever uses it, finds in its environment beside ours.
    """

    state: Path
    storage: Path
    options: Sequence[str | Path] = ()
    given: Mapping[str, str] = field(default_factory=dict)

    @property
    def environ(self) -> dict[str, str]:
        """The environment of somebody whose flytekit is configured for this sandbox and for nothing else."""
        return {**super().environ, **self.given}

    def stop(self) -> None:
        """Stop it; its state stays."""
        self.taxiway("sandbox", "stop", "--state", self.state)

    def lose(self) -> None:
        """End it as `kill -KILL` does; its tasks go on, and reach nobody."""
        process = psutil.Process(json.loads((self.state / "sandbox.json").read_text())["pid"])
        process.kill()
        process.wait(10)

    def start(self) -> None:
        """Start it again where it was."""
        port = self.endpoint.rpartition(":")[2]
        self.taxiway("sandbox", "start", "--port", port, "--state", self.state, *self.options)


@contextmanager
def sandbox(state: Path, *options: str | Path, given: Mapping[str, str] | None = None) -> Iterator[Sandbox]:
    """Start a sandbox on a free port with its state in `state`; stop it in the end."""
    env = {**clean_environ(), **(given or {})}
    program("taxiway", "sandbox", "start", "--port", "0", "--state", state, *options, env=env)
    status = json.loads(program("taxiway", "sandbox", "status", "--json", "--state", state, env=env).stdout)
    started = Sandbox(
        state=state,
        options=options,
        given=given or {},
        endpoint=status["endpoint"],
        http=status["http"],
        config=Path(status["config"]),
        storage=Path(status["storage"]),
        default_image=status["default_image"],
    )
    try:
        yield started
    finally:
        started.stop()


def program(
    name: str,
    *words: str | Path,
    env: Mapping[str, str],
    cwd: Path | None = None,
    expect: Sequence[int] = (0,),
    timeout_s: float = 120,
) -> Done:
    """Run a program of this environment to its end."""
    return run([_PROGRAMS / name, *words], timeout_s=timeout_s, env=env, cwd=cwd, expect=expect)


def clean_environ() -> dict[str, str]:
    """Return our environment without what would point flytekit or Taxiway elsewhere."""
    foreign = ("FLYTE", "TAXIWAY_", "_F_", "PYTEST_")
    kept = {key: value for key, value in os.environ.items() if not key.startswith(foreign)}
    # flytekit 1.16 knows no default image for Python 3.13, and its commands fail to start without one.
    return {**kept, "FLYTE_INTERNAL_IMAGE": "localhost:30000/taxiway:default"}
