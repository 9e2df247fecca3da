"""Write a tar.gz whose bytes depend on its members alone: not on the machine, Python or zlib.

Members are written in the order given, owned by nobody in particular, at time 0. The gzip stream holds
stored blocks: what deflate makes of the same input differs between zlib's versions (1.2.12 moved the
block borders) and its forks (zlib-ng), and a bundle of other bytes is another version of every task that
names it. The price is the size of plain tar; the gain, besides the certainty, is speed.
"""

from __future__ import annotations

import functools
import hashlib
import struct
import zlib
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType

_BLOCK = 512
_STORED = 0xFFFF
# One file of a tar without extensions; 11 octal digits.
LARGEST_FILE = 8**11 - 1
# Magic, deflate, no flags, time 0, no hint about the effort, unknown system.
_GZIP_HEAD = b"\x1f\x8b\x08\x00\x00\x00\x00\x00\x00\xff"
_LAST_BLOCK = b"\x01\x00\x00\xff\xff"
_FLUSH_AT = 1024**2


@dataclass(frozen=True, kw_only=True)
class Archive:
    """A written file: `sha256:...` and md5 (hexadecimal) of its bytes, its size, and how many members."""

    path: Path
    digest: str
    md5: str
    size_bytes: int
    members: int


class TarGz:
    """Writes one archive; complete once the `with` block has been left without an error.

    Raises:
        OSError: the file cannot be written; what was written of it is removed.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._sha256 = hashlib.sha256()
        # The checksum of uploads, as object stores take it; not for security.
        self._md5 = hashlib.md5(usedforsecurity=False)
        self._crc = 0
        self._length = 0
        self._written = 0
        self._members = 0
        self._pending = bytearray()

    def __enter__(self) -> TarGz:
        self._file = self._path.open("wb")
        self._emit(_GZIP_HEAD)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        complete = False
        try:
            if kind is None:
                self._add(bytes(2 * _BLOCK))
                self._pending += _LAST_BLOCK
                self._pending += struct.pack("<II", self._crc, self._length & 0xFFFFFFFF)
                self._flush()
                self._file.flush()
                complete = True
        finally:
            self._file.close()
            if not complete:
                self._path.unlink(missing_ok=True)

    def file(self, name: str, content: bytes, *, executable: bool) -> None:
        """Add a file."""
        head = _head(name, b"0", mode=0o755 if executable else 0o644, size=len(content))
        self._add(b"".join((head, content, bytes(-len(content) % _BLOCK))))
        self._members += 1

    def symlink(self, name: str, target: str) -> None:
        """Add a symbolic link."""
        self._add(_head(name, b"2", mode=0o777, target=target))
        self._members += 1

    def archive(self) -> Archive:
        """Say what was written, after the `with` block."""
        return Archive(
            path=self._path,
            digest=f"sha256:{self._sha256.hexdigest()}",
            md5=self._md5.hexdigest(),
            size_bytes=self._written,
            members=self._members,
        )

    def _add(self, data: bytes) -> None:
        """Append stored blocks of `data`, each as long as one can be."""
        self._crc = zlib.crc32(data, self._crc)
        self._length += len(data)
        for start in range(0, len(data), _STORED):
            block = data[start : start + _STORED]
            self._pending += struct.pack("<BHH", 0, len(block), len(block) ^ _STORED)
            self._pending += block
        if len(self._pending) >= _FLUSH_AT:
            self._flush()

    def _flush(self) -> None:
        self._emit(bytes(self._pending))
        self._pending.clear()

    def _emit(self, data: bytes) -> None:
        self._sha256.update(data)
        self._md5.update(data)
        self._written += len(data)
        self._file.write(data)


def _head(name: str, kind: bytes, *, mode: int, size: int = 0, target: str = "") -> bytes:
    """Return a ustar header; a name or target that does not fit goes before it, as POSIX pax says."""
    path, link = name.encode(), target.encode()
    records = b""
    if len(path) > 100 or not path.isascii():
        records += _record(b"path", path)
    if len(link) > 100 or not link.isascii():
        records += _record(b"linkpath", link)
    head = _ustar(path[:100], kind, mode=mode, size=size, link=link[:100])
    if not records:
        return head
    extension = _ustar(b"././@PaxHeader", b"x", mode=0o644, size=len(records), link=b"")
    return extension + records + bytes(-len(records) % _BLOCK) + head


def _ustar(path: bytes, kind: bytes, *, mode: int, size: int, link: bytes) -> bytes:
    front = path.ljust(100, b"\0") + b"%07o\0%07o\0%07o\0%011o\0%011o\0" % (mode, 0, 0, size, 0)
    back, back_sum = _ustar_end(kind, link)
    # The checksum counts its own eight bytes as spaces.
    return front + b"%06o\0 " % (sum(front) + back_sum + 8 * 0x20) + back


@functools.lru_cache(maxsize=8)
def _ustar_end(kind: bytes, link: bytes) -> tuple[bytes, int]:
    """Return what follows the checksum, nearly always the same, and its sum."""
    back = (kind + link.ljust(100, b"\0") + b"ustar\x0000").ljust(_BLOCK - 156, b"\0")
    return back, sum(back)


def _record(key: bytes, value: bytes) -> bytes:
    """Return one pax record, `LENGTH KEY=VALUE` and a newline, where the length counts its own digits."""
    body = b" " + key + b"=" + value + b"\n"
    length = len(body)
    while length != len(body) + len(str(length)):
        length = len(body) + len(str(length))
    return str(length).encode() + body
