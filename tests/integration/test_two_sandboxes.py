"""Two sandboxes as two clusters: nothing shared, and one reachable from the tasks of the other."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from pathlib import Path

import grpc
import psutil
import pytest
from flyteidl.admin.execution_pb2 import (
    ExecutionCreateRequest,
    WorkflowExecutionGetDataRequest,
    WorkflowExecutionGetRequest,
)
from flyteidl.admin.project_pb2 import Project, ProjectRegisterRequest
from flyteidl.core.execution_pb2 import WorkflowExecution
from flyteidl.core.identifier_pb2 import LAUNCH_PLAN, Identifier
from flyteidl.service.admin_pb2_grpc import AdminServiceStub

from tests import running
from tests.running import Sandbox

PROJECT, DOMAIN = "flytesnacks", "development"
FLOW = """
from flytekit import task, workflow
from flytekit.configuration import Config
from flytekit.remote import FlyteRemote

@task
def look() -> list[str]:
    client = FlyteRemote(Config.auto()).client
    return [project.id for project in client.list_projects_paginated(limit=100)[0]]

@workflow
def main() -> list[str]:
    return look()
"""


@pytest.fixture(scope="module")
def clusters(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Sandbox, Sandbox]]:
    folder = tmp_path_factory.mktemp("clusters")
    with running.sandbox(folder / "one") as one, running.sandbox(folder / "two") as two:
        yield one, two


def process(sandbox: Sandbox) -> psutil.Process:
    return psutil.Process(json.loads((sandbox.state / "sandbox.json").read_text())["pid"])


def test_they_share_no_port_and_no_file(clusters: tuple[Sandbox, Sandbox]) -> None:
    ports = [
        {c.laddr.port for c in process(sandbox).net_connections("inet") if c.status == psutil.CONN_LISTEN}
        for sandbox in clusters
    ]
    assert len(ports[0]) == len(ports[1]) == 2
    assert not ports[0] & ports[1]
    for sandbox in clusters:
        written = [Path(file.path) for file in process(sandbox).open_files() if file.mode != "r"]
        assert written
        assert all(path.is_relative_to(sandbox.state) for path in written)


def test_a_task_of_one_reaches_the_other(clusters: tuple[Sandbox, Sandbox], tmp_path: Path) -> None:
    one, two = clusters
    with grpc.insecure_channel(two.endpoint) as channel:
        project = Project(id="only-in-two", name="only-in-two")
        AdminServiceStub(channel).RegisterProject(ProjectRegisterRequest(project=project))
    (tmp_path / "clusters.py").write_text(FLOW)
    where = ("--project", PROJECT, "--domain", DOMAIN, "--version", "v1")
    one.pyflyte("register", *where, "--image", one.default_image, "clusters.py", cwd=tmp_path)
    found = projects_seen_by_a_task(one, FLYTE_PLATFORM_URL=two.endpoint, FLYTE_PLATFORM_INSECURE="true")
    assert "only-in-two" in found
    found = projects_seen_by_a_task(one, FLYTE_PLATFORM_URL=one.endpoint, FLYTE_PLATFORM_INSECURE="true")
    assert "only-in-two" not in found


def projects_seen_by_a_task(sandbox: Sandbox, **environ: str) -> list[str]:
    """Run the flow with these variables, and return the projects of the Flyte that its task asked."""
    request = ExecutionCreateRequest(project=PROJECT, domain=DOMAIN)
    plan = Identifier(resource_type=LAUNCH_PLAN, project=PROJECT, domain=DOMAIN, version="v1")
    plan.name = "clusters.main"
    request.spec.launch_plan.CopyFrom(plan)
    for key, value in environ.items():
        request.spec.envs.values.add(key=key, value=value)
    with grpc.insecure_channel(sandbox.endpoint) as channel:
        admin = AdminServiceStub(channel)
        id_ = admin.CreateExecution(request).id
        deadline = time.monotonic() + 60
        while (closure := admin.GetExecution(WorkflowExecutionGetRequest(id=id_)).closure).phase in (
            WorkflowExecution.UNDEFINED,
            WorkflowExecution.QUEUED,
            WorkflowExecution.RUNNING,
            WorkflowExecution.SUCCEEDING,
        ):
            assert time.monotonic() < deadline, "no end after 60 s"
            time.sleep(0.1)
        assert closure.phase == WorkflowExecution.SUCCEEDED, closure.error.message
        outputs = admin.GetExecutionData(WorkflowExecutionGetDataRequest(id=id_)).full_outputs.literals["o0"]
    return [item.scalar.primitive.string_value for item in outputs.collection.literals]
