"""Expectations: what holds, what does not, and what is no expectation at all."""

from __future__ import annotations

import math

import pytest

from tasks.expectation import Value, parse


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("== 3", 3),
        ("== 3", 3.0),
        ("==3", 3),
        ("== true", True),
        ("== True", True),
        ("== null", None),
        ('== "accepted"', "accepted"),
        ("== accepted", "accepted"),
        ('== {"a": [1, 2]}', {"a": [1, 2]}),
        ("!= 3", 4),
        ("!= 1", True),
        (">= 0.5", 0.5),
        ("<= -1e3", -1000),
        ("> 0", 1),
        ("< .5", 0.25),
        ('in [1, "a"]', "a"),
        ("in [0.4 .. 0.6]", 0.4),
        ("in [-1..1]", 0),
        ("~ ^v[0-9]+", "v12-rc"),
        ("~ rc", "v12-rc"),
        ("approx 0.5 ± 0.1", 0.6),
        ("approx 0.5 +- 0.1", 0.4),
        ("approx 200 ± 5 %", 190),
    ],
)
def test_holds(text: str, value: Value) -> None:
    assert parse(text).holds(value)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("== 1", True),
        ("== true", 1),
        ("== 3", "3"),
        ("== [1, true]", [1, 1]),
        ("!= 3", 3.0),
        (">= 0.5", 0.49),
        (">= 0", True),
        (">= 0", "1"),
        (">= 0", None),
        (">= 0", math.nan),
        ("<= 0", math.nan),
        ("in [1, 2]", True),
        ("in [0.4 .. 0.6]", 0.61),
        ("~ x", 5),
        ("approx 0.5 ± 0.1", 0.61),
        ("approx 0.5 ± 0.1", math.nan),
        ("approx 0.5 ± 0.1", "0.5"),
    ],
)
def test_does_not_hold(text: str, value: Value) -> None:
    assert not parse(text).holds(value)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "write `== VALUE`"),
        ("0.5", "write `== VALUE`"),
        ("=> 1", "write `== VALUE`"),
        ("indeed [1]", "write `== VALUE`"),
        (">=", "nothing after `>=`"),
        (">= high", "`high` is not a number"),
        (">> 1", "`> 1` is not a number"),
        ("== [1, 2", "not valid JSON"),
        ("in 5", "needs a list"),
        ("in [2 .. 1]", "wrong way round"),
        ("~ (", "not a regular expression"),
        ("approx 0.5", "a middle and a distance"),
        ("approx 0.5 ± -1", "negative"),
    ],
)
def test_what_is_no_expectation_says_why(text: str, says: str) -> None:
    with pytest.raises(ValueError, match=says.replace("(", r"\(")):
        parse(text)
