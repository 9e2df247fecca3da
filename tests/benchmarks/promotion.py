"""Promotion of 300 packaged entities into a second stage against the bare registration calls of the same.

Promotion is all that is done to register a release in a stage: fetch package and bundle and check them
against the manifest, copy the bundle, find the version, compare with what the stage runs (an older version
of every entity), register, read back and compare the bytes. Left out are the smoke tests and what it takes
to start a pod. The bare calls are the creates alone, made ready before, as many side by side as a promotion
makes. Both talk to one sandbox, each round under new versions; rounds alternate.

Figures: `ratio` is a promotion as a multiple of the bare calls (goal: at most 1.5), the median of the
rounds'; `promotion_s` and `bare_calls_s` are what it is made of. `part_<name>_s` is what a part of a
promotion takes by itself; together they are more than a promotion, which does some side by side.
"""

from __future__ import annotations

import statistics
import tempfile
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from tasks._create import Outcome, create
from tasks._entities import Entity
from tasks._flyte import Flyte
from tasks._home import Home
from tasks._protos import digest, read_archive
from tasks._registered import fetch_registered
from tasks._rewrite import rewrite
from tasks._storage import sum_file, upload
from tasks._types import Image, Revision
from tasks._waves import waves
from tasks._window import FIRST
from tasks.diff import compare_with_stage
from tasks.manifest import Manifest, StoredFile
from tasks.policy import Stage
from tasks.preview_order import stage_settings
from tasks.promotion import placement_of
from tasks.proving import register_release
from tasks.registration import register_all
from tasks.releases import read_bundle, read_entities
from tasks.same_bytes import compare
from tests import running
from tests.benchmarks.register import generate
from tests.integration.packaged import activate, flyte_of, make_project, register

STAGE = Stage(
    name="staging", project="bench", domain="staging", labels={"team": "bench"}, activate=["flows.many.w0"]
)
T = TypeVar("T")


@dataclass(frozen=True, kw_only=True)
class Release:
    """A release of 300 entities, and a stage that runs an older version of them."""

    home: Home
    flyte: Flyte
    entities: list[Entity]
    manifest: Manifest
    scratch: Path

    def at(self, version: str) -> Manifest:
        """Return the manifest of the same release under another version."""
        return self.manifest.model_copy(update={"version": version})

    def placed(self, version: str) -> list[Entity]:
        """Return the entities as they are registered in the stage."""
        placement = placement_of(STAGE, self.manifest, version=version, bundle_uri="s3://bucket/code.tar.gz")
        return rewrite(self.entities, placement, stage_settings(STAGE))


def run(rounds: int) -> dict[str, float]:
    """Measure so many rounds, after one that warms both up; return the medians."""
    with release() as made:
        measured = [_round(made, number) for number in range(-1, rounds)][1:]
    return {name: statistics.median(one[name] for one in measured) for name in measured[0]}


@contextmanager
def release() -> Iterator[Release]:
    """Start a sandbox, package 300 entities, store them as a release does, and give the stage a past."""
    with tempfile.TemporaryDirectory() as folder, running.sandbox(Path(folder) / "state") as sandbox:
        scratch = Path(folder)
        project = generate(scratch)
        archive = scratch / "package.tgz"
        entities = read_archive(archive)
        with flyte_of(sandbox) as flyte:
            make_project(flyte, STAGE.project)
            uris = [
                upload(flyte, file, project="taxiway", domain="production", root=sum_file(file).sha256)
                for file in (archive, project.bundle)
            ]
            made = Release(
                home=Home(flyte=flyte, project="taxiway", domain="production", target="bench"),
                flyte=flyte,
                entities=entities,
                manifest=_manifest(entities, project.bundle, uris),
                scratch=scratch,
            )
            prepare(made, STAGE)
            yield made


def prepare(made: Release, stage: Stage) -> None:
    """Have a stage run an older version of every entity."""
    register(made.flyte, made.entities, stage, "before")
    for plan in stage.activate:
        activate(made.flyte, stage, plan, "before")


def promote(made: Release, version: str) -> float:
    """Promote the release under a new version; return the seconds."""
    took, done = timed(lambda: register_release(made.home, made.at(version), STAGE, made.flyte))
    assert done.created == len(made.entities), done
    assert str(done.same) == f"same bytes: {len(made.entities)} of {len(made.entities)}"
    assert done.diff.unchanged == len(made.entities), done.diff
    return took


def timed(do: Callable[[], T]) -> tuple[float, T]:
    """Return the seconds that something takes, and what it returns."""
    began = time.monotonic()
    done = do()
    return time.monotonic() - began, done


def _round(made: Release, number: int) -> dict[str, float]:
    ordered = waves(made.placed(f"bare{number}"))
    bare_s, _ = timed(lambda: _bare(made.flyte, ordered))
    promotion_s = promote(made, f"v{number}")
    return {
        "ratio": promotion_s / bare_s,
        "promotion_s": promotion_s,
        "bare_calls_s": bare_s,
        **_parts(made, f"part{number}"),
    }


def _bare(flyte: Flyte, ordered: list[list[Entity]]) -> None:
    with ThreadPoolExecutor(max_workers=FIRST) as pool:
        for wave in ordered:
            outcomes = list(pool.map(lambda entity: create(flyte, entity), wave))
            assert set(outcomes) == {Outcome.CREATED}


def _parts(made: Release, version: str) -> dict[str, float]:
    flyte, manifest = made.flyte, made.manifest
    place = {"project": STAGE.project, "domain": STAGE.domain}
    package_s, entities = timed(lambda: read_entities(made.home, manifest))

    def copy() -> str:
        bundle = read_bundle(made.home, manifest, made.scratch)
        return upload(flyte, bundle, root=f"{version}-{sum_file(bundle).sha256}", name="code.tar.gz", **place)

    bundle_s, _ = timed(copy)
    diff_s, _ = timed(lambda: compare_with_stage(entities, flyte, STAGE, version=version))
    rewrite_s, placed = timed(lambda: made.placed(version))
    register_s, _ = timed(lambda: register_all(placed, flyte))
    read_back_s, there = timed(lambda: fetch_registered(flyte, version=version, **place))
    compare_s, same = timed(lambda: compare(placed, there))
    assert same.passed, same
    return {
        "part_package_s": package_s,
        "part_bundle_s": bundle_s,
        "part_diff_s": diff_s,
        "part_rewrite_s": rewrite_s,
        "part_register_s": register_s,
        "part_read_back_s": read_back_s,
        "part_compare_s": compare_s,
    }


def _manifest(entities: list[Entity], bundle: Path, uris: list[str]) -> Manifest:
    package_uri, bundle_uri = uris
    nothing = "sha256:" + "0" * 64
    return Manifest(
        target="bench",
        revision=Revision(repository="https://git.example.com/bench", sha="0" * 40),
        version="v",
        image=Image(reference=f"localhost:30000/bench@{nothing}", fingerprint=nothing),
        bundle=StoredFile(uri=bundle_uri, digest=f"sha256:{sum_file(bundle).sha256}", entries=1),
        package=StoredFile(uri=package_uri, digest=digest(entities), entries=len(entities)),
        destination=".",
        policy=nothing,
        created="2026-01-05T09:00:00Z",
    )
