"""flytekit's own clients, unmodified, on the target project: what the tests ask is a Flyte to them."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import datetime, timedelta, timezone
from pathlib import Path

import pytest
from flytekit.configuration import Config
from flytekit.models.core.execution import WorkflowExecutionPhase
from flytekit.remote import FlyteRemote

from tasks._run import run
from tests.fixtures.target import Target
from tests.running import Cluster

PROJECT, DOMAIN, VERSION = "flytesnacks", "development", "v1"
WHERE = ("--project", PROJECT, "--domain", DOMAIN)
ASSESSED = {"transaction": {"amount": 900.0, "hour": 3, "foreign": True}}


@pytest.fixture(scope="module")
def sources(cluster: Cluster, target: Target, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A checkout of the target project, registered by `pyflyte register`; the folder of its code."""
    tree = tmp_path_factory.mktemp("checkout") / "fraud"
    run(["git", "clone", "--quiet", target.url, tree], timeout_s=30)
    image = ("--image", cluster.default_image)
    cluster.pyflyte("register", *WHERE, *image, "--version", VERSION, "fraud", cwd=tree / "src")
    return tree / "src"


@pytest.fixture(scope="module")
def remote(cluster: Cluster, sources: Path) -> Iterator[FlyteRemote]:
    yield FlyteRemote(Config.auto(str(cluster.config)), default_project=PROJECT, default_domain=DOMAIN)


def test_pyflyte_runs_waits_and_fetches(cluster: Cluster, sources: Path) -> None:
    image = ("--image", cluster.default_image)
    ran = cluster.pyflyte(
        "run",
        "--remote",
        "--wait",
        *WHERE,
        *image,
        "fraud/workflows.py",
        "train",
        "--rows",
        "60",
        cwd=sources,
    )
    assert "has succeeded" in ran.stdout
    name = re.findall(r"/executions/([a-z0-9]+)", ran.stdout)[0]
    fetched = cluster.pyflyte("fetch", f"flyte://v1/{PROJECT}/{DOMAIN}/{name}/n0/i", cwd=sources)
    assert "'rows': 60" in fetched.stdout


@pytest.mark.usefixtures("sources")
def test_pyflyte_activates_a_launch_plan_with_a_schedule(
    cluster: Cluster, remote: FlyteRemote, tmp_path: Path
) -> None:
    cluster.pyflyte("launchplan", *WHERE, "--activate", "fraud.nightly", VERSION, cwd=tmp_path)
    active = remote.fetch_active_launchplan(name="fraud.nightly")
    assert active.id.version == VERSION


def test_a_remote_executes_waits_and_syncs_nodes(remote: FlyteRemote) -> None:
    plan = remote.fetch_launch_plan(name="fraud.workflows.tune", version=VERSION)
    execution = remote.execute(plan, inputs={"rows": 60, "rates": [0.01, 0.5]})
    done = remote.wait(execution, timeout=timedelta(minutes=2), poll_interval=timedelta(seconds=1))
    synced = remote.sync(done, sync_nodes=True)
    assert synced.outputs["o0"] in {0.01, 0.5}
    phases = {node: each.closure.phase for node, each in synced.node_executions.items() if node[0] == "n"}
    assert set(phases.values()) == {3}, phases
    dynamic = next(each for each in synced.node_executions.values() if each.metadata.is_dynamic)
    assert {"dn0", "dn1", "dn2", "dn3", "dn4"} <= {
        node.metadata.spec_node_id for node in dynamic.subworkflow_node_executions.values()
    }


def test_a_remote_terminates_what_runs_and_lists_it(remote: FlyteRemote) -> None:
    plan = remote.fetch_launch_plan(name="fraud.workflows.train", version=VERSION)
    execution = remote.execute(plan, inputs={"rows": 60})
    remote.terminate(execution, cause="no longer needed")
    done = remote.wait(execution, timeout=timedelta(minutes=1), poll_interval=timedelta(seconds=0.5))
    assert done.closure.phase == WorkflowExecutionPhase.ABORTED
    recent = remote.recent_executions(limit=1)
    assert [each.id.name for each in recent] == [execution.id.name]


def test_a_launch_plan_keeps_its_fixed_input(remote: FlyteRemote) -> None:
    plan = remote.fetch_launch_plan(name="fraud.quick", version=VERSION)
    with pytest.raises(Exception, match="invalid input settings"):
        remote.execute(plan, inputs={"settings": {"epochs": 9, "learning_rate": 0.5, "seed": 1}})


def test_a_kickoff_time_is_an_input_like_any_other(remote: FlyteRemote) -> None:
    plan = remote.fetch_launch_plan(name="fraud.nightly", version=VERSION)
    execution = remote.execute(
        plan, inputs={"kickoff": datetime(2026, 1, 5, tzinfo=timezone.utc), "rows": 60}
    )
    done = remote.wait(execution, timeout=timedelta(minutes=2), poll_interval=timedelta(seconds=1))
    assert done.outputs["decision"] in {"accepted", "rejected"}
