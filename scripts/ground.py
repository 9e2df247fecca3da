"""What the demo stands on: processes of this machine, or containers of an engine (`scripts.contained`)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import click


@dataclass(frozen=True, kw_only=True)
class Ground:
    """What commands are told beside what is the same everywhere, and how the target's image is made.

    `repository` is where the target lies below the demo's folder, `image` the table `[image]` of its policy;
    an empty one is its own. Without `training`, the smoke test that trains is left out. `images` is where its
    images are kept, where they can be counted. `again` is what a later start is told, after which `previews`
    says whether more can be previewed; `stop` is the command that ends what was kept beside the sandbox.
    """

    start: tuple[str | Path, ...] = ()
    install: tuple[str | Path, ...] = ()
    enrol: tuple[str, ...] = ("--limit-image", "registry.example.com/risk/fraud")
    repository: str = "fraud.git"
    image: str = ""
    training: bool = True
    images: str = ""
    again: tuple[str, ...] = ()
    previews: bool = True
    stop: str = ""


def what_was_built(counts: Sequence[int]) -> str:
    """Say what was built, by the number of images after main, the code-only and the dependency change.

    Raises:
        click.ClickException: it is not one for main, none for the code, one for the dependency.
    """
    built = [after - before for before, after in pairwise([0, *counts])]
    if built != [1, 0, 1]:
        raise click.ClickException(
            "Of main, a code-only change and a dependency change, these numbers of images were built: "
            f"{', '.join(map(str, built))}. It should be 1, 0, 1."
        )
    return "built exactly one image for the dependency change, none for the code change"
