"""A rollback from its launch to its last activation, against the bare calls that it cannot do without.

The bare calls are one UpdateLaunchPlan for each launch plan, one after the other, on a warm connection. A
task's start is what a rollback takes, from its launch, that finds all but one launch plan as it wants them.
When a launch plan was activated last is read off Flyte's record of it.

Figures: `ratio` is the rollback's time as a multiple of the bare calls' and one task's start (goal: at most
3), `ratio_without_start` the same with the start taken off both; `rollback_s`, `bare_calls_s` and
`task_start_s` are what they are made of.
"""

from __future__ import annotations

import statistics
import tempfile
import time
from pathlib import Path

from flyteidl.admin.launch_plan_pb2 import ACTIVE, ActiveLaunchPlanListRequest, LaunchPlanUpdateRequest
from flyteidl.core.identifier_pb2 import LAUNCH_PLAN, Identifier

from tasks.converge import Activated, converge
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
        for generation, version in enumerate(("v1", "v2")):
            adopted = staged.activation(generation, dict.fromkeys(plans, version))
            converge(staged.flyte, adopted)
            follow_activation(staged.home, launch_activation(staged.home, adopted).id.name)
        took_s, done = _roll_back(staged, "previous")
        assert len(done.changed) == PLANS, done
        converge(staged.flyte, staged.activation(1, dict.fromkeys(plans[1:], "v2")))
        start_s, done = _roll_back(staged, "g1")
        assert len(done.changed) == 1, done
    return {
        "ratio": took_s / (bare_s + start_s),
        "ratio_without_start": (took_s - start_s) / bare_s,
        "rollback_s": took_s,
        "bare_calls_s": bare_s,
        "task_start_s": start_s,
    }


def _roll_back(staged: Stage, to: str) -> tuple[float, Activated]:
    """Return the seconds from a rollback's launch to the last activation by it, and what it did."""
    planned = plan_rollback(staged.home, staged.name, to=to, reason="bench")
    began = time.time()
    launched = launch_rollback(staged.home, planned, to)
    # Watching it closer than this would slow down what is measured.
    done = follow_activation(staged.home, launched.id.name)
    request = ActiveLaunchPlanListRequest(project=staged.project, domain=staged.domain)
    active = staged.flyte.pages("ListActiveLaunchPlans", request, "launch_plans")
    last = max(plan.closure.updated_at.ToNanoseconds() for plan in active)
    return last / 1e9 - began, done


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
