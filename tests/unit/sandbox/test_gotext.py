"""Expected texts were taken from Go's documentation of fmt, strconv, time and encoding/json."""

from __future__ import annotations

import pytest
from google.protobuf.duration_pb2 import Duration
from google.protobuf.timestamp_pb2 import Timestamp

from scripts.sandbox import gotext


@pytest.mark.parametrize(
    ("value", "shown", "plain"),
    [
        (1.0, "1", "1"),
        (0.1, "0.1", "0.1"),
        (-2.5e-7, "-2.5e-07", "-0.00000025"),
        (1e20, "100000000000000000000", "100000000000000000000"),
        (1e21, "1e+21", "1000000000000000000000"),
        (0.0, "0", "0"),
        (float("inf"), "+Inf", "+Inf"),
        (float("nan"), "NaN", "NaN"),
    ],
)
def test_floats(value: float, shown: str, plain: str) -> None:
    assert (gotext.shown_float(value), gotext.plain_float(value)) == (shown, plain)


@pytest.mark.parametrize(
    ("nanos", "text"),
    [
        (0, "0s"),
        (1, "1ns"),
        (1_500, "1.5µs"),
        (300_000_000, "300ms"),
        (1_500_000_000, "1.5s"),
        (60_000_000_000, "1m0s"),
        (-5_400_000_000_000, "-1h30m0s"),
    ],
)
def test_durations_there_and_back(nanos: int, text: str) -> None:
    duration = Duration()
    duration.FromNanoseconds(nanos)
    assert gotext.duration_text(duration) == text
    assert gotext.parse_duration(text) == duration


@pytest.mark.parametrize("text", ["", "1", "1 s", "s", "1s!", "-"])
def test_what_is_no_duration_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="invalid duration"):
        gotext.parse_duration(text)


@pytest.mark.parametrize(
    ("text", "seconds", "nanos", "shown"),
    [
        ("1970-01-01T00:00:00Z", 0, 0, "1970-01-01T00:00:00Z"),
        ("1970-01-01T01:00:01.5+01:00", 1, 500_000_000, "1970-01-01T00:00:01.5Z"),
        ("1969-12-31T23:59:59.25Z", -1, 250_000_000, "1969-12-31T23:59:59.25Z"),
    ],
)
def test_times_are_shown_in_utc(text: str, seconds: int, nanos: int, shown: str) -> None:
    assert gotext.parse_timestamp(text) == Timestamp(seconds=seconds, nanos=nanos)
    assert gotext.timestamp_text(Timestamp(seconds=seconds, nanos=nanos)) == shown


@pytest.mark.parametrize("text", ["", "2026-01-02", "2026-01-02 03:04:05Z", "2026-01-02T03:04:05"])
def test_what_is_no_rfc3339_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="parsing time"):
        gotext.parse_timestamp(text)


def test_a_map_is_shown_with_its_keys_in_order() -> None:
    assert gotext.shown({"b": [1, "x"], "a": None, "c": {"d": True, "e": 1.5}}) == (
        "map[a:<nil> b:[1 x] c:map[d:true e:1.5]]"
    )


def test_json_is_compact_ordered_and_escaped() -> None:
    assert gotext.json_text({"b": "<é&>", "a": [1.0, 2.5, None]}) == (
        '{"a":[1,2.5,null],"b":"\\u003cé\\u0026\\u003e"}'
    )
