from __future__ import annotations

import sys
from pathlib import Path

import pytest

from scripts.sandbox.command import Command, StartFailed, plan
from scripts.sandbox.images import VenvImage
from scripts.sandbox.rootfs import Rootfs
from scripts.sandbox.runtime import Attempt

IMAGE = VenvImage(reference="a:1", prefix=Path(sys.prefix), env={"WHICH_IMAGE": "other", "A": "image"})


def planned(tmp_path: Path, *args: str, environment: tuple[tuple[str, str], ...] = ()) -> Command:
    attempt = Attempt(
        name="f9-n0-0",
        namespace="p-d",
        image="a:1",
        args=args,
        environment=environment,
        folder=tmp_path,
        log=tmp_path / "log",
    )
    return plan(
        attempt,
        image=IMAGE,
        rootfs=Rootfs(attempt=tmp_path),
        machine={"PATH": "/usr/bin:/bin", "LANG": "C.UTF-8"},
        data_paths={"/var/inputs": tmp_path / "in"},
    )


def test_the_environment_is_the_images_the_tasks_and_a_little_of_the_machines(tmp_path: Path) -> None:
    command = planned(tmp_path, "python", environment=(("A", "task"), ("DATA", "/var/inputs/x")))
    assert command.environment == {
        "PATH": f"{sys.prefix}/bin:/usr/bin:/bin",
        "LANG": "C.UTF-8",
        "HOME": str(tmp_path / "rootfs/home"),
        "TMPDIR": str(tmp_path / "rootfs/tmp"),
        "WHICH_IMAGE": "other",
        "A": "task",
        "DATA": str(tmp_path / "in/x"),
        "_TAXIWAY_ATTEMPT": str(tmp_path),
    }
    assert command.directory == tmp_path / "rootfs/root"


def test_the_images_programs_come_first(tmp_path: Path) -> None:
    assert planned(tmp_path, "python").program == Path(sys.prefix) / "bin/python"


def test_words_refer_to_variables_as_kubernetes_has_it(tmp_path: Path) -> None:
    command = planned(tmp_path, "sh", "-c", "cat /var/inputs/x; echo $(A) $(id)", environment=(("A", "1"),))
    assert command.words[2] == f"cat {tmp_path}/in/x; echo 1 $(id)"


@pytest.mark.parametrize(
    ("args", "message"),
    [
        ((), "no command specified"),
        (("no-such-program",), r'exec: "no-such-program": executable file not found in \$PATH'),
        (("./run.sh",), 'exec: "./run.sh": executable file not found in the image'),
    ],
)
def test_what_cannot_be_started(tmp_path: Path, args: tuple[str, ...], message: str) -> None:
    with pytest.raises(StartFailed, match=message):
        planned(tmp_path, *args)
