"""From a merge to production and back: one target's releases, in the order in which they happen."""

from __future__ import annotations

import json
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

import pytest
from flyteidl.admin.project_pb2 import Project, ProjectRegisterRequest
from flytekit.configuration import Config, PlatformConfig

from tasks._errors import FlyteExists
from tasks._flyte import Flyte, connect
from tasks.stage_state import active_plans
from tests.ci_job import CiImage
from tests.fixtures.target import Target, build_target
from tests.running import Cluster, Sandbox

pytestmark = [pytest.mark.rest, pytest.mark.timeout(600)]  # a release is sixteen pods
ENROLMENT = """
name = "scores"
repository = "{url}"
preview = {{ project = "scores-previews", domain = "development" }}
anonymous_approvals = true
[limits]
projects = ["fraud"]
domains = ["development", "production"]
images = ["registry.example.com/risk/fraud"]
"""
PLAN = "fraud.nightly"
APPROVED = """activate = ["fraud.nightly"]
verify = "none"
gates = { approval = { required = 1, by = ["risk-leads"] } }
"""


@dataclass(kw_only=True)
class Story:
    """A target on its way, and what the tests before left for those after."""

    cluster: Cluster
    target: Target
    flyte: Flyte
    first: str = ""
    second: str = ""
    simulated: dict[str, Any] = field(default_factory=dict)

    def ask(self, command: str, *words: str, expect: int = 0) -> dict[str, Any]:
        """Run a command about the target, and return its JSON."""
        done = self.cluster.taxiway(command, "scores", *words, "--json", expect=range(3), timeout_s=500)
        assert done.code == expect, done.stderr + done.stdout
        answer: dict[str, Any] = json.loads(done.stdout)
        return answer

    @property
    def active(self) -> dict[str, list[str]]:
        """What is ACTIVE in production."""
        return active_plans(self.flyte, "fraud", "production")

    def policy(self, old: str, new: str) -> dict[str, str]:
        """Return a change of the policy on main."""
        text = self.target.text("main", "taxiway.toml")
        assert old in text
        return {"taxiway.toml": text.replace(old, new)}

    def place(self, stage: str) -> dict[str, Any]:
        """Return what `taxiway where` says of a stage."""
        return next(one for one in self.ask("where")["stages"] if one["stage"] == stage)


@pytest.fixture(scope="module")
def story(cluster: Cluster, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Story]:
    folder = tmp_path_factory.mktemp("scores")
    target = build_target(folder / "scores.git")
    (folder / "enrolment.toml").write_text(ENROLMENT.format(url=target.url))
    cluster.install()
    cluster.taxiway("enroll", "--file", folder / "enrolment.toml", "--create-projects")
    platform = PlatformConfig(endpoint=cluster.endpoint, insecure=True)
    with connect(Config(platform=platform)) as flyte:
        with suppress(FlyteExists):
            flyte.call("RegisterProject", ProjectRegisterRequest(project=Project(id="fraud", name="fraud")))
        told = Story(cluster=cluster, target=target, flyte=flyte)
        told.first = target.revise("first", target.without_training())
        yield told


def gates(report: dict[str, Any]) -> dict[str, str]:
    return {gate["gate"]: gate["state"] for gate in report["gates"]}


def test_what_was_previewed_is_merged(story: Story) -> None:
    assert story.cluster.preview("scores", story.first, "--pull-request", "1")["passed"]
    assert story.target.merge("first") == story.first


@pytest.mark.sandbox_only
def test_the_image_of_the_preview_is_pruned(sandbox: Sandbox, story: Story) -> None:
    words = ("--state", sandbox.state, "--keep-days", "0", "--delete", "--json")
    pruned = json.loads(sandbox.taxiway("image", "prune", *words).stdout)
    assert pruned["images"]


def test_a_ci_job_releases_it_through_every_stage(story: Story, ci_image: CiImage) -> None:
    job = ci_image.job("release", "scores", story.first, "--endpoint", story.cluster.http, timeout_s=500)
    again = story.ask("release", story.first)
    name = again["execution"]["name"]
    assert f"{name}: launched" in job.stderr
    assert job.stdout.strip() == story.cluster.taxiway("report", name, "--markdown").stdout.strip()
    report = again["report"]
    assert report["verdict"]["status"] == "passed", report["verdict"]
    stages = report["carried"]["stages"]
    assert [(one["stage"], one["status"]) for one in stages] == [
        ("development", "promoted"),
        ("production", "promoted"),
    ]
    assert report["carried"]["manifest"]["version"] == story.first
    assert story.active == {PLAN: [story.first]}
    for one in stages:
        promoted = json.loads(story.cluster.taxiway("report", one["execution"], "--json").stdout)
        same = promoted["same"]
        assert (same["different"], same["missing"], same["foreign"]) == ([], [], [])
        assert same["total"] == promoted["created"] == report["carried"]["manifest"]["package"]["entries"]
        assert set(gates(promoted).values()) == {"open"}


def test_the_records_say_which_release_is_where(story: Story) -> None:
    place = story.place("production")
    assert (place["sha"], place["version"], place["condition"]) == (story.first, story.first, "ok")
    assert place["active"] == {PLAN: [story.first]}
    events = story.ask("history", "--stage", "production")["events"]
    assert [one["what"] for one in events] == ["activation", "promotion"]
    assert events[0]["version"] == story.first


def test_what_cannot_be_released_or_promoted_is_said(story: Story) -> None:
    words = [
        ("release", story.target.branches["code-only"]),
        ("promote", story.first, "nowhere"),
    ]
    with ThreadPoolExecutor() as pool:
        found = list(pool.map(lambda one: story.ask(*one, expect=2), words))
    codes = [one["report"]["broken"]["code"] for one in found]
    assert codes == ["TAXI:NotOnBranch", "TAXI:UnknownStage"]
    assert story.active == {PLAN: [story.first]}


def test_a_simulation_makes_the_release_and_promotes_nothing(story: Story) -> None:
    changed = story.policy('activate = ["fraud.nightly"]\n', APPROVED)
    changed["src/fraud/rules.py"] = story.target.text("code-only", "src/fraud/rules.py")
    story.target.revise("second", changed)
    story.second = story.target.merge("second")
    report = story.simulated = story.ask("release", story.second, "--simulate")["report"]
    assert report["simulated"]
    assert report["carried"]["stages"] == []
    assert [one["stage"] for one in report["carried"]["simulation"]["stages"]] == [
        "development",
        "production",
    ]
    assert story.active == {PLAN: [story.first]}


def test_a_stage_cannot_be_skipped(story: Story) -> None:
    report = story.ask("promote", story.second, "production")["report"]
    assert report["status"] == "waiting"
    assert gates(report)["previous"] == gates(report)["approval"] == "waiting"
    assert story.active == {PLAN: [story.first]}


def test_a_release_is_made_once_and_waits_for_an_approval(story: Story) -> None:
    report = story.ask("release", story.second)["report"]
    stages = report["carried"]["stages"]
    assert [one["status"] for one in stages] == ["promoted", "waiting"]
    assert report["verdict"]["status"] == "skipped"
    assert "approval" in stages[1]["summary"] and "previous" not in stages[1]["summary"]
    assert report["released"]["stored"] == story.simulated["released"]["stored"]
    assert story.active == {PLAN: [story.first]}
    assert story.place("production")["next"][0]["outcome"] == "waiting"


def test_an_approval_takes_up_what_waited(story: Story) -> None:
    report = story.ask("approve", story.second, "production", "--promote")["report"]
    assert report["status"] == "promoted"
    assert story.active == {PLAN: [story.second]}


def test_a_rollback_brings_the_old_one_back_and_holds_the_stage(story: Story) -> None:
    done = story.ask("rollback", "production", "--to", "previous", "--reason", "it scores too high")
    assert done["activated"]["changed"] == {PLAN: story.first}
    assert story.active == {PLAN: [story.first]}
    assert "it scores too high" in story.place("production")["held"]


def test_a_hold_and_an_approval_under_another_policy_both_wait(story: Story) -> None:
    text = "max_parallelism = 10"
    story.target.revise("relabelled", story.policy(text, "max_parallelism = 11"))
    story.target.merge("relabelled")
    report = story.ask("promote", story.second, "production")["report"]
    closed = {name for name, state in gates(report).items() if state != "open"}
    assert (report["status"], closed) == ("waiting", {"hold", "approval"})
    said = next(gate for gate in report["gates"] if gate["gate"] == "approval")
    assert "under another policy" in " ".join(said["evidence"])
    assert story.active == {PLAN: [story.first]}


def test_let_go_it_goes_on_with_the_settings_of_now(story: Story) -> None:
    story.ask("unhold", "production", "--reason", "it was the data")
    report = story.ask("approve", story.second, "production", "--promote")["report"]
    assert report["status"] == "promoted"
    version = report["version"]
    assert version.startswith(f"{story.second}-") and len(version) == len(story.second) + 9
    assert story.active == {PLAN: [version]}
    place = story.place("production")
    assert (place["sha"], place["version"], place["held"]) == (story.second, version, "")
    events = [one["what"] for one in story.ask("history", "--stage", "production")["events"]]
    assert events[:3] == ["activation", "promotion", "approval"]
