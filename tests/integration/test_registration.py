"""Registering against a strict stand-in that fails to order: what is retried, what ends it, what is said."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import grpc
import pytest
from flyteidl.admin.launch_plan_pb2 import LaunchPlanSpec
from flytekit.configuration import Config, PlatformConfig
from flytekit.types.file import FlyteFile

from tasks._enrolment import Enrolment, PreviewStage
from tasks._entities import Entity, Kind
from tasks._errors import (
    BundleChanged,
    DifferentStructure,
    FlyteUnavailable,
    RegistrationRefused,
    StageMissing,
    StorageRefused,
)
from tasks._flyte import Flyte, connect
from tasks._packaged import Package
from tasks._rewrite import LaunchSettings, Placement, rewrite
from tasks._storage import fetch, sum_file, upload
from tasks._types import Status, Verdict
from tasks.bundle import CodeBundle
from tasks.policy import ImagePolicy, PackagePolicy, Policy, Stage
from tasks.registration import Registered, checked_bundle, register_all, register_package
from tests.benchmarks._server import Fault, Server
from tests.running import Cluster
from tests.unit.entities import PLACEMENT, a_plan, a_task, a_workflow

BUSY = (grpc.StatusCode.INTERNAL, "sorry, too many clients already (SQLSTATE 53300)")


@contextmanager
def flyte_at(endpoint: str, *, patience_s: float = 20) -> Iterator[Flyte]:
    config = Config(platform=PlatformConfig(endpoint=endpoint, insecure=True))
    with connect(config, timeout_s=10, patience_s=patience_s) as flyte:
        yield flyte


def entities(count: int = 40) -> list[Entity]:
    """Return a package with two levels: each of the upper workflows starts a lower one's launch plan."""
    package: list[Entity] = []
    for number in range(count):
        package.append(a_task(f"t{number}"))
    for number in range(count // 4):
        package += [a_workflow(f"lower{number}", tasks=[f"t{number}"]), a_plan(f"lower{number}")]
        package += [a_workflow(f"upper{number}", plans=[f"lower{number}"]), a_plan(f"upper{number}")]
    return rewrite(package, PLACEMENT, LaunchSettings())


def test_everything_is_registered_once_and_found_the_second_time() -> None:
    package = entities()
    with Server() as server, flyte_at(server.endpoint) as flyte:
        first = register_all(package, flyte)
        assert (len(first.created), len(first.existing)) == (len(package), 0)
        assert len(server.calls) == len(package)
        second = register_all(package, flyte)
        assert (len(second.created), len(second.existing)) == (0, len(package))
        assert len(server.calls) < 2 * len(package)
        assert server.counts()["ListTasks"] == server.counts()["ListLaunchPlans"] == 1


def _every(count: int, status: tuple[grpc.StatusCode, str]) -> Fault:
    return lambda rpc, number: status if number % count == 0 else None


@pytest.mark.parametrize(
    "fault",
    [
        lambda rpc, number: (grpc.StatusCode.UNAVAILABLE, "once") if number == 1 else None,
        lambda rpc, number: BUSY if rpc == "CreateTask" and 10 <= number <= 14 else None,
        _every(5, BUSY),
        _every(7, (grpc.StatusCode.RESOURCE_EXHAUSTED, "slow down")),
    ],
    ids=["unavailable once", "too many clients in the middle of a wave", "every fifth call", "exhausted"],
)
def test_what_passes_by_waiting_is_done_again(fault: Fault) -> None:
    package = entities()
    with Server(fault=fault) as server, flyte_at(server.endpoint) as flyte:
        counts = register_all(package, flyte)
        assert len(counts.created) == len(package)
        assert len(server.entities) == len(package)


def test_fewer_calls_are_in_flight_after_too_many_clients() -> None:
    fault: Fault = lambda rpc, number: BUSY if number <= 8 else None  # noqa: E731
    with Server(latency_s=0.01, fault=fault) as server, flyte_at(server.endpoint) as flyte:
        register_all([one for one in entities() if one.kind is Kind.TASK], flyte)
        after = server.calls[8:12]
        assert max(call.in_flight for call in after) <= 4


def test_flyte_comes_back_while_it_is_waited_for() -> None:
    package = entities(8)
    with Server() as first:
        port = first.port
    with flyte_at(f"127.0.0.1:{port}") as flyte:
        started: list[Server] = []

        def start_late() -> None:
            time.sleep(1)
            started.append(Server(port=port).__enter__())

        thread = threading.Thread(target=start_late)
        thread.start()
        try:
            assert len(register_all(package, flyte).created) == len(package)
        finally:
            thread.join()
            for server in started:
                server.__exit__(None, None, None)


def test_a_flyte_that_stays_away_ends_it_with_a_recoverable_error() -> None:
    with flyte_at("127.0.0.1:1", patience_s=0.5) as flyte, pytest.raises(FlyteUnavailable):
        register_all(entities(4), flyte)


def _long_workflow(text: str, placement: Placement = PLACEMENT) -> list[Entity]:
    names = [f"t{number}" for number in range(60)]
    workflow = a_workflow("w", tasks=names)
    for node in workflow.message.template.nodes:
        node.metadata.name = text
    workflow.message.template.nodes[37].metadata.name = f"{text[:300]}{text[301:]}"
    return rewrite([*map(a_task, names), workflow], placement, LaunchSettings())


def test_a_workflow_of_60_nodes_with_other_content_shows_what_differs() -> None:
    text = "a very long description of a node " * 40
    first, second = _long_workflow(text), _long_workflow(text)
    node = second[-1].message.template.nodes[21]
    node.task_node.reference_id.name = "t22"
    with Server() as server, flyte_at(server.endpoint) as flyte:
        register_all(first, flyte)
        with pytest.raises(DifferentStructure) as caught:
            register_all(second, flyte)
    said = str(caught.value)
    assert "workflow w is registered already at version v1 in fraud-previews/development" in said
    assert (
        "template.nodes[n21].task_node.reference_id: fraud-previews/development/t21 at v1 → "
        "fraud-previews/development/t22 at v1" in said
    )
    assert len(said) < 1000


def test_the_control_planes_own_refusal_of_a_workflow_of_60_nodes_becomes_that_difference(
    cluster: Cluster,
) -> None:
    placement = replace(PLACEMENT, project="flytesnacks", version="60-nodes")
    first, second = (_long_workflow("a very long description of a node " * 40, placement) for _ in range(2))
    for entity in [*first, *second]:
        entity.message.template.interface.inputs.SetInParent()
    second[-1].message.template.nodes[21].task_node.reference_id.name = "t22"
    with flyte_at(cluster.endpoint) as flyte:
        register_all(first, flyte)
        assert len(register_all(first, flyte).existing) == len(first)
        with pytest.raises(DifferentStructure) as caught:
            register_all(second, flyte)
    assert "template.nodes[n21].task_node.reference_id: flytesnacks/development/t21" in str(caught.value)
    assert len(str(caught.value)) < 1000


def test_a_difference_in_a_task_is_shown() -> None:
    other = a_task("x")
    other.message.template.container.image = "another"
    with Server() as server, flyte_at(server.endpoint) as flyte:
        register_all(rewrite([a_task("x")], PLACEMENT, LaunchSettings()), flyte)
        with pytest.raises(DifferentStructure, match=r"container\.image: registry\S+ → another"):
            register_all(rewrite([other], PLACEMENT, LaunchSettings()), flyte)


def test_a_difference_in_a_launch_plan_is_shown() -> None:
    package = [a_workflow("x"), a_plan("x")]
    with Server() as server, flyte_at(server.endpoint) as flyte:
        register_all(rewrite(package, PLACEMENT, LaunchSettings()), flyte)
        with pytest.raises(DifferentStructure, match="max_parallelism: added 9"):
            register_all(rewrite(package, PLACEMENT, LaunchSettings(max_parallelism=9)), flyte)


def test_all_refusals_are_named_and_what_needs_them_is_not_tried() -> None:
    def fault(rpc: str, number: int) -> tuple[grpc.StatusCode, str] | None:
        wrong = (grpc.StatusCode.INVALID_ARGUMENT, "Requested MEMORY limit [9Gi] is greater than ...")
        return wrong if rpc == "CreateTask" and number <= 2 else None

    plans = [a_workflow("w", tasks=["a", "b", "c"]), a_plan("w")]
    package = rewrite([a_task("a"), a_task("b"), a_task("c"), *plans], PLACEMENT, LaunchSettings())
    with Server(fault=fault) as server, flyte_at(server.endpoint) as flyte:
        with pytest.raises(RegistrationRefused, match=r"9Gi") as caught:
            register_all(package, flyte)
        assert len(caught.value.refusals) == 2
        assert all(name.startswith("task ") for name in caught.value.refusals)
        assert server.counts() == {"CreateTask": 3}


def test_a_reference_that_flyte_does_not_have_is_refused_by_name() -> None:
    package = rewrite([a_workflow("w", tasks=["missing"])], PLACEMENT, LaunchSettings())
    refused = pytest.raises(RegistrationRefused, match="workflow w")
    with Server() as server, flyte_at(server.endpoint) as flyte, refused:
        register_all(package, flyte)


def test_a_project_that_does_not_exist_is_no_fault_of_the_package() -> None:
    said = "failed to validate that project [x] and domain [y] are registered, err: ..."
    fault: Fault = lambda rpc, number: (grpc.StatusCode.INVALID_ARGUMENT, said)  # noqa: E731
    with Server(fault=fault) as server, flyte_at(server.endpoint) as flyte, pytest.raises(StageMissing):
        register_all(entities(4), flyte)


def test_a_lost_race_of_identical_creates_is_asked_about_again() -> None:
    race = (grpc.StatusCode.ALREADY_EXISTS, "value with matching already exists (duplicate key value ...)")
    fault: Fault = lambda rpc, number: race if number == 2 else None  # noqa: E731
    package = rewrite([a_task("t")], PLACEMENT, LaunchSettings())
    with Server(fault=fault) as server, flyte_at(server.endpoint) as flyte:
        register_all(package, flyte)
        assert len(register_all(package, flyte).existing) == 1
        assert server.counts() == {"CreateTask": 3, "ListTasks": 1}


def test_the_same_file_goes_to_the_same_place_and_arrives_whole(tmp_path: Path) -> None:
    file = tmp_path / "code.tar.gz"
    file.write_bytes(b"x" * 3_000_000)
    root = sum_file(file).sha256
    with Server() as server, flyte_at(server.endpoint) as flyte:
        uris = {upload(flyte, file, project="p", domain="d", root=root) for _ in range(2)}
        assert uris == {f"s3://bucket/p/d/{root}/code.tar.gz"}
        assert server.files == {f"/p/d/{root}/code.tar.gz": file.read_bytes()}


def test_storage_that_refuses_is_quoted_without_its_signature(tmp_path: Path) -> None:
    with Server() as server, flyte_at(server.endpoint) as flyte:
        url = f"{server.http}/nothing?signature=secret"
        with pytest.raises(StorageRefused) as caught:
            fetch(url, tmp_path / "x", flyte.config.platform)
    assert "secret" not in str(caught.value)
    assert "404" in str(caught.value)


ENROLMENT = Enrolment(
    name="fraud",
    repository="https://git.example.com/risk/fraud",
    preview=PreviewStage(project="fraud-previews", domain="development", service_account="previews"),
)
POLICY = Policy(
    package=PackagePolicy(modules=["fraud"]),
    image=ImagePolicy(repository="registry.example.com/fraud"),
    stage=[
        Stage(name="dev", project="fraud", domain="development", endpoint="far.example.com", env={"A": "1"})
    ],
)
PASSED = Verdict(status=Status.PASSED, summary="")
IMAGE = "registry.example.com/fraud@sha256:00"


def preview(package: list[Entity], folder: Path, flyte: Flyte) -> Registered:
    """Register `package` for pull request 7, with a bundle of its own in `folder`."""
    file = folder / "code.tar.gz"
    file.write_bytes(b"code")
    summed = sum_file(file)
    return register_package(
        ENROLMENT,
        POLICY,
        Package(verdict=PASSED, entities=package, digest=f"sha256:{summed.sha256}"),
        image=IMAGE,
        bundle=CodeBundle(
            file=FlyteFile(str(file)),
            digest=f"sha256:{summed.sha256}",
            md5=summed.md5.hex(),
            size_bytes=summed.size,
            entries=1,
        ),
        sha="a" * 40,
        pull_request=7,
        flyte=flyte,
    )


def test_a_preview_is_registered_under_its_own_version_account_and_settings(tmp_path: Path) -> None:
    package = [a_task("t"), a_workflow("w", tasks=["t"]), a_plan("w")]
    with Server() as server, flyte_at(server.endpoint) as flyte:
        first, again = (preview(package, tmp_path, flyte) for _ in range(2))
        plan = next(spec for key, spec in server.entities.items() if key[0] == "LAUNCH_PLAN")
    assert isinstance(plan, LaunchPlanSpec)
    assert first.verdict.passed
    assert (len(first.created), len(first.existing)) == (3, 0)
    assert (len(again.created), len(again.existing)) == (0, 3)
    assert first.version.startswith(f"{'a' * 40}-pr7-")
    root = sum_file(tmp_path / "code.tar.gz").sha256
    assert first.bundle_uri == f"s3://bucket/fraud-previews/development/{root}/code.tar.gz"
    assert plan.security_context.run_as.k8s_service_account == "previews"
    assert plan.envs.values[0].key == "A"
    assert first.diff is not None
    assert len(first.diff.changes) == 3


def test_a_package_that_is_not_admitted_reaches_flyte_in_no_part(tmp_path: Path) -> None:
    task = a_task("t")
    task.message.template.container.image = "evil.example.com/x:latest"
    with Server() as server, flyte_at(server.endpoint) as flyte:
        registered = preview([task], tmp_path, flyte)
        assert server.calls == []
    assert registered.admission.status is Status.FAILED
    assert registered.verdict.status is Status.SKIPPED


def test_what_flyte_refuses_is_a_verdict_that_names_the_entity(tmp_path: Path) -> None:
    fault: Fault = lambda rpc, number: (  # noqa: E731
        (grpc.StatusCode.INVALID_ARGUMENT, "failed to compile workflow") if rpc == "CreateWorkflow" else None
    )
    package = [a_task("t"), a_workflow("w", tasks=["t"]), a_plan("w")]
    with Server(fault=fault) as server, flyte_at(server.endpoint) as flyte:
        registered = preview(package, tmp_path, flyte)
    assert registered.verdict.status is Status.FAILED
    assert [(one.where, one.problem) for one in registered.verdict.findings] == [
        ("workflow w", "failed to compile workflow")
    ]


def test_a_bundle_that_is_not_the_revisions_is_not_registered(tmp_path: Path) -> None:
    (tmp_path / "code.tar.gz").write_bytes(b"other")
    bundle = CodeBundle(
        file=FlyteFile(str(tmp_path / "code.tar.gz")),
        digest="sha256:" + "0" * 64,
        md5="",
        size_bytes=5,
        entries=1,
    )
    with pytest.raises(BundleChanged):
        checked_bundle(bundle)
