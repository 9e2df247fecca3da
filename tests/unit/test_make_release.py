"""Which packages become releases, and what their manifests say."""

from __future__ import annotations

from typing import Any

import pytest

from tasks import make_release
from tasks._enrolment import Limits
from tasks._entities import Entity
from tasks._home import Home
from tasks._packaged import Package
from tasks._types import Status
from tasks.make_release import manifest_of, release_package
from tasks.manifest import Manifest, StoredManifest
from tasks.policy import Policy
from tasks.prepare import Prepared
from tests.unit import samples
from tests.unit.entities import a_task
from tests.unit.promotions import ENROLMENT, Ledger
from tests.unit.samples import DIGEST, FAILED, PASSED, SHA

POLICY = Policy.model_validate(
    {
        "package": {"modules": ["fraud"], "destination": "/app"},
        "image": {"repository": "registry.example.com/fraud"},
        "stage": [{"name": "dev", "project": "fraud", "domain": "development"}],
    }
)
LIMITS = Limits(images=[samples.IMAGE.reference.partition("@")[0]])
ALLOWED = ENROLMENT.model_copy(update={"limits": LIMITS})
PACKAGE = Package(verdict=PASSED, entities=[], digest=DIGEST)


def prepared(**changed: Any) -> Prepared:
    return samples.prepared().model_copy(update={"policy": POLICY, "version": SHA, **changed})


def made(of: Prepared, package: Package = PACKAGE) -> Manifest | None:
    return manifest_of(
        ENROLMENT,
        of,
        package,
        image=samples.image_step(),
        bundle_uri="s3://bucket/code.tar.gz",
        package_uri="s3://bucket/package.tgz",
        created="2026-03-01T00:00:00+00:00",
    )


def test_a_manifest_names_everything_by_digest() -> None:
    found = made(prepared())
    assert found is not None
    assert (found.target, found.revision.sha, found.version) == ("fraud", SHA, SHA)
    assert (found.image.reference, found.bundle.digest, found.package.digest) == (
        samples.IMAGE.reference,
        DIGEST,
        DIGEST,
    )
    assert (found.destination, found.policy) == ("/app", POLICY.digest)
    assert set(found.tools) == {"taxiway", "flytekit", "flyteidl"}
    assert found.digest == found.model_copy().digest != found.model_copy(update={"version": "v2"}).digest


@pytest.mark.parametrize("missing", ["policy", "bundle"])
def test_what_stopped_in_preparing_has_none(missing: str) -> None:
    assert made(prepared(**{missing: None})) is None


def release(of: Prepared, package: Package, *, image: bool = True) -> Any:
    home = Home(flyte=Ledger().flyte(), project="taxiway", domain="production", target="fraud")
    return release_package(
        ALLOWED,
        of,
        package,
        image=samples.image_step() if image else None,
        package_uri="s3://bucket/package.tgz",
        home=home,
        created="2026-03-01T00:00:00+00:00",
    )


FOREIGN: list[Entity] = [a_task("fraud.tasks.fit")]
"""Of an image that the release was not made of."""


@pytest.mark.parametrize(
    ("of", "package", "image", "admitted"),
    [
        pytest.param(prepared(), Package(verdict=FAILED), True, Status.SKIPPED, id="not-packaged"),
        pytest.param(prepared(), PACKAGE, False, Status.SKIPPED, id="no-image"),
        pytest.param(prepared(bundle=None), PACKAGE, True, Status.SKIPPED, id="no-bundle"),
        pytest.param(
            prepared(),
            Package(verdict=PASSED, entities=FOREIGN, digest=DIGEST),
            True,
            Status.FAILED,
            id="not-admitted",
        ),
        pytest.param(prepared(policy=None), PACKAGE, True, Status.PASSED, id="no-policy"),
    ],
)
def test_what_is_stopped_is_not_stored(of: Prepared, package: Package, image: bool, admitted: Status) -> None:
    released = release(of, package, image=image)
    assert released.stored is None
    assert released.admission.status is admitted
    assert released.verdict.status is Status.SKIPPED


def test_what_is_admitted_is_stored(monkeypatch: pytest.MonkeyPatch) -> None:
    def store(home: Home, manifest: Manifest) -> StoredManifest:
        return StoredManifest(uri="s3://bucket/manifest.json", digest=manifest.digest)

    monkeypatch.setattr(make_release, "store", store)
    released = release(prepared(), PACKAGE)
    assert released.stored is not None and released.stored.digest.startswith("sha256:")
    assert (released.verdict.status, released.verdict.summary) == (Status.PASSED, f"released as {SHA}")


def test_a_revision_that_was_released_keeps_its_manifest() -> None:
    kept = StoredManifest(uri="s3://bucket/manifest.json", digest=DIGEST)
    task: Any = make_release.make_release
    released = task.task_function(
        enrolment=ENROLMENT,
        prepared=prepared(released=kept, bundle=None),
        image=None,
        status=-1,
        log=None,
        package=None,
    )
    assert (released.stored, released.verdict.passed) == (kept, True)
