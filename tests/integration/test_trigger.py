"""`scripts/trigger.py` in an environment with `requests` alone, against Flyte's REST API.

The launch plan has the shape of a target's: a fixed enrolment, an annotation with the repository, and a
report in the deck of its last step. What it does is chosen by the revision's last digit.
"""

from __future__ import annotations

import shutil
import signal
import time
from collections.abc import Iterator
from pathlib import Path

import grpc
import pytest
from flyteidl.admin.execution_pb2 import Execution, WorkflowExecutionGetRequest
from flyteidl.core.execution_pb2 import WorkflowExecution
from flyteidl.core.identifier_pb2 import WorkflowExecutionIdentifier
from flyteidl.service.admin_pb2_grpc import AdminServiceStub

from tasks._names import execution_name
from tasks._run import run
from tests.ci_job import CiImage
from tests.running import Cluster

PROJECT, DOMAIN = "taxiway", "production"
pytestmark = pytest.mark.rest
REPOSITORY = "https://git.example.com/risk/fraud"
PASSES, FAILS, BREAKS, SLEEPS = (digit * 40 for digit in "abcd")
FLOW = '''
import time

from flytekit import Annotations, Deck, LaunchPlan, task, workflow

PAGE = """<script type="application/json" id="taxiway-markdown">"# Release {word}\\\\n"</script>"""


class VerdictFailed(Exception):
    error_code = "TAXI:VerdictFailed"


@task
def prepare(enrolment: str, sha: str, attempt: int) -> str:
    if sha.startswith("c"):
        raise ValueError("it broke off")
    if sha.startswith("d"):
        time.sleep(120)
    return sha


@task(enable_deck=True, deck_fields=())
def report(sha: str) -> str:
    word = "failed" if sha.startswith("b") else "passed"
    Deck("Taxiway", PAGE.format(word=word))
    if word == "failed":
        raise VerdictFailed("not passed")
    return word


@workflow
def release(enrolment: str, sha: str, attempt: int = 1, simulate: bool = False) -> str:
    prepared = prepare(enrolment=enrolment, sha=sha, attempt=attempt).with_overrides(node_name="prepare")
    return report(sha=prepared).with_overrides(node_name="report")


plan = LaunchPlan.get_or_create(
    release,
    "taxiway.release.triggered",
    default_inputs={"attempt": 1, "simulate": False},
    fixed_inputs={"enrolment": "fraud"},
    annotations=Annotations({"taxiway/repository": "https://git.example.com/risk/fraud"}),
)
'''


@pytest.fixture(scope="module")
def enrolled(cluster: Cluster, tmp_path_factory: pytest.TempPathFactory) -> Cluster:
    """A Flyte with an ACTIVE release plan of a target `fraud`."""
    folder = tmp_path_factory.mktemp("flows")
    (folder / "flows.py").write_text(FLOW)
    where = ("--project", PROJECT, "--domain", DOMAIN, "--version", "v1", "--image", cluster.default_image)
    cluster.pyflyte("register", *where, "--activate-launchplans", "flows.py", cwd=folder)
    return cluster


@pytest.fixture(scope="module")
def admin(cluster: Cluster) -> Iterator[AdminServiceStub]:
    with grpc.insecure_channel(cluster.endpoint) as channel:
        yield AdminServiceStub(channel)


def name_of(sha: str, attempt: int = 1) -> str:
    return execution_name("release", target="triggered", repository=REPOSITORY, sha=sha, attempt=attempt)


def execution(admin: AdminServiceStub, sha: str, attempt: int = 1) -> Execution:
    identifier = WorkflowExecutionIdentifier(project=PROJECT, domain=DOMAIN, name=name_of(sha, attempt))
    found: Execution = admin.GetExecution(WorkflowExecutionGetRequest(id=identifier))
    return found


def test_a_release_is_launched_followed_and_reported(
    ci_image: CiImage, enrolled: Cluster, admin: AdminServiceStub, tmp_path: Path
) -> None:
    summary = tmp_path / "summary.md"
    environ = {"FLYTE_ENDPOINT": enrolled.http + "/", "GITHUB_STEP_SUMMARY": str(summary)}
    done = ci_image.job("release", "triggered", PASSES, environ=environ)
    assert done.stdout == "# Release passed\n"
    assert summary.read_text().strip() == "# Release passed"
    for line in (f"{name_of(PASSES)}: launched", "prepare", "report", f"{name_of(PASSES)}: passed."):
        assert line in done.stderr
    there = execution(admin, PASSES)
    assert there.closure.phase == WorkflowExecution.SUCCEEDED
    assert list(there.spec.tags) == ["taxiway.triggered", f"taxiway.triggered.release.{PASSES}"]


def test_the_same_job_again_attaches(ci_image: CiImage, enrolled: Cluster) -> None:
    words = ("release", "triggered", PASSES, "--attempt", "5", "--endpoint", enrolled.http)
    first, second = ci_image.job(*words), ci_image.job(*words)
    assert "was launched before; attached to it" in second.stderr
    assert first.stdout == second.stdout


def test_a_verdict_that_is_not_passed_ends_with_1_and_its_report(
    ci_image: CiImage, enrolled: Cluster
) -> None:
    done = ci_image.job("release", "triggered", FAILS, "--endpoint", enrolled.http, expect=[1])
    assert done.stdout == "# Release failed\n"
    assert "did not pass" in done.stderr


def test_what_breaks_off_ends_with_2_and_its_error(ci_image: CiImage, enrolled: Cluster) -> None:
    done = ci_image.job("release", "triggered", BREAKS, "--endpoint", enrolled.http, expect=[2])
    assert "it broke off" in done.stdout
    assert "--attempt 2" in done.stderr


def test_a_target_that_is_not_enrolled_is_a_fault(ci_image: CiImage, enrolled: Cluster) -> None:
    done = ci_image.job("preview", "nobody", PASSES, "--endpoint", enrolled.http, expect=[2])
    assert "no ACTIVE launch plan taxiway.preview.nobody in taxiway/production" in done.stderr


def test_an_execution_that_takes_too_long_goes_on(
    ci_image: CiImage, enrolled: Cluster, admin: AdminServiceStub
) -> None:
    words = ("release", "triggered", SLEEPS, "--endpoint", enrolled.http)
    done = ci_image.job(*words, "--timeout", "1", expect=[2])
    assert "It goes on running" in done.stderr
    assert execution(admin, SLEEPS).closure.phase == WorkflowExecution.RUNNING


@pytest.mark.parametrize("signum", [signal.SIGTERM, signal.SIGINT])
@pytest.mark.parametrize("terminates", [True, False])
def test_a_cancelled_job_ends_its_execution_when_asked_to(
    ci_image: CiImage, enrolled: Cluster, admin: AdminServiceStub, signum: signal.Signals, terminates: bool
) -> None:
    attempt = 10 + signum + (100 if terminates else 0)

    def runs() -> bool:
        try:
            return bool(execution(admin, SLEEPS, attempt).closure.phase == WorkflowExecution.RUNNING)
        except grpc.RpcError:
            return False

    words = ["release", "triggered", SLEEPS, "--endpoint", enrolled.http, "--attempt", str(attempt)]
    words += ["--terminate-on-cancel"] if terminates else []
    done = ci_image.cancelled_job(*words, when=runs, signum=signum)
    assert done.code == 128 + signum, done.stderr
    if not terminates:
        assert "goes on running" in done.stderr
        assert runs()
        return
    end = time.monotonic() + 30
    while runs() and time.monotonic() < end:
        time.sleep(0.1)
    closure = execution(admin, SLEEPS, attempt).closure
    assert closure.phase in (WorkflowExecution.ABORTING, WorkflowExecution.ABORTED)
    assert "was cancelled" in closure.abort_metadata.cause


@pytest.mark.skipif(not (shutil.which("jq") and shutil.which("curl")), reason="the script needs curl and jq")
def test_the_script_of_curl_does_the_same(
    ci_image: CiImage, enrolled: Cluster, admin: AdminServiceStub, tmp_path: Path
) -> None:
    words = ("release", "triggered", PASSES, "--attempt", "7", "--endpoint", enrolled.http, "--print-curl")
    script = tmp_path / "release.sh"
    script.write_text(ci_image.job(*words).stdout)
    with pytest.raises(grpc.RpcError):
        execution(admin, PASSES, 7)
    for _ in ("launches", "attaches"):
        done = run(["bash", script], timeout_s=120, cwd=tmp_path)
        assert f"{name_of(PASSES, 7)}: SUCCEEDED" in done.stdout
    assert execution(admin, PASSES, 7).closure.phase == WorkflowExecution.SUCCEEDED
    assert "# Release passed" in (tmp_path / f"{name_of(PASSES, 7)}.html").read_text()
