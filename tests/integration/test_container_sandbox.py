"""A sandbox whose tasks run in containers, as its users meet it: an unmodified pyflyte, real images."""

from __future__ import annotations

import base64
import shutil
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing
from pathlib import Path

import docker
import pytest
from flyteidl.admin.execution_pb2 import ExecutionCreateRequest, WorkflowExecutionGetRequest
from flyteidl.admin.task_pb2 import TaskCreateRequest
from flyteidl.core.execution_pb2 import WorkflowExecution
from flyteidl.core.identifier_pb2 import WorkflowExecutionIdentifier
from flytekit.configuration import Config
from flytekit.remote import FlyteRemote, FlyteWorkflowExecution

from tasks._flyte import Flyte, connect
from tests import running
from tests.engine import base_image, daemon
from tests.engine.tiny_image import tiny_image
from tests.running import Sandbox
from tests.unit.entities import a_task

pytestmark = pytest.mark.engine

FLOWS = Path(__file__).parents[1] / "fixtures" / "engine" / "container_flows.py"
PROJECT, DOMAIN = "flytesnacks", "development"
BUNDLED, BAKED = "bundled", "baked"
OTHER = """FROM {flytekit}
ENV WHICH=other
RUN useradd --uid 4242 other && mkdir /work && chown other /work
USER other
WORKDIR /work
ENTRYPOINT ["/usr/bin/env", "HOME=/work"]
"""
WITH_CODE = "FROM {flytekit}\nRUN echo {code} | base64 -d > /root/container_flows.py\n"


@pytest.fixture(scope="module")
def other_image(engine: docker.APIClient, flytekit_image: str) -> str:
    """An image with a user and an entrypoint of its own."""
    return base_image.derived(engine, "taxiway-test/other", OTHER.format(flytekit=flytekit_image))


@pytest.fixture(scope="module")
def baked_image(engine: docker.APIClient, flytekit_image: str) -> str:
    """An image that the workflows are baked into."""
    code = base64.b64encode(FLOWS.read_bytes()).decode()
    dockerfile = WITH_CODE.format(flytekit=flytekit_image, code=code)
    return base_image.derived(engine, "taxiway-test/baked", dockerfile)


@pytest.fixture(scope="module")
def contained(
    engine_host: str, flytekit_image: str, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Sandbox]:
    state = tmp_path_factory.mktemp("contained") / "state"
    options = ("--runtime", "docker", "--default-image", flytekit_image)
    with running.sandbox(state, *options, given={"DOCKER_HOST": engine_host}) as started:
        yield started


@pytest.fixture(scope="module")
def remote(
    contained: Sandbox,
    python_image: str,
    other_image: str,
    baked_image: str,
    tmp_path_factory: pytest.TempPathFactory,
) -> FlyteRemote:
    """The workflows, registered both as a bundle and as part of their image."""
    folder = tmp_path_factory.mktemp("flows")
    shutil.copy(FLOWS, folder)
    env = {**contained.environ, "RAW_IMAGE": python_image, "OTHER_IMAGE": other_image}
    register = ("register", "-p", PROJECT, "-d", DOMAIN)
    bundled = ("--version", BUNDLED, "--copy", "all", "--destination-dir", ".", "-i", contained.default_image)
    baked = ("--version", BAKED, "--copy", "none", "-i", baked_image)
    for words in (bundled, baked):
        running.program("pyflyte", *register, *words, FLOWS.name, env=env, cwd=folder)
    config = Config.auto(config_file=str(contained.config))
    return FlyteRemote(config, default_project=PROJECT, default_domain=DOMAIN)


def launch(
    remote: FlyteRemote, name: str, version: str = BUNDLED, **inputs: object
) -> FlyteWorkflowExecution:
    plan = remote.fetch_launch_plan(name=f"{FLOWS.stem}.{name}", version=version)
    return remote.execute(plan, inputs=inputs)


def ended(remote: FlyteRemote, execution: FlyteWorkflowExecution) -> FlyteWorkflowExecution:
    return remote.wait(execution, poll_interval=0.5)


def wait(holds: Callable[[], object], *, seconds: float = 120) -> None:
    end = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < end, "it never came to be"
        time.sleep(0.1)


def containers(engine: docker.APIClient, sandbox: Sandbox) -> list[str]:
    label = f"taxiway.sandbox={sandbox.state.resolve()}"
    return [found["Id"] for found in engine.containers(all=True, filters={"label": label})]


@pytest.mark.parametrize(("version", "code"), [(BUNDLED, "/root"), (BAKED, "/root")])
def test_tasks_and_raw_containers_hand_on_what_they_made(
    remote: FlyteRemote, version: str, code: str
) -> None:
    execution = ended(remote, launch(remote, "main", version, text="made here"))
    assert execution.outputs["o0"] == f"made here plain 0 {code}"
    assert execution.outputs["o1"] == 9


def test_an_image_brings_its_user_its_variables_and_its_entrypoint(remote: FlyteRemote) -> None:
    execution = ended(remote, launch(remote, "elsewhere", text="made here"))
    assert execution.outputs["o0"] == "made here other 4242 /work"


def test_out_of_memory_is_the_tasks_own_fault(remote: FlyteRemote) -> None:
    # Of a busy machine's engine, which misses some, one word is enough.
    errors = (ended(remote, launch(remote, "greedy")).closure.error for _ in range(4))
    error = next((one for one in errors if "OOMKilled" in one.code), None)
    assert error is not None
    assert error.code == "RetriesExhausted|OOMKilled"
    assert error.message.startswith("[2/2] currentAttempt done. Last Error: USER::")
    assert "Reason [OOMKilled]" in error.message


def test_an_image_that_cannot_be_had_is_named(remote: FlyteRemote) -> None:
    error = ended(remote, launch(remote, "nowhere", text="x")).closure.error
    assert error.code == "RetriesExhausted|ContainersNotReady|ImagePullBackOff"
    assert 'Back-off pulling image "127.0.0.1:1/no/such:1"' in error.message


def test_an_abort_removes_the_container(
    remote: FlyteRemote, contained: Sandbox, engine: docker.APIClient
) -> None:
    folder = contained.storage / "abort"
    folder.mkdir()
    execution = launch(remote, "long", folder=str(folder))
    wait(lambda: (folder / "started").exists())
    assert containers(engine, contained)
    remote.terminate(execution, "enough")
    wait(lambda: not containers(engine, contained))
    assert remote.sync(execution).closure.phase == WorkflowExecution.ABORTED


def test_after_a_crash_the_next_start_clears_what_was_left_and_goes_on(
    remote: FlyteRemote, contained: Sandbox, engine: docker.APIClient
) -> None:
    folder = contained.storage / "crash"
    folder.mkdir()
    execution = launch(remote, "long", folder=str(folder))
    wait(lambda: (folder / "started").exists())
    (left,) = containers(engine, contained)
    contained.lose()
    assert engine.inspect_container(left)["State"]["Running"]

    (folder / "started").unlink()
    contained.start()
    assert left not in containers(engine, contained)
    wait(lambda: (folder / "started").exists())
    (folder / "go").touch()
    assert ended(remote, execution).outputs["o0"] == 1


def test_a_stop_leaves_no_container(
    engine: docker.APIClient, engine_host: str, flytekit_image: str, tmp_path: Path
) -> None:
    flows, options = tmp_path / "flows", ("--runtime", "docker", "--default-image", flytekit_image)
    flows.mkdir()
    shutil.copy(FLOWS, flows)
    with running.sandbox(tmp_path / "state", *options, given={"DOCKER_HOST": engine_host}) as sandbox:
        words = ("-p", PROJECT, "-d", DOMAIN, "--version", BUNDLED, "-i", flytekit_image)
        sandbox.pyflyte("register", *words, "--copy", "all", "--destination-dir", ".", FLOWS.name, cwd=flows)
        config = Config.auto(config_file=str(sandbox.config))
        remote = FlyteRemote(config, default_project=PROJECT, default_domain=DOMAIN)
        launch(remote, "long", folder=str(sandbox.storage))
        wait(lambda: (sandbox.storage / "started").exists())
    assert containers(engine, sandbox) == []


TWICE = "[ -e {folder}/was ] && exit 0; touch {folder}/was; trap exit TERM; sleep 600 & wait"


def test_an_attempt_whose_engine_dies_is_tried_again_when_it_is_back(tmp_path: Path) -> None:
    with ExitStack() as opened:
        host = opened.enter_context(daemon.needed(daemon.dockerd()))
        dockerd = opened.enter_context(daemon.mortal(host))
        client = opened.enter_context(closing(docker.APIClient(host, version="auto")))
        options = ("--runtime", "docker", "--default-image", tiny_image(client))
        sandbox = opened.enter_context(
            running.sandbox(tmp_path / "state", *options, given={"DOCKER_HOST": host})
        )
        flyte = opened.enter_context(connect(Config.auto(str(sandbox.config))))
        execution = launch_task(flyte, sandbox.default_image, TWICE.format(folder=sandbox.storage))
        wait(lambda: (sandbox.storage / "was").exists())
        dockerd.kill()
        dockerd.start()
        found = WorkflowExecutionGetRequest(id=execution)
        wait(lambda: flyte.call("GetExecution", found).closure.phase in ENDED)
        closure = flyte.call("GetExecution", found).closure
        assert closure.phase == WorkflowExecution.SUCCEEDED, closure.error
        assert containers(client, sandbox) == []


ENDED = (WorkflowExecution.SUCCEEDED, WorkflowExecution.FAILED, WorkflowExecution.ABORTED)


def launch_task(flyte: Flyte, image: str, script: str) -> WorkflowExecutionIdentifier:
    """Register and start a task that is a container with a command, and has neither inputs nor outputs."""
    spec = a_task("engine.dies").message
    container = spec.template.container
    spec.template.interface.SetInParent()
    container.image = image
    container.ClearField("args")
    container.command.extend(["sh", "-c", script])
    spec.template.id.project, spec.template.id.domain, spec.template.id.version = PROJECT, DOMAIN, "1"
    flyte.call("CreateTask", TaskCreateRequest(id=spec.template.id, spec=spec))
    request = ExecutionCreateRequest(project=PROJECT, domain=DOMAIN, name="engine-dies")
    request.spec.launch_plan.CopyFrom(spec.template.id)
    made: WorkflowExecutionIdentifier = flyte.call("CreateExecution", request).id
    return made


def test_an_engine_without_a_socket_is_not_shared(tmp_path: Path) -> None:
    env = {**running.clean_environ(), "DOCKER_HOST": "tcp://127.0.0.1:1"}
    words = ("sandbox", "start", "--port", "0", "--state", tmp_path / "state")
    options = ("--runtime", "docker", "--share-engine", "builders")
    done = running.program("taxiway", *words, *options, env=env, expect=(2,))
    assert "the engine at tcp://127.0.0.1:1 has no socket to share. Leave --share-engine out" in done.stderr


def test_without_an_engine_the_start_says_what_to_do(tmp_path: Path) -> None:
    env = {**running.clean_environ(), "DOCKER_HOST": f"unix://{tmp_path}/no.sock"}
    words = ("sandbox", "start", "--port", "0", "--state", tmp_path / "state", "--runtime", "docker")
    done = running.program("taxiway", *words, env=env, expect=(2,))
    assert f"no container engine answers at unix://{tmp_path}/no.sock" in done.stderr
    assert "set DOCKER_HOST" in done.stderr
