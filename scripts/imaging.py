"""Building and looking at images from a shell, as the steps of a preview do it."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from flytekit import current_context

from scripts.local_source import Made, local_enrolment
from tasks._builder import ImageBuilder, Purpose, StoredImage
from tasks._engine_images import EngineImages
from tasks._engine_open import engine_images
from tasks._engine_record import REVISION, SOURCE
from tasks._errors import BadUsage
from tasks._settings import read_settings
from tasks._venv import VenvImages
from tasks._venv_store import VenvStore
from tasks.image import ImageStep, ensure_image
from tasks.plan import make_context, make_plan, terms_of


@dataclass(frozen=True, kw_only=True)
class Ingredient:
    """One thing that an image is made from: what it is here and, where two are compared, there."""

    name: str
    here: str
    there: str
    differs: bool


@contextmanager
def engine_builder(
    docker_host: str = "",
    secrets: Mapping[str, bytes] | None = None,
    *,
    repositories: tuple[str, ...] = (),
) -> Iterator[EngineImages]:
    """Give the builder of a container engine, with the caller's own logins and these build secrets too."""
    settings = replace(read_settings(os.environ), docker_host=docker_host)
    kept = current_context().secrets
    with engine_images(settings, os.environ, kept, repositories=repositories) as builder:
        yield replace(builder, secrets={**builder.secrets, **(secrets or {})})


@contextmanager
def builder_for(
    store: VenvStore, docker_host: str, secrets: Mapping[str, bytes] | None = None
) -> Iterator[ImageBuilder]:
    """Give the builder of a container engine, or, where there is none, of the venv images in `store`.

    Raises:
        BadUsage: there are secrets, and nothing that could keep them.
    """
    if docker_host:
        with engine_builder(docker_host, secrets) as builder:
            yield builder
    elif secrets:
        raise BadUsage("A venv image is built without secrets.", remedy="Name an engine with --docker-host.")
    else:
        timeout_s = read_settings(os.environ).build_timeout_s
        yield VenvImages(root=store.root, environ=os.environ, timeout_s=timeout_s)


def have(made: Made, builder: ImageBuilder, into: Path) -> ImageStep:
    """Have the image of a revision that nothing was found against; `into` is an empty folder."""
    if made.policy is None or made.inputs is None or made.examined is None:
        raise ValueError("an image cannot be built of what findings are about")
    source = made.source
    plan = make_plan(
        source,
        made.policy,
        made.inputs,
        terms=terms_of(made.policy.image, local_enrolment(source), Purpose.PREVIEW),
        examined=made.examined,
        builder=builder,
        purpose=Purpose.PREVIEW,
    )
    context = make_context(source, made.inputs, into=into)
    labels = {SOURCE: source.revision.repository, REVISION: source.revision.sha}
    return ensure_image(plan, context, builder=builder, into=into, labels=labels)


def explained(here: Mapping[str, str], there: Mapping[str, str] | None) -> list[Ingredient]:
    """List ingredients by name; where there are others to compare with, those of either."""
    names = sorted({*here, *(there or {})})
    compared = here if there is None else there
    return [
        Ingredient(
            name=name,
            here=here.get(name, ""),
            there=compared.get(name, ""),
            differs=here.get(name) != compared.get(name),
        )
        for name in names
    ]


def kept_in(repository: str) -> list[StoredImage]:
    """Return the images of a repository in a registry, and of previews below it."""
    with engine_builder(repositories=(repository,)) as builder:
        return builder.images()
