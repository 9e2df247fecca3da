"""Images of the process runtime: an image reference stands for a virtual environment on this machine.

The folder is shared with whoever builds or adds images; its format is the interface:

- `refs/<quoted reference>.json`: a reference given by hand, with an absolute `prefix`;
- `sha256/<hex>/image.json`: an image by digest, with a `prefix` relative to its folder. It appears by one
  rename, so it is complete or absent. Its time of change is that of its last use, by which old images
  are pruned.

Both hold `reference`, `prefix` and `env`, the variables that the image sets.
"""

from __future__ import annotations

import json
import os
import re
import shlex
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import quote

_DIGEST = re.compile(r".+@sha256:([0-9a-f]{64})")


class UnknownImage(LookupError):
    """No environment on this machine answers to the reference; the message says how to name one."""


@dataclass(frozen=True, kw_only=True)
class VenvImage:
    """A virtual environment that stands for an image, and the variables that it sets."""

    reference: str
    prefix: Path
    env: dict[str, str] = field(default_factory=dict)

    @property
    def bin(self) -> Path:
        """The folder of its programs."""
        return self.prefix / "bin"


class Images:
    """The images under one root folder. Nothing is cached: what was added counts from the next attempt."""

    def __init__(self, root: Path) -> None:
        self._root = root

    def add(self, reference: str, prefix: Path, env: dict[str, str] | None = None) -> None:
        """Let `reference` stand for the environment at `prefix`, from now on."""
        path = self._by_hand(reference)
        path.parent.mkdir(parents=True, exist_ok=True)
        record = {"reference": reference, "prefix": str(prefix.absolute()), "env": env or {}}
        draft = path.with_suffix(".draft")
        draft.write_text(json.dumps(record, indent=1))
        draft.replace(path)

    def resolve(self, reference: str) -> VenvImage:
        """Return the environment that `reference` stands for.

        Raises:
            UnknownImage: there is none, or it lacks a Python.
        """
        digest = _DIGEST.fullmatch(reference)
        files = [self._by_hand(reference)]
        if digest:
            files.append(self._root / "sha256" / digest[1] / "image.json")
        for file in files:
            if file.exists():
                os.utime(file)
                return self._read(file, reference)
        raise UnknownImage(
            f"no image {reference!r} on this machine: the sandbox runs tasks in virtual environments. "
            f"Name the one that stands for it: {_command(reference, self._root)}"
        )

    def _read(self, file: Path, reference: str) -> VenvImage:
        record = json.loads(file.read_text())
        image = VenvImage(
            reference=reference, prefix=file.parent / record["prefix"], env=record.get("env", {})
        )
        if not (image.bin / "python").exists():
            raise UnknownImage(
                f"image {reference!r} stands for {image.prefix}, which holds no bin/python. "
                f"Name one that does: {_command(reference, self._root)}"
            )
        return image

    def _by_hand(self, reference: str) -> Path:
        return self._root / "refs" / f"{quote(reference, safe='')}.json"


def _command(reference: str, root: Path) -> str:
    words = ["taxiway", "image", "add", reference, "--prefix", "DIR", "--image-root", str(root)]
    return f"`{shlex.join(words)}`"
