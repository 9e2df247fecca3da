"""Ask a server for one commit: as little as it gives, in as many ways as servers differ."""

from __future__ import annotations

import logging
import shutil
from dataclasses import dataclass, replace

from tasks._errors import CommandFailed, UnknownRevision
from tasks._git import FETCH, Repository, parse_tree
from tasks._git_refusals import Refusal, error_of, refusal_of

log = logging.getLogger(__name__)

REVISION, PROTECTED = "refs/taxiway/revision", "refs/taxiway/protected"
_EVERYTHING = (
    "+refs/heads/*:refs/taxiway/heads/*",
    "+refs/pull/*/head:refs/taxiway/pull/*",
    "+refs/merge-requests/*/head:refs/taxiway/merge-requests/*",
)


@dataclass(frozen=True, kw_only=True)
class Request:
    """One way of asking a server for a revision: how much, and on which refusal the next way is taken."""

    depth: tuple[str, ...]
    on_demand: bool
    everything: bool
    next_after: frozenset[Refusal]


# A server of git's first protocol gives a commit only if a branch points at it: then all is fetched.
REQUESTS = (
    Request(
        depth=("--depth=1",),
        on_demand=True,
        everything=False,
        next_after=frozenset({Refusal.NO_FILTER, Refusal.UNADVERTISED, Refusal.NOT_SHALLOW}),
    ),
    Request(
        depth=("--depth=1",),
        on_demand=False,
        everything=False,
        next_after=frozenset({Refusal.UNADVERTISED, Refusal.NOT_SHALLOW}),
    ),
    Request(depth=(), on_demand=False, everything=True, next_after=frozenset()),
)


def first_fetch(repository: Repository, sha: str, branch: str) -> Repository:
    """Ask in each way of `REQUESTS` until one is answered; return the repository as that way left it."""
    for request in REQUESTS:
        try:
            return _ask(repository, request, sha, branch)
        except CommandFailed as failed:
            if refusal_of(failed.stderr) not in request.next_after:
                raise error_of(
                    failed, thing=f"{sha} with the branch {branch} of {repository.url}"
                ) from failed
            log.info(
                "%s gives no part of itself (%s): asking for more",
                repository.url,
                refusal_of(failed.stderr).name,
            )
    raise UnknownRevision(
        f"{repository.url} gives no commit {sha}.", remedy="Give the SHA of another commit."
    )


def _ask(repository: Repository, request: Request, sha: str, branch: str) -> Repository:
    shutil.rmtree(repository.path, ignore_errors=True)
    kind = "sha256" if len(sha) == 64 else "sha1"
    repository.run(
        "init", "--quiet", "--bare", "--template=", f"--object-format={kind}", str(repository.path)
    )
    filters = ("--filter=blob:none",) if request.on_demand else ()
    wanted = _EVERYTHING if request.everything else (f"+{sha}:{REVISION}",)
    done = repository.run(
        *FETCH, *request.depth, *filters, "origin", f"+refs/heads/{branch}:{PROTECTED}", *wanted
    )
    if request.everything and repository.commit_of(sha) == sha:
        repository.run("update-ref", REVISION, sha)
    if repository.watch is not None:
        repository.watch()
    if not request.on_demand or "filtering not recognized" in done.stderr:
        return repository
    partial = replace(repository, on_demand=True)
    _try_on_demand(partial)
    return partial


def _try_on_demand(repository: Repository) -> None:
    """Bring one file, for some servers leave blobs out and then refuse to give them one by one."""
    listing = repository.run("ls-tree", "-z", "--full-tree", REVISION).stdout
    files = [entry for entry in parse_tree(listing.encode()) if entry.is_file]
    repository.ask_for([entry.oid for entry in files[:1]])
