"""Whether a test may be skipped: here, where its programs are missing; in CI, never."""

from __future__ import annotations

import pytest

from tests.needs import need


def test_what_is_there_is_no_reason(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CI", "true")
    need("sh")


@pytest.mark.parametrize("ci", ["", "false"])
def test_what_is_missing_is_a_reason_to_skip(monkeypatch: pytest.MonkeyPatch, ci: str) -> None:
    monkeypatch.setenv("CI", ci)
    with pytest.raises(pytest.skip.Exception, match="needs no-such-program, not installed here"):
        need("sh", "no-such-program")


def test_what_is_missing_in_ci_is_a_failure(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CI", "true")
    with pytest.raises(pytest.fail.Exception, match="no-such-program"):
        need("no-such-program")
