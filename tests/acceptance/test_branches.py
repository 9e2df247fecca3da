"""Every branch of the target project gets the verdict that it deserves."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from tasks._run import run
from tests.ci_job import CiImage
from tests.fixtures.target import Target
from tests.running import Cluster


@pytest.fixture(scope="module")
def released(
    cluster: Cluster, target: Target, enrolled: str, tmp_path_factory: pytest.TempPathFactory
) -> str:
    """The enrolled target's name, with main registered in its first stage; there is something to compare."""
    tree = tmp_path_factory.mktemp("released") / "fraud"
    run(["git", "clone", "--quiet", target.url, tree], timeout_s=30)
    words = ("--project", "fraud", "--domain", "development", "--version", target.main)
    cluster.pyflyte("register", *words, "--image", cluster.default_image, "fraud", cwd=tree / "src")
    return enrolled


@pytest.mark.rest
def test_a_code_only_change_passes_and_says_what_is_new_to_a_job_and_a_person_alike(
    cluster: Cluster, target: Target, released: str, ci_image: CiImage
) -> None:
    words = (released, target.branches["code-only"], "--pull-request", "1")
    with ThreadPoolExecutor() as pool:
        job = pool.submit(ci_image.job, "preview", *words, "--endpoint", cluster.http)
        outcome = cluster.preview(*words)
    name, report = outcome["execution"]["name"], outcome["report"]
    assert f"{name}: passed" in job.result().stderr
    assert job.result().stdout.strip() == cluster.taxiway("report", name, "--markdown").stdout.strip()
    assert "attached to it" in ci_image.job("preview", *words, "--endpoint", cluster.http).stderr
    assert report["verdict"]["status"] == "passed"
    assert report["plan"]["change"] == "code"
    assert changed(report)["fraud.workflows.explain"] == "added"
    changes = report["registered"]["diff"]["changes"]
    workflows = {one["name"] for one in changes if one["kind"] == "workflow"}
    assert "fraud.workflows.train" not in workflows  # it has a branch, whose nodes the compiler renames
    assert breaking(report) == set()


def test_a_dependency_change_passes_in_an_image_of_its_own(
    cluster: Cluster, target: Target, released: str
) -> None:
    report = cluster.preview(released, target.branches["dependency"], "--pull-request", "2")["report"]
    assert report["verdict"]["status"] == "passed"
    assert (report["plan"]["change"], report["image"]["action"]) == ("dependencies", "built")
    assert {"fraud.workflows.table"} <= set(changed(report))


def test_a_breaking_interface_change_passes_and_is_flagged(
    cluster: Cluster, target: Target, released: str
) -> None:
    report = cluster.preview(released, target.branches["breaking-interface"], "--pull-request", "3")["report"]
    assert report["verdict"]["status"] == "passed"
    assert {"fraud.workflows.train", "fraud.tasks.make_transactions"} <= breaking(report)
    assert "fraud.workflows.assess" not in breaking(report)


@pytest.mark.parametrize(
    ("branch", "says"),
    [
        ("import-error", "No module named 'numerics_that_nobody_has'"),
        ("failing-smoke", "accuracy"),
        ("policy-error", "package.source"),
    ],
)
def test_an_unsound_branch_fails_with_the_reason(
    cluster: Cluster, target: Target, enrolled: str, branch: str, says: str
) -> None:
    outcome = cluster.preview(enrolled, target.branches[branch], "--pull-request", "4", expect=[1])
    verdict = outcome["report"]["verdict"]
    assert verdict["status"] == "failed"
    assert any(says in finding["where"] + finding["problem"] for finding in verdict["findings"])


def changed(report: dict[str, Any]) -> dict[str, str]:
    return {change["name"]: change["change"] for change in report["registered"]["diff"]["changes"]}


def breaking(report: dict[str, Any]) -> set[str]:
    return {change["name"] for change in report["registered"]["diff"]["changes"] if change["breaking"]}
