"""What a Dockerfile may do: take what the policy lists, start from allowed images, ask for no privilege."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass

from tasks._dockerfile import BaseUse, ContextUse, Dockerfile
from tasks._enrolment import ANY
from tasks._errors import ReferenceInvalid
from tasks._permits import permits_image
from tasks._references import parse_reference
from tasks._types import Finding

_SHOWN = 3
_KEY = "image.dependencies"


@dataclass(frozen=True, kw_only=True)
class Rules:
    """What one Dockerfile, called `name`, is held against.

    `listed` are the files that the context has, `tree` all paths of the revision. `secrets` are the ids that
    the build is given.
    """

    name: str
    listed: AbstractSet[str]
    tree: AbstractSet[str]
    base_images: Sequence[str] = (ANY,)
    secrets: AbstractSet[str] = frozenset()
    network_host: bool = False


def findings_of(dockerfile: Dockerfile, rules: Rules) -> list[Finding]:
    """Return everything in a Dockerfile that would fail or is not allowed, in the order of its lines."""
    found = [
        *((flaw.line, flaw.problem, "Correct it, or write it more plainly.") for flaw in dockerfile.flaws),
        *_frontend(dockerfile),
        *(one for base in dockerfile.bases for one in _base(base, rules)),
        *(one for use in dockerfile.takes for one in _taking(use, rules)),
        *(one for use in dockerfile.urls for one in _url(use)),
        *_privileges(dockerfile, rules),
    ]
    return [
        Finding(where=f"{rules.name}:{line}", problem=f"{problem}.", remedy=remedy)
        for line, problem, remedy in sorted(found, key=lambda one: one[0])
    ]


def matching(source: str, paths: AbstractSet[str]) -> list[str]:
    """Return the `paths` that a source of COPY takes: a file, all of a folder, or what wildcards match."""
    if source == ".":
        return sorted(paths)
    pattern = re.compile("/".join(map(_as_regex, source.split("/"))) + r"(?:/.*)?", re.DOTALL)
    return sorted(path for path in paths if pattern.fullmatch(path))


def has_wildcards(source: str) -> bool:
    """Say whether a source of COPY may match nothing and be right."""
    return any(char in source for char in "*?[")


_Found = tuple[int, str, str]


def _frontend(dockerfile: Dockerfile) -> Iterator[_Found]:
    if named := dockerfile.directives.get("syntax"):
        yield (
            1,
            f"`# syntax={named}` has the engine fetch and run another image to read this file",
            "Remove the line; the engine's own BuildKit reads the file.",
        )


def _base(base: BaseUse, rules: Rules) -> Iterator[_Found]:
    try:
        repository = str(parse_reference(base.image).repository)
    except ReferenceInvalid as error:
        yield base.line, f"the base is no image: {error.problem.rstrip('.')}", error.remedy
        return
    if not permits_image(rules.base_images, repository):
        allowed = ", ".join(rules.base_images) or "none"
        yield (
            base.line,
            f"{repository} is not among the base images that this target's enrolment allows ({allowed})",
            "Start from one of them, or have an administrator add it to `limits.base_images`.",
        )


def _taking(use: ContextUse, rules: Rules) -> Iterator[_Found]:
    for source in use.sources:
        taken = matching(source, rules.tree)
        unlisted = [path for path in taken if path not in rules.listed]
        if not taken and not has_wildcards(source):
            yield (
                use.line,
                f"{use.word} takes {source}, which the revision does not have",
                f"Correct the path, or add the file to the repository and to `{_KEY}`.",
            )
        elif unlisted:
            shown = ", ".join(unlisted[:_SHOWN])
            more = f" and {len(unlisted) - _SHOWN} more" if len(unlisted) > _SHOWN else ""
            yield (
                use.line,
                f"{use.word} takes {shown}{more}, which `{_KEY}` does not list",
                f"Add what the image is made from to `{_KEY}`; code is not, for it comes as a bundle.",
            )


def _url(use: ContextUse) -> Iterator[_Found]:
    yield (
        use.line,
        f"ADD fetches {', '.join(use.sources)}, which can be another file at every build",
        f"Keep the file in the repository and list it in `{_KEY}`, or fetch and check it in a RUN.",
    )


def _privileges(dockerfile: Dockerfile, rules: Rules) -> Iterator[_Found]:
    for one in dockerfile.instructions:
        if one.word != "RUN":
            continue
        if one.flag("security") not in ("", "sandbox"):
            yield one.line, "RUN asks for privileges of the engine's machine", "Do without `--security`."
        if one.flag("network") == "host" and not rules.network_host:
            yield (
                one.line,
                "RUN asks for the network of the engine's machine",
                "Do without it, or have an administrator add `host` to `limits.build_networks`.",
            )
        for mount in one.mounts:
            required = mount.get("required", "absent") not in ("absent", "false", "0")
            name = mount.get("id") or mount.get("target", "").rpartition("/")[2]
            if mount.get("type") == "secret" and required and name not in rules.secrets:
                yield (
                    one.line,
                    f"RUN requires the secret {name}, which this build is not given",
                    "List it in `image.secrets`; for previews, the enrolment has to name it, too.",
                )


def _as_regex(part: str) -> str:
    """Return a part of a path with Go's wildcards as a regular expression."""
    translated, index = "", 0
    while index < len(part):
        char = part[index]
        closing = part.find("]", index + 2) if char == "[" else -1
        if char == "*":
            translated += "[^/]*"
        elif char == "?":
            translated += "[^/]"
        elif closing > 0:
            inside = part[index + 1 : closing].replace("\\", "\\\\")
            translated += f"[{inside}]"
            index = closing
        else:
            translated += re.escape(char)
        index += 1
    return translated
