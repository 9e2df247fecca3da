"""What the recorded flows leave out: settings, secrets, long waits, odd failures, odd outputs."""
# flytekit demands a textual return, and its calls are untyped.
# mypy: disable-error-code="no-any-return, unreachable"

import os
import signal
import time
from pathlib import Path

from flytekit import ContainerTask, Deck, LaunchPlan, Secret, current_context, kwtypes, task, workflow
from flytekit.types.directory import FlyteDirectory
from flytekit.types.error.error import FlyteError
from flytekit.types.file import FlyteFile


@task(environment={"CONF_BOTH": "task", "CONF_TASK": "task"})
def look() -> dict[str, str]:
    return {name: value for name, value in os.environ.items() if name.startswith(("CONF_", "FLYTE_"))}


@workflow
def environment() -> dict[str, str]:
    return look()


@task(secret_requests=[Secret(group="conformance-absent", key="token")])
def try_secret() -> str:
    try:
        return current_context().secrets.get("conformance-absent", "token")
    except ValueError:
        return "no such secret"


@workflow
def secret() -> str:
    return try_secret()


@task(secret_requests=[Secret(group="conformance", key="token")])
def read_secret() -> str:
    return current_context().secrets.get("conformance", "token")


@workflow
def secret_value() -> str:
    return read_secret()


@task
def which_image() -> str:
    return os.environ.get("WHICH_IMAGE", "default image")


@workflow
def unknown_image() -> str:
    return which_image().with_overrides(container_image="registry.example.com/absent:1")


@task
def sleep(seconds: int) -> int:
    time.sleep(seconds)
    return seconds


@workflow
def sleeper(seconds: int = 600) -> int:
    return sleep(seconds=seconds)


waits = LaunchPlan.get_or_create(sleeper, name="more.waits")


@workflow
def child_sleeps(seconds: int = 600) -> int:
    return waits(seconds=seconds)


class Refused(Exception):
    """Carries a code of its own."""

    error_code = "CONF:Refused"


@task(retries=2)
def coded() -> int:
    if True:
        raise Refused("no")
    return 1


@task
def killed() -> int:
    os.kill(os.getpid(), signal.SIGKILL)
    return 1


@task
def fail_to_clean_up(name: str, err: FlyteError | None = None) -> None:
    raise KeyError(name)


@workflow
def own_code() -> int:
    return coded()


@workflow
def process_killed() -> int:
    return killed()


@workflow(on_failure=fail_to_clean_up)
def handler_fails(name: str = "n") -> int:
    return coded()


@workflow(on_failure=fail_to_clean_up)
def aborted(name: str = "n") -> int:
    return sleep(seconds=600)


@task(enable_deck=True)
def drawn(seconds: int) -> int:
    Deck("Report", "<h1>A report</h1>")
    Deck.publish()
    time.sleep(seconds)
    if True:
        raise ValueError("after the deck")
    return 1


@workflow
def deck(seconds: int) -> int:
    return drawn(seconds=seconds)


def raw(name: str, script: str, inputs: dict[str, type], outputs: dict[str, type]) -> ContainerTask:
    return ContainerTask(
        name=f"more.{name}",
        # Only where it is registered the image is known; a task that loads this module needs none.
        image=os.environ.get("TASK_IMAGE", "set-where-it-is-registered:1"),
        input_data_dir="/var/inputs",
        output_data_dir="/var/outputs",
        inputs=inputs,
        outputs=outputs,
        command=["/bin/sh", "-c", script],
    )


ITEMS = [4, 5]
copies = raw(
    "copies",
    "cp /var/inputs/folder/x /var/outputs/copy; cp /var/inputs/items/1 /var/outputs/second;"
    " cp /var/inputs/text /var/outputs/echo; head -c 1024 /dev/zero | tr '\\0' a > /var/outputs/longest",
    kwtypes(text=str, items=list[int], folder=FlyteDirectory),
    kwtypes(copy=FlyteFile, second=int, echo=str, longest=str),
)
mistyped = raw("mistyped", "printf seven > /var/outputs/n", kwtypes(text=str), kwtypes(n=int))


@task
def write() -> FlyteDirectory:
    folder = Path("folder")
    folder.mkdir()
    (folder / "x").write_text("0123456789")
    return FlyteDirectory("folder")


@task
def read(file: FlyteFile) -> str:
    return Path(file.download()).read_text()


@workflow
def layout(text: str = "a b; $(id)", items: list[int] = ITEMS) -> tuple[str, int, str, str]:
    copy, second, echo, longest = copies(text=text, items=items, folder=write())
    return read(file=copy), second, echo, longest


@workflow
def wrong_output(text: str = "t") -> int:
    return mistyped(text=text)
