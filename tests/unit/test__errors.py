"""Errors: a stable code each, and retries only where waiting helps."""

from __future__ import annotations

import inspect

import pytest
from flytekit.exceptions.user import FlyteRecoverableException

from tasks import _errors
from tasks._errors import CommandFailed, Recoverable, TaxiwayError, Terminal

CLASSES = [kind for _, kind in inspect.getmembers(_errors, inspect.isclass) if issubclass(kind, TaxiwayError)]


@pytest.mark.parametrize("kind", CLASSES)
def test_a_class_is_coded_by_its_own_name(kind: type[TaxiwayError]) -> None:
    assert kind.error_code == f"TAXI:{kind.__name__}".replace("TaxiwayError", "Error")


@pytest.mark.parametrize("kind", [kind for kind in CLASSES if kind is not TaxiwayError])
def test_a_class_is_either_terminal_or_recoverable(kind: type[TaxiwayError]) -> None:
    assert issubclass(kind, Terminal) != issubclass(kind, Recoverable)
    assert issubclass(kind, FlyteRecoverableException) == issubclass(kind, Recoverable)


@pytest.mark.parametrize("kind", [kind for kind in CLASSES if issubclass(kind, Recoverable)])
def test_flytekit_reads_the_same_code_of_a_recoverable_error(kind: type[Recoverable]) -> None:
    assert kind.error_code == kind._ERROR_CODE


def test_a_message_ends_with_the_remedy() -> None:
    error = Terminal("The disk is full: /images.", remedy="Run `taxiway image prune`.")
    assert str(error) == "The disk is full: /images. Run `taxiway image prune`."


def test_a_commands_last_words_are_kept_short() -> None:
    error = CommandFailed("git fetch", 128, "", "x" * 10_000 + "fatal: no such ref")
    assert str(error).endswith("fatal: no such ref See what it printed.")
    assert len(str(error)) < 5_000
