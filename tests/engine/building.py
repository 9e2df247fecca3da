"""Where tests build: an engine, a registry with a login, and a base image in it that has a digest."""

from __future__ import annotations

import base64
import json
import os
import uuid
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from tasks._engine import Engine, EngineAddress, open_engine
from tasks._engine_build import BuildLimits, EngineOrder, Pushed, build_and_push
from tasks._references import Reference, parse_reference
from tasks._registry import RegistryClient, open_registries
from tasks._registry_credentials import Keychain, parse_docker_config
from tests.engine.tiny_image import tiny_image
from tests.registry import Registry, docker_registry

LOGIN = ("builder", "c4n4ry-password")
PLATFORM = "linux/amd64"


@dataclass(frozen=True, kw_only=True)
class Site:
    """One of them. `base` is how Dockerfiles write the image they start from, `pinned` what it is."""

    engine: Engine
    registry: Registry
    client: RegistryClient
    base: str
    pinned: str
    folder: Path
    repositories: list[str] = field(default_factory=list)

    @property
    def docker_config(self) -> bytes:
        return docker_config({self.registry.host: LOGIN})

    def order(self, dockerfile: str, files: Mapping[str, bytes] | None = None, **more: Any) -> EngineOrder:
        """Return the order for a repository of its own, from such files."""
        name = uuid.uuid4().hex[:8]
        context = self.folder / name
        context.mkdir()
        for path, content in {"Dockerfile": dockerfile.encode(), **(files or {})}.items():
            (context / path).parent.mkdir(parents=True, exist_ok=True)
            (context / path).write_bytes(content)
        order = EngineOrder(
            context=context,
            dockerfile="Dockerfile",
            bases={self.base: self.pinned},
            reference=f"{self.registry.host}/tests/{name}:made",
            platform=PLATFORM,
            limits=BuildLimits(timeout_s=120),
        )
        return replace(order, **more)

    def build(self, order: EngineOrder, *, engine: Engine | None = None) -> Pushed:
        """Build and push it, on another engine if one is given."""
        self.repositories.append(order.reference)
        return build_and_push(
            order, engine=engine or self.engine, registry=self.client, docker_config=self.docker_config
        )

    def reference(self, order: EngineOrder, pushed: Pushed) -> Reference:
        """Return what was made, by digest."""
        return parse_reference(order.reference).repository.at(pushed.digest)

    def config(self, order: EngineOrder, pushed: Pushed) -> Mapping[str, Any]:
        """Return the configuration of what was made, as the registry has it."""
        reference = self.reference(order, pushed)
        return self.client.image_config(reference.repository, self.client.manifest(reference))

    def layers(self, order: EngineOrder, pushed: Pushed) -> list[str]:
        """Return the digests of its layers."""
        return [layer.digest for layer in self.client.manifest(self.reference(order, pushed)).layers]


@contextmanager
def open_site(engine_host: str, folder: Path) -> Iterator[Site]:
    """Give a site on the engine at `engine_host`, with a registry of its own that keeps all in `folder`."""
    with (
        open_engine(EngineAddress(host=engine_host), environ=os.environ) as engine,
        docker_registry(folder / "registry", login=LOGIN) as registry,
        site(engine, registry, folder) as made,
    ):
        yield made


@contextmanager
def site(engine: Engine, registry: Registry, folder: Path) -> Iterator[Site]:
    """Give a site with the tiny image for a base; what was built there is removed in the end."""
    tag = f"{registry.host}/base/tiny:1"
    engine.client.tag(tiny_image(engine.client), tag)
    config = parse_docker_config(docker_config({registry.host: LOGIN}).decode(), origin="this test")
    auth = dict(zip(("username", "password"), LOGIN, strict=True))
    try:
        said = engine.client.push(tag, auth_config=auth, stream=True, decode=True)
        assert not [line for line in said if "error" in line]
        with open_registries(Keychain(configs=(config,), environ=os.environ)) as client:
            found = client.resolve(parse_reference(tag))
            pinned = f"{tag.rpartition(':')[0]}@{found.digest}"
            made = Site(
                engine=engine, registry=registry, client=client, base="tiny:1", pinned=pinned, folder=folder
            )
            try:
                yield made
            finally:
                forget(engine, *made.repositories)
    finally:
        forget(engine, tag)


def forget(engine: Engine, *references: str) -> None:
    """Remove images from an engine, those that were never made too."""
    for reference in references:
        if engine.client.images(reference):
            engine.client.remove_image(reference, force=True)


def docker_config(logins: Mapping[str, tuple[str, str]]) -> bytes:
    """Return a docker `config.json` with such logins by registry."""
    auths = {
        host: {"auth": base64.b64encode(":".join(login).encode()).decode()} for host, login in logins.items()
    }
    return json.dumps({"auths": auths}).encode()
