"""Which images Flyte may still need, as a Flyte tells it."""

from __future__ import annotations

from flyteidl.admin.task_pb2 import TaskCreateRequest
from flytekit.configuration import Config

from scripts.enrolling import make_project
from scripts.images_used import digests_used
from tasks._enrolment import Enrolment
from tasks._flyte import Flyte, connect
from tests.running import Sandbox
from tests.unit.entities import INT, a_task


def enrolment(projects: list[str]) -> Enrolment:
    return Enrolment.model_validate(
        {
            "name": "fraud",
            "repository": "https://git.example.com/fraud",
            "preview": {"project": "fraud-previews", "domain": "development"},
            "limits": {"projects": projects, "domains": ["production"]},
        }
    )


def digest(letter: str) -> str:
    return f"sha256:{letter * 64}"


def register(flyte: Flyte, project: str, domain: str, letter: str) -> None:
    make_project(flyte, project)
    spec = a_task(f"used.{letter}", inputs={"rows": INT}).message
    spec.template.container.image = f"registry.example.com/fraud@{digest(letter)}"
    request = TaskCreateRequest(spec=spec)
    request.id.CopyFrom(spec.template.id)
    request.id.project, request.id.domain, request.id.version = project, domain, f"images-used-{letter}"
    request.spec.template.id.CopyFrom(request.id)
    flyte.call("CreateTask", request)


def test_what_any_stage_of_a_target_is_registered_with_is_used(sandbox: Sandbox) -> None:
    with connect(Config.auto(str(sandbox.config))) as flyte:
        register(flyte, "images-used", "production", "a")
        register(flyte, "images-used", "development", "b")
        register(flyte, "fraud-previews", "development", "c")
        register(flyte, "images-elsewhere", "production", "d")

        used = digests_used(flyte, [enrolment(["images-used"])])
        assert {digest("a"), digest("b"), digest("c")} <= used
        assert digest("d") not in used
        assert digest("d") in digests_used(flyte, [enrolment(["*"])])
        assert digests_used(flyte, []) == frozenset()
