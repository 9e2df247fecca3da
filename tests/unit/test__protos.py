"""The archive of `pyflyte package`: what is read, and every archive that is not believed."""

from __future__ import annotations

import gzip
import io
import tarfile
from collections.abc import Callable
from pathlib import Path

import pytest
from flyteidl.admin.launch_plan_pb2 import LaunchPlan
from flyteidl.admin.task_pb2 import TaskSpec
from flyteidl.admin.workflow_pb2 import WorkflowSpec

from tasks import _protos
from tasks._protos import BadArchive, digest, read_archive


def task(name: str) -> bytes:
    spec = TaskSpec()
    spec.template.id.name = name
    spec.template.custom["b"] = 1
    spec.template.custom["a"] = 2
    content: bytes = spec.SerializeToString()
    return content


def workflow(name: str) -> bytes:
    spec = WorkflowSpec()
    spec.template.id.name = name
    content: bytes = spec.SerializeToString()
    return content


def plan(name: str) -> bytes:
    spec = LaunchPlan()
    spec.id.name = name
    content: bytes = spec.SerializeToString()
    return content


def archive(path: Path, members: dict[str, bytes], kind: bytes = tarfile.REGTYPE) -> Path:
    with tarfile.open(path, "w:gz") as tar:
        for name, content in members.items():
            member = tarfile.TarInfo(name)
            member.type, member.size = kind, len(content) if kind == tarfile.REGTYPE else 0
            member.linkname = "/etc/passwd"
            tar.addfile(member, io.BytesIO(content))
    return path


def test_entities_are_sorted_and_the_bundled_code_is_passed_over(tmp_path: Path) -> None:
    path = archive(
        tmp_path / "p",
        {
            "0_b.w_3.pb": plan("b.w"),
            "1_b.w_2.pb": workflow("b.w"),
            "2_z.t_1.pb": task("z.t"),
            "3_a.t_1.pb": task("a.t"),
            "fast0a1b.tar.gz": b"code",
        },
    )
    assert [str(entity) for entity in read_archive(path)] == [
        "task a.t",
        "task z.t",
        "workflow b.w",
        "launch plan b.w",
    ]


def test_the_digest_is_of_the_content_and_not_of_its_order(tmp_path: Path) -> None:
    one = read_archive(archive(tmp_path / "1", {"0_a_1.pb": task("a"), "1_b_1.pb": task("b")}))
    same = read_archive(archive(tmp_path / "2", {"00_b_1.pb": task("b"), "01_a_1.pb": task("a")}))
    other = read_archive(archive(tmp_path / "3", {"0_a_1.pb": task("a")}))
    kind = read_archive(archive(tmp_path / "4", {"0_a_2.pb": workflow("a")}))
    assert digest(one) == digest(list(reversed(same)))
    assert len({digest(one), digest(other), digest(kind)}) == 3


BAD: dict[str, tuple[Callable[[Path], Path], str]] = {
    "a name upwards": (lambda path: archive(path, {"../0_a_1.pb": task("a")}), "no entity"),
    "an absolute name": (lambda path: archive(path, {"/0_a_1.pb": task("a")}), "no entity"),
    "a name of another form": (lambda path: archive(path, {"a.pb": task("a")}), "no entity"),
    "another kind": (lambda path: archive(path, {"0_a_4.pb": task("a")}), "no entity"),
    "a link": (lambda path: archive(path, {"0_a_1.pb": b""}, tarfile.SYMTYPE), "no entity"),
    "a device": (lambda path: archive(path, {"0_a_1.pb": b""}, tarfile.CHRTYPE), "no entity"),
    "a linked bundle": (lambda path: archive(path, {"fast0.tar.gz": b""}, tarfile.LNKTYPE), "no entity"),
    "another name inside": (lambda path: archive(path, {"0_a_1.pb": task("b")}), "does not say"),
    "another message inside": (lambda path: archive(path, {"0_a_1.pb": b"\xff\xff"}), "not the message"),
    "one entity twice": (
        lambda path: archive(path, {"0_a_1.pb": task("a"), "1_a_1.pb": task("a")}),
        "task a twice",
    ),
    "no archive": (lambda path: _written(path, gzip.compress(b"x" * 2000)), "damaged"),
    "not packed": (lambda path: _written(path, b"plain"), "cannot be unpacked"),
    "nothing": (lambda path: _written(path, b""), "damaged"),
    "half an archive": (
        lambda path: _written(path, archive(path, {"0_a_1.pb": task("a")}).read_bytes()[:60]),
        "cannot be unpacked",
    ),
}


def _written(path: Path, content: bytes) -> Path:
    path.write_bytes(content)
    return path


@pytest.mark.parametrize(("make", "says"), BAD.values(), ids=BAD)
def test_an_archive_that_is_not_believed(tmp_path: Path, make: Callable[[Path], Path], says: str) -> None:
    with pytest.raises(BadArchive, match=says):
        read_archive(make(tmp_path / "package"))


@pytest.mark.parametrize(
    ("limit", "value", "says"),
    [
        ("MAX_UNPACKED_BYTES", 1000, "more than"),
        ("MAX_ENTITY_BYTES", 3, "larger than Flyte takes"),
        ("MAX_ENTITIES", 1, "more than 1 entities"),
    ],
)
def test_an_archive_beyond_a_limit(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, limit: str, value: int, says: str
) -> None:
    monkeypatch.setattr(_protos, limit, value)
    with pytest.raises(BadArchive, match=says):
        read_archive(archive(tmp_path / "p", {"0_a_1.pb": task("a"), "1_b_1.pb": task("b")}))
