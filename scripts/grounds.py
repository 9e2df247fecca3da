"""The grounds that the demo can be asked to stand on: its options, and what they come to."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import wraps
from pathlib import Path
from typing import Any

import click

from scripts.ground import Ground


class NotHere(click.ClickException):
    """This machine lacks something that the demo needs; the message says what, with the remedies."""

    exit_code = 2


@dataclass(frozen=True, kw_only=True)
class Asked:
    """The ground that was asked for, in the words of the command line."""

    runtime: str
    registry: str
    base_image: str
    build_secrets: tuple[str, ...]

    @contextmanager
    def ground(
        self, folder: Path, environ: Mapping[str, str], *, clear: Callable[[], None], keep: bool
    ) -> Iterator[Ground]:
        """Give it, once `clear` has made the demo's `folder` anew; nothing is touched before all is there.

        Raises:
            NotHere: something is missing.
            click.ClickException: something does not start, or an option is not as it should be.
        """
        if self.runtime == "process":
            if self.registry or self.base_image or self.build_secrets:
                raise click.UsageError("--registry, --base-image, --build-secret go with --runtime docker.")
            clear()
            yield Ground()
            return
        from scripts.building import file_pairs  # seconds, which processes need not wait for
        from scripts.contained import Containers

        containers = Containers(
            folder=folder,
            environ=environ,
            registry=self.registry,
            base=self.base_image,
            secrets=file_pairs(self.build_secrets),
        )
        if missing := containers.missing():
            raise NotHere("\n  ".join(["For --runtime docker, something is missing.", *missing]))
        clear()
        with containers.ground(keep=keep) as ground:
            yield ground


def ground_options(command: Callable[..., None]) -> Callable[..., None]:
    """Add the options that choose the ground, which come to `command` as one `asked`."""

    @wraps(command)
    def with_asked(
        *, runtime: str, registry: str, base_image: str, build_secrets: tuple[str, ...], **options: Any
    ) -> None:
        asked = Asked(runtime=runtime, registry=registry, base_image=base_image, build_secrets=build_secrets)
        command(asked=asked, **options)

    for option in reversed(
        [
            click.option(
                "--runtime",
                type=click.Choice(["process", "docker"]),
                default="process",
                show_default=True,
                help="What runs tasks: processes, or containers of the engine at DOCKER_HOST.",
            ),
            click.option(
                "--registry",
                default="",
                metavar="HOST:PORT",
                help="With --runtime docker: where images go, with your docker's login; left out, "
                "`docker-registry` is started.",
            ),
            click.option(
                "--base-image",
                default="",
                metavar="REF",
                help="With --runtime docker: a Debian with Python and pip that images start from, in a "
                "registry; left out, python:3.11-slim-bookworm.",
            ),
            click.option(
                "--build-secret",
                "build_secrets",
                multiple=True,
                metavar="NAME=FILE",
                help="With --runtime docker: a file that builds may read and no image keeps; pip_conf is a "
                "configuration of pip, ca are certificates to trust.",
            ),
        ]
    ):
        with_asked = option(with_asked)
    return with_asked
