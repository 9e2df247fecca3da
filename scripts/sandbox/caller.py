"""Who calls, as far as the sandbox knows; all that the domain ever sees of a gRPC context."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class Caller:
    """The caller of an RPC. Without authentication Flyte knows nobody, so `principal` is empty."""

    principal: str = ""
