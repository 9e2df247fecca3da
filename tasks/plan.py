"""Plan a revision from git objects: what changed since its base, and whether its image is there already.

An image is named by what it is made from. Its fingerprint covers the git blobs of the files that the
policy lists, so finding out takes neither a checkout nor the hashing of files.
"""

from __future__ import annotations

import enum
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from flytekit.types.file import FlyteFile
from pydantic import Field

from tasks._builder import (
    Absent,
    BuildTerms,
    Examined,
    ImageBuilder,
    Purpose,
    Recipe,
    home_of,
    sources_of,
)
from tasks._digests import json_digest
from tasks._enrolment import ANY, Enrolment
from tasks._git import Kind, TreeEntry
from tasks._permits import permits
from tasks._types import Finding, Image, Record
from tasks.bundle import write_archive
from tasks.policy import POLICY_FILE, ImagePolicy, Policy
from tasks.source import Base, Source

_MOST_PATHS = 100
# Each is an ingredient of the plan, which Flyte keeps as one value.
_MOST_FILES = 2000
_FILE = "file:"
_SHORT = 7


class Change(str, enum.Enum):
    """What a path or a revision changes; of several the last one here names the revision."""

    NOTHING = "nothing that matters"
    CODE = "code"
    POLICY = "policy"
    DEPENDENCIES = "dependencies"
    UNKNOWN = "unknown"


class ChangedPath(Record):
    """One path that differs from the base, and what that changes."""

    path: str
    change: Change


class Reuse(Record):
    """The image is there already."""

    action: Literal["reuse"] = "reuse"
    image: Image
    because: str


class Build(Record):
    """The image has to be built."""

    action: Literal["build"] = "build"
    because: str


class Plan(Record):
    """What a revision changes, what its image is made from, and whether that image has to be built.

    `changed` holds the first paths, `changed_count` says how many there are. `ingredients` are what the
    fingerprint covers, by name. `repository` is where an image that has to be built is kept, `tags` are
    what people may call it there; `bases` are the images from elsewhere that it is built on, by digest,
    and `context_bytes` is the size of what is sent to be built.
    """

    change: Change
    base: Base
    changed: list[ChangedPath]
    changed_count: int
    fingerprint: str
    ingredients: dict[str, str]
    repository: str
    decision: Reuse | Build
    terms: BuildTerms = BuildTerms()
    bases: dict[str, str] = {}
    tags: list[str] = []
    context_bytes: int = 0


class ImageContext(Record):
    """The files that an image is built from, as one tar.gz; `digest` is that of its bytes."""

    file: FlyteFile
    digest: str
    size_bytes: int
    files: list[str] = Field(default_factory=list)


@dataclass(frozen=True, kw_only=True)
class Inputs:
    """The files of a revision that its image is made from. They can be used if there are no `problems`.

    `tree` are all paths of the revision.
    """

    files: tuple[TreeEntry, ...]
    problems: list[Finding]
    tree: frozenset[str]


def find_inputs(source: Source, policy: ImagePolicy, *, at: str) -> Inputs:
    """Find what `policy` lists in commit `at`, and what lies in the folders that it lists.

    A Dockerfile that is not there is left out, and so are links and submodules in folders.
    """
    tree = {entry.path: entry for entry in source.entries(at=at)}
    found = {path: tree[path] for path in [policy.dockerfile] if path in tree and tree[path].is_file}
    problems: list[Finding] = []
    for path in policy.dependencies:
        files = [entry for entry in tree.values() if entry.is_file and _is_in(entry.path, path)]
        found |= {entry.path: entry for entry in files}
        problems += _problems(path, files)
    return Inputs(files=tuple(found.values()), problems=problems, tree=frozenset(tree))


def _problems(path: str, files: Sequence[TreeEntry]) -> Iterator[Finding]:
    """Yield why a dependency, which these files are found for, cannot be one."""
    strange = [entry.path for entry in files if not entry.path.isprintable()]
    if not files:
        problem = f"{path} is no file of the revision, and no folder of files"
        remedy = "Correct the path, or add the file; links are not followed."
    elif len(files) > _MOST_FILES:
        problem = f"{path} holds {len(files)} files, and an image can be made of {_MOST_FILES} of a folder"
        remedy = "List the folders inside that are needed."
    elif strange:
        problem = f"{path} holds {strange[0]!a}, whose name is no printable text"
        remedy = "Rename it, or list the files beside it."
    else:
        return
    yield Finding(where="image.dependencies", problem=problem, remedy=remedy)


def make_context(source: Source, inputs: Inputs, *, into: Path) -> ImageContext:
    """Write exactly the `inputs` as a tar.gz into the folder `into`, for a build in another pod."""
    source.repository.bring([entry.oid for entry in inputs.files])
    archive, _ = write_archive(source.repository, inputs.files, into / "image-context.tar.gz")
    return ImageContext(
        file=FlyteFile(str(archive.path)),
        digest=archive.digest,
        size_bytes=archive.size_bytes,
        files=sorted(entry.path for entry in inputs.files),
    )


def read_recipe(source: Source, inputs: Inputs, terms: BuildTerms) -> Recipe:
    """Return what the image of a revision is to be made from, for a builder to look at."""
    source.repository.bring([entry.oid for entry in inputs.files])
    listed = {entry.path: entry.oid for entry in inputs.files}
    oid = listed.get(terms.dockerfile)
    return Recipe(
        terms=terms,
        dockerfile=next(source.repository.contents([oid])) if oid else None,
        listed=frozenset(listed),
        tree=inputs.tree,
    )


def make_plan(
    source: Source,
    policy: Policy,
    inputs: Inputs,
    *,
    terms: BuildTerms,
    examined: Examined,
    builder: ImageBuilder,
    purpose: Purpose,
    pull_request: int = 0,
) -> Plan:
    """Compare the revision with its base, and look for an image of its inputs."""
    ingredients = ingredients_of(inputs.files, policy.image, examined.traits)
    fingerprint = fingerprint_of(ingredients)
    with ThreadPoolExecutor(max_workers=1) as beside:
        # Git compares while the registry is asked.
        paths = beside.submit(source.changed_paths) if source.base.found else None
        looked = look(builder, fingerprint, sources_of(policy.image.repository, purpose))
    changed = [
        ChangedPath(path=path, change=change_of(path, policy)) for path in (paths.result() if paths else [])
    ]
    return Plan(
        change=overall(changed) if source.base.found else Change.UNKNOWN,
        base=source.base,
        changed=changed[:_MOST_PATHS],
        changed_count=len(changed),
        fingerprint=fingerprint,
        ingredients=ingredients,
        repository=home_of(policy.image.repository, purpose),
        decision=decide(looked),
        terms=terms,
        bases=dict(examined.bases),
        tags=tags_of(source.revision.sha, pull_request),
    )


def terms_of(policy: ImagePolicy, enrolment: Enrolment, purpose: Purpose) -> BuildTerms:
    """Return how an image is built; for a preview, with the secrets alone that its enrolment names for it."""
    limits = enrolment.limits
    allowed = enrolment.preview.build_secrets if purpose is Purpose.PREVIEW else [ANY]
    return BuildTerms(
        dockerfile=policy.dockerfile,
        dependencies=policy.dependencies,
        platform=policy.platform,
        build_args=policy.build_args,
        secrets=[name for name in policy.secrets if permits(allowed, name)],
        network=policy.network,
        network_host=permits(limits.build_networks, "host"),
        base_images=limits.base_images,
        context_bytes=limits.context_bytes,
        image_bytes=limits.image_bytes,
    )


def withheld(policy: ImagePolicy, terms: BuildTerms) -> list[Finding]:
    """Return a notice for each secret that the policy names and this build is not given."""
    return [
        Finding(
            where="image.secrets",
            problem=f"The image of a preview is built without the secret {name}.",
            remedy="Nothing, if it builds; else have an administrator add it to `preview.build_secrets`.",
        )
        for name in policy.secrets
        if name not in terms.secrets
    ]


def tags_of(sha: str, pull_request: int) -> list[str]:
    """Return what people may call an image by: the revision's short SHA, and its pull request."""
    return [sha[:_SHORT], *([f"pr-{pull_request}"] if pull_request else [])]


def ingredients_of(
    files: Sequence[TreeEntry], policy: ImagePolicy, traits: Mapping[str, str]
) -> dict[str, str]:
    """Name everything that an image is made from: its files by their blobs, and what else decides it."""
    blobs = {_FILE + entry.path: entry.oid for entry in files}
    blobs |= {f"mode:{entry.path}": "executable" for entry in files if entry.kind is Kind.EXECUTABLE}
    listed = {"dependencies": " ".join(policy.dependencies), "platform": policy.platform}
    return dict(sorted({**blobs, **listed, **traits}.items()))


def fingerprint_of(ingredients: Mapping[str, str]) -> str:
    """Return `sha256:...` over the canonical JSON of `ingredients`."""
    return json_digest(dict(ingredients))


def blobs_of(ingredients: Mapping[str, str]) -> dict[str, str]:
    """Return the files among `ingredients`, as path and git blob."""
    return {name.removeprefix(_FILE): value for name, value in ingredients.items() if name.startswith(_FILE)}


def change_of(path: str, policy: Policy) -> Change:
    """Return what a change of `path` changes, under `policy`."""
    if path == policy.image.dockerfile or any(_is_in(path, one) for one in policy.image.dependencies):
        return Change.DEPENDENCIES
    if path == POLICY_FILE:
        return Change.POLICY
    return Change.CODE if _is_in(path, policy.package.source) else Change.NOTHING


def _is_in(path: str, place: str) -> bool:
    """Say whether `path` is the file `place`, or in the folder `place`."""
    return place in (".", path) or path.startswith(f"{place}/")


def overall(changed: Sequence[ChangedPath]) -> Change:
    """Return the one change that names them all: the dearest."""
    seen = Counter(path.change for path in changed)
    return next((change for change in reversed(Change) if seen[change]), Change.NOTHING)


def look(builder: ImageBuilder, fingerprint: str, repositories: Sequence[str]) -> list[Image | Absent]:
    """Ask for the image in one repository after the other, until it is found."""
    looked: list[Image | Absent] = []
    for repository in repositories:
        looked.append(builder.find(fingerprint, repository))
        if isinstance(looked[-1], Image):
            break
    return looked


def decide(looked: Sequence[Image | Absent]) -> Reuse | Build:
    """Take the first image that was found; else it has to be built, for the reasons of all."""
    for found in looked:
        if isinstance(found, Image):
            return Reuse(image=found, because=f"{found.reference} has this fingerprint")
    return Build(because="; ".join(found.because for found in looked if isinstance(found, Absent)))
