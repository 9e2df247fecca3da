"""The process runtime with real processes: none of them may outlive its attempt."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest
from flyteidl.core.errors_pb2 import ErrorDocument
from flyteidl.core.interface_pb2 import TypedInterface
from flyteidl.core.literals_pb2 import LiteralMap
from flyteidl.core.security_pb2 import Secret
from flyteidl.core.tasks_pb2 import DataLoadingConfig
from flyteidl.core.types_pb2 import SimpleType

from scripts.sandbox.images import Images
from scripts.sandbox.process import ProcessRuntime
from scripts.sandbox.processes import Leader
from scripts.sandbox.runtime import Attempt, Exit, Files, Reason
from tests.attempts import Background, background

IMAGE = "localhost:30000/test:1"
DAEMON = """
import os, sys, time
if os.fork() == 0:
    os.setsid()
    if os.fork() == 0:
        os.chdir("/")
        open(sys.argv[1], "w").write(str(os.getpid()))
        time.sleep(600)
    os._exit(0)
while not os.path.exists(sys.argv[1]) or not open(sys.argv[1]).read():
    time.sleep(0.01)
"""


@pytest.fixture
def runtime(tmp_path: Path) -> ProcessRuntime:
    images = Images(tmp_path / "images")
    images.add(IMAGE, Path(sys.prefix))
    (tmp_path / "secrets" / "git").mkdir(parents=True)
    (tmp_path / "secrets" / "git" / "token").write_text("hush")
    return ProcessRuntime(
        images=images,
        work=tmp_path / "work",
        environ=os.environ,
        secret_folder=tmp_path / "secrets",
        max_log_bytes=1_000_000,
    )


@pytest.fixture
def attempt(tmp_path: Path) -> Callable[..., Attempt]:
    def make(*args: str, **fields: object) -> Attempt:
        values = {
            "name": "f9-n0-0",
            "namespace": "p-d",
            "image": IMAGE,
            "args": args,
            "folder": tmp_path / "work" / "f9-n0-0",
            "log": tmp_path / "logs" / "f9-n0-0.log",
        }
        return Attempt(**(values | fields))  # type: ignore[arg-type]

    return make


@pytest.fixture
def in_background(runtime: ProcessRuntime) -> Iterator[Background]:
    with background(runtime, timeout_s=20) as start:
        yield start


def wait_for(ready: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 20
    while not ready():
        assert time.monotonic() < deadline, "waited 20 s"
        time.sleep(0.02)


def gone(note: Path) -> bool:
    """Whether the process whose number stands in `note` has ended, be it collected or not."""
    try:
        return psutil.Process(int(note.read_text())).status() == psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return True


def text(path: Path) -> str:
    return path.read_text() if path.exists() else ""


def test_a_task_sees_its_own_world(runtime: ProcessRuntime, attempt: Callable[..., Attempt]) -> None:
    script = "import os; print(os.getcwd(), os.environ['HOME'], os.environ['A'], sorted(os.listdir('.')))"
    this = attempt("python", "-c", script, environment=(("A", "1"), ("A", "2")))
    exit_ = runtime.run(this)
    assert (exit_.reason, exit_.code, exit_.message) == (Reason.COMPLETED, 0, "")
    assert exit_.started_at <= exit_.ended_at
    rootfs = f"{this.folder}/rootfs"
    assert this.log.read_text() == f"{rootfs}/root {rootfs}/home 2 []\n"
    assert not this.folder.exists()


@pytest.mark.parametrize(
    ("script", "reason", "code"),
    [
        ("import sys; print('last words'); sys.exit(3)", Reason.ERROR, 3),
        ("import os; print('last words', flush=True); os.kill(os.getpid(), 9)", Reason.KILLED, 137),
    ],
    ids=["sys.exit", "SIGKILL"],
)
def test_how_it_ended(
    runtime: ProcessRuntime, attempt: Callable[..., Attempt], script: str, reason: Reason, code: int
) -> None:
    exit_ = runtime.run(attempt("python", "-c", script))
    assert (exit_.reason, exit_.code, exit_.message) == (reason, code, "last words\n")


@pytest.mark.parametrize(
    ("fields", "reason", "message"),
    [
        ({"image": "no:such"}, Reason.IMAGE_MISSING, "taxiway image add no:such --prefix DIR"),
        ({"args": ("nothing-of-the-kind",)}, Reason.START_FAILED, "executable file not found in $PATH"),
        ({"args": ("python", "x" * 10_000_000)}, Reason.START_FAILED, "too long"),
    ],
    ids=["image", "program", "words"],
)
def test_what_does_not_start(
    runtime: ProcessRuntime,
    attempt: Callable[..., Attempt],
    fields: dict[str, object],
    reason: Reason,
    message: str,
) -> None:
    this = attempt("python", **fields)
    exit_ = runtime.run(this)
    assert (exit_.reason, exit_.code) == (reason, None)
    assert message in exit_.message
    assert message in this.log.read_text()


def test_the_log_can_be_read_while_the_task_runs(
    runtime: ProcessRuntime, attempt: Callable[..., Attempt], in_background: Callable[..., Callable[[], Exit]]
) -> None:
    this = attempt("sh", "-c", "echo started; echo trouble >&2; sleep 600")
    join = in_background(this)
    wait_for(lambda: text(this.log) == "started\ntrouble\n")
    runtime.kill(this.pod)
    assert join().reason is Reason.STOPPED


def test_gigabytes_of_output_stay_bounded(runtime: ProcessRuntime, attempt: Callable[..., Attempt]) -> None:
    this = attempt("sh", "-c", "head -c 300000000 /dev/zero; echo; echo the end; exit 1")
    exit_ = runtime.run(this)
    assert exit_.message.endswith("\nthe end\n")
    assert 1_000_000 < this.log.stat().st_size < 1_010_000
    assert b"were left out" in this.log.read_bytes()


def test_daemons_end_with_their_attempt(
    runtime: ProcessRuntime, attempt: Callable[..., Attempt], tmp_path: Path
) -> None:
    note = tmp_path / "daemon.pid"
    started = time.monotonic()
    exit_ = runtime.run(attempt("python", "-c", DAEMON, str(note)))
    assert exit_.reason is Reason.COMPLETED
    assert time.monotonic() - started < 10
    assert gone(note)


def test_a_kill_ends_the_whole_tree_even_if_it_will_not(
    runtime: ProcessRuntime,
    attempt: Callable[..., Attempt],
    in_background: Callable[..., Callable[[], Exit]],
    tmp_path: Path,
) -> None:
    note = tmp_path / "daemon.pid"
    stubborn = f"import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN)\n{DAEMON}\ntime.sleep(600)"
    this = attempt("python", "-c", stubborn, str(note))
    join = in_background(this)
    wait_for(lambda: bool(text(note)))
    started = time.monotonic()
    runtime.kill(this.pod)
    assert join().reason is Reason.STOPPED
    assert time.monotonic() - started < 6
    assert gone(note)


def test_a_task_may_tidy_up_when_it_is_killed(
    runtime: ProcessRuntime, attempt: Callable[..., Attempt], in_background: Callable[..., Callable[[], Exit]]
) -> None:
    this = attempt("sh", "-c", "trap 'echo tidied; exit 0' TERM; echo ready; while :; do sleep 0.05; done")
    join = in_background(this)
    wait_for(lambda: text(this.log) == "ready\n")
    runtime.kill(this.pod)
    assert (join().reason, text(this.log)) == (Reason.STOPPED, "ready\ntidied\n")


def test_killed_before_it_ran_it_never_runs(
    runtime: ProcessRuntime, attempt: Callable[..., Attempt], tmp_path: Path
) -> None:
    this = attempt("touch", str(tmp_path / "ran"))
    runtime.kill(this.pod)
    assert runtime.run(this).reason is Reason.STOPPED
    assert not (tmp_path / "ran").exists()


def test_a_new_life_ends_what_an_earlier_one_left(runtime: ProcessRuntime, tmp_path: Path) -> None:
    work = (tmp_path / "work").resolve()
    ours = subprocess.Popen(["sleep", "600"], env={"_TAXIWAY_ATTEMPT": f"{work}/a"}, start_new_session=True)
    noted = subprocess.Popen(["sleep", "600"], env={}, start_new_session=True)
    other = subprocess.Popen(
        ["sleep", "600"], env={"_TAXIWAY_ATTEMPT": f"{work}-b/a"}, start_new_session=True
    )
    try:
        Leader.of(noted.pid).write(work / "f9-n0-0.pid")
        (work / "reused.pid").write_text(f"{other.pid} 1.0\n")
        (work / "broken.pid").write_text("")
        runtime.clean()
        assert (ours.wait(5), noted.wait(5)) == (-signal.SIGKILL, -signal.SIGKILL)
        assert other.poll() is None
        assert list(work.iterdir()) == []
    finally:
        for process in (ours, noted, other):
            process.kill()
            process.wait()


def test_secrets_lie_where_the_variable_says(
    runtime: ProcessRuntime, attempt: Callable[..., Attempt]
) -> None:
    this = attempt(
        "sh", "-c", 'cat "$FLYTE_SECRETS_DEFAULT_DIR/git/token"', secrets=(Secret(group="git", key="token"),)
    )
    runtime.run(this)
    assert this.log.read_text() == "hush"


@pytest.fixture
def files(tmp_path: Path) -> Files:
    interface = TypedInterface()
    interface.inputs.variables["text"].type.simple = SimpleType.STRING
    interface.outputs.variables["echo"].type.simple = SimpleType.STRING
    inputs = LiteralMap()
    inputs.literals["text"].scalar.primitive.string_value = "a b; $(id)"
    return Files(
        config=DataLoadingConfig(enabled=True, input_path="/var/inputs", output_path="/var/outputs"),
        interface=interface,
        inputs=inputs,
        output_prefix=f"file://{tmp_path}/metadata",
        raw_output_prefix=f"file://{tmp_path}/raw",
    )


def test_a_raw_containers_files_become_outputs(
    runtime: ProcessRuntime, attempt: Callable[..., Attempt], files: Files, tmp_path: Path
) -> None:
    exit_ = runtime.run(
        attempt(command=("/bin/sh", "-c", "cp /var/inputs/text /var/outputs/echo"), files=files)
    )
    assert exit_.reason is Reason.COMPLETED
    written = LiteralMap.FromString((tmp_path / "metadata" / "outputs.pb").read_bytes())
    assert written.literals["echo"].scalar.primitive.string_value == "a b; $(id)"


def test_the_log_says_what_copilot_keeps_silent(
    runtime: ProcessRuntime,
    attempt: Callable[..., Attempt],
    files: Files,
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
) -> None:
    this = attempt(command=("/bin/sh", "-c", "true"), files=files)
    exit_ = runtime.run(this)
    reason = "file not found at path [/var/outputs/echo]: stat /var/outputs/echo: no such file or directory"
    assert exit_.reason is Reason.COMPLETED
    assert not (tmp_path / "metadata" / "outputs.pb").exists()
    error = ErrorDocument.FromString((tmp_path / "metadata" / "errors.pb").read_bytes()).error
    assert (error.code, error.message) == ("OutputUploadFailed", reason)
    assert this.log.read_text() == f"[sandbox] OutputUploadFailed: output echo: {reason}\n"
    assert f"f9-n0-0: OutputUploadFailed: output echo: {reason}" in caplog.text
