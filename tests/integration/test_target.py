"""The target project: the same repository every time, and a project that flytekit can package."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

from tasks._run import run
from tests.fixtures.target import BRANCHES, Target, build_target

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def target(tmp_path_factory: pytest.TempPathFactory) -> Target:
    return build_target(tmp_path_factory.mktemp("target") / "fraud.git")


def test_the_same_sources_give_the_same_shas_under_another_umask(target: Target, tmp_path: Path) -> None:
    before = os.umask(0o077)
    try:
        again = build_target(tmp_path / "again.git")
    finally:
        os.umask(before)
    assert (again.main, again.branches) == (target.main, target.branches)


def test_every_branch_is_one_commit_ahead_of_main(target: Target) -> None:
    assert list(target.branches) == list(BRANCHES)
    for sha in target.branches.values():
        ahead = run(["git", "-C", target.folder, "rev-list", f"{target.main}..{sha}"], timeout_s=10)
        assert ahead.stdout.split() == [sha]


def test_a_revision_can_be_added(target: Target) -> None:
    sha = target.revise("added", {"src/fraud/new.py": "ANSWER = 42\n", "README.md": None})
    listed = run(
        ["git", "-C", target.folder, "ls-tree", "-r", "--name-only", sha], timeout_s=10
    ).stdout.split()
    assert "src/fraud/new.py" in listed
    assert "README.md" not in listed


def test_its_pins_are_those_of_taxiway_so_that_both_install_from_one_download() -> None:
    ours, theirs = (
        {line for line in (ROOT / name).read_text().splitlines() if "==" in line}
        for name in ("requirements.lock", "tests/fixtures/fraud/requirements.lock")
    )
    assert theirs
    assert theirs - ours == set()


@pytest.mark.parametrize("branch", ["main", "code-only", "breaking-interface", "failing-smoke"])
def test_flytekit_packages_it(target: Target, tmp_path: Path, branch: str) -> None:
    tree = tmp_path / "tree"
    run(["git", "clone", "--quiet", "--branch", branch, target.url, tree], timeout_s=30)
    pyflyte = Path(sys.executable).with_name("pyflyte")
    modules = ["--pkgs", "fraud.workflows", "--pkgs", "fraud.launch_plans"]
    packaged = run(
        [
            pyflyte,
            *modules,
            "package",
            "--image",
            "x:1",
            "--source",
            tree / "src",
            "--output",
            tmp_path / "p.tgz",
        ],
        timeout_s=60,
        cwd=tree / "src",
    )
    assert "fraud.nightly" in packaged.stdout


def test_its_image_may_be_described_otherwise_on_every_branch(target: Target, tmp_path: Path) -> None:
    made = build_target(tmp_path / "other.git", image='[image]\nrepository = "localhost:5000/fraud"\n')
    assert list(made.branches) == list(BRANCHES)
    for branch in ("main", *made.branches):
        usual, other = (one.text(branch, "taxiway.toml") for one in (target, made))
        assert other.count("[image]") == 1
        assert 'repository = "localhost:5000/fraud"\n\n[[stage]]' in other
        assert other.partition("[[stage]]")[2] == usual.partition("[[stage]]")[2]


def test_its_training_may_be_left_out_on_every_branch(target: Target, tmp_path: Path) -> None:
    made = build_target(tmp_path / "other.git", training=False)
    assert list(made.branches) == list(BRANCHES)
    for branch in ("main", *made.branches):
        usual, other = (one.text(branch, "taxiway.toml").split("\n\n") for one in (target, made))
        [left_out] = [part for part in usual if part not in other]
        assert "fraud.workflows.train" in left_out
        assert [part for part in usual if part != left_out] == other
    assert made.text("main", "taxiway.toml") == target.without_training()["taxiway.toml"]
