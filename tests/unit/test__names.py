from __future__ import annotations

import re
from typing import Any

import pytest

from tasks._names import execution_name, suggested_target

ASKED: dict[str, Any] = {"target": "fraud", "repository": "https://git.example/fraud", "sha": "a" * 40}


@pytest.mark.parametrize(
    ("url", "name"),
    [
        ("https://git.example/risk/Fraud_Models.git", "fraud-models"),
        ("file:///tmp/repo/", "repo"),
        ("https://git.example/---", "target"),
    ],
)
def test_target_is_suggested_from_the_last_part_of_a_url(url: str, name: str) -> None:
    assert suggested_target(url) == name


def test_same_question_has_the_same_name() -> None:
    assert execution_name("preview", **ASKED) == execution_name("preview", **ASKED)


@pytest.mark.parametrize(
    "other",
    [
        {"target": "other"},
        {"repository": "https://x"},
        {"sha": "b" * 40},
        {"pull_request": 1},
        {"attempt": 2},
    ],
    ids=lambda other: next(iter(other)),
)
def test_any_other_question_has_another_name(other: dict[str, object]) -> None:
    assert execution_name("preview", **ASKED) != execution_name("preview", **{**ASKED, **other})


@pytest.mark.parametrize("target", ["a", "fraud", "a" * 63, "a" * 28 + "-" + "b" * 11])
def test_name_is_one_that_flyte_and_kubernetes_take(target: str) -> None:
    name = execution_name("preview", **{**ASKED, "target": target})
    assert re.fullmatch(r"[a-z][-a-z0-9]*[a-z0-9]", name)
    assert len(name) <= 47
