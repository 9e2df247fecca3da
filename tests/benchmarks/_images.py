"""A target of three dependency layers on an engine and a registry, and how a preview comes by its image."""

from __future__ import annotations

import os
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from tasks._builder import Action, ImageBuilder, Purpose
from tasks._engine import EngineAddress, open_engine
from tasks._engine_images import EngineImages
from tasks._engine_open import engine_images
from tasks._engine_record import image_tag
from tasks._enrolment import Enrolment, PreviewStage
from tasks._git_credentials import Credentials
from tasks._references import parse_reference
from tasks._registry_http import Sent
from tasks._settings import Settings
from tasks.image import ImageStep, ensure_image
from tasks.plan import ImageContext, Plan, find_inputs, make_context, make_plan, read_recipe, terms_of
from tasks.policy import Policy, read_policy
from tasks.prepare import fetch_revision
from tasks.source import Source
from tests.engine.building import LOGIN, Site, open_site
from tests.engine.daemon import dockerd
from tests.mounted import Mounted
from tests.repositories import Repository

LAYERS = ("system", "python", "models")
"""What the dependency layers are called; each is made after a lock of its own."""
_MODULES = 200
_TIMEOUT_S = 600


@dataclass(frozen=True, kw_only=True)
class Target:
    """The target's repository, and where its images are built. `sent` are the requests to the registry."""

    site: Site
    git: Repository
    folder: Path
    sent: list[Sent] = field(default_factory=list)

    @property
    def base(self) -> str:
        """What its Dockerfile starts from, by the tag that people know it by."""
        return f"{self.site.registry.host}/base/{self.site.base}"

    def policy(self) -> Policy:
        """Return a policy of the target that keeps its images where nobody has built any."""
        images = f"{self.site.registry.host}/bench/{uuid.uuid4().hex[:8]}"
        listed = ", ".join(f'"{name}.lock"' for name in LAYERS)
        policy = read_policy(
            f'[package]\nmodules = ["flows"]\nsource = "src"\n[image]\nrepository = "{images}"\n'
            f'dependencies = [{listed}]\nbuild_args = {{ BASE = "{self.base}" }}\n'
            '[[stage]]\nname = "development"\nproject = "bench"\ndomain = "development"\n'.encode()
        )
        assert isinstance(policy, Policy), policy
        return policy

    def revision(self, *, code: int = 0, **locks: int) -> Source:
        """Commit a change to the target, of its code and its locks by their layers, and fetch it."""
        files = {f"src/module_{number}.py": f"NUMBER = {number}\n" for number in range(_MODULES)}
        files |= {f"{name}.lock": f"of=={locks.get(name, 0)}\n" for name in LAYERS}
        main = self.git.commit({**files, "Dockerfile": dockerfile()})
        changed = {**files, "Dockerfile": dockerfile(), "src/flows.py": f"CODE = {code}\n"}
        return fetch_revision(
            self._enrolment,
            self.git.commit(changed, branch="change", parent=main),
            into=self._new_folder(),
            settings=Settings(allow_file_urls=True),
            credentials=Credentials(),
            environ={"PATH": os.environ["PATH"]},
        )

    @contextmanager
    def builder(self, host: str = "") -> Iterator[EngineImages]:
        """Give the builder of an installation whose engine is at `host`; without, it is the site's."""
        with engine_images(
            Settings(docker_host=host or self.site.engine.address.host, build_timeout_s=_TIMEOUT_S),
            {"PATH": os.environ["PATH"]},
            Mounted(docker_config=self.site.docker_config.decode()),
            observer=self.sent.append,
        ) as builder:
            yield builder

    def plan(self, source: Source, policy: Policy, builder: ImageBuilder) -> Plan:
        """Do what the first step of a preview does to find out about the image."""
        inputs = find_inputs(source, policy.image, at=source.revision.sha)
        terms = terms_of(policy.image, self._enrolment, Purpose.PREVIEW)
        examined = builder.examine(read_recipe(source, inputs, terms))
        assert not [*inputs.problems, *examined.findings], examined.findings
        return make_plan(
            source,
            policy,
            inputs,
            terms=terms,
            examined=examined,
            builder=builder,
            purpose=Purpose.PREVIEW,
        )

    def context(self, source: Source, policy: Policy) -> ImageContext:
        """Write down what the image is built from, as the first step does in case that it has to be."""
        inputs = find_inputs(source, policy.image, at=source.revision.sha)
        return make_context(source, inputs, into=self._new_folder())

    def image(self, plan: Plan, context: ImageContext, builder: ImageBuilder) -> ImageStep:
        """Do what the second step does: reuse the image, or build it."""
        step = ensure_image(plan, context, builder=builder, into=self._new_folder())
        if step.action is Action.BUILT:
            self.site.repositories.append(f"{plan.repository}:{image_tag(plan.fingerprint)}")
        return step

    def have(self, source: Source, policy: Policy, host: str = "") -> ImageStep:
        """Do all of it, on the engine at `host`."""
        context = self.context(source, policy)
        with self.builder(host) as builder:
            return self.image(self.plan(source, policy, builder), context, builder)

    def layers(self, step: ImageStep) -> list[str]:
        """Return the digests of an image's layers, as the registry has them."""
        manifest = self.site.client.manifest(parse_reference(step.image.reference))
        return [layer.digest for layer in manifest.layers]

    @contextmanager
    def fresh_builder(self) -> Iterator[str]:
        """Yield the `DOCKER_HOST` of a new engine that has nothing but the base image."""
        auth = dict(zip(("username", "password"), LOGIN, strict=True))
        with dockerd() as host, open_engine(EngineAddress(host=host)) as engine:
            engine.client.pull(self.site.pinned, auth_config=auth)
            engine.client.inspect_image(self.site.pinned)
            yield host

    @property
    def _enrolment(self) -> Enrolment:
        preview = PreviewStage(project="bench-previews", domain="development")
        return Enrolment(name="bench", repository=self.git.url, preview=preview)

    def _new_folder(self) -> Path:
        made = self.folder / uuid.uuid4().hex
        made.mkdir()
        return made


@contextmanager
def target_on(engine_host: str, folder: Path) -> Iterator[Target]:
    """Give a target whose images are built at `engine_host`; they are removed from there in the end."""
    with open_site(engine_host, folder / "site") as site:
        yield Target(site=site, git=Repository.create(folder / "bench.git"), folder=folder)


def dockerfile() -> str:
    """Return what the image is made by: for each layer, a lock and a step that writes and computes."""
    lines = ["ARG BASE", "FROM ${BASE}"]
    for name in LAYERS:
        made = f"head -c 8M /dev/urandom > /{name}.made"
        lines += [f"COPY {name}.lock /etc/", f"RUN {made} && head -c 256M /dev/zero | sha256sum"]
    return "\n".join(lines) + "\n"
