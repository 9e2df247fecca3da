"""The engine's own socket, for the tasks of projects that build images; no other container sees it.

It stands for a build service that a cluster's pods can reach with the secrets that they ask for. Whoever has
it is root on this machine.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from scripts.sandbox.runtime import Attempt

SOCKET = "/var/run/docker.sock"
"""Where an engine usually listens, and where containers find the shared one."""
_SCHEME = "unix://"


class EngineNotShareable(ValueError):
    """The engine has no socket that could be mounted; the message says what to do instead."""


@dataclass(frozen=True, kw_only=True)
class SharedEngine:
    """The socket of an engine, the group that may write to it, and the projects whose containers get both."""

    socket: Path
    group: int
    projects: frozenset[str]

    @classmethod
    def of(cls, environ: Mapping[str, str], projects: Iterable[str]) -> SharedEngine:
        """Return the engine that `environ` names, shared with `projects`.

        Raises:
            EngineNotShareable: it is not reached by a socket of this machine.
        """
        socket = socket_of(environ)
        return cls(socket=socket, group=socket.stat().st_gid, projects=frozenset(projects))

    def serves(self, attempt: Attempt) -> bool:
        """Whether the attempt is one of these projects', and no raw container.

        A raw container has an image of somebody else's: Taxiway's own project runs the code of pull requests
        so.
        """
        return attempt.files is None and dict(attempt.labels).get("project") in self.projects


def socket_of(environ: Mapping[str, str]) -> Path:
    """Return the socket of the engine that `environ` names.

    Raises:
        EngineNotShareable: it is not reached by a socket of this machine.
    """
    host = environ.get("DOCKER_HOST") or f"{_SCHEME}{SOCKET}"
    if not host.startswith(_SCHEME):
        raise EngineNotShareable(
            f"the engine at {host} has no socket to share. Leave --share-engine out: tasks can reach this "
            "address themselves."
        )
    return Path(host[len(_SCHEME) :]).resolve()
