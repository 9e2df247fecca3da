"""How a command builds Taxiway's own image: its options, its way to engine and registry, its progress."""

from __future__ import annotations

import functools
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import click
from flytekit import current_context
from rich.console import Console
from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

from scripts.layers import read_layers, table_of
from scripts.own_image import SECRETS, OwnImage, build_own_image
from tasks._engine import EngineAddress, open_engine
from tasks._errors import BadUsage
from tasks._registry import RegistryClient, open_registries
from tasks._registry_credentials import docker_config, read_keychain
from tasks._settings import read_settings

_SOCKET = "unix:///var/run/docker.sock"


@dataclass(frozen=True, kw_only=True)
class Building:
    """The build that a command was asked for; an empty `name` is none."""

    name: str
    base: str
    platform: str
    host: str
    secrets: Mapping[str, Path] = field(default_factory=dict)


def build_options(command: Callable[..., None]) -> Callable[..., None]:
    """Add the options that ask for a build, which come to `command` as one `building`."""

    @functools.wraps(command)
    def with_building(
        *,
        build_image: str,
        base_image: str,
        platform: str,
        build_host: str,
        build_secrets: dict[str, Path],
        **options: Any,
    ) -> None:
        building = Building(
            name=build_image,
            base=base_image,
            platform=platform,
            host=build_host,
            secrets=build_secrets,
        )
        command(building=building, **options)

    for option in reversed(
        [
            click.option(
                "--build-image",
                default="",
                metavar="REPOSITORY[:TAG]",
                help="Build Taxiway's image from this checkout, push it there, and install with it.",
            ),
            click.option("--base-image", default="", help="What it starts from; else the Dockerfile's own."),
            click.option("--platform", default="", help="Such as linux/amd64; left out, the engine's own."),
            click.option(
                "--build-host",
                envvar="DOCKER_HOST",
                default=_SOCKET,
                show_default=True,
                help="The container engine that builds it.",
            ),
            click.option(
                "--build-secret",
                "build_secrets",
                multiple=True,
                metavar="NAME=FILE",
                callback=_named_files,
                help=f"A file that the build may read and no layer keeps: {' or '.join(SECRETS)}.",
            ),
        ]
    ):
        with_building = option(with_building)
    return with_building


def built_image(building: Building) -> str:
    """Build, push and show Taxiway's image, and return its reference by digest.

    Raises:
        Terminal, Recoverable: see `open_engine` and `build_own_image`.
    """
    environ = os.environ
    tls = environ.get("DOCKER_CERT_PATH", "") if environ.get("DOCKER_TLS_VERIFY") else ""
    address = EngineAddress(host=building.host, tls=Path(tls) if tls else None)
    wanted = OwnImage(
        name=building.name,
        base=building.base,
        platform=building.platform,
        secrets={name: file.read_bytes() for name, file in building.secrets.items()},
        timeout_s=read_settings(environ).build_timeout_s,
    )
    config = docker_config(current_context().secrets, environ)
    with open_engine(address, environ=environ) as engine, registries() as registry:
        with _progress(f"Building {building.name} on {address.host}"):
            made = build_own_image(
                wanted,
                engine=engine,
                registry=registry,
                docker_config=config,
            )
        platform = building.platform or engine.platform
        layers = read_layers(registry, made.reference, platform=platform)
    click.echo(f"Pushed {made.reference}, from {made.base}:\n{table_of(layers)}", err=True)
    return str(made.reference)


@contextmanager
def registries() -> Iterator[RegistryClient]:
    """Give a client of registries with the caller's own logins, which docker keeps."""
    keychain = read_keychain(current_context().secrets, os.environ)
    plain_http = read_settings(os.environ).plain_http_registries
    with open_registries(keychain, plain_http=plain_http) as registry:
        yield registry


@contextmanager
def _progress(what: str) -> Iterator[None]:
    """Show that it goes on, and for how long; a line where nobody looks."""
    console = Console(stderr=True)
    if not console.is_terminal:
        click.echo(f"{what} ...", err=True)
    columns = (SpinnerColumn(), TextColumn("{task.description}"), TimeElapsedColumn())
    with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as shown:
        shown.add_task(what, total=None)
        yield


def _named_files(
    context: click.Context, parameter: click.Parameter, value: tuple[str, ...]
) -> dict[str, Path]:
    del context, parameter
    return file_pairs(value)


def file_pairs(words: Sequence[str]) -> dict[str, Path]:
    """Read what `--build-secret` was given, each `NAME=FILE`.

    Raises:
        click.BadParameter: one is of another name, or of a file that is not there.
    """
    pairs = [text.partition("=")[::2] for text in words]
    for name, file in pairs:
        if name not in SECRETS or not Path(file).is_file():
            known = " or ".join(f"{each}=FILE" for each in SECRETS)
            raise click.BadParameter(f"{name}={file} is not {known}, of a file that is there")
    return {name: Path(file) for name, file in pairs}


def check_one_image(image: str, building: Building) -> None:
    """See that not both an image that exists and a build are asked for.

    Raises:
        BadUsage: they are.
    """
    if image and building.name:
        raise BadUsage(
            "--image is an image that exists, --build-image makes one.", remedy="Give one of the two."
        )
