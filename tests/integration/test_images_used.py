"""Which images Flyte may still need, as a Flyte tells it."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import datetime, timedelta, timezone
from pathlib import Path

from flyteidl.admin.task_pb2 import TaskCreateRequest
from flytekit.configuration import Config

from scripts.enrolling import make_project
from scripts.images_used import digests_used
from tasks._engine_record import ImageRecord, labels_of, manifest_of, record_tag
from tasks._enrolment import Enrolment
from tasks._errors import RegistryNotFound
from tasks._flyte import Flyte, connect
from tasks._references import Repository, parse_reference
from tasks._registry import RegistryClient, open_registries
from tasks._registry_credentials import Keychain
from tests.registry import Registry, docker_registry
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


def register(flyte: Flyte, project: str, domain: str, letter: str, image: str = "") -> None:
    make_project(flyte, project)
    spec = a_task(f"used.{letter}", inputs={"rows": INT}).message
    spec.template.container.image = image or f"registry.example.com/fraud@{digest(letter)}"
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


NOW = datetime.now(timezone.utc)
DOMAIN = ("--domain", "staging")
ENROL = ("enroll", "https://git.example.com/risk/pruned", "--name", "pruned", *DOMAIN, "--create-projects")
LIMITS = ("--preview-project", "pruned-previews", "--limit-project", "pruned", "--limit-domain", "production")


def keep(registry: Registry, client: RegistryClient, name: str, letter: str, *, days: float) -> str:
    """Put down an image that was built so many days ago, and its record; return it by digest."""
    place = Repository(registry=registry.host, name=name)
    registry.put_image(name, f"fp-{letter}", {"os": "linux", "architecture": "amd64", "author": letter})
    labels = labels_of(digest(letter), {}, {}, NOW - timedelta(days=days))
    image = replace(client.resolve(place.tagged(f"fp-{letter}")), platform="linux/amd64")
    record = ImageRecord(image=image, labels=labels, size_bytes=image.size)
    client.put(manifest_of(record), place.tagged(record_tag(digest(letter))))
    return f"{place}@{image.digest}"


def test_prune_of_a_repository_removes_what_is_old_and_no_stage_uses(
    sandbox: Sandbox, tmp_path: Path
) -> None:
    sandbox.taxiway("install", *DOMAIN)
    sandbox.taxiway(*ENROL, *LIMITS)
    with (
        docker_registry(tmp_path / "registry") as registry,
        open_registries(Keychain()) as client,
        connect(Config.auto(str(sandbox.config))) as flyte,
    ):
        used = keep(registry, client, "risk/pruned", "a", days=40)
        old = keep(registry, client, "risk/pruned", "b", days=40)
        new = keep(registry, client, "risk/pruned", "c", days=1)
        shown = keep(registry, client, "risk/pruned/previews", "d", days=40)
        preview = keep(registry, client, "risk/pruned/previews", "e", days=40)
        elsewhere = keep(registry, client, "risk/other", "f", days=40)
        register(flyte, "pruned", "production", "a", used)
        register(flyte, "pruned-previews", "development", "d", shown)

        def there() -> set[str]:
            every = (used, old, new, shown, preview, elsewhere)
            return {image for image in every if answers(client, image)}

        def prune(*words: str) -> set[str]:
            done = sandbox.taxiway(
                "image", "prune", "--repository", f"{registry.host}/risk/pruned", *DOMAIN, "--json", *words
            )
            return {row["reference"] for row in json.loads(done.stdout)["images"]}

        assert prune() == {old, preview}
        assert there() == {used, old, new, shown, preview, elsewhere}
        assert prune("--delete") == {old, preview}
        assert there() == {used, new, shown, elsewhere}
        assert prune("--keep-days", "0") == {new}
        assert prune("--delete") == set()


def answers(client: RegistryClient, image: str) -> bool:
    try:
        client.resolve(parse_reference(image))
    except RegistryNotFound:
        return False
    return True
