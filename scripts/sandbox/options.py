"""How a sandbox is started: what `taxiway sandbox start` is told."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from scripts.sandbox.caller import PrincipalHeader
from scripts.sandbox.state import RuntimeKind

DEFAULT_IMAGE = "localhost:30000/taxiway:default"
"""The reference of the image for whoever names none: with processes, what the sandbox itself runs in."""


@dataclass(frozen=True, kw_only=True)
class Options:
    """How a sandbox is started. A port of 0 is any free one; `environ` is the machine's environment.

    Of the projects in `share_engine`, containers get the engine that they run on.
    """

    state: Path
    host: str = "127.0.0.1"
    port: int = 0
    http_port: int | None = None
    """None is the port of the last time on this state, if it is still free, else any."""
    secrets: Path | None = None
    environ: Mapping[str, str] = field(default_factory=dict)
    principal: PrincipalHeader = field(default_factory=PrincipalHeader)
    runtime: RuntimeKind = RuntimeKind.PROCESS
    default_image: str = DEFAULT_IMAGE
    """What the sandbox says to those who ask for an image with flytekit."""
    share_engine: tuple[str, ...] = ()

    def words(self) -> list[str]:
        """Return the words of `taxiway sandbox start` that ask for the same, in the same environment."""
        words = ["--state", str(self.state), "--host", self.host, "--port", str(self.port)]
        words += [] if self.http_port is None else ["--http-port", str(self.http_port)]
        words += [] if self.secrets is None else ["--secrets", str(self.secrets)]
        words += ["--principal-header", self.principal.name] if self.principal.name else []
        words += ["--runtime", self.runtime.value]
        words += [] if self.default_image == DEFAULT_IMAGE else ["--default-image", self.default_image]
        return words + [word for project in self.share_engine for word in ("--share-engine", project)]
