"""Finds a secret wherever it should not be: as it is, and as part of anything that is base64."""

from __future__ import annotations

import base64
import gzip
from collections.abc import Iterable, Iterator
from pathlib import Path

_AT_ONCE = 8 * 1024**2
_GZIP = b"\x1f\x8b"


def forms(*secrets: bytes) -> list[bytes]:
    """Return what each secret looks like: itself, and its base64 wherever in a text it begins."""
    return [
        form
        for secret in secrets
        for form in (
            secret,
            *(base64.b64encode(b"\0" * lead + secret)[cut:-4] for lead, cut in ((0, 0), (1, 2), (2, 3))),
        )
    ]


def holding(files: Iterable[Path], wanted: Iterable[bytes]) -> list[Path]:
    """Return the files that hold one of these, looking into what gzip has packed."""
    wanted = list(wanted)
    return [file for file in files if any(form in part for part in _parts(file, wanted) for form in wanted)]


def _parts(file: Path, wanted: list[bytes]) -> Iterator[bytes]:
    """Yield a file's content bit by bit, each with the end of the one before, for what lies across both."""
    overlap = max(map(len, wanted))
    end = b""
    with file.open("rb") as plain, gzip.GzipFile(fileobj=plain) as packed:
        start = plain.read(len(_GZIP))
        plain.seek(0)
        while more := (packed if start == _GZIP else plain).read(_AT_ONCE):
            yield end + more
            end = more[-overlap:]
