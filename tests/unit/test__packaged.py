"""What is made of a packaging's status, log and archive."""

from __future__ import annotations

import io
from pathlib import Path

import pytest
from flyteidl.admin.task_pb2 import TaskSpec
from rich.console import Console
from rich.panel import Panel
from rich.text import Text

from tasks._packaged import CODE_LOCATION, PackageStatus, last_words, read_package, written
from tasks._types import Finding, Status
from tests.unit.test__protos import archive, plan

IMAGE = "registry.example.com/fraud@sha256:" + "a" * 64

RICH = """\
Loading packages ['fraud'] under source root /tmp/taxiway-ab12/code
╭─────────────────────── Traceback (most recent call last) ───────────────────────╮
│ /tmp/taxiway-ab12/code/fraud/__init__.py:2 in <module>                          │
│                                                                                 │
│ ❱ 2 import numerics                                                             │
╰─────────────────────────────────────────────────────────────────────────────────╯
\x1b[31mModuleNotFoundError: No module named 'numerics'\x1b[0m
"""


def test_last_words_are_the_targets_own_traceback() -> None:
    assert last_words(RICH).splitlines() == [
        "Traceback (most recent call last)",
        "fraud/__init__.py:2 in <module>",
        "❱ 2 import numerics",
        "ModuleNotFoundError: No module named 'numerics'",
    ]


FOLDER = "/a/long/folder/for/what/is/temporary/taxiway-ab12/code"


@pytest.mark.parametrize("width", range(12, 90), ids=str)
@pytest.mark.parametrize(
    ("header", "says"),
    [
        (f"{FOLDER}/fraud/a.py:3 in <module>", "fraud/a.py:3 in <module>"),
        (f" {FOLDER}/fraud/a.py:3", " fraud/a.py:3"),
    ],
    ids=["a frame's", "a syntax error's"],
)
def test_a_path_wrapped_anywhere_is_put_together(header: str, says: str, width: int) -> None:
    console = Console(file=io.StringIO(), width=width + 4, color_system=None)
    console.print(Panel(Text(f"{header}\n❱ 3 x"), title="Traceback (most recent call last)"))
    console.print("ImportError: no", soft_wrap=True)
    assert isinstance(console.file, io.StringIO)
    words = last_words(console.file.getvalue())
    assert "taxiway-" not in words
    told = "".join(words.splitlines()).replace(" ", "")
    assert told.endswith(f"{says}❱3xImportError: no".replace(" ", ""))


def test_what_is_not_framed_stays_in_its_lines() -> None:
    assert last_words("/some/folder\n/another\nend\n") == "/some/folder\n/another\nend"


def test_last_words_of_a_long_log_are_its_end() -> None:
    words = last_words("\n".join(f"line {n}" + "\x00\x07" for n in range(1000)))
    assert words.splitlines()[-1] == "line 999"
    assert len(words.splitlines()) == 25
    assert len(last_words("x" * 10**6)) == 3000


STATUSES = {
    PackageStatus.IMAGE_FAILED: ("image", "The image could not be had.", "`image`"),
    PackageStatus.FLYTEKIT_MISSING: ("image.dependencies", "flytekit is not installed", "Add flytekit"),
    PackageStatus.RAISED: (
        "package.modules",
        "The module numerics is not in the image",
        "image.dependencies",
    ),
    PackageStatus.NO_ENTITIES: ("package.modules", "No task, workflow or launch plan", "package.modules"),
    PackageStatus.TIMED_OUT: ("package.modules", "took longer", "TAXIWAY_PACKAGE_TIMEOUT_S"),
    PackageStatus.EXITED: ("package.modules", "sys.exit", "__main__"),
    PackageStatus.KILLED: ("package.modules", "was killed", "processes"),
    PackageStatus.TOO_LARGE: ("package.modules", "larger", "files"),
    PackageStatus.BROKEN: ("package", "did not get as far", "log"),
}


@pytest.mark.parametrize("status", STATUSES, ids=lambda status: status.name)
def test_a_status_becomes_a_verdict_with_the_targets_last_words(status: PackageStatus) -> None:
    where, problem, remedy = STATUSES[status]
    package = read_package(Path("none"), status=status, log=RICH, image=IMAGE, destination=".")
    assert package.verdict.status is Status.FAILED
    [finding] = package.verdict.findings
    assert finding.where == where
    assert problem in finding.problem
    assert finding.problem.endswith("No module named 'numerics'")
    assert remedy in finding.remedy
    assert "\n" not in package.verdict.summary
    assert (package.entities, package.digest) == ([], "")


def test_a_status_that_there_is_not_counts_as_broken() -> None:
    package = read_package(Path("none"), status=77, log="", image=IMAGE, destination=".")
    assert package.verdict.findings[0].where == "package"


def test_nothing_packaged_is_skipped() -> None:
    package = read_package(
        Path("none"), status=PackageStatus.NOT_STARTED, log="", image=IMAGE, destination="."
    )
    assert package.verdict.status is Status.SKIPPED


@pytest.mark.parametrize(
    ("status", "log"),
    [
        (PackageStatus.RAISED, "RuntimeError: Build failed as ImageSpec failed to check if the image exists"),
        (PackageStatus.PACKAGED, "Flytekit assumes the image r/x:1 already exists.\n"),
        (PackageStatus.PACKAGED, "Image r/x:1 found. Skip building.\n"),
    ],
)
def test_a_target_that_uses_image_spec_is_told_so(status: PackageStatus, log: str, tmp_path: Path) -> None:
    path = archive(tmp_path / "p", {"0_a_3.pb": plan("a")})
    package = read_package(path, status=status, log=log, image=IMAGE, destination=".")
    assert "ImageSpec" in package.verdict.findings[0].problem
    assert "Leave `container_image` out" in package.verdict.findings[0].remedy


@pytest.mark.parametrize(
    ("members", "says"),
    [({"x": b""}, "cannot be used"), ({"fast0.tar.gz": b""}, "No task, workflow or launch plan")],
    ids=["no entity's name", "no entity"],
)
def test_an_archive_without_sound_entities_fails(
    members: dict[str, bytes], says: str, tmp_path: Path
) -> None:
    path = archive(tmp_path / "p", members)
    package = read_package(path, status=0, log="", image=IMAGE, destination=".")
    assert says in package.verdict.findings[0].problem


@pytest.mark.parametrize(
    ("location", "folder", "passed"),
    [
        (CODE_LOCATION, ".", True),
        (CODE_LOCATION, "/root", False),
        ("s3://elsewhere/code.tar.gz", ".", False),
    ],
)
def test_every_task_fetches_this_code_to_the_destination(
    location: str, folder: str, passed: bool, tmp_path: Path
) -> None:
    spec = TaskSpec()
    spec.template.id.name = "a"
    words = ["pyflyte-fast-execute", "--additional-distribution", location, "--dest-dir", folder, "--", "x"]
    spec.template.container.args.extend(words)
    path = archive(tmp_path / "p", {"0_a_1.pb": spec.SerializeToString()})
    package = read_package(path, status=0, log="", image=IMAGE, destination=".")
    assert package.verdict.passed is passed
    assert [finding.where for finding in package.verdict.findings] == ([] if passed else ["task a: args"])


def test_an_image_that_flyte_cannot_use_fails_with_what_was_found_of_it() -> None:
    findings = [Finding(where=IMAGE, problem=f"It has no {name}.", remedy="Add it.") for name in "ab"]
    package = read_package(
        Path("none"), status=PackageStatus.IMAGE_UNFIT, log=written(findings), image="", destination="."
    )
    assert package.verdict.status is Status.FAILED
    assert package.verdict.summary == "It has no a."
    assert package.verdict.findings == findings
