"""What goes wrong around a preview while it runs: it still ends once, and rightly."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor

import grpc
import pytest
from flyteidl.admin.common_pb2 import NamedEntityIdentifier
from flyteidl.admin.execution_pb2 import ExecutionCreateRequest, ExecutionSpec
from flyteidl.admin.launch_plan_pb2 import ActiveLaunchPlanRequest
from flyteidl.admin.node_execution_pb2 import NodeExecutionListRequest
from flyteidl.core.execution_pb2 import NodeExecution
from flyteidl.core.identifier_pb2 import WorkflowExecutionIdentifier
from flyteidl.core.literals_pb2 import LiteralMap
from flyteidl.service.admin_pb2_grpc import AdminServiceStub

from tests.fixtures.target import Target
from tests.running import Cluster, Sandbox

PROJECT, DOMAIN = "taxiway", "production"


@pytest.fixture(scope="module")
def admin(cluster: Cluster) -> Iterator[AdminServiceStub]:
    with grpc.insecure_channel(cluster.endpoint) as channel:
        yield AdminServiceStub(channel)


def test_two_previews_of_one_revision_at_once_build_one_image(
    cluster: Cluster, target: Target, enrolled: str
) -> None:
    lock = "# Another fingerprint than any other test's.\n" + target.text("main", "requirements.lock")
    sha = target.revise("at-once", {"requirements.lock": lock, **target.without_training()})
    with ThreadPoolExecutor() as pool:
        outcomes = list(
            pool.map(lambda number: cluster.preview(enrolled, sha, "--pull-request", number), ["72", "73"])
        )
    assert [outcome["passed"] for outcome in outcomes] == [True, True]
    images = [outcome["report"]["image"] for outcome in outcomes]
    assert images[0]["image"] == images[1]["image"]
    assert sorted(image["action"] for image in images) == ["built", "reused"]


@pytest.fixture(scope="module")
def quick(target: Target) -> str:
    """A revision whose preview does not take long."""
    return target.revise("quick", target.without_training())


@pytest.mark.sandbox_only
def test_a_sandbox_that_stops_and_starts_in_the_middle_ends_the_preview_all_the_same(
    sandbox: Sandbox, quick: str, enrolled: str, admin: AdminServiceStub
) -> None:
    words = (enrolled, quick, "--pull-request", "74")
    started = json.loads(sandbox.taxiway("preview", *words, "--no-wait", "--json").stdout)
    execution = WorkflowExecutionIdentifier(**started["execution"])
    with ThreadPoolExecutor() as pool:
        following = pool.submit(sandbox.preview, *words)
        until(lambda: NodeExecution.SUCCEEDED in phases(admin, execution))
        sandbox.stop()
        sandbox.start()
        outcome = following.result()
    assert outcome["execution"]["name"] == execution.name
    assert outcome["passed"]


@pytest.mark.sandbox_only
def test_a_flyte_that_cannot_be_reached_is_a_fault_and_later_none(
    sandbox: Sandbox, quick: str, enrolled: str
) -> None:
    words = ("preview", enrolled, quick, "--pull-request", "74", "--no-wait")
    sandbox.stop()
    try:
        refused = sandbox.taxiway(*words, expect=[2])
    finally:
        sandbox.start()
    assert "TAXI:FlyteUnavailable" in refused.stderr
    sandbox.taxiway(*words)


def test_a_caller_cannot_override_what_the_enrolment_fixed(enrolled: str, admin: AdminServiceStub) -> None:
    name = NamedEntityIdentifier(project=PROJECT, domain=DOMAIN, name=f"taxiway.preview.{enrolled}")
    plan = admin.GetActiveLaunchPlan(ActiveLaunchPlanRequest(id=name))
    fixed = plan.spec.fixed_inputs.literals
    assert fixed, "nothing is fixed"
    for key, literal in fixed.items():
        request = ExecutionCreateRequest(
            project=PROJECT,
            domain=DOMAIN,
            name="override",
            spec=ExecutionSpec(launch_plan=plan.id),
            inputs=LiteralMap(literals={key: literal}),
        )
        with pytest.raises(grpc.RpcError) as caught:
            admin.CreateExecution(request)
        assert caught.value.code() is grpc.StatusCode.INVALID_ARGUMENT
        assert f"invalid input {key}" in (caught.value.details() or "")


def phases(admin: AdminServiceStub, execution: WorkflowExecutionIdentifier) -> list[int]:
    request = NodeExecutionListRequest(workflow_execution_id=execution, limit=100)
    nodes = admin.ListNodeExecutions(request).node_executions
    return [node.closure.phase for node in nodes if node.id.node_id not in {"start-node", "end-node"}]


def until(holds: Callable[[], bool], *, seconds: float = 60) -> None:
    end = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < end, "it did not come to that in time"
        time.sleep(0.2)
