"""Amounts of CPU, memory and the like, in Kubernetes' notation.

Source: Kubernetes `apimachinery/pkg/api/resource/quantity.go`.
"""

from __future__ import annotations

import re
from fractions import Fraction

_QUANTITY = re.compile(r"([+-]?(?:\d+\.?\d*|\.\d+))(Ki|Mi|Gi|Ti|Pi|Ei|n|u|m|k|M|G|T|P|E|[eE][+-]?\d+)?")
_DECIMAL = {"n": -9, "u": -6, "m": -3, "k": 3, "M": 6, "G": 9, "T": 12, "P": 15, "E": 18}
_BINARY: dict[str, int] = {"Ki": 1, "Mi": 2, "Gi": 3, "Ti": 4, "Pi": 5, "Ei": 6}


class BadQuantity(ValueError):
    """A text is no quantity; the message is Kubernetes' own."""


def parse_quantity(text: str) -> Fraction:
    """Return the amount that `text` stands for: `500m` is a half, `1Gi` is 2 to the power of 30.

    Raises:
        BadQuantity: it is none.
    """
    match = _QUANTITY.fullmatch(text)
    if match is None:
        raise BadQuantity(
            "quantities must match the regular expression '^([+-]?[0-9.]+)([eEinumkKMGTP]*[-+]?[0-9]*)$'"
        )
    number, suffix = Fraction(match[1]), match[2] or ""
    if suffix in _BINARY:
        return number * Fraction(2 ** (10 * _BINARY[suffix]))
    exponent = _DECIMAL[suffix] if suffix in _DECIMAL else int(suffix[1:] or 0)
    return number * Fraction(f"1e{exponent}")


def rounded_up(quantity: Fraction) -> int:
    """Return the least whole number that is not below, as Kubernetes' `Value()` does."""
    return -(-quantity.numerator // quantity.denominator)
