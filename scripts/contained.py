"""The demo on containers, `./scripts/demo --runtime docker`: what it needs here, and what it leaves.

Taxiway's tasks run in Taxiway's own image, the target's code in images that Taxiway builds from the target's
Dockerfile; all of them are pushed to a registry, and every task is a container of the engine.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, closing, contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

import click
import docker
from docker.errors import APIError
from flytekit import current_context

from scripts.ground import Ground
from scripts.local_registry import PROGRAM, local_registry, stop_command
from scripts.own import ROOT
from scripts.own_image import default_base
from scripts.sandbox.container_engine import ENGINE_FAULTS, EngineUnreachable, connect
from scripts.sandbox.shared_engine import SOCKET, EngineNotShareable, socket_of
from tasks._errors import TaxiwayError
from tasks._references import parse_reference, parse_repository
from tasks._registry_credentials import read_keychain, written
from tasks._secrets import SECRET_GROUP

_PROJECT, _TARGET = "taxiway", "fraud"
_NAMESPACE = "taxiway-demo"
_RUNTIME = ("--runtime", "docker")
_CLOSED = Path("/root")


@dataclass(frozen=True, kw_only=True)
class Containers:
    """What the demo was told. An empty `registry` is one of its own, an empty `base` the Dockerfiles' own.

    `secrets` are files by the names that both Dockerfiles know them by.
    """

    folder: Path
    environ: Mapping[str, str] = field(repr=False)
    registry: str = ""
    base: str = ""
    secrets: Mapping[str, Path] = field(default_factory=dict)

    def missing(self) -> list[str]:
        """Return what this machine lacks, each in a sentence with its remedy."""
        found = []
        try:
            socket_of(self.environ)
            connect(self.environ).close()
        except EngineUnreachable as error:
            found.append(f"{str(error)[:1].upper()}{str(error)[1:]}")
        except EngineNotShareable:
            found.append(
                "DOCKER_HOST is no socket of this machine, which alone tasks can share: unix://PATH."
            )
        path = self.environ.get("PATH")
        if shutil.which("docker", path=path) is None:
            found.append("There is no `docker` on the PATH: install docker's command line, with BuildKit.")
        if not self.registry and shutil.which(PROGRAM, path=path) is None:
            found.append(
                f"There is no registry: install {PROGRAM}, or give one with --registry, such as "
                "localhost:5000 after `docker run -d -p 5000:5000 registry:2`."
            )
        if self.folder.is_relative_to(_CLOSED):
            found.append(f"{self.folder} is closed to the users of images: give another --folder.")
        return found

    @contextmanager
    def ground(self, *, keep: bool) -> Iterator[Ground]:
        """Give what the demo stands on; in the end only reports are left of it, unless it is to be kept.

        Raises:
            click.ClickException: the registry does not start, or a login cannot be read.
        """
        place = self.folder / "registry"
        with ExitStack() as opened:
            host = self.registry or opened.enter_context(local_registry(place, keep=keep))
            if not keep:
                opened.callback(shutil.rmtree, self._secret_folder, ignore_errors=True)
                opened.callback(self._forget, host)
            self._write_secrets(host)
            yield self._ground(host, stop="" if self.registry else stop_command(place))

    def _ground(self, host: str, *, stop: str) -> Ground:
        images = f"{host}/{_NAMESPACE}/{_TARGET}"
        names = [f"{_TARGET}/{name}" for name in sorted(self.secrets)]
        files = [f"{name}={file}" for name, file in sorted(self.secrets.items())]
        return Ground(
            start=(*_RUNTIME, "--share-engine", _PROJECT, "--secrets", self._secret_folder),
            install=(
                *("--build-image", f"{host}/{_NAMESPACE}/{_PROJECT}"),
                *(("--base-image", self.base) if self.base else ()),
                *(word for file in files for word in ("--build-secret", file)),
                *("--docker-host", f"unix://{SOCKET}"),
            ),
            enrol=(
                *("--limit-image", images),
                *(("--limit-secret-group", _TARGET) if names else ()),
                *(word for name in names for word in ("--preview-build-secret", name)),
            ),
            repository="state/storage/fraud.git",  # of the demo's folders, containers see the storage alone
            image=image_table(images, base=self.base, platform=self._platform(), secrets=names),
            training=False,  # a container for each of its steps
            images=images,
            again=_RUNTIME,
            previews=False,
            stop=stop,
        )

    def _platform(self) -> str:
        with closing(connect(self.environ)) as engine:
            found = engine.version()
        return f"{found['Os']}/{found['Arch']}"

    @property
    def _secret_folder(self) -> Path:
        return self.folder / "secrets"

    def _write_secrets(self, host: str) -> None:
        """Write Flyte's secrets: the logins for these registries that docker keeps, and those of builds."""
        folder = self._secret_folder / SECRET_GROUP
        folder.mkdir(mode=0o700, parents=True)
        try:
            parse_repository(f"{host}/{_NAMESPACE}")
            base = parse_reference(self.base or default_base(ROOT)).repository.registry
            keychain = read_keychain(current_context().secrets, self.environ)
            logins = {name: keychain.login(name) for name in (host, base)}
        except TaxiwayError as error:
            raise click.ClickException(str(error)) from error
        _write(folder / "docker_config", written(logins))
        _write(folder / "build_secrets", build_secrets(self.secrets))

    def _forget(self, host: str) -> None:
        """Remove from the engine what was made for this registry; its cache of builds stays."""
        with suppress(EngineUnreachable, *ENGINE_FAULTS), closing(connect(self.environ)) as engine:
            for name in made_images(engine, host):
                with suppress(APIError):  # somebody uses it
                    engine.remove_image(name)


def image_table(repository: str, *, base: str, platform: str, secrets: list[str]) -> str:
    """Return the table `[image]` of a policy, for images that are built from the fixture's Dockerfile."""
    lines = [
        "[image]",
        f"repository = {json.dumps(repository)}",
        'dockerfile = "Dockerfile"',
        'dependencies = ["requirements.lock"]',
        f"platform = {json.dumps(platform)}",
        *([f"build_args = {{ BASE_IMAGE = {json.dumps(base)} }}"] if base else []),
        *([f"secrets = {json.dumps(secrets)}"] if secrets else []),
    ]
    return "".join(f"{line}\n" for line in lines)


def build_secrets(files: Mapping[str, Path]) -> str:
    """Return the secrets of builds as Taxiway reads them, a table of TOML."""
    lines = [f"{name} = {json.dumps(file.read_text())}\n" for name, file in sorted(files.items())]
    return "".join([f"[{_TARGET}]\n", *lines])


def made_images(engine: docker.APIClient, host: str) -> list[str]:
    """Return the names of the images that the demo made for a registry, as the engine has them."""
    named = (
        name
        for image in engine.images()
        for key in ("RepoTags", "RepoDigests")
        for name in image.get(key) or ()
    )
    return sorted(name for name in named if name.startswith(f"{host}/{_NAMESPACE}/"))


def _write(path: Path, text: str) -> None:
    path.touch(mode=0o600)
    path.write_text(text)
