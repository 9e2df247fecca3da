"""Which of two commits came first, in a repository of which only a part may have been fetched."""

from __future__ import annotations

import enum

from tasks._errors import CommandFailed
from tasks._git import FETCH, Repository
from tasks._git_refusals import Refusal, error_of, refusal_of

_DEEPEN = (50, 450, 1500, 10_000)
"""How many more commits of history each further request brings."""
_GONE = frozenset({Refusal.NO_REVISION, Refusal.UNADVERTISED})


class Ancestry(enum.Enum):
    """How a commit stands to another one."""

    SAME = enum.auto()
    ANCESTOR = enum.auto()
    """The other one was made on top of it."""
    DESCENDANT = enum.auto()
    """It was made on top of the other one."""
    APART = enum.auto()
    """Neither is in the other one's history."""
    UNKNOWN = enum.auto()
    """The other one is not in the repository any more, or lies too far back."""


def ancestry(repository: Repository, sha: str, other: str) -> Ancestry:
    """Say how `sha`, which was fetched, stands to `other`.

    It brings as much history as it takes, up to 12,000 commits.

    Raises:
        SourceUnavailable, RepositoryDenied: the server cannot be asked.
    """
    if sha == other:
        return Ancestry.SAME
    if not _bring(repository, other):
        return Ancestry.UNKNOWN
    for more in (0, *_DEEPEN):
        if more:
            _fetch(repository, f"--deepen={more}", "origin", other, sha)
        base = repository.merge_base(sha, other)
        if base == sha:
            return Ancestry.ANCESTOR
        if base == other:
            return Ancestry.DESCENDANT
        if not repository.shallow:
            return Ancestry.APART
    return Ancestry.UNKNOWN


def _bring(repository: Repository, sha: str) -> bool:
    """Fetch a commit unless it is there; return whether there is such a commit."""
    if repository.commit_of(sha) == sha:
        return True
    if not repository.shallow:
        return False
    try:
        _fetch(repository, "--depth=1", "origin", sha)
    except CommandFailed as failed:
        if refusal_of(failed.stderr) in _GONE:
            return False
        raise error_of(failed, thing=f"{sha} of {repository.url}") from failed
    return True


def _fetch(repository: Repository, depth: str, *words: str) -> None:
    filters = ("--filter=blob:none",) if repository.on_demand else ()
    repository.run(*FETCH, depth, *filters, *words)
    if repository.watch is not None:
        repository.watch()
