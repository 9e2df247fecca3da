from __future__ import annotations

import pytest

from scripts.sandbox.cron import BadCron, parse_cron


@pytest.mark.parametrize(
    "expression",
    [
        "0 1 * * *",
        "*/15 0-6/2 1,15 jan-mar MON-FRI",
        "5/10 ? * * 0",
        "@daily",
        "@every 1h30m",
        "TZ=Europe/Berlin 0 1 * * *",
    ],
)
def test_a_schedule_is_taken(expression: str) -> None:
    parse_cron(expression)


@pytest.mark.parametrize(
    ("expression", "problem"),
    [
        ("daily", "expected exactly 5 fields, found 1: [daily]"),
        ("0 0 1 * * *", "expected exactly 5 fields, found 6: [0 0 1 * * *]"),
        ("@fortnightly", "unrecognized descriptor: @fortnightly"),
        ("@every soon", 'failed to parse duration @every soon: time: invalid duration "soon"'),
        ("60 * * * *", "end of range (60) above maximum (59): 60"),
        ("0 0 0 * *", "beginning of range (0) below minimum (1): 0"),
        ("5-1 * * * *", "beginning of range (5) beyond end of range (1): 5-1"),
        ("x * * * *", 'failed to parse int from x: strconv.Atoi: parsing "x": invalid syntax'),
        ("*/0 * * * *", "step of range should be a positive number: */0"),
        ("1/2/3 * * * *", "too many slashes: 1/2/3"),
        ("1-2-3 * * * *", "too many hyphens: 1-2-3"),
        (
            "TZ=Nowhere/At_all 0 1 * * *",
            "provided bad location Nowhere/At_all: unknown time zone Nowhere/At_all",
        ),
        ("", "empty spec string"),
    ],
)
def test_anything_else_is_refused_in_the_parsers_words(expression: str, problem: str) -> None:
    with pytest.raises(BadCron) as refused:
        parse_cron(expression)
    assert str(refused.value) == problem
