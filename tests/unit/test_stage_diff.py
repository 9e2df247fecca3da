from __future__ import annotations

from collections.abc import Sequence

import pytest

from tasks._rewrite import LaunchSettings, rewrite
from tasks.stage_diff import releases_apart, settings_changes
from tests.unit.entities import PLACEMENT, a_plan


@pytest.mark.parametrize(
    ("one", "other", "histories", "apart"),
    [
        ("a", "a", ([], []), 0),
        ("a", "c", (["c", "b", "a"], []), 2),
        ("c", "a", ([], ["c", "", "b", "b", "a"]), 2),
        ("a", "x", (["b", "a"], ["x"]), None),
    ],
    ids=["the same", "by the first stage", "by the second, repeats once", "not on record"],
)
def test_releases_are_counted_by_a_stage_that_had_both(
    one: str, other: str, histories: tuple[Sequence[str], Sequence[str]], apart: int | None
) -> None:
    assert releases_apart(one, other, *histories) == apart


def test_equal_differences_of_settings_are_said_once() -> None:
    plans = [a_plan("a"), a_plan("b")]
    old = rewrite(plans, PLACEMENT, LaunchSettings(max_parallelism=3))
    new = rewrite(plans, PLACEMENT, LaunchSettings(max_parallelism=5))
    [change] = settings_changes(old, new)
    assert change.launch_plans == ["a", "b"]
    assert change.details == ["max_parallelism: 3 → 5"]
    assert settings_changes(old, old) == []
