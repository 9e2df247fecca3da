"""Images of revisions on a real engine and registry, as the steps of previews and releases have them made."""

from __future__ import annotations

import json
import os
import threading
import time
import uuid
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from scripts.commands.image import command
from tasks._builder import Action, Purpose
from tasks._digests import json_digest
from tasks._engine import Engine, EngineAddress, open_engine
from tasks._engine_build import EngineOrder, Pushed, build_and_push
from tasks._engine_images import EngineImages
from tasks._engine_open import engine_images
from tasks._engine_record import CREATED, FINGERPRINT, REVISION, SOURCE, manifest_of, record_in, record_tag
from tasks._engine_record import labels_of as labels_of_image
from tasks._enrolment import Enrolment, Limits, PreviewStage
from tasks._errors import BuildSecretMissing
from tasks._git_credentials import Credentials
from tasks._references import Repository as ImageRepository
from tasks._references import parse_reference, parse_repository
from tasks._registry_http import Sent
from tasks._settings import Settings
from tasks._types import Image
from tasks.image import ImageStep, ensure_image
from tasks.package import labels_of, usage_of
from tasks.plan import Build, Reuse
from tasks.policy import Policy, read_policy
from tasks.prepare import Judged, Prepared, carry_out, fetch_revision, read_policy_at
from tests.engine import daemon
from tests.engine.building import LOGIN, Site, docker_config, open_site
from tests.engine.pushing import front
from tests.mounted import Mounted
from tests.repositories import Made, Repository

pytestmark = pytest.mark.engine

DOCKERFILE = """ARG BASE
FROM ${BASE}
COPY requirements.lock /etc/
RUN head -c 16 /dev/urandom > /built
"""
TWO_LAYERS = f"{DOCKERFILE}COPY pyflyte /etc/\nRUN head -c 16 /dev/urandom > /last\n"
SOUND: dict[str, str | Made] = {
    "Dockerfile": DOCKERFILE,
    "requirements.lock": "x==1\n",
    "src/flows.py": "1",
    "told": Made(content=b"#!/bin/sh\necho 3.11 1.16.0\n", mode="100755"),
    "pyflyte": Made(content=b"#!/bin/told\n", mode="100755"),
}
"""With what passes for flytekit where nothing but a shell is."""


@pytest.fixture(scope="module")
def place(engine_host: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    with open_site(engine_host, tmp_path_factory.mktemp("site")) as made:
        yield made


@dataclass(frozen=True, kw_only=True)
class Target:
    """A target's repository and where its images go; `sent` are the requests to the registry.

    Its policy lists the `folders`, too.
    """

    place: Site
    folder: Path
    git: Repository
    images: str
    sent: list[Sent] = field(default_factory=list)
    limits: dict[str, object] = field(default_factory=dict)
    folders: tuple[str, ...] = ()

    def commit(self, branch: str = "main", *, policy: str = "", stage: str = "", **files: str) -> str:
        """Commit the sound files with these changes, and return the SHA; a file's name has no dots here."""
        named = {name.replace("__", "."): text for name, text in files.items()}
        content = {**SOUND, **named, "taxiway.toml": self.policy(policy, stage)}
        held = {path: text for path, text in content.items() if text != "-"}
        return self.git.commit(held, branch=branch)

    def policy(self, image: str, stage: str) -> str:
        base = f"{self.place.registry.host}/base/tiny:1"
        listed = json.dumps(["requirements.lock", "told", "pyflyte", *self.folders])
        return (
            f'[package]\nmodules = ["flows"]\nsource = "src"\n[image]\nrepository = "{self.images}"\n'
            f"dependencies = {listed}\n"
            f'build_args = {{ BASE = "{base}" }}\n{image}\n'
            f'[[stage]]\nname = "development"\nproject = "fraud"\ndomain = "development"\n{stage}\n'
        )

    @property
    def enrolment(self) -> Enrolment:
        wide = {"projects": ["*"], "domains": ["*"], "images": ["*"], "secret_groups": ["*"]}
        preview = PreviewStage(project="p", domain="development")
        limits = Limits.model_validate({**wide, **self.limits})
        return Enrolment(name="fraud", repository=self.git.url, preview=preview, limits=limits)

    @contextmanager
    def builder(self, *, host: str = "", **secrets: str) -> Iterator[EngineImages]:
        registries = (self.place.registry.host, self.images.partition("/")[0])
        config = docker_config(dict.fromkeys(registries, LOGIN)).decode()
        with engine_images(
            Settings(docker_host=host or self.place.engine.address.host, build_timeout_s=120),
            {"PATH": os.environ["PATH"]},
            Mounted(docker_config=config, **secrets),
            repositories=(self.images,),
            observer=self.sent.append,
        ) as builder:
            yield builder

    def prepare(
        self,
        sha: str,
        builder: EngineImages,
        purpose: Purpose = Purpose.PREVIEW,
        *,
        pull_request: int = 7,
    ) -> Prepared:
        into = self.folder / uuid.uuid4().hex
        settings = Settings(allow_file_urls=True)
        source = fetch_revision(
            self.enrolment, sha, into=into, settings=settings, credentials=Credentials(), environ=os.environ
        )
        self.sent.clear()
        policy = read_policy_at(source, sha)
        assert isinstance(policy, Policy), policy
        return carry_out(
            source,
            Judged(policy=policy, findings=[]),
            self.enrolment,
            purpose=purpose,
            builder=builder,
            settings=settings,
            into=into,
            pull_request=pull_request if purpose is Purpose.PREVIEW else 0,
        )

    def have(self, prepared: Prepared, builder: EngineImages) -> ImageStep:
        assert prepared.plan is not None and prepared.context is not None, prepared.verdict
        into = self.folder / uuid.uuid4().hex
        step = ensure_image(
            prepared.plan, prepared.context, builder=builder, into=into, labels=labels_of(prepared)
        )
        self.place.repositories.append(f"{prepared.plan.repository}:fp-{prepared.plan.fingerprint[7:]}")
        return step

    def answered(self) -> list[str]:
        """The requests since the revision was fetched, but for the challenge that begins a login."""
        return [f"{one.method} {one.url.partition('/v2/')[2]}" for one in self.sent if one.status != 401]


@pytest.fixture
def target(place: Site, tmp_path: Path) -> Target:
    name = uuid.uuid4().hex[:8]
    return Target(
        place=place,
        folder=tmp_path,
        git=Repository.create(tmp_path / "fraud.git"),
        images=f"{place.registry.host}/tests/{name}",
    )


def labels(target: Target, image: Image) -> Mapping[str, str]:
    reference = parse_reference(image.reference)
    client = target.place.client
    config = client.image_config(reference.repository, client.manifest(reference))["config"]
    assert isinstance(config, dict)
    found: Mapping[str, str] = config["Labels"]
    return found


def test_only_a_change_of_dependencies_builds_an_image(target: Target) -> None:
    first = target.commit()
    code = target.commit(**{"src/flows__py": "2"})
    dependency = target.commit(requirements__lock="x==2\n")
    with target.builder() as builder:
        prepared = target.prepare(first, builder)
        assert prepared.plan is not None and isinstance(prepared.plan.decision, Build)
        assert prepared.context is not None
        assert prepared.plan.context_bytes == prepared.context.size_bytes > 0
        built = target.have(prepared, builder)
        assert built.action is Action.BUILT
        assert built.image.reference.startswith(f"{target.images}/previews@sha256:")

        again = target.prepare(code, builder)
        assert again.plan is not None and isinstance(again.plan.decision, Reuse)
        assert again.plan.decision.image == built.image
        assert target.answered() == [
            "HEAD base/tiny/manifests/1",
            f"GET {target.images.partition('/')[2]}/manifests/{record_tag(built.image.fingerprint)}",
            f"GET {target.images.partition('/')[2]}/previews/manifests/{record_tag(built.image.fingerprint)}",
        ]
        assert sum(one.received_bytes for one in target.sent) < 20_000
        assert target.have(again, builder).action is Action.REUSED

        other = target.prepare(dependency, builder)
        assert other.plan is not None and isinstance(other.plan.decision, Build)


def test_each_revision_gives_its_tags_to_the_image_that_it_uses(target: Target) -> None:
    first = target.commit()
    code = target.commit(**{"src/flows__py": "2"})
    client, previews = target.place.client, parse_repository(f"{target.images}/previews")
    with target.builder() as builder:
        built = target.have(target.prepare(first, builder), builder).image
        again = target.prepare(code, builder, pull_request=8)
        assert code[:7] not in set(client.tags(previews))
        target.sent.clear()
        assert target.have(again, builder).action is Action.REUSED
        name = str(previews).partition("/")[2]
        assert target.answered() == [
            f"HEAD {name}/manifests/{built.digest}",
            f"GET {name}/manifests/{built.digest}",
            f"PUT {name}/manifests/{code[:7]}",
            f"PUT {name}/manifests/pr-8",
        ]
        assert sum(one.received_bytes for one in target.sent) < 20_000
    for tag in (first[:7], code[:7], "pr-7", "pr-8"):
        assert client.resolve(previews.tagged(tag)).digest == built.digest


def test_a_preview_gives_no_tags_to_an_image_of_a_release(target: Target) -> None:
    first = target.commit()
    code = target.commit(**{"src/flows__py": "2"})
    with target.builder() as builder:
        release = target.have(target.prepare(first, builder, Purpose.RELEASE), builder).image
        preview = target.prepare(code, builder)
        target.sent.clear()
        assert target.have(preview, builder).image == release
        assert [one.method for one in target.sent if one.status != 401] == ["HEAD"]
    assert code[:7] not in set(target.place.client.tags(parse_repository(target.images)))


def test_a_registry_that_takes_no_tags_stops_nothing(
    target: Target, caplog: pytest.LogCaptureFixture
) -> None:
    with front(target.place.registry.host) as before:
        there = replace(target, images=f"{before.host}/tests/{uuid.uuid4().hex[:8]}")
        first = there.commit()
        code = there.commit(**{"src/flows__py": "2"})
        with there.builder() as builder:
            built = there.have(there.prepare(first, builder), builder).image
            again = there.prepare(code, builder)
            before.go_wrong("PUT", "/manifests/", 403, times=9)
            assert there.have(again, builder).image == built
    assert "is used without the tags" in caplog.text


def test_a_folder_that_is_listed_is_sent_and_is_one_ingredient_of_the_label(target: Target) -> None:
    folders = replace(target, folders=("src",))
    copies = f"{DOCKERFILE}COPY src /src\nRUN [ -f /src/flows.py ] && [ -f /src/deep/more.py ]\n"
    sha = folders.commit(Dockerfile=copies, **{"src/deep/more__py": "1"})
    other = folders.commit(Dockerfile=copies, **{"src/deep/more__py": "2"})
    with folders.builder() as builder:
        built = folders.have(folders.prepare(sha, builder), builder)
        changed = folders.prepare(other, builder).plan
    assert built.action is Action.BUILT
    made_from = json.loads(labels(folders, built.image)["dev.taxiway.ingredients"])
    assert "folder:src" in made_from and not [name for name in made_from if "src/" in name]
    assert changed is not None and isinstance(changed.decision, Build)


def test_image_says_what_it_is_made_from(target: Target) -> None:
    sha = target.commit()
    with target.builder() as builder:
        prepared = target.prepare(sha, builder)
        image = target.have(prepared, builder).image
    found = labels(target, image)
    assert (found[SOURCE], found[REVISION]) == (target.git.url, sha)
    assert found[FINGERPRINT] == image.fingerprint
    assert '"base:' in found["dev.taxiway.ingredients"]
    assert found["org.opencontainers.image.created"].endswith("Z")
    previews = parse_repository(f"{target.images}/previews")
    tags = set(target.place.client.tags(previews))
    assert {sha[:7], "pr-7", f"fp-{image.fingerprint[7:]}", record_tag(image.fingerprint)} <= tags
    record = target.place.client.manifest(previews.tagged(record_tag(image.fingerprint)))
    assert record.annotations[FINGERPRINT] == image.fingerprint
    assert record.annotations[REVISION] == sha


def test_release_takes_nothing_that_a_preview_made_and_a_preview_takes_a_release(target: Target) -> None:
    sha = target.commit()
    with target.builder() as builder:
        preview = target.have(target.prepare(sha, builder), builder)
        prepared = target.prepare(sha, builder, Purpose.RELEASE)
        assert prepared.plan is not None and isinstance(prepared.plan.decision, Build)
        assert len(target.answered()) == 2
        release = target.have(prepared, builder)
        assert release.action is Action.BUILT
        assert release.image.reference.startswith(f"{target.images}@sha256:")
        # What ran in the preview ran anew: nothing of its cache was taken.
        assert made_by(target, release.image)[-1] != made_by(target, preview.image)[-1]
        after = target.prepare(sha, builder)
        assert after.plan is not None and isinstance(after.plan.decision, Reuse)
        assert after.plan.decision.image == release.image
        assert len(target.answered()) == 2


def made_by(target: Target, image: Image) -> list[str]:
    return [layer.digest for layer in target.place.client.manifest(parse_reference(image.reference)).layers]


def test_twenty_at_once_make_one_build(target: Target) -> None:
    first = target.commit()
    with target.builder() as builder:
        prepared = target.prepare(first, builder)
    together = threading.Barrier(20)

    def ask(_: int) -> ImageStep:
        with target.builder() as own:
            together.wait(60)
            return target.have(prepared, own)

    with ThreadPoolExecutor(max_workers=20) as pool:
        steps = list(pool.map(ask, range(20)))
    assert [step.action for step in steps].count(Action.BUILT) == 1
    assert len({step.image.reference for step in steps}) == 1
    assert prepared.plan is not None
    key = json_digest([prepared.plan.repository, prepared.plan.fingerprint]).removeprefix("sha256:")[:32]
    with open_engine(target.place.engine.address, environ=os.environ) as engine:
        assert claims_of(engine, key) == []


def test_each_of_many_new_engines_takes_the_layers_that_did_not_change(target: Target) -> None:
    revisions = [target.commit(Dockerfile=TWO_LAYERS, pyflyte=f"{number}\n") for number in range(3)]
    layers = [made_by(target, built_on_a_new_engine(target, sha)) for sha in revisions]
    assert len({tuple(each[:3]) for each in layers}) == 1
    assert len({each[-1] for each in layers}) == len(layers)


def built_on_a_new_engine(target: Target, sha: str) -> Image:
    with daemon.needed(daemon.dockerd()) as host, target.builder() as builder:
        address = EngineAddress(host=host)
        elsewhere = replace(builder, open_engine=lambda: open_engine(address, environ=os.environ))
        return target.have(target.prepare(sha, elsewhere), elsewhere).image


def test_two_engines_that_build_the_same_at_once_take_the_first(
    target: Target, monkeypatch: pytest.MonkeyPatch
) -> None:
    sha = target.commit()
    with target.builder() as builder:
        prepared = target.prepare(sha, builder)
    assert prepared.plan is not None
    with (
        target.builder() as looking,
        daemon.needed(daemon.dockerd()) as host,
        ThreadPoolExecutor(max_workers=2) as pool,
    ):
        plan, together = prepared.plan, threading.Barrier(2)

        def build_at_once(order: EngineOrder, *, engine: Engine, **using: Any) -> Pushed:
            """Have both built and pushed before either looks again; the other engine is the later one."""
            together.wait(60)
            pushed = build_and_push(order, engine=engine, **using)
            together.wait(60)
            if engine.address.host == host:
                wait_until(lambda: isinstance(looking.find(plan.fingerprint, plan.repository), Image))
            return pushed

        def ask(where: str) -> ImageStep:
            with target.builder(host=where) as own:
                return target.have(prepared, own)

        monkeypatch.setattr("tasks._engine_images.build_and_push", build_at_once)
        here, there = pool.map(ask, [target.place.engine.address.host, host])
    assert (here.action, there.action) == (Action.BUILT, Action.REUSED)
    assert here.image == there.image
    client, previews = target.place.client, parse_repository(f"{target.images}/previews")
    for tag in (f"fp-{plan.fingerprint[7:]}", sha[:7], "pr-7", "cache"):
        assert client.resolve(previews.tagged(tag)).digest == here.image.digest
    assert len(revisions(target.place, previews)) == 2, "the image and its record"


def revisions(place: Site, repository: ImageRepository) -> list[str]:
    """Return the digests of the manifests that the registry keeps of a repository."""
    kept = f"registry/data/docker/registry/v2/repositories/{repository.name}/_manifests/revisions/sha256"
    return [path.parent.name for path in (place.folder / kept).glob("*/link")]


def wait_until(ready: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 60
    while not ready():
        assert time.monotonic() < deadline
        time.sleep(0.05)


def claims_of(engine: Engine, key: str) -> list[str]:
    listed = engine.client.volumes(filters={"label": [f"dev.taxiway.claim={key}"]})["Volumes"] or []
    return [volume["Name"] for volume in listed]


def test_record_that_was_moved_is_none(target: Target) -> None:
    first, other = target.commit(), target.commit(requirements__lock="x==2\n")
    client = target.place.client
    previews = parse_repository(f"{target.images}/previews")
    with target.builder() as builder:
        one = target.have(target.prepare(first, builder), builder).image
        two = target.have(target.prepare(other, builder), builder).image
        client.tag(previews.tagged(record_tag(two.fingerprint)), record_tag(one.fingerprint))
        moved = target.prepare(first, builder)
        assert moved.plan is not None and isinstance(moved.plan.decision, Build)


def test_image_is_what_the_plan_found_whatever_its_record_says_by_now(target: Target) -> None:
    sha = target.commit()
    client = target.place.client
    previews = parse_repository(f"{target.images}/previews")
    with target.builder() as builder:
        built = target.have(target.prepare(sha, builder), builder)
        planned = target.prepare(sha, builder)
        tag = previews.tagged(record_tag(built.image.fingerprint))
        record = record_in(client.manifest(tag))
        assert record is not None
        base = client.resolve(parse_reference(target.place.pinned))
        client.put(manifest_of(replace(record, image=replace(record.image, size=base.size))), tag)
        assert target.have(planned, builder).image == built.image


def test_image_that_was_deleted_since_is_built_again_to_the_very_same_within_a_second(
    target: Target, monkeypatch: pytest.MonkeyPatch
) -> None:
    def labels_then(*made_from: Any) -> dict[str, str]:
        return {**labels_of_image(*made_from), CREATED: "2026-01-05T09:00:00Z"}

    monkeypatch.setattr("tasks._engine_images.labels_of", labels_then)
    sha = target.commit()
    with target.builder() as builder:
        built = target.have(target.prepare(sha, builder), builder)
        planned = target.prepare(sha, builder)
        target.place.client.delete(parse_reference(built.image.reference))
        again = target.have(planned, builder)
        assert (again.action, again.image) == (Action.BUILT, built.image)
        assert builder.holds(again.image)


def test_a_base_that_moves_makes_another_image_and_a_plan_keeps_the_one_that_it_found(target: Target) -> None:
    place = target.place
    base = parse_repository(f"{place.registry.host}/base/tiny")
    moved_to = place.build(place.order("FROM tiny:1\nRUN true\n", reference=str(base.tagged("other"))))
    place.client.tag(base.tagged("1"), "moving")
    sha = target.commit(Dockerfile=f"FROM {base}:moving\nCOPY requirements.lock /etc/\n")
    with target.builder() as builder:
        prepared = target.prepare(sha, builder)
        place.client.tag(base.tagged("other"), "moving")
        built = target.have(prepared, builder)
        after = target.prepare(sha, builder)
    assert after.plan is not None and isinstance(after.plan.decision, Build)
    assert after.plan.bases == {f"{base}:moving": f"{base}@{moved_to.digest}"}
    below = place.client.manifest(parse_reference(place.pinned)).layers
    assert made_by(target, built.image)[:-1] == [layer.digest for layer in below]


@pytest.mark.parametrize(
    ("dockerfile", "said"),
    [
        (f"{DOCKERFILE}COPY src /src\n", "Dockerfile:5 COPY takes src/flows.py, which `image.dependencies`"),
        (f"{DOCKERFILE}ADD https://example.com/x /\n", "Dockerfile:5 ADD fetches"),
        (f"{DOCKERFILE}RUM x\n", "Dockerfile:5 'RUM' is no instruction"),
        ("FROM {host}/nothing/here:1\n", "Dockerfile:1 The base"),
        ("FROM {host}/elsewhere/python:3\n", "Dockerfile:1 {host}/elsewhere/python is not among the base"),
        ("-", "image.dockerfile Dockerfile is no file"),
    ],
    ids=["copies what is not listed", "URL", "syntax", "unknown base", "base not allowed", "no Dockerfile"],
)
def test_dockerfile_that_cannot_be_is_a_verdict_before_anything_is_built(
    dockerfile: str, said: str, target: Target
) -> None:
    host = target.place.registry.host
    target.limits["base_images"] = [f"{host}/base", f"{host}/nothing"]
    sha = target.commit(Dockerfile=dockerfile.replace("{host}", host))
    with target.builder() as builder:
        verdict = target.prepare(sha, builder).verdict
    assert not verdict.passed
    assert f"{verdict.findings[0].where} {verdict.findings[0].problem}".startswith(said.format(host=host))


FIT = """ARG BASE
FROM ${BASE}
COPY told /bin/tar
COPY told /bin/told
COPY told /bin/mkdir
COPY told /bin/rm
COPY pyflyte /bin/pyflyte-execute
COPY pyflyte /bin/pyflyte-fast-execute
"""
SECRET = """ARG BASE
FROM ${BASE}
RUN --mount=type=secret,id=token if [ -s /run/secrets/token ]; then echo given > /built; fi
"""


def test_preview_gets_a_secret_only_where_the_enrolment_names_it(target: Target) -> None:
    sha = target.commit(Dockerfile=SECRET, policy='secrets = ["fraud/token"]')
    with target.builder(build_secrets='[fraud]\ntoken = "canary-4711"') as builder:
        without = target.prepare(sha, builder)
        assert without.plan is not None and without.plan.terms.secrets == []
        assert any("without the secret fraud/token" in one.problem for one in without.verdict.findings)
        assert target.have(without, builder).action is Action.BUILT

        release = target.prepare(sha, builder, Purpose.RELEASE)
        assert release.plan is not None and release.plan.terms.secrets == ["fraud/token"]
        image = target.have(release, builder).image
    reference = parse_reference(image.reference)
    manifest = target.place.client.manifest(reference)
    config = target.place.client.image_config(reference.repository, manifest)
    assert "canary-4711" not in str(config) + str(manifest.annotations)

    missing = target.commit(Dockerfile=SECRET + "RUN true\n", policy='secrets = ["fraud/token"]')
    with target.builder() as bare, pytest.raises(BuildSecretMissing, match="fraud/token"):
        target.have(target.prepare(missing, bare, Purpose.RELEASE), bare)


def test_contract_is_checked_once_and_root_is_a_note_or_a_refusal(target: Target) -> None:
    sha = target.commit(Dockerfile=FIT)
    with target.builder() as builder:
        prepared = target.prepare(sha, builder)
        image = target.have(prepared, builder).image
        assert prepared.policy is not None
        usage = usage_of(prepared.policy)
        first = builder.check(image, usage)
        assert (list(first.findings), len(first.notes)) == ([], 1)
        again = replace(builder, open_engine=no_engine).check(image, usage)
        assert (list(again.findings), len(again.notes)) == ([], 1)
        [refused] = builder.check(image, replace(usage, non_root=True)).findings
        assert "root" in refused.problem


def test_image_without_flytekit_is_found_before_it_is_used(target: Target) -> None:
    sha = target.commit()
    with target.builder() as builder:
        prepared = target.prepare(sha, builder)
        image = target.have(prepared, builder).image
        assert prepared.policy is not None
        [finding, *_] = builder.check(image, usage_of(prepared.policy)).findings
        assert "pyflyte-execute" in finding.problem


def test_image_that_the_engine_has_not_is_pulled_with_our_login_to_be_checked(target: Target) -> None:
    sha = target.commit(Dockerfile=FIT)
    with target.builder() as builder:
        prepared = target.prepare(sha, builder)
        image = target.have(prepared, builder).image
        client = target.place.engine.client
        client.remove_image(client.inspect_image(image.reference)["Id"], force=True)
        assert prepared.policy is not None
        assert builder.contract(image.reference, usage_of(prepared.policy)).kept
        client.remove_image(image.reference, force=True)


def no_engine() -> AbstractContextManager[Engine]:
    raise AssertionError("the engine is not needed")


def test_any_stage_that_refuses_root_refuses_it_everywhere(target: Target) -> None:
    policy = read_policy(target.policy("", "non_root = true").encode())
    assert isinstance(policy, Policy)
    assert usage_of(policy).non_root


def test_prune_keeps_what_is_used_and_what_is_new(target: Target) -> None:
    first, other = target.commit(), target.commit(requirements__lock="x==2\n")
    later = datetime.now(timezone.utc) + timedelta(days=40)
    with target.builder() as builder:
        one = target.have(target.prepare(first, builder), builder).image
        two = target.have(target.prepare(other, builder), builder).image
        assert {each.image for each in builder.images()} == {one, two}

        month = timedelta(days=30)
        assert builder.prune(unused_for=month, now=datetime.now(timezone.utc), dry_run=False) == []
        keep = {one.digest}
        listed = builder.prune(unused_for=month, now=later, dry_run=True, keep=keep)
        assert [each.image for each in listed] == [two]
        assert builder.holds(two)

        builder.prune(unused_for=month, now=later, dry_run=False, keep=keep)
        assert [each.image for each in builder.images()] == [one]
        assert not builder.holds(two)
        assert builder.holds(one)


def test_engine_is_not_asked_for_a_plan(target: Target) -> None:
    sha = target.commit()
    with target.builder() as builder:
        assert target.prepare(sha, replace(builder, open_engine=no_engine)).verdict.passed


def test_commands_explain_build_list_and_check_an_image(
    target: Target, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first, other = target.commit(Dockerfile=FIT), target.commit(Dockerfile=FIT, requirements__lock="x==2\n")
    (tmp_path / "config.json").write_bytes(docker_config({target.place.registry.host: LOGIN}))
    monkeypatch.setenv("DOCKER_CONFIG", str(tmp_path))
    monkeypatch.setenv("DOCKER_HOST", target.place.engine.address.host)
    here = ("--directory", str(target.git.path))

    code, explained = taxiway_image("explain", first, "--against", other, *here)
    assert (code, explained["same"]) == (0, False)
    assert [row["name"] for row in explained["ingredients"] if row["differs"]] == ["file:requirements.lock"]

    code, built = taxiway_image("build", first, *here)
    reference = built["image"]["reference"]
    target.place.repositories.append(f"{target.images}/previews:fp-{built['image']['fingerprint'][7:]}")
    assert (code, built["action"], built["findings"], len(built["notes"])) == (0, "built", [], 1)
    assert built["image"]["fingerprint"] == explained["fingerprint"]

    code, listed = taxiway_image("list", "--repository", target.images)
    assert [row["reference"] for row in listed["images"]] == [reference]

    code, checked = taxiway_image("check", reference)
    assert (code, checked["usable"], checked["flytekit"]) == (0, True, "1.16.0")
    code, checked = taxiway_image("check", reference, "--non-root")
    assert (code, checked["usable"]) == (1, False)


def test_command_shows_why_an_image_cannot_be_built(target: Target, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DOCKER_HOST", target.place.engine.address.host)
    sha = target.commit(Dockerfile="FROM scratch\nCOPY src /\n")
    code, shown = taxiway_image("build", sha, "--directory", str(target.git.path))
    assert (code, shown["findings"][0]["where"]) == (1, "Dockerfile:2")


def taxiway_image(*words: str) -> tuple[int, dict[str, Any]]:
    """Run `taxiway image` in this process, and return its exit code and what it says in JSON."""
    done = CliRunner().invoke(command, [*words, "--json"], standalone_mode=False, catch_exceptions=False)
    return done.return_value or 0, json.loads(done.stdout)
