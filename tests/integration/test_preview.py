"""What a preview leaves behind in Flyte: one report, one error, one execution for one question."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import grpc
import pytest
from flyteidl.admin.execution_pb2 import Execution, WorkflowExecutionGetRequest
from flyteidl.core.identifier_pb2 import WorkflowExecutionIdentifier
from flyteidl.service.admin_pb2_grpc import AdminServiceStub

from tests.fixtures.target import Target, build_target
from tests.running import Cluster

UNKNOWN = "a" * 40


@pytest.fixture(scope="module")
def target(cluster: Cluster, tmp_path_factory: pytest.TempPathFactory) -> Target:
    made = build_target(tmp_path_factory.mktemp("target") / "fraud.git")
    cluster.taxiway("install")
    cluster.taxiway("enroll", made.url, "--name", "previewed", "--create-projects")
    return made


@pytest.fixture(scope="module")
def admin(cluster: Cluster) -> Iterator[AdminServiceStub]:
    with grpc.insecure_channel(cluster.endpoint) as channel:
        yield AdminServiceStub(channel)


@pytest.fixture(scope="module")
def failed(cluster: Cluster, target: Target) -> dict[str, Any]:
    """The outcome of a preview whose policy is not valid."""
    return cluster.preview("previewed", target.branches["policy-error"], expect=[1])


@pytest.fixture(scope="module")
def broken(cluster: Cluster, target: Target) -> dict[str, Any]:
    """The outcome of a preview of a commit that does not exist."""
    return cluster.preview("previewed", UNKNOWN, expect=[2])


def execution_of(admin: AdminServiceStub, outcome: dict[str, Any]) -> Execution:
    named = {key: outcome["execution"][key] for key in ("project", "domain", "name")}
    identifier = WorkflowExecutionIdentifier(**named)
    found: Execution = admin.GetExecution(WorkflowExecutionGetRequest(id=identifier))
    return found


def test_failed_verdict_fails_the_execution_with_its_code(
    admin: AdminServiceStub, failed: dict[str, Any]
) -> None:
    assert execution_of(admin, failed).closure.error.code == "TAXI:VerdictFailed"


def test_failed_verdict_has_every_finding_and_no_later_step(failed: dict[str, Any]) -> None:
    report = failed["report"]
    assert failed["passed"] is False and report["broken"] is None
    assert len(report["verdict"]["findings"]) > 1
    assert report["registered"]["verdict"]["status"] == "skipped"
    assert report["image"] is None and report["smoke"]["results"] == []


def test_fault_keeps_its_own_error_and_is_reported_by_the_failure_node(
    admin: AdminServiceStub, broken: dict[str, Any]
) -> None:
    assert execution_of(admin, broken).closure.error.code == "TAXI:UnknownRevision"
    assert broken["passed"] is None
    assert broken["report"]["broken"]["step"] == "prepare"
    assert broken["report"]["broken"]["code"] == "TAXI:UnknownRevision"
    assert "Traceback" in broken["report"]["broken"]["message"]


def test_report_comes_in_every_form(cluster: Cluster, failed: dict[str, Any], tmp_path: Path) -> None:
    name = failed["execution"]["name"]
    assert json.loads(cluster.taxiway("report", name, "--json").stdout) == failed["report"]
    assert "previewed" in cluster.taxiway("report", name, "--markdown").stdout.splitlines()[0]
    cluster.taxiway("report", name, "--html", tmp_path / "report.html")
    assert "<!doctype html>" in (tmp_path / "report.html").read_text()


def test_same_question_finds_the_same_execution(cluster: Cluster, broken: dict[str, Any]) -> None:
    words = ("preview", "previewed", UNKNOWN, "--no-wait", "--json")
    again = json.loads(cluster.taxiway(*words).stdout)
    assert again["attached"]
    assert again["execution"]["name"] == broken["execution"]["name"]


def test_same_question_under_another_enrolment_is_refused(
    cluster: Cluster, target: Target, broken: dict[str, Any]
) -> None:
    enrol = ("enroll", target.url, "--name", "previewed")
    cluster.taxiway(*enrol, "--limit-project", "fraud")
    try:
        done = cluster.taxiway("preview", "previewed", UNKNOWN, expect=(2,))
    finally:
        cluster.taxiway(*enrol)
    assert "TAXI:OtherInputs" in done.stderr and "another enrolment" in done.stderr


def test_another_attempt_is_another_execution(cluster: Cluster, broken: dict[str, Any]) -> None:
    words = ("preview", "previewed", UNKNOWN, "--attempt", "2", "--no-wait", "--json")
    started = json.loads(cluster.taxiway(*words).stdout)
    assert not started["attached"]
    assert started["execution"]["name"] != broken["execution"]["name"]


def test_url_in_place_of_a_target_enrols_a_trial(cluster: Cluster, target: Target) -> None:
    words = ("preview", target.url, UNKNOWN, "--no-wait", "--json")
    started = json.loads(cluster.taxiway(*words).stdout)
    assert started["execution"]["name"].startswith("preview-trial-fraud-")
    assert "trial-fraud" in cluster.taxiway("enroll", "--list").stdout


def test_wait_that_is_too_short_leaves_the_preview_running(cluster: Cluster, target: Target) -> None:
    words = ("preview", "previewed", target.branches["policy-error"], "--attempt", "9", "--timeout", "0.1")
    done = cluster.taxiway(*words, expect=(2,))
    assert "TAXI:WaitTimedOut" in done.stderr and "goes on running" in done.stderr
