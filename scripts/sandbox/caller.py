"""Who calls, as far as the sandbox knows; all that the domain ever sees of a call's metadata.

Flyte takes the principal from a token that its identity provider has signed. The sandbox has no identity
provider; it can be told to believe one header, which whatever stands before it sets and clients cannot.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass

Metadata = Iterable[tuple[str, str | bytes]]
"""What comes along with a call: gRPC's metadata, or the headers of an HTTP request."""
_HEADER = re.compile(r"[a-z0-9_.-]+")
"""What gRPC allows as a key of metadata; those that begin with `grpc-` are its own."""


class BadHeader(ValueError):
    """No call can carry a header of this name; the message says why."""


@dataclass(frozen=True, kw_only=True)
class Caller:
    """The caller of an RPC. Without authentication Flyte knows nobody, so `principal` is empty."""

    principal: str = ""


@dataclass(frozen=True)
class PrincipalHeader:
    """The name of the header that says who calls, in lower case; where it is empty, nobody is known."""

    name: str = ""

    @classmethod
    def named(cls, name: str) -> PrincipalHeader:
        """Read a header's name as people write it.

        Raises:
            BadHeader: metadata cannot have it.
        """
        lower = name.lower()
        if not _HEADER.fullmatch(lower):
            raise BadHeader(f"{name!r} is no name of a header: letters, digits, '-', '_' and '.' make one")
        if lower.startswith("grpc-") or lower.endswith("-bin"):
            raise BadHeader(f"{name!r} cannot carry a name: gRPC keeps it for itself or for bytes")
        return cls(lower)

    def caller(self, metadata: Metadata) -> Caller:
        """Return who calls by a gRPC call's metadata, or by the header fields of an HTTP request.

        Where the header is there twice, one of both may be the client's own, so nobody is believed.
        """
        if not self.name:
            return Caller()
        values = {value for key, value in metadata if key.lower() == self.name}
        value = values.pop() if len(values) == 1 else ""
        return Caller(principal=value.decode(errors="replace") if isinstance(value, bytes) else value.strip())
