"""Decides what the process runtime starts for an attempt: words, environment, directory. Starts nothing."""

from __future__ import annotations

import os
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from scripts.sandbox.environment import Variables, expand, resolve
from scripts.sandbox.images import VenvImage
from scripts.sandbox.processes import MARK
from scripts.sandbox.rootfs import HOME, TMP, WORKING_DIRECTORY, Rootfs, translate
from scripts.sandbox.runtime import Attempt


class StartFailed(Exception):
    """The attempt's command cannot be started; the message says why, as a container engine would."""


@dataclass(frozen=True, kw_only=True)
class Command:
    """A program with its words, the whole of its environment, and the directory that it starts in.

    `destination` has to exist before: where the code bundle is unpacked, if that is a place of its own.
    """

    program: Path
    words: list[str]
    environment: dict[str, str]
    directory: Path
    destination: Path | None


def plan(
    attempt: Attempt,
    *,
    image: VenvImage,
    rootfs: Rootfs,
    machine: Mapping[str, str],
    mounted: Variables = (),
    data_paths: Mapping[str, Path],
) -> Command:
    """Say what to start. `mounted` are the variables of secrets, `data_paths` those of a raw container.

    Raises:
        StartFailed: there is no command, or neither the image nor the machine has the program.
    """
    given = [(name, translate(value, data_paths)) for name, value in attempt.environment]
    environment = {
        **machine,
        "HOME": str(rootfs.at(HOME)),
        "TMPDIR": str(rootfs.at(TMP)),
        **resolve([*image.env.items(), *given, *mounted]),
        MARK: str(rootfs.attempt),
    }
    environment["PATH"] = f"{image.bin}{os.pathsep}{environment['PATH']}"
    words = [translate(expand(word, environment), data_paths) for word in (*attempt.command, *attempt.args)]
    words, destination = rootfs.destination(words)
    if not words:
        raise StartFailed("no command specified")
    directory = rootfs.at(WORKING_DIRECTORY)
    # A relative path is one of the container's working directory, not of ours.
    name = words[0] if "/" not in words[0] else str(directory / words[0])
    program = shutil.which(name, path=environment["PATH"])
    if program is None:
        where = "$PATH" if "/" not in words[0] else "the image"
        raise StartFailed(f'exec: "{words[0]}": executable file not found in {where}')
    return Command(
        program=Path(program),
        words=words,
        environment=environment,
        directory=directory,
        destination=destination,
    )
