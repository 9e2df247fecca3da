"""Kubernetes quantities as numbers."""

from __future__ import annotations

import re

_SUFFIXES = {
    "": 1.0,
    "m": 1e-3,
    "k": 1e3,
    "M": 1e6,
    "G": 1e9,
    "T": 1e12,
    "Ki": 2.0**10,
    "Mi": 2.0**20,
    "Gi": 2.0**30,
    "Ti": 2.0**40,
}
_QUANTITY = re.compile(rf"([0-9]+(?:\.[0-9]+)?)({'|'.join(_SUFFIXES)})")


def quantity(text: str) -> float:
    """Return a Kubernetes quantity such as `500m`, `2` or `1Gi` as a number.

    Raises:
        ValueError: it is none.
    """
    matched = _QUANTITY.fullmatch(text)
    if not matched:
        raise ValueError(f"{text!r} is not a quantity such as 500m, 2 or 1Gi")
    return float(matched[1]) * _SUFFIXES[matched[2]]
