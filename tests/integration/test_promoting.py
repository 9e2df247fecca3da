"""What promotions and releases write and believe, by their own functions on a real Flyte."""

from __future__ import annotations

import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from flyteidl.admin.common_pb2 import NamedEntityIdentifier, ResourceListRequest
from flyteidl.admin.launch_plan_pb2 import LaunchPlan

from tasks._errors import ManifestChanged, StageMissing
from tasks._flyte import Flyte
from tasks._home import Home
from tasks.gates import Asked, GateState
from tasks.make_release import store
from tasks.manifest import Manifest
from tasks.policy import Stage
from tasks.proving import Registering, register_release
from tasks.releases import read_manifest
from tasks.rivals import make_way
from tests.integration.packaged import flyte_of, make_project
from tests.integration.released import make_manifest
from tests.running import Cluster
from tests.unit import promotions

REPOSITORY = "https://git.example.com/risk/fraud"


def registered(asked: Asked) -> Registering:
    return register_release(asked.home, asked.manifest, asked.stage, asked.flyte)


@dataclass(frozen=True, kw_only=True)
class Bench:
    """A release in a Flyte's storage, and a stage of the test's own."""

    home: Home
    manifest: Manifest
    project: str

    def asked(self, **settings: object) -> Asked:
        """A promotion of the release into the stage, whose policy has these settings."""
        stage = Stage.model_validate(
            {
                "name": "staging",
                "project": self.project,
                "domain": "staging",
                "activate": ["fraud.nightly"],
                **settings,
            }
        )
        found = promotions.asked(wanted=stage)
        return replace(found, home=self.home, flyte=self.home.flyte, manifest=self.manifest)

    def plans(self, version: str = "") -> list[LaunchPlan]:
        """Every launch plan of the stage, or those of one version."""
        place = NamedEntityIdentifier(project=self.project, domain="staging")
        request = ResourceListRequest(
            id=place, filters=f"eq(version,{version})" if version else "", limit=100
        )
        return list(self.home.flyte.call("ListLaunchPlans", request).launch_plans)


def file_of(uri: str) -> Path:
    parts = urlsplit(uri)
    assert parts.scheme == "local", uri
    return Path(parts.path)


@pytest.fixture(scope="module")
def flyte(cluster: Cluster) -> Iterator[Flyte]:
    with flyte_of(cluster) as opened:
        make_project(opened, "taxiway")
        yield opened


@pytest.fixture
def bench(flyte: Flyte, request: pytest.FixtureRequest, tmp_path: Path) -> Bench:
    unique = f"p{zlib.crc32(request.node.name.encode()):08x}"
    make_project(flyte, unique)
    home = Home(flyte=flyte, project="taxiway", domain="production", target=unique)
    sha = f"{zlib.crc32(unique.encode()):08x}" * 5
    manifest = make_manifest(home, REPOSITORY, sha, tmp_path, ["fraud.nightly"])
    return Bench(home=home, manifest=manifest, project=unique)


def test_a_release_is_registered_once_and_compared(bench: Bench) -> None:
    done = registered(bench.asked())
    assert (done.version, done.created, done.existing) == (bench.manifest.version, 3, 0)
    assert str(done.same) == "same bytes: 3 of 3"
    assert f"/{bench.project}/staging/" in done.bundle_uri, "the code lies under the stage's own prefix"
    assert file_of(done.bundle_uri).read_bytes() == file_of(bench.manifest.bundle.uri).read_bytes()
    again = registered(bench.asked())
    assert (again.version, again.created, again.existing) == (done.version, 0, 3)
    assert [plan.closure.state for plan in bench.plans()] == [0], "nothing is activated"


def test_other_settings_are_another_version_of_the_same_bytes(bench: Bench) -> None:
    first = registered(bench.asked(labels={"team": "risk"}))
    second = registered(bench.asked(labels={"team": "fraud"}))
    assert second.version.startswith(f"{bench.manifest.version}-")
    assert second.same.passed and second.same.total == 3
    teams = {plan.id.version: plan.spec.labels.values["team"] for plan in bench.plans()}
    assert teams == {first.version: "risk", second.version: "fraud"}
    back = registered(bench.asked(labels={"team": "risk"}))
    assert (back.version, back.created) == (first.version, 0)


@pytest.mark.parametrize("part", ["package", "bundle"])
def test_nothing_is_registered_of_what_was_tampered_with(bench: Bench, part: str) -> None:
    uri = getattr(bench.manifest, part).uri
    file_of(uri).write_bytes(b"something else")
    with pytest.raises(ManifestChanged, match=uri.rpartition("/")[2]):
        registered(bench.asked())
    assert bench.plans() == []


def test_a_stage_whose_project_does_not_exist(bench: Bench) -> None:
    with pytest.raises(StageMissing, match="no-such-project"):
        registered(bench.asked(project="no-such-project"))


def test_a_manifest_is_made_once_whoever_comes_later(bench: Bench) -> None:
    others = [
        bench.manifest.model_copy(update={"created": f"2026-03-0{day}T00:00:00+00:00"}) for day in (2, 3, 4)
    ]
    first = store(bench.home, bench.manifest)
    assert [store(bench.home, one) for one in (bench.manifest, *others)] == [first] * 4
    sha = bench.manifest.revision.sha
    assert read_manifest(bench.home, first, sha=sha) == bench.manifest


def test_a_manifest_that_was_tampered_with_is_not_believed(bench: Bench) -> None:
    kept = store(bench.home, bench.manifest)
    file = file_of(kept.uri)
    file.write_text(file.read_text().replace("registry.example.com", "registry.example.org"))
    with pytest.raises(ManifestChanged, match=kept.digest):
        read_manifest(bench.home, kept, sha=bench.manifest.revision.sha)


@pytest.mark.parametrize(
    "change",
    [
        pytest.param(lambda text: "{}", id="no-manifest"),
        pytest.param(lambda text: "not JSON", id="no-json"),
        pytest.param(
            lambda text: text.replace(REPOSITORY, "https://git.example.com/other"), id="another-one"
        ),
    ],
)
def test_a_place_that_somebody_else_wrote_to(bench: Bench, change: Callable[[str], str]) -> None:
    store(bench.home, bench.manifest)
    (place,) = (
        file_of(bench.manifest.bundle.uri).parents[1].glob(f"release-{bench.home.target}-*/manifest.json")
    )
    place.write_text(change(place.read_text()))
    later = bench.manifest.model_copy(update={"created": "2026-03-02T00:00:00+00:00"})
    with pytest.raises(ManifestChanged, match="no manifest of"):
        store(bench.home, later)


def test_nobody_else_promotes_into_a_stage_of_its_own(bench: Bench) -> None:
    gate = make_way(bench.home, "own", sha=bench.manifest.revision.sha, stage="staging", supersede=True)
    assert (gate.state, gate.evidence) == (GateState.OPEN, [])
