"""Raw container tasks."""
# flytekit demands a textual return, and its calls are untyped.
# mypy: disable-error-code="no-any-return, unreachable"

import os
from pathlib import Path

from flytekit import ContainerTask, dynamic, kwtypes, task, workflow
from flytekit.types.file import FlyteFile


def raw(name: str, script: str, outputs: dict[str, type]) -> ContainerTask:
    return ContainerTask(
        name=name,
        image=os.environ.get("TASK_IMAGE", "set-where-it-is-registered:1"),
        input_data_dir="/var/inputs",
        output_data_dir="/var/outputs",
        inputs=kwtypes(text=str, data=FlyteFile),
        outputs=outputs,
        command=["/bin/sh", "-c", script, "arg0", "{{.inputs.text}}"],
    )


good = raw(
    "raw.good",
    'wc -c < /var/inputs/data > /var/outputs/log; printf %s "$1" > /var/outputs/echo;'
    " printf 7 > /var/outputs/n",
    kwtypes(log=FlyteFile, echo=str, n=int),
)
fails = raw("raw.fails", "echo partial > /var/outputs/echo; echo to-stderr >&2; exit 3", kwtypes(echo=str))
long = raw("raw.long", "head -c 1025 /dev/zero | tr '\\0' a > /var/outputs/echo", kwtypes(echo=str))
absent = raw("raw.absent", "true", kwtypes(echo=str))


@task
def data() -> FlyteFile:
    Path("data.bin").write_text("0123456789")
    return FlyteFile("data.bin")


@workflow
def main(text: str = "a b; $(id)") -> tuple[FlyteFile, str, int]:
    return good(text=text, data=data())


@dynamic
def placed(text: str, image: str, data: FlyteFile) -> tuple[FlyteFile, str, int]:
    log, echo, n = good(text=text, data=data).with_overrides(container_image=image)
    return log, echo, n


@workflow
def override(image: str, text: str = "t") -> tuple[FlyteFile, str, int]:
    return placed(text=text, image=image, data=data())


@workflow
def failing(text: str = "t") -> str:
    return fails(text=text, data=data())


@workflow
def too_long(text: str = "t") -> str:
    return long(text=text, data=data())


@workflow
def no_output(text: str = "t") -> str:
    return absent(text=text, data=data())
