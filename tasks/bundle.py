"""Make the code bundle of a revision from its git tree: the same revision gives the same bytes, anywhere.

Nothing is checked out, so neither `.gitattributes` (export-ignore, export-subst, line endings) nor filters
such as git-lfs apply: the bundle holds what the tree holds.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from flytekit.types.file import FlyteFile
from pydantic import Field

from tasks._errors import FileMissing
from tasks._git import Kind, Repository, TreeEntry
from tasks._links import outside
from tasks._tar import LARGEST_FILE, Archive, TarGz
from tasks._types import Finding, Record
from tasks.source import Source

_SHOWN = 20
_LONGEST_LINK = 4096
_LFS_POINTER = b"version https://git-lfs.github.com/spec/"
_BAD_NAME = re.compile(r"(^|/)(\.{0,2}|\.git)(/|$)|[\x00-\x1f\x7f\ud800-\udfff]", re.IGNORECASE)


class CodeBundle(Record):
    """The code of a revision as one tar.gz: `digest` and `md5` (hexadecimal) are those of its bytes.

    `notes` are what somebody may miss in it: submodules, files that git-lfs keeps elsewhere.
    """

    file: FlyteFile
    digest: str
    md5: str
    size_bytes: int
    entries: int
    notes: list[Finding] = Field(default_factory=list)


@dataclass(frozen=True, kw_only=True)
class Contents:
    """What a bundle would hold. It can be made if there are no `problems`."""

    entries: tuple[TreeEntry, ...]
    problems: list[Finding]
    notes: list[Finding]


def examine(source: Source, *, at: str, under: str, limit: int) -> Contents:
    """Look at the folder `under` of commit `at`: what a bundle of it would hold, and what is wrong with it.

    Brings its files. `limit` is the most bytes that the files may hold together; 0 is no limit.
    """
    try:
        entries = source.entries(at=at, under=under)
    except FileMissing:
        missing = Finding(
            where="package.source",
            problem=f"the revision has no folder {under}",
            remedy="Name a folder of the repository in package.source.",
        )
        return Contents(entries=(), problems=[missing], notes=[])
    problems = name_problems(entries)
    if not problems:
        problems = _content_problems(source.repository, entries, limit)
    kept = tuple(entry for entry in entries if entry.kind is not Kind.SUBMODULE)
    return Contents(entries=kept, problems=bounded(problems), notes=bounded(submodule_notes(entries)))


def make_bundle(source: Source, contents: Contents, *, into: Path) -> CodeBundle:
    """Write the bundle of `contents`, which must have no problems, into the folder `into`."""
    archive, pointers = write_archive(source.repository, contents.entries, into / "code.tar.gz")
    notes = [
        Finding(
            where=path,
            problem="is a pointer of git-lfs, and the bundle holds the pointer",
            remedy="Keep the file in git itself, or fetch it where it is needed.",
        )
        for path in pointers
    ]
    return CodeBundle(
        file=FlyteFile(str(archive.path)),
        digest=archive.digest,
        md5=archive.md5,
        size_bytes=archive.size_bytes,
        entries=archive.members,
        notes=[*contents.notes, *bounded(notes)],
    )


def write_archive(
    repository: Repository, entries: Sequence[TreeEntry], path: Path
) -> tuple[Archive, list[str]]:
    """Write `entries` as a tar.gz, sorted by name; return it, and which of them are pointers of git-lfs."""
    ordered = sorted(entries, key=lambda entry: entry.path)
    pointers = []
    with TarGz(path) as tar:
        for entry, content in zip(
            ordered, repository.contents([entry.oid for entry in ordered]), strict=True
        ):
            if entry.kind is Kind.SYMLINK:
                tar.symlink(entry.path, content.decode())
                continue
            tar.file(entry.path, content, executable=entry.kind is Kind.EXECUTABLE)
            if content.startswith(_LFS_POINTER):
                pointers.append(entry.path)
    return tar.archive(), pointers


def name_problems(entries: Sequence[TreeEntry]) -> list[Finding]:
    """Find names that would leave the folder they are unpacked in, or that two entries share."""
    problems = [
        Finding(
            where=_shown(entry.path),
            problem="is a name that cannot be unpacked safely",
            remedy="Rename it: no empty part, no `.`, `..` or `.git`, no control characters, UTF-8.",
        )
        for entry in entries
        if _BAD_NAME.search(entry.path)
    ]
    seen: set[str] = set()
    leaves = {entry.path for entry in entries}
    for entry in entries:
        if entry.path in seen or any(folder in leaves for folder in _folders(entry.path)):
            problems.append(
                Finding(
                    where=_shown(entry.path),
                    problem="is in the tree twice, or lies below something that is no folder",
                    remedy="Write the tree again with git itself.",
                )
            )
        seen.add(entry.path)
    return problems


def link_problems(targets: Mapping[str, str]) -> list[Finding]:
    """Find symbolic links that lead out of the tree; `targets` maps each link's path to what it says."""
    return [
        Finding(
            where=_shown(path),
            problem=f"is a symbolic link to {_shown(target)}, which is outside of the bundle",
            remedy="Replace the link by what it leads to, or leave it out of package.source.",
        )
        for path, target in targets.items()
        if outside(path, targets)
    ]


def submodule_notes(entries: Sequence[TreeEntry]) -> list[Finding]:
    """Say which submodules the bundle leaves out."""
    return [
        Finding(
            where=entry.path,
            problem=f"is a submodule (at {entry.oid}), and the bundle does not hold it",
            remedy="Put the code into the repository, or install it through the image's dependencies.",
        )
        for entry in entries
        if entry.kind is Kind.SUBMODULE
    ]


def bounded(findings: list[Finding]) -> list[Finding]:
    """Return the first of `findings`, and how many more there are."""
    more = len(findings) - _SHOWN
    if more <= 0:
        return findings
    rest = Finding(where="and more", problem=f"{more} more like these", remedy=findings[-1].remedy)
    return [*findings[:_SHOWN], rest]


def _content_problems(repository: Repository, entries: Sequence[TreeEntry], limit: int) -> list[Finding]:
    held = [entry for entry in entries if entry.kind is not Kind.SUBMODULE]
    repository.bring([entry.oid for entry in held])
    sizes = repository.sizes([entry.oid for entry in held])
    total = sum(sizes)
    if total > (limit or LARGEST_FILE):
        largest = max(zip(sizes, held, strict=True), key=lambda pair: pair[0])
        return [
            Finding(
                where=_shown(largest[1].path),
                problem=f"with {largest[0]} bytes is the largest file of a bundle of {total} bytes; "
                f"{limit or LARGEST_FILE} are allowed",
                remedy="Keep data out of package.source, or raise TAXIWAY_MAX_BUNDLE_BYTES.",
            )
        ]
    links = [entry for entry, size in zip(held, sizes, strict=True) if entry.kind is Kind.SYMLINK]
    texts = repository.contents([entry.oid for entry in links])
    targets = {
        link.path: text[:_LONGEST_LINK].decode("utf-8", "surrogateescape")
        for link, text in zip(links, texts, strict=True)
    }
    return link_problems(targets)


def _folders(path: str) -> list[str]:
    parts = path.split("/")
    return ["/".join(parts[:count]) for count in range(1, len(parts))]


def _shown(text: str) -> str:
    return text[:200].encode("unicode_escape", "backslashreplace").decode("ascii", "replace")
