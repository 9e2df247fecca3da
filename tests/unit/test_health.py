"""The health command of Taxiway's image."""

from __future__ import annotations

from pathlib import Path

import pytest

from scripts import health
from tasks.self_check import Check


def test_a_folder_that_cannot_be_written_to_is_said(tmp_path: Path) -> None:
    assert health.check_folder(tmp_path).ok
    check = health.check_folder(tmp_path / "none")
    assert not check.ok
    assert check.remedy


def test_a_workflow_that_cannot_be_imported_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    assert health.check_flows().ok
    monkeypatch.setattr(health, "WORKFLOWS", ("workflows.none.flow",))
    check = health.check_flows()
    assert (check.ok, check.found) == (False, "No module named 'workflows.none'")


@pytest.mark.parametrize(("ok", "code", "said"), [(True, 0, "ok  git: x"), (False, 1, "NOT git: x Do.")])
def test_the_command_ends_with_what_it_found(
    ok: bool, code: int, said: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    check = Check(name="git", ok=ok, found="x", remedy="" if ok else "Do.")
    monkeypatch.setattr(health, "check_health", lambda environ, folder: [check])
    with pytest.raises(SystemExit) as ended:
        health.main()
    assert ended.value.code == code
    assert capsys.readouterr().out == f"{said}\n"
