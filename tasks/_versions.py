"""Which versions of what a step runs with."""

from __future__ import annotations

from importlib.metadata import PackageNotFoundError, version

NOT_INSTALLED = "not installed"


def version_of(distribution: str) -> str:
    """Return the version of an installed distribution.

    Taxiway itself is not installed where its code comes as a bundle and only its dependencies are in the
    image, as for any other target.
    """
    try:
        return version(distribution)
    except PackageNotFoundError:
        return NOT_INSTALLED
