"""One bare repository, read with git and never run: no work tree, hooks, filters or configuration of others.

Every call may reach out to the server, for a partial clone brings objects when they are asked for; so
every call has the network's limits and credentials.
"""

from __future__ import annotations

import enum
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import IO

from tasks import _run
from tasks._errors import CommandFailed, FileMissing
from tasks._git_refusals import error_of

# What git would otherwise take from configuration, or start by itself.
_SAFE = (
    "core.hooksPath=/dev/null",
    "core.fsmonitor=false",
    "core.askPass=/bin/false",
    "credential.interactive=false",
    "submodule.recurse=false",
    "fetch.recurseSubmodules=false",
    "fetch.unpackLimit=1",
    "fetch.writeCommitGraph=false",
    "gc.auto=0",
    "maintenance.auto=false",
    "protocol.version=2",
    "transfer.fsckObjects=true",
    # Harmless, and found in the history of well-known projects.
    "fetch.fsck.badTimezone=ignore",
    "fetch.fsck.missingSpaceBeforeDate=ignore",
    "fetch.fsck.zeroPaddedFilemode=ignore",
    "http.lowSpeedLimit=1000",
    "http.lowSpeedTime=60",
)
# Objects unpacked at a time: enough to make up for starting git, few enough not to wait for.
_BATCH = 2500


class Kind(str, enum.Enum):
    """What a tree entry is; the value is git's mode."""

    FILE = "100644"
    EXECUTABLE = "100755"
    SYMLINK = "120000"
    SUBMODULE = "160000"


@dataclass(frozen=True, kw_only=True)
class TreeEntry:
    """One file, link or submodule of a tree, by its path from the tree's root."""

    path: str
    kind: Kind
    oid: str

    @property
    def is_file(self) -> bool:
        """Whether it is an ordinary file, executable or not."""
        return self.kind in (Kind.FILE, Kind.EXECUTABLE)


def git_environment(environ: Mapping[str, str], *, home: Path, allow_file: bool) -> dict[str, str]:
    """Return the whole environment of git: no user, no system configuration, no prompt, three transports.

    `environ` gives PATH alone; `home` is an empty folder.
    """
    return {
        "PATH": environ.get("PATH", "/usr/local/bin:/usr/bin:/bin"),
        "HOME": str(home),
        "XDG_CONFIG_HOME": str(home),
        "LC_ALL": "C",
        "GIT_CONFIG_NOSYSTEM": "1",
        "GIT_CONFIG_GLOBAL": "/dev/null",
        "GIT_ATTR_NOSYSTEM": "1",
        "GIT_TERMINAL_PROMPT": "0",
        "GIT_PROTOCOL_FROM_USER": "0",
        "GIT_ALLOW_PROTOCOL": "https:ssh:file" if allow_file else "https:ssh",
        "GIT_LITERAL_PATHSPECS": "1",
        "GIT_NO_REPLACE_OBJECTS": "1",
        "GIT_OPTIONAL_LOCKS": "0",
    }


@dataclass(frozen=True, kw_only=True)
class Repository:
    """A bare repository in the folder `path`, a part of the one at `url`.

    `on_demand` says that blobs that are not here are fetched when they are read.
    """

    path: Path
    url: str
    env: Mapping[str, str] = field(repr=False)
    timeout_s: float
    config: tuple[str, ...] = ()
    secrets: tuple[str, ...] = field(default=(), repr=False)
    watch: Callable[[], None] | None = field(default=None, repr=False)
    on_demand: bool = False
    _brought: set[str] = field(default_factory=set, repr=False, compare=False)

    def git(
        self,
        *words: str,
        stdin: bytes = b"",
        stdout: IO[bytes] | None = None,
        expect: Sequence[int] = (0,),
    ) -> _run.Done:
        """Run one git command as `run` does; where it fails, raise what `error_of` makes of it."""
        try:
            return self.run(*words, stdin=stdin, stdout=stdout, expect=expect)
        except CommandFailed as failed:
            raise error_of(failed, thing=self.url) from failed

    def run(
        self,
        *words: str,
        stdin: bytes = b"",
        stdout: IO[bytes] | None = None,
        expect: Sequence[int] = (0,),
    ) -> _run.Done:
        """Run one git command on this repository and return what it printed.

        Raises:
            CommandFailed: its exit code is none of `expect`.
            CommandTimedOut: it took longer than the repository's limit.
        """
        settings = (*_SAFE, f"remote.origin.url={self.url}", *self.config)
        options = [part for setting in settings for part in ("-c", setting)]
        return _run.run(
            ["git", *options, *words],
            timeout_s=self.timeout_s,
            env={**self.env, "GIT_DIR": str(self.path)},
            stdin=stdin,
            stdout=stdout,
            secrets=self.secrets,
            expect=expect,
            watch=self.watch,
        )

    def commit_of(self, name: str) -> str:
        """Return the full name of the commit that `name` leads to; empty where there is none."""
        done = self.git(
            "rev-parse", "--verify", "--quiet", "--end-of-options", name + "^{commit}", expect=(0, 1)
        )
        return done.stdout.strip()

    def entries(self, tree: str) -> list[TreeEntry]:
        """List everything in `tree` (a commit, or COMMIT:FOLDER), in git's order.

        Raises:
            FileMissing: there is no such folder.
        """
        with tempfile.TemporaryFile() as out:
            done = self.git(
                "ls-tree", "-r", "-z", "--full-tree", "--end-of-options", tree, stdout=out, expect=(0, 128)
            )
            if done.code != 0:
                raise FileMissing(
                    f"{tree} is no folder of the repository.", remedy="Name a folder that the commit has."
                )
            out.seek(0)
            return parse_tree(out.read())

    def find(self, tree: str, path: str) -> list[TreeEntry]:
        """List what `tree` has at exactly `path`: one entry, or none."""
        done = self.git("ls-tree", "-z", "--full-tree", "--end-of-options", tree, path)
        return [entry for entry in parse_tree(done.stdout.encode()) if entry.path == path]

    def contents(self, oids: Sequence[str]) -> Iterator[bytes]:
        """Yield the bytes of each object, in the order given; git unpacks some while others are looked at.

        Raises:
            FileMissing: one of them is not in the repository.
        """
        batches = [oids[start : start + _BATCH] for start in range(0, len(oids), _BATCH)]
        with tempfile.TemporaryDirectory() as scratch, ThreadPoolExecutor(max_workers=2) as ahead:
            files = [Path(scratch) / str(number) for number in range(len(batches))]
            # One batch has nothing to be unpacked beside.
            unpacking = (ahead.map if len(batches) > 1 else map)(self._unpack, batches, files)
            for batch, file in zip(batches, unpacking, strict=True):
                with file.open("rb") as unpacked:
                    yield from _objects(unpacked, batch)
                file.unlink()

    def _unpack(self, oids: Sequence[str], file: Path) -> Path:
        """Have git write objects to `file`."""
        asked = "".join(f"{oid}\n" for oid in oids).encode()
        with file.open("wb") as out:
            self.git("cat-file", "--batch", "--buffer", stdin=asked, stdout=out)
        return file

    def sizes(self, oids: Sequence[str]) -> list[int]:
        """Return the size in bytes of each object, in the order given.

        Raises:
            FileMissing: one of them is not in the repository.
        """
        asked = "".join(f"{oid}\n" for oid in oids).encode()
        answered = self.git("cat-file", "--batch-check=%(objectsize)", "--buffer", stdin=asked).stdout.split(
            "\n"
        )
        try:
            return [int(line) for line in answered[: len(oids)]]
        except ValueError as error:
            raise FileMissing(
                "The repository lacks an object of its tree.", remedy="Fetch it again."
            ) from error

    def bring(self, oids: Sequence[str]) -> None:
        """Fetch many blobs in one request, where reading each would be a request of its own."""
        try:
            self.ask_for(oids)
        except CommandFailed as failed:
            raise error_of(failed, thing=self.url) from failed

    def ask_for(self, oids: Sequence[str]) -> None:
        """Fetch blobs in one request, those that it has fetched before left out; none where none is needed.

        Raises:
            CommandFailed: the server does not give them.
        """
        missing = sorted(set(oids) - self._brought)
        if self.on_demand and missing:
            asked = "".join(f"{oid}\n" for oid in missing).encode()
            # Told which commits are here, the server would take their blobs to be here, too.
            frank = replace(self, config=(*self.config, "fetch.negotiationAlgorithm=noop"))
            frank.run(*FETCH, "--filter=blob:none", "--stdin", "origin", stdin=asked)
            self._brought.update(missing)

    def merge_base(self, one: str, other: str) -> str:
        """Return the best common ancestor that is in the repository; empty where there is none."""
        return self.git("merge-base", one, other, expect=(0, 1)).stdout.strip()

    def changed_paths(self, one: str, other: str) -> list[str]:
        """Return the paths that differ between two commits, in git's order; a renamed file is two of them."""
        with tempfile.TemporaryFile() as out:
            self.git("diff-tree", "-r", "-z", "--name-only", "--no-renames", one, other, stdout=out)
            out.seek(0)
            return [path.decode("utf-8", "backslashreplace") for path in out.read().split(b"\0")[:-1]]

    @property
    def shallow(self) -> bool:
        """Whether history was cut off somewhere."""
        return (self.path / "shallow").exists()


# Trees have many files, and to look one up is cheaper than to call the class.
_KINDS = {kind.value: kind for kind in Kind}
FETCH = ("fetch", "--no-tags", "--no-write-fetch-head", "--no-auto-maintenance", "--no-recurse-submodules")


def _objects(unpacked: IO[bytes], oids: Sequence[str]) -> Iterator[bytes]:
    for oid in oids:
        words = unpacked.readline().split()
        if len(words) != 3:
            raise FileMissing(f"The repository has no object {oid}.", remedy="Fetch it again.")
        yield unpacked.read(int(words[2]) + 1)[:-1]


def parse_tree(listing: bytes) -> list[TreeEntry]:
    """Read what `ls-tree -z` printed, but for folders; bytes of names that are no UTF-8 become surrogates."""
    entries = []
    for line in listing.split(b"\0")[:-1]:
        head, _, path = line.partition(b"\t")
        mode, kind, oid = head.decode("ascii").split(" ")
        if kind == "tree":
            continue
        entries.append(TreeEntry(path=path.decode("utf-8", "surrogateescape"), kind=_kind(mode), oid=oid))
    return entries


def _kind(mode: str) -> Kind:
    known = _KINDS.get(mode)
    if known is not None:
        return known
    # Group-writable files of old repositories (100664); git itself reads them by the owner's bits.
    return Kind.EXECUTABLE if int(mode, 8) & 0o100 else Kind.FILE
