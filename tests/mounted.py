"""Secrets of the group `taxiway`, for what reads them."""

from __future__ import annotations


class Mounted:
    """Secrets as flytekit reads them: ValueError where there is none."""

    def __init__(self, **values: str) -> None:
        self._values = values

    def get(self, group: str, key: str) -> str:
        if group != "taxiway" or key not in self._values:
            raise ValueError(f"Unable to find secret for key {key} in group {group}")
        return self._values[key]
