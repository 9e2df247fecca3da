"""How Taxiway's own secrets are read: Flyte mounts them, and one that does not exist is no error."""

from __future__ import annotations

from typing import Protocol

SECRET_GROUP = "taxiway"  # noqa: S105 (a name)


class Secrets(Protocol):
    """Where secrets are read, such as `flytekit.current_context().secrets`."""

    def get(self, group: str, key: str) -> str:
        """Return the secret; raises ValueError where there is none."""


def read_secret(secrets: Secrets, key: str) -> str:
    """Return the secret `key` of the group `taxiway`; one that does not exist is empty."""
    try:
        return secrets.get(SECRET_GROUP, key).strip()
    except ValueError:
        return ""
