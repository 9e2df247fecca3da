"""From a commit to its report: `taxiway preview` of a code-only change against doing the same by hand.

By hand is what a CI job without Taxiway does: clone, install the lock (from a warm cache), `pyflyte register`
and `pyflyte run --remote --wait` of the longer one of the two smoke tests. That fetches no policy, makes no
reproducible bundle, admits, compares and reports nothing. Both run on one warm sandbox, every round with a
commit of its own; rounds alternate.

Figures: `ratio` is our time as a multiple of the time by hand; `step_<name>_s` is what each step of the
preview took by Flyte's own record, `by_hand_<name>_s` each step by hand.
"""

from __future__ import annotations

import statistics
import tempfile
import time
from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

from flyteidl.admin.project_pb2 import Project, ProjectRegisterRequest
from flytekit.configuration import Config
from uv import find_uv_bin

from tasks._flyte import connect
from tasks._run import run as run_process
from tests import running
from tests.fixtures.target import Target, build_target
from tests.running import Sandbox

_NAME, _PROJECT, _IMAGE = "bench", "bench-by-hand", "localhost:30000/by-hand:1"
_WORKFLOW = ("fraud/workflows.py", "train", "--rows", "200")


@dataclass(frozen=True, kw_only=True)
class Bench:
    """A warm sandbox, a target enrolled on it, and the seconds that were measured, by what took them."""

    sandbox: Sandbox
    target: Target
    scratch: Path
    seconds: dict[str, list[float]] = field(default_factory=lambda: defaultdict(list))

    def timed(self, what: str, action: Callable[[], object]) -> None:
        """Do `action` and keep how long it took."""
        began = time.monotonic()
        action()
        self.seconds[what].append(time.monotonic() - began)

    def commit(self, name: str) -> str:
        """Return a new commit that changes only code."""
        return self.target.revise(name, {"src/fraud/note.py": f'"""Of {name}."""\n'})

    def preview(self, sha: str) -> None:
        """Preview a commit, and keep what each step took."""
        report = self.sandbox.preview(_NAME, sha)["report"]
        for timing in report["timings"]:
            if not timing["part_of"]:
                self.seconds[f"step_{timing['step']}_s"].append(timing["seconds"])

    def by_hand(self, name: str) -> None:
        """Do with the tip of branch `name` what a script would."""
        tree, venv = self.scratch / name, self.scratch / f"{name}-venv"
        source, python = tree / "src", venv / "bin" / "python"
        self.timed(
            "by_hand_clone_s", lambda: self._process("git", "clone", "-q", "-b", name, self.target.url, tree)
        )
        self.timed("by_hand_install_s", lambda: self._install(venv, python, tree / "requirements.lock"))
        image = f"{_IMAGE}{name}"
        self.sandbox.taxiway("image", "--state", self.sandbox.state, "add", image, "--prefix", venv)
        place = ("-p", _PROJECT, "-d", "development")
        pyflyte = venv / "bin" / "pyflyte"
        register = (pyflyte, "register", *place, "--version", name, "--image", image, "fraud")
        self.timed("by_hand_register_s", lambda: self._process(*register, cwd=source))
        launch = (pyflyte, "run", "--remote", *place, "--image", image, "--wait", "--poll-interval", "1")
        self.timed("by_hand_run_s", lambda: self._process(*launch, *_WORKFLOW, cwd=source))

    def _install(self, venv: Path, python: Path, lock: Path) -> None:
        uv = find_uv_bin()
        self._process(uv, "venv", "--quiet", venv)
        self._process(uv, "pip", "install", "--quiet", "--python", python, "-r", lock)

    def _process(self, *words: str | Path, cwd: Path | None = None) -> None:
        run_process(words, timeout_s=600, env=self.sandbox.environ, cwd=cwd)


def run(rounds: int) -> dict[str, float]:
    """Measure so many rounds, after one that warms both up; return ratio and medians in seconds."""
    with tempfile.TemporaryDirectory() as folder:
        scratch = Path(folder)
        with running.sandbox(scratch / "state") as sandbox:
            bench = _prepare(sandbox, scratch)
            for number in range(-1, rounds):
                if number == 0:
                    bench.seconds.clear()
                ours = bench.commit(f"ours{number}")
                bench.timed("preview_s", partial(bench.preview, ours))
                bench.commit(f"hand{number}")
                bench.timed("by_hand_s", partial(bench.by_hand, f"hand{number}"))
    medians = {what: statistics.median(values) for what, values in sorted(bench.seconds.items())}
    return {"ratio": medians["preview_s"] / medians["by_hand_s"], **medians}


def _prepare(sandbox: Sandbox, scratch: Path) -> Bench:
    target = build_target(scratch / "fraud.git")
    limits = (
        "project=fraud",
        "domain=development",
        "domain=production",
        "image=registry.example.com/risk/fraud",
    )
    flags = [word for limit in limits for word in f"--limit-{limit}".split("=", 1)]
    sandbox.taxiway("install")
    sandbox.taxiway("enroll", target.url, "--name", _NAME, "--create-projects", *flags)
    with connect(Config.auto(str(sandbox.config))) as flyte:
        project = Project(id=_PROJECT, name=_PROJECT)
        flyte.call("RegisterProject", ProjectRegisterRequest(project=project))
    return Bench(sandbox=sandbox, target=target, scratch=scratch)
