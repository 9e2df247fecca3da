"""The command line: subcommands on demand, and one handler from errors to exit codes."""

from __future__ import annotations

import importlib
import subprocess
import sys
from types import SimpleNamespace

import click
import pytest

from scripts import cli
from tasks._errors import BadUsage


def exit_code(*argv: str) -> object:
    with pytest.raises(SystemExit) as caught:
        cli.main(list(argv))
    return caught.value.code


def stand_in(monkeypatch: pytest.MonkeyPatch, answer: object) -> None:
    """Let `taxiway doctor` answer, or raise."""

    @click.command()
    @click.option("--json", "as_json", is_flag=True)
    def command(as_json: bool) -> object:
        if isinstance(answer, BaseException):
            raise answer
        return answer

    monkeypatch.setattr(importlib, "import_module", lambda name: SimpleNamespace(command=command))


@pytest.mark.parametrize(
    ("answer", "code"),
    [
        pytest.param(None, 0, id="nothing"),
        pytest.param(cli.PASSED, 0, id="passed"),
        pytest.param(cli.FAILED, 1, id="a verdict failed"),
        pytest.param(BadUsage("It cannot be.", remedy="Do not."), 2, id="one of our errors"),
        pytest.param(click.UsageError("bad option"), 2, id="bad usage"),
        pytest.param(click.exceptions.Abort(), 130, id="interrupted"),
    ],
)
def test_an_outcome_has_its_exit_code(monkeypatch: pytest.MonkeyPatch, answer: object, code: int) -> None:
    stand_in(monkeypatch, answer)
    assert exit_code("doctor") == code


def test_an_error_is_told_in_a_line_with_its_code(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    stand_in(monkeypatch, BadUsage("It cannot be.", remedy="Do not."))
    exit_code("doctor")
    out, err = capsys.readouterr()
    assert (out, err) == ("", "taxiway: It cannot be. Do not. [TAXI:BadUsage]\n")


def test_an_error_of_the_program_itself_keeps_its_traceback(monkeypatch: pytest.MonkeyPatch) -> None:
    stand_in(monkeypatch, ZeroDivisionError())
    with pytest.raises(ZeroDivisionError):
        cli.main(["doctor"])


def test_an_unknown_subcommand_is_bad_usage(capsys: pytest.CaptureFixture[str]) -> None:
    assert exit_code("promotee") == 2
    assert "No such command 'promotee'" in capsys.readouterr().err


@pytest.mark.parametrize("name", sorted(cli.COMMANDS))
def test_every_subcommand_has_help_with_an_example(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    command = importlib.import_module(f"scripts.commands.{name}").command
    parts = command.commands.items() if isinstance(command, click.Group) else [(name, command)]
    for part, what in parts:
        with pytest.raises(SystemExit):
            what.main(["--help"], prog_name=f"taxiway {part}")
        shown = capsys.readouterr().out
        assert "Example" in shown, f"`taxiway {name}`, {part}"
        assert "--json" in shown, f"`taxiway {name}`, {part}"


def test_help_lists_the_subcommands_without_importing_flytekit() -> None:
    program = "import sys\nfrom scripts.cli import taxiway\ntaxiway.main(['--help'], standalone_mode=False)\n"
    program += "assert 'flytekit' not in sys.modules"
    shown = subprocess.run([sys.executable, "-c", program], check=True, capture_output=True, text=True).stdout
    assert all(name in shown for name in cli.COMMANDS)
