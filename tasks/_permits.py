"""How a list of limits lets a value through; `*` as an entry lets any."""

from __future__ import annotations

from collections.abc import Sequence

from tasks._enrolment import ANY


def permits(entries: Sequence[str], value: str) -> bool:
    """Whether a list of limits lets `value` through; an empty value names nothing and always passes."""
    return not value or value in entries or ANY in entries


def permits_image(entries: Sequence[str], repository: str) -> bool:
    """Whether an image repository is one of the entries or lies below one."""
    return ANY in entries or any(
        repository == entry or repository.startswith(f"{entry}/") for entry in entries
    )
