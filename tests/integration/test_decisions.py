"""Approvals and holds as executions of a real Flyte: given by commands, read back by the gates."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import pytest
from flyteidl.admin.launch_plan_pb2 import LaunchPlan
from flytekit.configuration import Config, PlatformConfig

from scripts.commands.approve import text_of
from scripts.deciding import Decision, decide
from scripts.enrolments import find_enrolled
from tasks._create import Outcome, create
from tasks._entities import Entity, Kind
from tasks._flyte import connect
from tasks._home import Home
from tasks._launch import launch
from tasks._names import release_tag, stage_tag, target_tag
from tasks._typed import literals
from tasks.approval import Approval
from tasks.gate_approval import Given, Needed, judge_approvals, read_given
from tasks.gate_hold import judge_hold
from tasks.gates import GateState, GateVerdict
from tasks.hold import find_hold
from tasks.policy import Approval as Wanted
from tests.running import PRINCIPAL_HEADER, Cluster

SHA, DIGEST = "4f0c1d2e3b5a69788796a5b4c3d2e1f001122334", "sha256:" + "ab" * 32
TARGET = "decided"
ENROLMENT = f"""
name = "{TARGET}"
repository = "https://git.example.com/risk/decided"
preview = {{ project = "decided-previews", domain = "development" }}
anonymous_approvals = true
[identities]
"00u-lead" = {{ name = "lead", git = ["lead@example.com"], groups = ["risk-leads"] }}
"""
SINCE = timedelta(hours=1)


@pytest.fixture(scope="module")
def home(cluster: Cluster, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Home]:
    file = tmp_path_factory.mktemp("enrolment") / "enrolment.toml"
    file.write_text(ENROLMENT)
    cluster.install()
    cluster.taxiway("enroll", "--file", file, "--create-projects")
    with connect(Config(platform=PlatformConfig(endpoint=cluster.endpoint, insecure=True))) as flyte:
        yield Home(flyte=flyte, project="taxiway", domain="production", target=TARGET)


def taxiway(cluster: Cluster, *words: str | Path) -> Any:
    return json.loads(cluster.taxiway(*words, "--json").stdout)


def given(home: Home, sha: str = SHA) -> list[Given]:
    return list(read_given(home, sha, since=datetime.now(timezone.utc) - SINCE))


def weighed(home: Home, sha: str = SHA) -> GateState:
    enrolment = find_enrolled(home.flyte, home.project, home.domain, TARGET).enrolment
    wanted = Wanted(required=1, by=["risk-leads"])
    needed = Needed(wanted=wanted, enrolment=enrolment, sha=sha, stage="production", policy=DIGEST)
    return judge_approvals(needed, given(home, sha)).state


def test_approval_is_recorded_read_back_and_withdrawn(cluster: Cluster, home: Home) -> None:
    words = ("approve", TARGET, SHA, "production", "--policy", DIGEST)
    assert given(home) == []
    approved = taxiway(cluster, *words, "--comment", "looks right")
    assert (approved["approve"], approved["principal"], approved["comment"]) == (True, "", "looks right")
    [found] = given(home)
    assert (found.execution, found.flaw) == (approved["execution"], "")
    assert weighed(home) is GateState.OPEN
    execution = home.execution(found.execution)
    tags = {target_tag(TARGET), stage_tag(TARGET, "production"), release_tag(TARGET, SHA)}
    assert set(execution.spec.tags) == tags
    assert execution.spec.annotations.values["taxiway/act"] == "approve"

    withdrawn = taxiway(cluster, *words, "--withdraw")
    assert withdrawn["execution"] != approved["execution"]
    assert weighed(home) is GateState.WAITING


def test_stage_is_held_and_let_go(cluster: Cluster, home: Home) -> None:
    enrolment = find_enrolled(home.flyte, home.project, home.domain, TARGET).enrolment
    assert find_hold(home, "production") is None
    taxiway(cluster, "hold", TARGET, "production", "--reason", "month end")
    verdict = judge_hold(find_hold(home, "production"), enrolment=enrolment, stage="production")
    assert verdict.state is GateState.WAITING and "month end" in verdict.because
    assert find_hold(home, "staging") is None
    taxiway(cluster, "unhold", TARGET, "production", "--reason", "figures are out")
    found = find_hold(home, "production")
    assert found is not None and not found.held and found.reason == "figures are out"


def test_same_launch_again_finds_the_first(home: Home) -> None:
    enrolled = find_enrolled(home.flyte, home.project, home.domain, TARGET)
    inputs = {"stage": "qa", "reason": "once", "hold": False}
    decision = Decision(flow="hold", act="unhold", stage="qa", inputs=inputs, reason="once")
    first = decide(home, enrolled, decision, nonce="0" * 40)
    again = decide(home, enrolled, decision, nonce="0" * 40)
    assert (first.attached, again.attached, again.id) == (False, True, first.id)
    assert decide(home, enrolled, decision).id != first.id


def ended(home: Home, name: str) -> str:
    return str(home.end_of(name, timeout_s=60).closure.error.code)


def test_look_alike_launch_plan_approves_nothing(home: Home) -> None:
    """Somebody registers a version of their own beside the installed one, and launches it."""
    other = "c" * 40
    installed = home.plan("approve")
    mine = LaunchPlan()
    mine.CopyFrom(installed)
    mine.id.version = "mine"
    mine.spec.annotations.values["taxiway/note"] = "not the installed one"
    assert create(home.flyte, Entity(kind=Kind.LAUNCH_PLAN, message=mine)) is Outcome.CREATED
    inputs = literals({"sha": other, "stage": "production", "policy": DIGEST, "approve": True, "comment": ""})
    launch(home.flyte, mine, name="look-alike", inputs=inputs)
    assert ended(home, "look-alike") == ""
    [found] = given(home, other)
    assert "version mine" in found.flaw
    assert weighed(home, other) is GateState.WAITING

    launch(home.flyte, installed, name="untagged", inputs=inputs)
    assert ended(home, "untagged") == ""
    assert weighed(home, other) is GateState.OPEN


def called_by(home: Home, principal: str) -> Home:
    """Return a home whose launches are those of `principal`."""
    launching = home.flyte.rpcs["CreateExecution"]

    def once(request: object, timeout: float) -> object:
        return launching(request, timeout=timeout, metadata=[(PRINCIPAL_HEADER, principal)])

    return replace(home, flyte=replace(home.flyte, rpcs={**home.flyte.rpcs, "CreateExecution": once}))


@pytest.mark.sandbox_only
def test_an_approval_is_that_of_the_person_whom_flyte_names(home: Home) -> None:
    sha = "f" * 40
    enrolled = find_enrolled(home.flyte, home.project, home.domain, TARGET)
    needed = Needed(
        wanted=Wanted(required=1, by=["risk-leads"], not_author=True),
        enrolment=enrolled.enrolment.model_copy(update={"anonymous_approvals": False}),
        sha=sha,
        stage="production",
        policy=DIGEST,
    )
    inputs = {"sha": sha, "stage": "production", "policy": DIGEST, "approve": True, "comment": ""}
    decision = Decision(flow="approve", act="approve", stage="production", inputs=inputs, reason="", sha=sha)

    def approved_by(principal: str) -> GateVerdict:
        launched = decide(called_by(home, principal), enrolled, decision)
        assert ended(home, launched.id.name) == ""
        return judge_approvals(needed, given(home, sha))

    assert approved_by("00u-stranger").state is GateState.WAITING
    verdict = approved_by("00u-lead")
    assert verdict.state is GateState.OPEN
    assert {one.principal for one in given(home, sha)} == {"00u-stranger", "00u-lead"}
    by_its_author = replace(needed, author=["lead@example.com"])
    assert judge_approvals(by_its_author, given(home, sha)).state is GateState.WAITING


def test_what_cannot_be_approved_fails(home: Home) -> None:
    values = {"sha": "main", "stage": "production", "policy": DIGEST}
    launch(home.flyte, home.plan("approve"), name="refused", inputs=literals(values))
    assert ended(home, "refused") == "TAXI:BadUsage"


def test_mistakes_on_the_command_line_launch_nothing(cluster: Cluster, home: Home) -> None:
    done = cluster.taxiway("approve", TARGET, "d" * 40, "production", expect=(2,))
    assert "TAXI:BadUsage" in done.stderr and "waits for an approval" in done.stderr
    done = cluster.taxiway("approve", TARGET, SHA, "production", "--policy", "latest", expect=(2,))
    assert "TAXI:BadUsage" in done.stderr
    done = cluster.taxiway("hold", TARGET, "production", "--reason", " ", expect=(2,))
    assert "TAXI:BadUsage" in done.stderr
    done = cluster.taxiway("hold", "nobody", "production", "--reason", "x", expect=(2,))
    assert "TAXI:NotInstalled" in done.stderr


def test_approver_is_told_whether_it_can_count() -> None:
    approval = Approval(
        target=TARGET,
        sha=SHA,
        stage="production",
        policy=DIGEST,
        approve=True,
        comment="",
        principal="00u-x",
        person="",
        at="2026-03-04T12:00:00+00:00",
        execution="approve-1",
    )
    assert "does not count" in text_of(approval, anonymous=True)
    nobody = approval.model_copy(update={"principal": ""})
    assert "does not count" in text_of(nobody, anonymous=False)
    assert "does not count" not in text_of(nobody, anonymous=True)
    known = approval.model_copy(update={"person": "lead"})
    assert text_of(known, anonymous=False).startswith("lead approves")
