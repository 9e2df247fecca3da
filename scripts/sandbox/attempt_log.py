"""The log of one attempt: bounded on disk, and its last lines kept for messages."""

from __future__ import annotations

import logging
from pathlib import Path
from types import TracebackType

log = logging.getLogger(__name__)

MAX_BYTES = 64 * 1024 * 1024
# The kubelet's limits for the message of a container that ended (FallbackToLogsOnError).
_TAIL_BYTES, _TAIL_LINES = 2048, 80


class AttemptLog:
    """A file that gets what a process prints as it comes, up to `max_bytes`; then only the end is kept.

    A disk that is full ends the writing, not the process that prints.
    """

    def __init__(self, path: Path, *, max_bytes: int = MAX_BYTES) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        self._file = path.open("wb", buffering=0)
        self._left = self._max = max_bytes
        self._dropped = 0
        self._tail = b""

    def __enter__(self) -> AttemptLog:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def write(self, data: bytes) -> None:
        """Take what the process printed."""
        self._tail = (self._tail + data)[-_TAIL_BYTES:]
        kept = data[: self._left]
        self._left -= len(kept)
        self._dropped += len(data) - len(kept)
        self._store(kept)

    def remark(self, text: str) -> None:
        """Add a line of the sandbox's own; it is no part of what the process printed."""
        self._store(f"[sandbox] {text}\n".encode())

    def tail(self) -> str:
        """Return the last lines that the process printed: at most 2048 bytes and 80 lines."""
        lines = self._tail.decode(errors="replace").splitlines(keepends=True)
        return "".join(lines[-_TAIL_LINES:])

    def close(self) -> None:
        """Say what was left out, and close the file."""
        if self._dropped:
            self._store(b"\n")
            self.remark(
                f"a log is kept up to {self._max} bytes; {self._dropped} more were left out. It ended with:"
            )
            self._store(self._tail)
        self._file.close()

    def _store(self, data: bytes) -> None:
        if not data:
            return
        try:
            self._file.write(data)
        except OSError as error:
            log.warning("cannot write the log %s: %s", self._file.name, error)
            self._left = 0
