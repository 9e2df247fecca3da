from __future__ import annotations

from fractions import Fraction

import pytest

from scripts.sandbox.quantities import BadQuantity, parse_quantity, rounded_up


@pytest.mark.parametrize(
    ("text", "amount"),
    [
        ("2", Fraction(2)),
        ("500m", Fraction(1, 2)),
        ("1Gi", Fraction(1024**3)),
        ("1.5G", Fraction(1_500_000_000)),
        ("1e3", Fraction(1000)),
        (".5", Fraction(1, 2)),
    ],
)
def test_a_quantity_is_read(text: str, amount: Fraction) -> None:
    assert parse_quantity(text) == amount


@pytest.mark.parametrize("text", ["", "much", "1 Gi", "1gi", "Gi"])
def test_anything_else_is_no_quantity(text: str) -> None:
    with pytest.raises(BadQuantity):
        parse_quantity(text)


def test_a_part_counts_as_a_whole() -> None:
    assert rounded_up(Fraction(1, 2)) == 1
