"""Registering 300 entities (200 tasks, 50 workflows, 50 launch plans) against `pyflyte register`.

Both talk to the same stand-in for Flyte, a process of its own, which adds 20 ms (or nothing) to every call
and every upload. Compared is the registering phase alone, from the server's sight: from the start of a
client's first call to the end of its last, the upload of the bundle included. What either does before, such
as importing and serialising the code, is left out for both. Rounds alternate, each under new versions:
fresh, then the same again.

Figures: `fresh_ratio` and `repeat_ratio` are how many times faster Taxiway is (goal: at least 8 and 30), and
with `_no_latency` the same where nothing is added (goal: at least 1). `<client>_<phase>_s` is what it took
either client, `taxiway` or `pyflyte`, to register `fresh` or to `repeat` it, also with `_no_latency` before
the `_s`.
"""

from __future__ import annotations

import contextlib
import json
import statistics
import subprocess
import sys
import tarfile
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import requests
from flytekit.configuration import Config, PlatformConfig

from tasks._entities import Entity, Kind, parse
from tasks._flyte import connect
from tasks._rewrite import LaunchSettings, Placement, rewrite
from tasks._storage import upload
from tasks.registration import register_all

TASKS, WORKFLOWS = 200, 50
LATENCY_S = 0.020
PROJECT, DOMAIN = "bench", "development"
_KINDS = {"1": Kind.TASK, "2": Kind.WORKFLOW, "3": Kind.LAUNCH_PLAN}


@dataclass(frozen=True, kw_only=True)
class Project:
    """The generated project: its folder, its code bundle, its packaged entities."""

    folder: Path
    bundle: Path
    entities: list[Entity]


def run(rounds: int) -> dict[str, float]:
    """Return how many times faster Taxiway registers, as medians of `rounds` rounds."""
    with tempfile.TemporaryDirectory() as folder:
        project = generate(Path(folder))
        with serve(LATENCY_S) as server:
            far = [measure(project, server, f"far{number}") for number in range(rounds)]
        with serve(0.0) as server:
            near = [measure(project, server, f"near{number}") for number in range(rounds)]
    return {
        "fresh_ratio": _ratio(far, "fresh"),
        "repeat_ratio": _ratio(far, "repeat"),
        "fresh_ratio_no_latency": _ratio(near, "fresh"),
        "repeat_ratio_no_latency": _ratio(near, "repeat"),
        **{f"{name}_s": statistics.median(one[name] for one in far) for name in far[0]},
        **{f"{name}_no_latency_s": statistics.median(one[name] for one in near) for name in near[0]},
    }


def _ratio(measured: list[dict[str, float]], phase: str) -> float:
    return statistics.median(one[f"pyflyte_{phase}"] / one[f"taxiway_{phase}"] for one in measured)


def generate(folder: Path) -> Project:
    """Write a package of 200 tasks and 50 workflows of four tasks each, and package it once."""
    package = folder / "src" / "flows"
    package.mkdir(parents=True)
    lines = ["from flytekit import task, workflow", ""]
    for number in range(TASKS):
        lines += ["@task", f"def t{number}(n: int) -> int:", f"    return n + {number}", ""]
    for number in range(WORKFLOWS):
        calls = [f"    n = t{number * 4 + index}(n=n)" for index in range(4)]
        lines += ["@workflow", f"def w{number}(n: int) -> int:", *calls, "    return n", ""]
    (package / "__init__.py").write_text("")
    (package / "many.py").write_text("\n".join(lines))
    archive = folder / "package.tgz"
    _pyflyte(folder, "--pkgs", "flows", "package", "--source", ".", "--copy", "all", "-f", "-d", ".",
             "--image", "localhost:30000/taxiway:default", "-o", str(archive))  # fmt: skip
    unpacked = folder / "package"
    with tarfile.open(archive) as members:
        members.extractall(unpacked)  # noqa: S202 - made a line above
    entities = [parse(_KINDS[file.stem[-1]], file.read_bytes()) for file in sorted(unpacked.glob("*.pb"))]
    assert len(entities) == TASKS + 2 * WORKFLOWS
    return Project(folder=folder, bundle=next(unpacked.glob("*.tar.gz")), entities=entities)


def measure(project: Project, server: dict[str, str], version: str) -> dict[str, float]:
    """Register once fresh and once again with either client, and return the seconds of each."""
    seconds: dict[str, float] = {}
    for phase in ("fresh", "repeat"):
        with _timed(server, seconds, f"pyflyte_{phase}"):
            register_by_pyflyte(project, server["endpoint"], f"{version}-pyflyte")
        with _timed(server, seconds, f"taxiway_{phase}"):
            register_by_taxiway(project, server["endpoint"], f"{version}-taxiway")
    return seconds


def register_by_pyflyte(project: Project, endpoint: str, version: str) -> None:
    """Run the peer as its users do."""
    config = project.folder / "config.yaml"
    config.write_text(f"admin:\n  endpoint: {endpoint}\n  insecure: true\n")
    _pyflyte(project.folder, "--config", str(config), "register", "--project", PROJECT, "--domain", DOMAIN,
             "--version", version, "--image", "localhost:30000/taxiway:default", "flows")  # fmt: skip


def register_by_taxiway(project: Project, endpoint: str, version: str) -> None:
    """Do what Taxiway's registration step does with a package: upload, rewrite, register."""
    with connect(Config(platform=PlatformConfig(endpoint=endpoint, insecure=True))) as flyte:
        uri = upload(flyte, project.bundle, project=PROJECT, domain=DOMAIN, root=version, name="code.tar.gz")
        placement = Placement(
            project=PROJECT, domain=DOMAIN, version=version, bundle_uri=uri, destination="."
        )
        register_all(rewrite(project.entities, placement, LaunchSettings()), flyte)


@contextlib.contextmanager
def serve(latency_s: float) -> Iterator[dict[str, str]]:
    """Run the stand-in in a process of its own and give its addresses."""
    command = [sys.executable, "-m", "tests.benchmarks._server", "--latency", str(latency_s)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        try:
            assert process.stdout is not None
            yield json.loads(process.stdout.readline())
        finally:
            process.terminate()


@contextlib.contextmanager
def _timed(server: dict[str, str], seconds: dict[str, float], name: str) -> Iterator[None]:
    requests.delete(server["http"], timeout=10)
    yield
    calls = requests.get(server["http"], timeout=10).json()
    seconds[name] = max(call["ended"] for call in calls) - min(call["began"] for call in calls)


def _pyflyte(folder: Path, *words: str) -> None:
    done = subprocess.run(
        [Path(sys.executable).with_name("pyflyte"), *words],
        cwd=folder / "src",
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        check=False,
    )
    if done.returncode:
        raise RuntimeError(f"pyflyte {' '.join(words)} ended with {done.returncode}: {done.stdout.decode()}")
