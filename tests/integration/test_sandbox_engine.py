"""What happens between nodes and to processes, with real tasks of an unmodified flytekit."""

from __future__ import annotations

import shutil
import sys
import time
from collections.abc import Callable
from pathlib import Path

import psutil
import pytest
import requests
from flyteidl.core.execution_pb2 import NodeExecution, WorkflowExecution
from flytekit.configuration import Config
from flytekit.remote import FlyteRemote, FlyteWorkflowExecution

from tests import running
from tests.running import Sandbox

FLOWS = Path(__file__).parents[1] / "fixtures" / "engine" / "engine_flows.py"
PROJECT, DOMAIN, VERSION = "flytesnacks", "development", "engine"
IMAGE = "registry.example.com/engine:1"
"""It holds the flows, so that their tasks start once, where a fast-registered one starts twice."""


def remote_of(sandbox: Sandbox) -> FlyteRemote:
    config = Config.auto(config_file=str(sandbox.config))
    return FlyteRemote(config, default_project=PROJECT, default_domain=DOMAIN)


def register(sandbox: Sandbox, folder: Path) -> FlyteRemote:
    shutil.copy(FLOWS, folder)
    image = ("--prefix", sys.prefix, "--env", f"PYTHONPATH={folder}")
    sandbox.taxiway("image", "--state", sandbox.state, "add", IMAGE, *image)
    words = ("-p", PROJECT, "-d", DOMAIN, "--version", VERSION, "--copy", "none", "--image", IMAGE)
    sandbox.pyflyte("register", *words, FLOWS.name, cwd=folder)
    return remote_of(sandbox)


@pytest.fixture(scope="module")
def remote(sandbox: Sandbox, tmp_path_factory: pytest.TempPathFactory) -> FlyteRemote:
    return register(sandbox, tmp_path_factory.mktemp("flows"))


def launch(remote: FlyteRemote, name: str, **inputs: object) -> FlyteWorkflowExecution:
    plan = remote.fetch_launch_plan(name=f"{FLOWS.stem}.{name}", version=VERSION)
    return remote.execute(plan, inputs=inputs)


def wait(holds: Callable[[], object], *, seconds: float = 60) -> None:
    end = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < end, "it never came to be"
        time.sleep(0.05)


def processes(folder: Path) -> list[psutil.Process]:
    """The task's process and the one that it started, once both run."""
    pids = folder / "pids"
    wait(lambda: pids.exists() and len(pids.read_text().split()) == 2)
    return [psutil.Process(int(pid)) for pid in pids.read_text().split()]


def test_attributes_and_files_of_records_reach_the_next_node_as_copies(remote: FlyteRemote) -> None:
    execution = remote.wait(launch(remote, "attributes", number=3), poll_interval=0.2)
    once = "written once written once ['b.txt']"
    assert execution.outputs["o0"] == f"3 ['x', 'y'] y {once}"
    assert execution.outputs["o1"] == f"3 ['x', 'y'] x {once}"


def test_what_runs_can_be_read_and_ends_with_all_it_started(remote: FlyteRemote, tmp_path: Path) -> None:
    execution = launch(remote, "long", folder=str(tmp_path))
    started = processes(tmp_path)
    seen = remote.sync(execution, sync_nodes=True)
    assert seen.closure.phase == WorkflowExecution.RUNNING
    (node,) = (found for name, found in seen.node_executions.items() if name == "n0")
    assert node.closure.phase == NodeExecution.RUNNING
    log = node.task_executions[0].closure.logs[0].uri
    wait(lambda: "lingering" in requests.get(log, timeout=10).text)

    remote.terminate(execution, "enough")
    wait(lambda: not any(process.is_running() for process in started), seconds=10)
    wait(lambda: remote.sync(execution).closure.phase == WorkflowExecution.ABORTED, seconds=10)


def test_what_ran_when_the_sandbox_stopped_is_run_again_when_it_starts(tmp_path: Path) -> None:
    flows, folder = tmp_path / "flows", tmp_path / "folder"
    flows.mkdir()
    folder.mkdir()
    with running.sandbox(tmp_path / "state") as sandbox:
        remote = register(sandbox, flows)
        name = launch(remote, "long", folder=str(folder)).id.name
        started = processes(folder)
        sandbox.stop()
        assert not any(process.is_running() for process in started)
        (folder / "quick").touch()
        sandbox.start()
        execution = remote_of(sandbox).wait(remote_of(sandbox).fetch_execution(name=name), poll_interval=0.2)
    assert execution.outputs["o0"] == 1


def test_a_map_task_goes_on_with_the_items_that_are_missing(tmp_path: Path) -> None:
    flows, folder = tmp_path / "flows", tmp_path / "folder"
    flows.mkdir()
    folder.mkdir()
    with running.sandbox(tmp_path / "state") as sandbox:
        remote = register(sandbox, flows)
        name = launch(remote, "long_map", folders=[str(folder)] * 2).id.name
        started = processes(folder)
        outputs = f"metadata/propeller/*-{name}/n0/data/0/0/0/outputs.pb"
        wait(lambda: list(sandbox.storage.glob(outputs)))
        sandbox.stop()
        assert not any(process.is_running() for process in started)
        sandbox.start()
        execution = remote_of(sandbox).wait(remote_of(sandbox).fetch_execution(name=name), poll_interval=0.2)
    assert execution.outputs["o0"][1] == 1
