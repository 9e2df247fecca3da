"""Names as propeller makes them; the expected ones are what a real Flyte 1.16.8 gave."""

import re
from datetime import datetime, timezone

import pytest

from scripts.sandbox.ids import (
    attempt_name,
    child_execution_name,
    fnv1,
    random_execution_name,
    scheduled_execution_name,
    shard,
    unique_node_id,
)


@pytest.mark.parametrize(
    ("parent", "attempt", "node", "expected"),
    [
        pytest.param("", 0, "n0", "n0", id="at the top"),
        pytest.param("n1", 0, "n0", "n1-0-n0", id="inside a node"),
        pytest.param("n0-0-dn0", 0, "end-node", "n0-0-dn0-0-end-node", id="nineteen characters"),
        pytest.param("n0-0-dn0", 0, "start-node", "ffuqhjya", id="too long, so hashed"),
        pytest.param("n0-0-dn2", 0, "start-node", "fmtscgzq", id="another one"),
        pytest.param("n0", 2, "dn1", "n0-2-dn1", id="of the parent's third attempt"),
    ],
)
def test_unique_node_ids(parent: str, attempt: int, node: str, expected: str) -> None:
    assert unique_node_id(parent, attempt, node) == expected


@pytest.mark.parametrize(
    ("execution", "node", "expected"),
    [("afgz7c7xnjjbhzz6xsfm", "n2", "fa1zav1ilqbtom"), ("aqq9bqxqhsc6jvrgj7th", "n0", "ft3euw6c4rwoq1")],
)
def test_child_executions_are_hashed_with_64_bits(execution: str, node: str, expected: str) -> None:
    assert child_execution_name(execution, node, 0) == expected


def test_a_short_child_name_is_kept() -> None:
    assert child_execution_name("a1", "n0", 0) == "a1-n0-0"


def test_attempt_names_are_hashed_past_fifty_characters() -> None:
    assert (
        attempt_name("acq2xld7n8btfwvwq6zb", "n1-0-n0-0-n0-n1", 0) == "acq2xld7n8btfwvwq6zb-n1-0-n0-0-n0-n1-0"
    )
    assert re.fullmatch(r"f[a-z1-6]{7}", attempt_name("a" * 63, "n0", 0))


def test_random_names_are_valid_and_differ() -> None:
    names = {random_execution_name() for _ in range(20)}
    assert len(names) == 20
    assert all(re.fullmatch(r"a[a-z0-9]{19}", name) for name in names)


def test_a_shard_is_two_characters_and_always_the_same() -> None:
    assert re.fullmatch(r"[a-z0-9]{2}", shard("acq2xld7n8btfwvwq6zb-n0-0"))
    assert shard("x") == shard("x")


@pytest.mark.parametrize(("text", "expected"), [("a", "af63bd4c8601b7be"), ("foobar", "340d8765a4dda9c2")])
def test_fnv1_agrees_with_its_authors_vectors(text: str, expected: str) -> None:
    assert fnv1(text).hex() == expected


def test_a_scheduled_execution_is_named_by_the_second() -> None:
    names = {
        scheduled_execution_name("p", "d", "n", "v", datetime(2026, 3, 1, 12, 0, second, tzinfo=timezone.utc))
        for second in (0, 0, 1)
    }
    assert len(names) == 2
    assert all(re.fullmatch(r"f[0-9a-f]{16}000", name) for name in names)
