"""Who calls, as far as the sandbox knows; all that the domain ever sees of how a call came in."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

Metadata = Iterable[tuple[str, str | bytes]]
"""What comes along with a call: gRPC's metadata, or the headers of an HTTP request; names in lower case."""


@dataclass(frozen=True, kw_only=True)
class Caller:
    """The caller of an RPC. Without authentication Flyte knows nobody, so `principal` is empty."""

    principal: str = ""


def anybody(metadata: Metadata) -> Caller:
    """Return the caller of a call, whom nothing in it makes known."""
    return Caller()
