"""What a release is made of is believed by digest alone: manifest, package and code bundle."""

from __future__ import annotations

import hashlib
import io
import tarfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest
from flyteidl.admin.node_execution_pb2 import NodeExecutionGetDataResponse
from flytekit.configuration import Config, PlatformConfig

from tasks._errors import FlyteNotFound, ManifestChanged, NotReleased
from tasks._flyte import Flyte
from tasks._home import Home
from tasks._names import release_tag
from tasks._protos import digest, read_archive
from tasks._typed import literals
from tasks.manifest import Manifest, StoredFile, StoredManifest, canonical, checked_manifest
from tasks.proving import register_release
from tasks.releases import Released, find_release, read_bundle, read_entities, read_manifest
from tests.unit import promotions
from tests.unit.entities import a_task
from tests.unit.promotions import MANIFEST, NOW, OLDER, SHA, Ledger
from tests.unit.samples import FAILED, PASSED, SKIPPED

NO_CALLS = Flyte(config=Config(platform=PlatformConfig(endpoint="here")), rpcs={})
HOME = Home(flyte=NO_CALLS, project="taxiway", domain="production", target="fraud")


def sha256(path: Path) -> str:
    return "sha256:" + hashlib.sha256(path.read_bytes()).hexdigest()


@pytest.fixture
def package(tmp_path: Path) -> Path:
    return archive(tmp_path / "package.tgz", "fraud.tasks.fit")


def archive(path: Path, name: str) -> Path:
    content: bytes = a_task(name).message.SerializeToString()
    with tarfile.open(path, "w:gz") as tar:
        member = tarfile.TarInfo(f"0_{name}_1.pb")
        member.size = len(content)
        tar.addfile(member, io.BytesIO(content))
    return path


@pytest.fixture
def manifest(tmp_path: Path, package: Path) -> Manifest:
    bundle = tmp_path / "code.tar.gz"
    bundle.write_bytes(b"the code")
    files = {
        "bundle": StoredFile(uri=bundle.as_uri(), digest=sha256(bundle), entries=1),
        "package": StoredFile(uri=package.as_uri(), digest=digest(read_archive(package)), entries=1),
    }
    return MANIFEST.model_copy(update=files)


def stored(manifest: Manifest, folder: Path) -> StoredManifest:
    path = folder / "manifest.json"
    path.write_text(canonical(manifest))
    return StoredManifest(uri=path.as_uri(), digest=manifest.digest)


def test_a_release_is_read_back_as_it_was_made(manifest: Manifest, tmp_path: Path) -> None:
    assert read_manifest(HOME, stored(manifest, tmp_path), sha=SHA) == manifest
    assert [one.name for one in read_entities(HOME, manifest)] == ["fraud.tasks.fit"]
    (tmp_path / "into").mkdir()
    assert read_bundle(HOME, manifest, tmp_path / "into").read_bytes() == b"the code"


@pytest.mark.parametrize(
    "change",
    [
        pytest.param(lambda text: text.replace("registry.example.com", "registry.example.org"), id="image"),
        pytest.param(lambda text: text + "\n", id="one-more-byte"),
        pytest.param(lambda text: "", id="emptied"),
        pytest.param(lambda text: text[: len(text) // 2], id="cut-off"),
    ],
)
def test_a_manifest_that_was_changed(
    manifest: Manifest, tmp_path: Path, change: Callable[[str], str]
) -> None:
    found = stored(manifest, tmp_path)
    path = tmp_path / "manifest.json"
    path.write_text(change(path.read_text()))
    with pytest.raises(ManifestChanged, match=manifest.digest):
        checked_manifest(path, found.digest)
    with pytest.raises(ManifestChanged):
        read_manifest(HOME, found, sha=SHA)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        pytest.param({"target": "other"}, f"of other {SHA}", id="of-another-target"),
        pytest.param(
            {"revision": MANIFEST.revision.model_copy(update={"sha": OLDER})}, OLDER, id="of-another-revision"
        ),
    ],
)
def test_a_manifest_of_something_else(
    manifest: Manifest, tmp_path: Path, change: Mapping[str, Any], said: str
) -> None:
    other = manifest.model_copy(update=dict(change))
    with pytest.raises(ManifestChanged, match=said):
        read_manifest(HOME, stored(other, tmp_path), sha=SHA)


def test_a_package_with_other_entities(manifest: Manifest, package: Path) -> None:
    archive(package, "fraud.tasks.steal")
    with pytest.raises(ManifestChanged, match="package"):
        read_entities(HOME, manifest)


def test_a_package_that_is_none(manifest: Manifest, package: Path) -> None:
    package.write_bytes(b"not an archive")
    with pytest.raises(ManifestChanged, match="cannot be read"):
        read_entities(HOME, manifest)


def test_a_code_bundle_that_was_changed(manifest: Manifest, tmp_path: Path) -> None:
    (tmp_path / "code.tar.gz").write_bytes(b"other code")
    (tmp_path / "into").mkdir()
    with pytest.raises(ManifestChanged, match="code bundle"):
        read_bundle(HOME, manifest, tmp_path / "into")


@pytest.mark.parametrize("changed", ["package.tgz", "code.tar.gz"])
def test_nothing_is_registered_of_a_release_that_was_changed(
    manifest: Manifest, tmp_path: Path, changed: str
) -> None:
    (tmp_path / changed).write_bytes(b"something else")
    ledger = Ledger()
    found = promotions.asked(ledger)
    asked = type(found)(**{**vars(found), "manifest": manifest})
    with pytest.raises(ManifestChanged):
        register_release(asked.home, asked.manifest, asked.stage, asked.flyte)
    assert ledger.calls == []


def made(**changed: Any) -> Released:
    kept = StoredManifest(uri="s3://bucket/manifest.json", digest=MANIFEST.digest)
    return Released(**{"package": PASSED, "admission": PASSED, "verdict": PASSED, "stored": kept, **changed})


STOPPED = made(admission=FAILED, verdict=SKIPPED, stored=None)


@pytest.mark.parametrize(
    ("tries", "found"),
    [
        pytest.param([], False, id="never-tried"),
        pytest.param([None], False, id="did-not-come-to-it"),
        pytest.param([STOPPED], False, id="was-not-admitted"),
        pytest.param([made()], True, id="made"),
        pytest.param([STOPPED, None, made()], True, id="made-before-others-failed"),
    ],
)
def test_a_release_is_found_by_the_task_that_made_it(tries: list[Released | None], found: bool) -> None:
    ledger = Ledger()
    outputs = {}
    for number, released in enumerate(tries):
        name = f"release-{number}"
        ledger.add(name, "release", tags=[release_tag("fraud", SHA)], at=NOW)
        if released is not None:
            outputs[name] = NodeExecutionGetDataResponse(full_outputs=literals({"o0": released}))

    def data(request: Any, timeout: float) -> Any:
        assert request.id.node_id == "make-release"
        if request.id.execution_id.name not in outputs:
            raise FlyteNotFound("There is none.", remedy="", status="NOT_FOUND", details="")
        return outputs[request.id.execution_id.name]

    flyte = ledger.flyte()
    rpcs = {**flyte.rpcs, "GetNodeExecutionData": data}
    home = Home(
        flyte=Flyte(config=flyte.config, rpcs=rpcs), project="taxiway", domain="production", target="fraud"
    )
    if found:
        assert find_release(home, SHA) == made().stored
        with pytest.raises(NotReleased):
            find_release(home, OLDER)
    else:
        with pytest.raises(NotReleased, match=f"taxiway release fraud {SHA}"):
            find_release(home, SHA)
