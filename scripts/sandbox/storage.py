"""The sandbox's object storage: a folder laid out as Flyte lays out its bucket.

Its files are known by two schemes. What only Flyte reads has `file://`. What tasks and clients hand on to
each other has `local://`, fsspec's other name for the local file system: flytekit takes `file://` for a
path of the caller's own and looks for a file of that very name (`flytekit/types/file/file.py`), while it
downloads from `local://` as from any bucket, so that no task gets hold of what another one wrote.

Metadata of an execution lies under `metadata/propeller/<project>-<domain>-<execution>/` (propeller's
`constructWorkflowMetadataPrefix`), what tasks offload under `data/<shard>/<attempt>/`.
"""

from __future__ import annotations

import os
import tempfile
from pathlib import Path
from typing import TypeVar

from google.protobuf.message import Message

from scripts.sandbox.ids import ExecutionKey, shard

INPUTS, OUTPUTS, ERROR, FUTURES, DECK = "inputs.pb", "outputs.pb", "error.pb", "futures.pb", "deck.html"
DATA_SCHEME = "local"
DATA_ENVIRONMENT = (("FSSPEC_LOCAL", '{"auto_mkdir": true}'),)
"""What a task needs in its environment to write under `data_uri`: fsspec shall make folders."""

M = TypeVar("M", bound=Message)


class NotStored(Exception):
    """Nothing is stored where something was expected; the message names the place."""


class Storage:
    """A folder of objects. Paths given here are relative to its root, with forward slashes."""

    def __init__(self, root: Path) -> None:
        self.root = root.resolve()
        self.root.mkdir(parents=True, exist_ok=True)

    def uri(self, path: str) -> str:
        """Return the URI of what Flyte itself reads and writes at `path`."""
        return f"file://{self.root}/{path}"

    def data_uri(self, path: str) -> str:
        """Return the URI of what tasks and clients hand on to each other at `path`."""
        return f"{DATA_SCHEME}://{self.root}/{path}"

    def path(self, uri: str) -> Path:
        """Return the file behind a URI, which like an object store's is not percent-encoded.

        Raises:
            NotStored: it is a URI of something else.
        """
        scheme, _, path = uri.partition("://")
        if scheme not in ("file", DATA_SCHEME):
            raise NotStored(f"{uri} is not in the sandbox's storage")
        return Path(path)

    def metadata(self, execution: ExecutionKey) -> str:
        """Return the folder of an execution's metadata."""
        return f"metadata/propeller/{execution.project}-{execution.domain}-{execution.name}"

    def raw_prefix(self, attempt_name: str, prefix: str = "") -> str:
        """Return the URI under which an attempt offloads its data, `prefix` being the execution's own."""
        return f"{prefix.rstrip('/') or self.data_uri('data')}/{shard(attempt_name)}/{attempt_name}"

    def read(self, path: str, kind: type[M]) -> M:
        """Read the message stored at `path`.

        Raises:
            NotStored: nothing is there.
        """
        try:
            return kind.FromString((self.root / path).read_bytes())
        except FileNotFoundError as error:
            raise NotStored(f"nothing is stored at {self.uri(path)}") from error

    def read_or_empty(self, path: str, kind: type[M]) -> M:
        """Read the message stored at `path`, or return an empty one where nothing is."""
        try:
            return self.read(path, kind)
        except NotStored:
            return kind()

    def read_uri(self, uri: str, kind: type[M]) -> M:
        """Read the message behind a URI, or return an empty one where nothing is."""
        try:
            return kind.FromString(self.path(uri).read_bytes())
        except (FileNotFoundError, NotStored):
            return kind()

    def write(self, path: str, message: Message) -> str:
        """Store a message at `path`, whole or not at all, and return its URI."""
        target = self.root / path
        target.parent.mkdir(parents=True, exist_ok=True)
        descriptor, temporary = tempfile.mkstemp(dir=target.parent, prefix=".")
        with os.fdopen(descriptor, "wb") as stream:
            stream.write(message.SerializeToString(deterministic=True))
        Path(temporary).chmod(0o644)
        Path(temporary).replace(target)
        return self.uri(path)

    def copy(self, source: str, target: str) -> bool:
        """Copy one object to another place; False where there is none to copy."""
        try:
            data = (self.root / source).read_bytes()
        except FileNotFoundError:
            return False
        place = self.root / target
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_bytes(data)
        return True

    def size(self, path: str) -> int | None:
        """Return the size of an object in bytes, None where there is none."""
        try:
            return (self.root / path).stat().st_size
        except FileNotFoundError:
            return None
