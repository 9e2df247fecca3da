"""`taxiway policy`: exit codes and what goes where."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from scripts.cli import main

VALID = """
package.modules = ["fraud"]
image.repository = "registry.example.com/fraud"
stage = [{ name = "dev", project = "fraud", domain = "development" }]
"""


def run(capsys: pytest.CaptureFixture[str], *argv: str) -> tuple[object, str, str]:
    with pytest.raises(SystemExit) as ended:
        main(["policy", *argv])
    return ended.value.code, *capsys.readouterr()


def test_a_valid_policy_passes(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "taxiway.toml"
    path.write_text(VALID)
    assert run(capsys, "check", str(path)) == (0, f"{path} is valid; stages: dev\n", "")
    assert json.loads(run(capsys, "check", str(path), "--json")[1]) == {"valid": True, "findings": []}


def test_an_invalid_policy_fails_with_its_findings(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "taxiway.toml"
    path.write_text(VALID + "x = 1\n")
    code, out, _ = run(capsys, "check", str(path))
    assert code == 1
    assert out.startswith(f"{path}:5 x: `x` is not known here.\n    Known here: ")
    [finding] = json.loads(run(capsys, "check", str(path), "--json")[1])["findings"]
    assert finding["problem"] == "`x` is not known here."


def test_a_file_that_cannot_be_read_is_a_fault(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code, out, err = run(capsys, "check", str(tmp_path))
    assert (code, out) == (2, "")
    assert "cannot be read" in err


def test_the_schema_is_one_json_document(capsys: pytest.CaptureFixture[str]) -> None:
    code, out, _ = run(capsys, "schema")
    assert code == 0
    assert json.loads(out)["title"] == "taxiway.toml"
