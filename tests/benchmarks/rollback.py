"""A rollback from its launch to its last activation, against the bare calls that it cannot do without.

The bare calls are one UpdateLaunchPlan for each launch plan, one after the other, on a warm connection. A
task's start is what an activation that finds everything done takes, but for its own work. The goal is that
a rollback takes at most 3 times the bare calls plus one such start.

Figures: `ratio` is the rollback's time, less one task's start, as a multiple of the bare calls' (goal: at
most 3); `rollback_s`, `bare_calls_s` and `task_start_s` are what it is made of, and `activating_s` is that
part of a rollback in which launch plans are changed.
"""

from __future__ import annotations

import statistics
import tempfile
import time
from pathlib import Path

from flyteidl.admin.launch_plan_pb2 import ACTIVE, LaunchPlanUpdateRequest
from flyteidl.core.identifier_pb2 import LAUNCH_PLAN, Identifier

from tasks.converge import converge
from tasks.generations import follow_activation, launch_activation
from tasks.rollback import launch_rollback, plan_rollback
from tests import running
from tests.integration.staged import Stage, stage
from tests.running import Sandbox

PLANS = 200


def run(rounds: int) -> dict[str, float]:
    """Return the ratio and what it is made of, as medians of `rounds` rounds."""
    with tempfile.TemporaryDirectory() as folder, running.sandbox(Path(folder) / "state") as sandbox:
        sandbox.taxiway("install")
        sandbox.taxiway("enroll", "https://git.example.com/bench", "--name", "bench", "--create-projects",
                        "--limit-project", "*", "--limit-domain", "*")  # fmt: skip
        measured = [_round(sandbox, number) for number in range(rounds)]
    return {name: statistics.median(one[name] for one in measured) for name in measured[0]}


def _round(sandbox: Sandbox, number: int) -> dict[str, float]:
    name = f"round{number}"
    with stage(sandbox, target="bench", project=f"bench-{name}") as made:
        staged = Stage(home=made.home, flyte=made.flyte, project=made.project, name=name)
        plans = [f"p{at}" for at in range(PLANS)]
        for version in ("v1", "v2"):
            staged.register(version, plans)
        bare_s = _bare(staged, plans, "v1")
        home = staged.home
        started_s = []
        for generation, version in enumerate(("v1", "v2")):
            after = dict.fromkeys(plans, version)
            converge(staged.flyte, staged.activation(generation, after))
            launched = launch_activation(home, staged.activation(generation, after))
            began = home.execution(launched.id.name).closure.created_at.ToNanoseconds() / 1e9
            done = follow_activation(home, launched.id.name)
            ended = home.execution(launched.id.name).closure.updated_at.ToNanoseconds() / 1e9
            started_s.append(ended - began - done.seconds)
        planned = plan_rollback(home, name, to="previous", reason="bench")
        began = time.time()
        launched = launch_rollback(home, planned, "previous")
        done = follow_activation(home, launched.id.name)
        # Watching it closer than this would slow down what is measured.
        ended = home.execution(launched.id.name).closure.updated_at.ToNanoseconds() / 1e9
        took_s = ended - began
    start_s = statistics.median(started_s)
    return {
        "ratio": (took_s - start_s) / bare_s,
        "rollback_s": took_s,
        "bare_calls_s": bare_s,
        "task_start_s": start_s,
        "activating_s": done.seconds,
    }


def _bare(staged: Stage, plans: list[str], version: str) -> float:
    began = time.monotonic()
    for plan in plans:
        identifier = Identifier(
            resource_type=LAUNCH_PLAN,
            project=staged.project,
            domain=staged.domain,
            name=plan,
            version=version,
        )
        staged.flyte.call("UpdateLaunchPlan", LaunchPlanUpdateRequest(id=identifier, state=ACTIVE))
    return time.monotonic() - began
