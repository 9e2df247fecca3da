"""The container runtime on a real engine: what a container is given, how it ends, and that nothing stays."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing
from pathlib import Path
from typing import Any

import docker
import psutil
import pytest
from flyteidl.core.interface_pb2 import TypedInterface
from flyteidl.core.literals_pb2 import LiteralMap
from flyteidl.core.security_pb2 import Secret
from flyteidl.core.tasks_pb2 import DataLoadingConfig, Resources
from flyteidl.core.types_pb2 import BlobType, SimpleType

from scripts.sandbox.container import ContainerRuntime
from scripts.sandbox.container_engine import EngineUnreachable, connect
from scripts.sandbox.container_spec import SANDBOX_LABEL
from scripts.sandbox.runtime import Attempt, Files, Reason
from scripts.sandbox.shared_engine import SharedEngine
from tests.attempts import Background, background
from tests.engine import base_image, daemon
from tests.engine.tiny_image import tiny_image
from tests.registry import docker_registry

pytestmark = pytest.mark.engine

NOBODY = "FROM {base}\nUSER nobody\n"
ENTRYPOINT = """FROM {base}
ENV WHICH=image A=image
ENTRYPOINT ["/usr/bin/env", "GREETED=yes"]
CMD ["true"]
"""
PINGS = """
import http.client, os, socket
line = http.client.HTTPConnection("localhost")
line.sock = socket.socket(socket.AF_UNIX)
line.sock.connect("/var/run/docker.sock")
line.request("GET", "/_ping")
print(line.getresponse().status, os.environ.get("DOCKER_HOST"))
"""
EATS = "b = []\nwhile True: b.append(bytearray(1 << 20))"


@pytest.fixture(scope="module")
def entrypoint_image(engine: docker.APIClient, python_image: str) -> str:
    return base_image.derived(engine, "taxiway-test/entrypoint", ENTRYPOINT.format(base=python_image))


@pytest.fixture(scope="module")
def nobody_image(engine: docker.APIClient, python_image: str) -> str:
    return base_image.derived(engine, "taxiway-test/nobody", NOBODY.format(base=python_image))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "secrets" / "git").mkdir(parents=True)
    (tmp_path / "secrets" / "git" / "token").write_text("hush")
    (tmp_path / "storage").mkdir()
    return tmp_path


@pytest.fixture
def runtime(engine_host: str, folder: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[ContainerRuntime]:
    """One whose user has docker give proxies to containers."""
    proxies = {"proxies": {"default": {"httpProxy": "http://user:hush@proxy.example.com"}}}
    (folder / "docker").mkdir()
    (folder / "docker" / "config.json").write_text(json.dumps(proxies))
    monkeypatch.setenv("DOCKER_CONFIG", str(folder / "docker"))
    client = connect({"DOCKER_HOST": engine_host})
    runtime = ContainerRuntime(
        client=client,
        state=folder,
        storage=folder / "storage",
        work=folder / "work",
        secret_folder=folder / "secrets",
        max_log_bytes=1_000_000,
    )
    yield runtime
    runtime.clean()
    client.close()


@pytest.fixture
def attempt(folder: Path, python_image: str) -> Callable[..., Attempt]:
    def make(*args: str, **fields: object) -> Attempt:
        values = {
            "name": "f9-n0-0",
            "namespace": "p-d",
            "image": python_image,
            "args": args,
            "folder": folder / "work" / "p-d" / "f9-n0-0",
            "log": folder / "logs" / "f9-n0-0.log",
            "labels": (("execution-id", "f9"), ("node-id", "n0"), ("attempt", "0")),
        }
        return Attempt(**(values | fields))  # type: ignore[arg-type]

    return make


@pytest.fixture
def in_background(runtime: ContainerRuntime) -> Iterator[Background]:
    with background(runtime, timeout_s=60) as start:
        yield start


def wait_for(ready: Callable[[], object]) -> None:
    deadline = time.monotonic() + 60
    while not ready():
        assert time.monotonic() < deadline, "waited 60 s"
        time.sleep(0.05)


def text(path: Path) -> str:
    return path.read_text() if path.exists() else ""


def containers(engine: docker.APIClient, folder: Path) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = engine.containers(
        all=True, filters={"label": f"{SANDBOX_LABEL}={folder.resolve()}"}
    )
    return found


def resources(**limits: str) -> Resources:
    names = Resources.ResourceName
    return Resources(limits=[{"name": names.Value(name), "value": limits[name]} for name in limits])


def test_arguments_go_to_the_images_entrypoint_and_variables_win_over_the_images(
    runtime: ContainerRuntime, attempt: Callable[..., Attempt], entrypoint_image: str
) -> None:
    script = "import os; print(os.environ['GREETED'], os.environ['WHICH'], os.environ['A'])"
    this = attempt(
        "python", "-c", script, "$(A)", image=entrypoint_image, environment=(("A", "1"), ("A", "$(A)2"))
    )
    exit_ = runtime.run(this)
    assert (exit_.reason, exit_.code, exit_.message) == (Reason.COMPLETED, 0, "")
    assert this.log.read_text() == "yes image 12\n"
    assert not this.folder.exists()


def test_a_command_takes_the_entrypoints_place(
    runtime: ContainerRuntime, attempt: Callable[..., Attempt], entrypoint_image: str
) -> None:
    this = attempt(image=entrypoint_image, command=("/bin/sh", "-c", "echo ${GREETED:-no} $0", "$(A)"))
    runtime.run(this)
    assert this.log.read_text() == "no $(A)\n"


def test_nothing_of_the_machines_environment_is_given(
    runtime: ContainerRuntime, attempt: Callable[..., Attempt], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PIP_INDEX_URL", "https://machine.example.com")
    this = attempt("env")
    runtime.run(this)
    assert {line.partition("=")[0] for line in this.log.read_text().splitlines()} == {
        "HOME",
        "HOSTNAME",
        "LANG",
        "PATH",
    }


def test_an_exit_code_of_its_own_is_an_error(
    runtime: ContainerRuntime, attempt: Callable[..., Attempt]
) -> None:
    exit_ = runtime.run(attempt("python", "-c", "import sys; print('last words'); sys.exit(3)"))
    assert (exit_.reason, exit_.code, exit_.message) == (Reason.ERROR, 3, "last words\n")


def test_a_kill_by_others_is_none_of_ours(
    runtime: ContainerRuntime,
    attempt: Callable[..., Attempt],
    in_background: Background,
    engine: docker.APIClient,
    folder: Path,
) -> None:
    this = attempt("sh", "-c", "echo last words; sleep 600")
    join = in_background(this)
    wait_for(lambda: text(this.log))
    engine.kill(containers(engine, folder)[0]["Id"])
    exit_ = join()
    assert (exit_.reason, exit_.code, exit_.message) == (Reason.KILLED, 137, "last words\n")


@pytest.mark.parametrize(
    "script",
    [EATS, f"import subprocess, sys; sys.exit(subprocess.call([sys.executable, '-c', {EATS!r}]) % 256)"],
    ids=["itself", "its child"],
)
def test_out_of_memory_is_told_from_other_ends(
    runtime: ContainerRuntime, attempt: Callable[..., Attempt], script: str
) -> None:
    limits = resources(MEMORY="64Mi")
    # Of a busy machine's engine, which misses some, one word is enough.
    exits = [runtime.run(attempt("python", "-c", script, resources=limits))]
    while exits[-1].reason is not Reason.OUT_OF_MEMORY and len(exits) < 4:
        exits.append(runtime.run(attempt("python", "-c", script, resources=limits)))
    assert exits[-1].reason is Reason.OUT_OF_MEMORY
    assert {one.code for one in exits} <= {137, 247}


def test_limits_and_labels_are_those_of_the_task(
    runtime: ContainerRuntime,
    attempt: Callable[..., Attempt],
    in_background: Background,
    engine: docker.APIClient,
    folder: Path,
) -> None:
    limits = resources(CPU="1500m", MEMORY="100Mi")
    this = attempt("sh", "-c", "echo started; sleep 600", resources=limits)
    join = in_background(this)
    # An engine lists a container a moment before it knows it by its id.
    wait_for(lambda: text(this.log))
    (found,) = containers(engine, folder)
    config = engine.inspect_container(found["Id"])["HostConfig"]
    assert (config["CpuQuota"], config["CpuPeriod"]) == (150_000, 100_000)
    assert (config["Memory"], config["MemorySwap"]) == (100 << 20, 100 << 20)
    assert found["Labels"] == {
        "taxiway.sandbox": str(folder.resolve()),
        "namespace": "p-d",
        "execution-id": "f9",
        "node-id": "n0",
        "attempt": "0",
    }
    runtime.kill(this.pod)
    assert join().reason is Reason.STOPPED
    assert containers(engine, folder) == []


def test_an_image_that_the_engine_lacks_is_pulled_by_its_digest(
    runtime: ContainerRuntime,
    attempt: Callable[..., Attempt],
    engine: docker.APIClient,
    nobody_image: str,
    tmp_path: Path,
) -> None:
    with docker_registry(tmp_path / "registry") as registry:
        repository = f"{registry.host}/nobody"
        engine.tag(nobody_image, repository, "1")
        pushed = list(engine.push(repository, tag="1", stream=True, decode=True))
        (digest,) = [line["aux"]["Digest"] for line in pushed if "aux" in line]
        engine.remove_image(f"{repository}:1")
        reference = f"{repository}@{digest}"
        try:
            for expected in (f"[sandbox] pulling {reference}\nnobody\n", "nobody\n"):
                this = attempt("id", "-un", image=reference)
                assert runtime.run(this).reason is Reason.COMPLETED
                assert this.log.read_text() == expected
        finally:
            engine.remove_image(reference)


@pytest.mark.parametrize(
    ("fields", "reason", "message"),
    [
        (
            {"image": "127.0.0.1:1/no/such:1"},
            Reason.IMAGE_MISSING,
            'Back-off pulling image "127.0.0.1:1/no/such:1": ',
        ),
        (
            {"image": "127.0.0.1:1/no/such@sha256:" + "0" * 64},
            Reason.IMAGE_MISSING,
            "Back-off pulling image",
        ),
        ({"image": "Not A Name"}, Reason.IMAGE_INVALID, "invalid reference format"),
        ({"args": ("nothing-of-the-kind",)}, Reason.START_FAILED, "executable file not found in $PATH"),
    ],
    ids=["image", "digest", "image name", "program"],
)
def test_what_does_not_start(
    runtime: ContainerRuntime,
    attempt: Callable[..., Attempt],
    fields: dict[str, object],
    reason: Reason,
    message: str,
    engine: docker.APIClient,
    folder: Path,
) -> None:
    this = attempt("python", **fields)
    exit_ = runtime.run(this)
    assert (exit_.reason, exit_.code) == (reason, None)
    assert message in exit_.message
    assert message in this.log.read_text()
    assert containers(engine, folder) == []


def test_the_log_can_be_read_while_the_task_runs(
    runtime: ContainerRuntime, attempt: Callable[..., Attempt], in_background: Background
) -> None:
    this = attempt("sh", "-c", "echo started; echo trouble >&2; sleep 600")
    join = in_background(this)
    wait_for(lambda: sorted(text(this.log).split()) == ["started", "trouble"])
    runtime.kill(this.pod)
    assert join().reason is Reason.STOPPED


def test_gigabytes_of_output_stay_bounded(runtime: ContainerRuntime, attempt: Callable[..., Attempt]) -> None:
    this = attempt("sh", "-c", "head -c 100000000 /dev/zero; echo; echo the end; exit 1")
    exit_ = runtime.run(this)
    assert exit_.message.endswith("\nthe end\n")
    assert 1_000_000 < this.log.stat().st_size < 1_010_000
    assert b"were left out" in this.log.read_bytes()


def test_one_that_closes_its_output_is_waited_for(
    runtime: ContainerRuntime, attempt: Callable[..., Attempt]
) -> None:
    script = "import os, time; print('said', flush=True); os.close(1); os.close(2); time.sleep(1)"
    this = attempt("python", "-c", f"{script}; os._exit(5)")
    exit_ = runtime.run(this)
    assert (exit_.reason, exit_.code, exit_.message) == (Reason.ERROR, 5, "said\n")


def test_a_task_may_tidy_up_when_it_is_killed(
    runtime: ContainerRuntime, attempt: Callable[..., Attempt], in_background: Background
) -> None:
    this = attempt("sh", "-c", "trap 'echo tidied; exit 0' TERM; echo ready; while :; do sleep 0.05; done")
    join = in_background(this)
    wait_for(lambda: text(this.log) == "ready\n")
    runtime.kill(this.pod)
    assert (join().reason, text(this.log)) == (Reason.STOPPED, "ready\ntidied\n")


def test_killed_before_it_ran_it_never_runs(
    runtime: ContainerRuntime, attempt: Callable[..., Attempt], folder: Path
) -> None:
    this = attempt("touch", str(folder / "storage" / "ran"))
    runtime.kill(this.pod)
    assert runtime.run(this).reason is Reason.STOPPED
    assert not (folder / "storage" / "ran").exists()


def test_a_new_life_removes_what_an_earlier_one_left_and_nothing_else(
    runtime: ContainerRuntime, engine: docker.APIClient, python_image: str, folder: Path, tmp_path: Path
) -> None:
    def leave(state: Path) -> str:
        labels = {SANDBOX_LABEL: str(state)}
        made = engine.create_container(python_image, ["sleep", "600"], labels=labels)["Id"]
        engine.start(made)
        return str(made)

    leave(folder.resolve())
    other = leave(tmp_path / "other")
    try:
        runtime.clean()
        assert containers(engine, folder) == []
        assert engine.inspect_container(other)["State"]["Running"]
        assert list((folder / "work").iterdir()) == []
    finally:
        engine.remove_container(other, force=True)


def test_the_images_user_reads_secrets_and_writes_what_others_can_change(
    runtime: ContainerRuntime, attempt: Callable[..., Attempt], nobody_image: str, folder: Path
) -> None:
    made = folder / "storage" / "made" / "deep"
    read = 'umask 077; id -un; cat "$FLYTE_SECRETS_DEFAULT_DIR/git/token"'
    script = f"{read}; mkdir -p {made}; echo 1 > {made}/file"
    this = attempt("sh", "-c", script, image=nobody_image, secrets=(Secret(group="git", key="token"),))
    assert runtime.run(this).reason is Reason.COMPLETED
    assert this.log.read_text() == "nobody\nhush"
    assert ((made / "file").stat().st_mode & 0o777, made.stat().st_mode & 0o777) == (0o666, 0o777)


def test_the_shared_engine_answers_the_images_user_and_no_other_project(
    engine_host: str, attempt: Callable[..., Attempt], nobody_image: str, folder: Path
) -> None:
    client = connect({"DOCKER_HOST": engine_host})
    shared = SharedEngine.of({"DOCKER_HOST": engine_host}, ["builders"])
    runtime = ContainerRuntime(
        client=client, state=folder, storage=folder / "storage", work=folder / "work", shared=shared
    )
    words = ("python", "-c", PINGS)
    mine = attempt(*words, image=nobody_image, labels=(("project", "builders"),))
    assert runtime.run(mine).reason is Reason.COMPLETED, mine.log.read_text()
    assert mine.log.read_text() == "200 None\n"
    other = attempt(*words, image=nobody_image, labels=(("project", "other"),))
    assert runtime.run(other).reason is Reason.ERROR
    assert "FileNotFoundError" in other.log.read_text()
    client.close()


def test_an_attempt_whose_engine_dies_is_lost_and_the_next_one_waits_for_its_return(
    attempt: Callable[..., Attempt], folder: Path
) -> None:
    with ExitStack() as opened:
        host = opened.enter_context(daemon.needed(daemon.dockerd()))
        dockerd = opened.enter_context(daemon.mortal(host))
        client = opened.enter_context(closing(connect({"DOCKER_HOST": host})))
        runtime = ContainerRuntime(
            client=client, state=folder, storage=folder / "storage", work=folder / "work"
        )
        start = opened.enter_context(background(runtime, timeout_s=60))
        image = tiny_image(client)
        first = attempt("sh", "-c", "trap exit TERM; echo begun; sleep 600 & wait", image=image)
        join = start(first)
        wait_for(lambda: text(first.log))
        (left,) = containers(client, folder)
        process: int = client.inspect_container(left["Id"])["State"]["Pid"]
        dockerd.kill()
        exit_ = join()
        assert (exit_.reason, exit_.code) == (Reason.LOST, None)
        assert "the container engine does not answer" in exit_.message

        again = attempt("sh", "-c", "echo again", image=image, name="f9-n0-1")
        join_again = start(again)
        dockerd.start()
        assert join_again().reason is Reason.COMPLETED
        assert again.log.read_text() == "again\n"
        assert containers(client, folder) == []
        assert not psutil.pid_exists(process)


def test_a_kill_ends_the_wait_for_an_engine(attempt: Callable[..., Attempt], folder: Path) -> None:
    nowhere = docker.APIClient(f"unix://{folder}/no.sock", version="1.40")
    runtime = ContainerRuntime(client=nowhere, state=folder, storage=folder / "storage", work=folder / "work")
    this = attempt("true")
    with closing(nowhere), background(runtime, timeout_s=60) as start:
        join = start(this)
        wait_for(this.log.exists)
        runtime.kill(this.pod)
        assert join().reason is Reason.STOPPED


@pytest.fixture
def files(folder: Path) -> Files:
    interface = TypedInterface()
    interface.inputs.variables["text"].type.simple = SimpleType.STRING
    interface.inputs.variables["data"].type.blob.dimensionality = BlobType.SINGLE
    for name in ("echo", "user"):
        interface.outputs.variables[name].type.simple = SimpleType.STRING
    inputs = LiteralMap()
    inputs.literals["text"].scalar.primitive.string_value = "a b; $(id)"
    (folder / "storage" / "data").write_text("0123456789")
    inputs.literals["data"].scalar.blob.uri = f"local://{folder}/storage/data"
    return Files(
        config=DataLoadingConfig(enabled=True, input_path="/var/inputs", output_path="/var/outputs"),
        interface=interface,
        inputs=inputs,
        output_prefix=f"file://{folder}/storage/metadata",
        raw_output_prefix=f"local://{folder}/storage/raw",
    )


@pytest.mark.parametrize("image", ["python_image", "nobody_image", "entrypoint_image"])
def test_a_raw_containers_files_become_outputs(
    runtime: ContainerRuntime,
    attempt: Callable[..., Attempt],
    files: Files,
    folder: Path,
    image: str,
    request: pytest.FixtureRequest,
) -> None:
    script = "cp text /var/outputs/echo; id -un > /var/outputs/user; cat inputs.json"
    command = ("/bin/sh", "-c", f"cd /var/inputs && {script}")
    this = attempt(command=command, files=files, image=request.getfixturevalue(image))
    exit_ = runtime.run(this)
    assert exit_.reason is Reason.COMPLETED
    written = LiteralMap.FromString((folder / "storage" / "metadata" / "outputs.pb").read_bytes())
    outputs = {name: literal.scalar.primitive.string_value for name, literal in written.literals.items()}
    user = "nobody" if image == "nobody_image" else "root"
    assert outputs == {"echo": "a b; $(id)", "user": user}
    seen = json.loads(this.log.read_text())
    assert seen == {"text": "a b; $(id)", "data": "/var/inputs/data"}
    assert not this.folder.exists()


def test_no_engine_is_said_with_the_remedy() -> None:
    with pytest.raises(
        EngineUnreachable, match=r"no container engine answers at unix:///no/such.*DOCKER_HOST"
    ):
        connect({"DOCKER_HOST": "unix:///no/such", "PATH": os.environ["PATH"]})
