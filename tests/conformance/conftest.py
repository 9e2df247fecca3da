"""One Flyte, one project and one registration for the whole conformance suite."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from dataclasses import replace
from pathlib import Path

import docker
import grpc
import pytest
from flyteidl.admin.project_pb2 import Project, ProjectRegisterRequest
from flyteidl.core.identifier_pb2 import WorkflowExecutionIdentifier

from tests import running
from tests.conformance.flyte import DOMAIN, VERSION, Flyte
from tests.engine import base_image
from tests.running import Sandbox

FLOWS = Path(__file__).with_name("flows")
FLOWS_IMAGE = "registry.example.com/flows:1"
"""An image that holds the flows: their tasks start once, where a fast-registered one starts twice."""
OTHER_IMAGE = "registry.example.com/other:1"
OTHER = "FROM {flytekit}\nENV WHICH_IMAGE=other\n"


@pytest.fixture(scope="session")
def own_sandbox(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Sandbox]:
    """A sandbox with one secret and a second image; with processes, the flows are in both of its images."""
    contained = request.config.getoption("--runtime") == "docker"
    folder = tmp_path_factory.mktemp("conformance")
    secrets = folder / "secrets"
    (secrets / "conformance").mkdir(parents=True)
    (secrets / "conformance" / "token").write_text("hush\n")
    if contained:
        with _contained(request, folder / "state", "--secrets", secrets) as started:
            yield started
        return
    with running.sandbox(folder / "state", "--secrets", secrets) as started:
        words = ("--prefix", sys.prefix, "--env", f"PYTHONPATH={FLOWS}")
        for image, more in ((FLOWS_IMAGE, ()), (OTHER_IMAGE, ("--env", "WHICH_IMAGE=other"))):
            started.taxiway("image", "--state", started.state, "add", image, *words, *more)
        yield replace(started, default_image=FLOWS_IMAGE)


def _contained(
    request: pytest.FixtureRequest, state: Path, *options: str | Path
) -> AbstractContextManager[Sandbox]:
    """Return a sandbox that runs its tasks in containers, of which the second image is a real one."""
    flytekit: str = request.getfixturevalue("flytekit_image")
    engine: docker.APIClient = request.getfixturevalue("engine")
    other = base_image.derived(engine, "taxiway-test/conformance-other", OTHER.format(flytekit=flytekit))
    engine.tag(other, *OTHER_IMAGE.split(":"))
    words = ("--runtime", "docker", "--default-image", flytekit, *options)
    return running.sandbox(state, *words, given={"DOCKER_HOST": request.getfixturevalue("engine_host")})


@pytest.fixture(scope="session")
def flyte(request: pytest.FixtureRequest) -> Flyte:
    """The Flyte under test, with a project of this run's own."""
    wait_s = request.config.getoption("--flyte-wait")
    endpoint = request.config.getoption("--flyte-endpoint")
    if endpoint:
        task_image = request.config.getoption("--task-image")
        other_image = request.config.getoption("--other-image") or task_image
    else:
        sandbox: Sandbox = request.getfixturevalue("own_sandbox")
        endpoint, task_image, other_image = sandbox.endpoint, sandbox.default_image, OTHER_IMAGE
    flyte = Flyte.at(endpoint, task_image=task_image, other_image=other_image, wait_s=wait_s)
    project = Project(id=flyte.project, name=flyte.project, description="made by a run of conformance tests")
    flyte.admin.RegisterProject(ProjectRegisterRequest(project=project))
    return flyte


@pytest.fixture(scope="session")
def rest_url(request: pytest.FixtureRequest) -> str:
    """Where the Flyte under test has its REST API, without a slash at the end."""
    given: str | None = request.config.getoption("--flyte-http")
    if given is None:
        sandbox: Sandbox = request.getfixturevalue("own_sandbox")
        return sandbox.http
    return given.rstrip("/")


@pytest.fixture(scope="session")
def registered(flyte: Flyte, tmp_path_factory: pytest.TempPathFactory) -> Flyte:
    """The same Flyte with all flows registered by an unmodified pyflyte, and able to launch them."""
    config = tmp_path_factory.mktemp("client") / "config.yaml"
    config.write_text(f'admin: {{endpoint: "dns:///{flyte.endpoint}", insecure: true}}\n')
    words = ["-p", flyte.project, "-d", DOMAIN, "--version", VERSION, "--image", flyte.task_image]
    modules = sorted(path.name for path in FLOWS.glob("*.py"))
    words += ["--copy", "none" if flyte.task_image == FLOWS_IMAGE else "all"]
    environ = {**running.clean_environ(), "TASK_IMAGE": flyte.task_image}
    running.program("pyflyte", "-c", config, "register", *words, *modules, env=environ, cwd=FLOWS)
    flyte.until(lambda: _launch_problem(flyte), lambda problem: not problem)
    return flyte


def _launch_problem(flyte: Flyte) -> str:
    """Launch something; on Kubernetes that works once the new project's namespace is there."""
    try:
        flyte.launch("more.secret")
    except grpc.RpcError as error:
        return str(error.details())
    return ""


@pytest.fixture(scope="session")
def runs(registered: Flyte) -> Callable[..., WorkflowExecutionIdentifier]:
    """Launch a plan once in the whole run, however many tests ask what became of it."""
    launched: dict[str, WorkflowExecutionIdentifier] = {}

    def launch(plan: str, **inputs: object) -> WorkflowExecutionIdentifier:
        key = f"{plan} {inputs}"
        if key not in launched:
            launched[key] = registered.launch(plan, inputs)
        return launched[key]

    return launch
