"""The images that a Dockerfile starts from, put down as they were resolved; its lines stay where they are."""

from __future__ import annotations

import re
from collections.abc import Mapping

_GAP = r"(?:[ \t]|[\\`][ \t]*\n)+"
_FROM = re.compile(
    rf"^(?P<before>[ \t]*FROM{_GAP}(?:--\S+{_GAP})*)(?P<image>[^\s\\`]+)", re.IGNORECASE | re.MULTILINE
)
_COPY = re.compile(
    rf"^(?P<before>[ \t]*(?:COPY|ADD){_GAP}(?:--\S+{_GAP})*?--from=)(?P<image>[^\s\\`]+)",
    re.IGNORECASE | re.MULTILINE,
)
_MOUNT = re.compile(r"(?P<before>--mount=(?:[^\s,]+,)*from=)(?P<image>[^\s,\\`]+)")


def pinned(dockerfile: str, bases: Mapping[str, str]) -> str:
    """Return `dockerfile` with every image of `bases`, as it is written there, replaced by what it names."""

    def pin(found: re.Match[str]) -> str:
        return found["before"] + bases.get(found["image"], found["image"])

    for form in (_FROM, _COPY, _MOUNT):
        dockerfile = form.sub(pin, dockerfile)
    return dockerfile
