"""Fetch exactly one revision of a target repository, as git objects: nothing is checked out or run.

As little as the server allows is brought: one commit, its trees, and blobs when they are read; then as
much history as it takes to see where the revision left the protected branch.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from tasks._errors import (
    FileMissing,
    RepositoryTooLarge,
    UnknownBranch,
    UnknownRevision,
)
from tasks._folder import folder_bytes
from tasks._git import FETCH, Repository, TreeEntry, git_environment
from tasks._git_credentials import Credentials, grant
from tasks._git_fetch import PROTECTED, REVISION, first_fetch
from tasks._git_url import checked_url
from tasks._network import network_environment
from tasks._settings import Settings
from tasks._types import Record, Revision, full_sha

log = logging.getLogger(__name__)

_NO_BRANCH = re.compile(r"^[-/]|[/.]$|\.\.|//|@\{|(^|/)\.|\.lock(/|$)|[\s~^:?*\[\\\x00-\x20\x7f]")
# How many more commits of history each further request brings. Twelve thousand in all is years of work
# on a branch; a pull request that is older than that is compared with nothing.
_DEEPEN = (50, 450, 1500, 10_000)


class Base(Record):
    """The commit to compare a revision with; `sha` is empty where none was found, and `because` says why."""

    sha: str
    because: str

    @property
    def found(self) -> bool:
        """Whether there is something to compare with."""
        return bool(self.sha)


class Commit(Record):
    """Who made a revision, when, and its first line: as its author wrote it, and not to be trusted."""

    sha: str
    author: str
    authored_at: str
    subject: str
    addresses: list[str] = []
    """The e-mail addresses of author and committer."""


@dataclass(frozen=True, kw_only=True)
class Source:
    """A fetched revision, the protected branch's tip, and where they parted. Of this machine alone."""

    repository: Repository
    revision: Revision
    commit: Commit
    protected: str
    base: Base

    def entries(self, *, at: str, under: str = ".") -> list[TreeEntry]:
        """List the tree of commit `at`, or of its folder `under`, by paths from there.

        Raises:
            FileMissing: there is no such folder.
        """
        return self.repository.entries(at if under == "." else f"{at}:{under}")

    def read(self, path: str, *, at: str, limit: int = 1024**2) -> bytes:
        """Return the bytes of the file `path` in commit `at`: of a file, never through a link.

        Raises:
            FileMissing: there is no such file, or it is larger than `limit` bytes.
        """
        found = [entry for entry in self.repository.find(at, path) if entry.is_file]
        if not found:
            raise FileMissing(f"{path} is no file of commit {at}.", remedy=f"Add {path} to the repository.")
        size = self.repository.sizes([found[0].oid])[0]
        if size > limit:
            raise FileMissing(
                f"{path} of commit {at} holds {size} bytes, more than {limit}.",
                remedy=f"Make {path} smaller.",
            )
        return next(self.repository.contents([found[0].oid]))

    @property
    def on_branch(self) -> bool:
        """Whether the protected branch leads to the revision, as far as history was brought."""
        return self.repository.merge_base(self.revision.sha, self.protected) == self.revision.sha

    def tags(self) -> list[str]:
        """Return the names of the server's tags that are the revision, sorted; asks the server."""
        listed = self.repository.git("ls-remote", "--tags", "origin").stdout
        names = {
            name.removeprefix("refs/tags/").removesuffix("^{}")
            for oid, _, name in (line.partition("\t") for line in listed.splitlines())
            if oid == self.revision.sha
        }
        return sorted(names)

    def changed_paths(self) -> list[str]:
        """Return every path that differs between the base, which must be found, and the revision."""
        return self.repository.changed_paths(self.base.sha, self.revision.sha)


def fetch(
    revision: Revision,
    *,
    base_branch: str,
    into: Path,
    settings: Settings,
    credentials: Credentials,
    environ: Mapping[str, str],
) -> Source:
    """Fetch `revision` and the tip of `base_branch` into a new repository below the folder `into`.

    `environ` gives PATH, certificates and proxies; git sees nothing else of it.

    Raises:
        CredentialsInUrl, UrlRefused: the repository's URL is not taken.
        UnknownRevision, UnknownBranch: it has no such commit or branch.
        RepositoryDenied: it does not exist or may not be read.
        RepositoryTooLarge: it would bring more than `settings.max_repository_bytes`.
        SourceUnavailable, CommandTimedOut: the server cannot be reached, or is too slow.
        RepositoryCorrupt: what came fails git's checks.
    """
    url = checked_url(revision.repository, allow_file=settings.allow_file_urls)
    branch = checked_branch(base_branch)
    repository = first_fetch(
        _empty_repository(url, into, settings, credentials, environ), revision.sha, branch
    )
    if repository.commit_of(REVISION) != revision.sha:
        raise UnknownRevision(
            f"{url} has no commit {revision.sha}.",
            remedy="Push it to this repository, or give the full SHA of a commit (not of a tag or a tree).",
        )
    protected = repository.commit_of(PROTECTED)
    base = _find_base(repository, revision.sha, protected, branch)
    log.info("fetched %s of %s, compared with %s", revision.sha, url, base.sha or "nothing")
    return Source(
        repository=repository,
        revision=revision,
        commit=_commit(repository, revision.sha),
        protected=protected,
        base=base,
    )


def checked_sha(text: str) -> str:
    """Return `text` if it is a full commit SHA.

    Raises:
        UnknownRevision: it is a branch, an abbreviation or an option.
    """
    try:
        return full_sha(text)
    except ValueError as error:
        raise UnknownRevision(
            f"{error}.", remedy="Give the commit's full SHA, such as `git rev-parse HEAD` prints."
        ) from error


def checked_branch(name: str) -> str:
    """Return `name` if git could have a branch of it.

    Raises:
        UnknownBranch: it begins with a dash, or holds what no branch's name can hold.
    """
    if not name or _NO_BRANCH.search(name):
        raise UnknownBranch(f"{name!r} cannot be the name of a branch.", remedy="Give a name such as main.")
    return name


def _empty_repository(
    url: str, into: Path, settings: Settings, credentials: Credentials, environ: Mapping[str, str]
) -> Repository:
    home = into / "home"
    home.mkdir(parents=True)
    access = grant(url, credentials, folder=into / "credentials")
    env = git_environment(environ, home=home, allow_file=settings.allow_file_urls)
    path = into / "repository.git"
    return Repository(
        path=path,
        url=url,
        env={**env, **network_environment(environ), **access.env},
        timeout_s=settings.fetch_timeout_s,
        config=access.config,
        secrets=access.secrets,
        watch=size_watch(path, settings.max_repository_bytes),
    )


def size_watch(folder: Path, limit: int) -> Callable[[], None]:
    """Return what raises RepositoryTooLarge once `folder` holds more than `limit` bytes; 0 is no limit."""

    def check() -> None:
        held = folder_bytes(folder)
        if limit and held > limit:
            raise RepositoryTooLarge(
                f"The repository brought {held} bytes; {limit} are allowed.",
                remedy="Make the repository smaller, or raise TAXIWAY_MAX_REPOSITORY_BYTES.",
            )

    return check


def _find_base(repository: Repository, sha: str, protected: str, branch: str) -> Base:
    """Bring history until a common ancestor shows, or there is no more, or it is enough."""
    for more in (0, *_DEEPEN):
        if more:
            _deepen(repository, more, sha, branch)
        found = repository.merge_base(sha, protected)
        if found == sha:
            return _parent(repository, sha, branch)
        if found:
            return Base(sha=found, because=f"the revision left {branch} there")
        if not repository.shallow:
            return Base(sha="", because=f"the revision and {branch} have no commit in common")
    return Base(
        sha="", because=f"the last {sum(_DEEPEN)} commits of either have none in common with {branch}"
    )


def _parent(repository: Repository, sha: str, branch: str) -> Base:
    """Compare a revision that is on the branch already with the commit before it."""
    # The object names its parents even where shallow history hides them.
    head = next(repository.contents([sha])).decode("utf-8", "replace").partition("\n\n")[0]
    parents = re.findall(r"^parent ([0-9a-f]+)$", head, re.MULTILINE)
    if not parents:
        return Base(sha="", because="the revision is the first commit of its history")
    if repository.shallow:
        _deepen(repository, 1, sha, branch)
    return Base(sha=parents[0], because=f"the revision is on {branch} already; this is the commit before it")


def _deepen(repository: Repository, more: int, sha: str, branch: str) -> None:
    filters = ("--filter=blob:none",) if repository.on_demand else ()
    repository.git(*FETCH, f"--deepen={more}", *filters, "origin", f"refs/heads/{branch}", sha)
    if repository.watch is not None:
        repository.watch()


def _commit(repository: Repository, sha: str) -> Commit:
    """Read who, when and what of a commit; bounded, for it is shown in reports."""
    shown = "--format=%an%x00%aI%x00%s%x00%ae%x00%ce"
    done = repository.git("show", "-s", "--no-notes", "--no-show-signature", shown, sha)
    author, when, subject, *addresses = done.stdout.rstrip("\n").split("\0")
    return Commit(
        sha=sha,
        author=author[:200],
        authored_at=when,
        subject=subject[:200],
        addresses=sorted({address[:200] for address in addresses if address}),
    )
