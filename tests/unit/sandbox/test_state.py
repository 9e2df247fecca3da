from __future__ import annotations

import os
from pathlib import Path

import pytest

from scripts.sandbox.state import StateFolder, StateInUse, Status


@pytest.fixture
def folder(tmp_path: Path) -> StateFolder:
    made = StateFolder(tmp_path)
    made.make()
    return made


def status(pid: int) -> Status:
    return Status(
        endpoint="localhost:1",
        http="http://127.0.0.1:2",
        config="c",
        state="s",
        storage="t",
        default_image="i",
        pid=pid,
    )


def test_nobody_runs_on_a_new_state(folder: StateFolder) -> None:
    assert folder.running() is None


def test_who_published_is_running_until_they_withdraw(folder: StateFolder) -> None:
    folder.publish(status(os.getpid()))
    assert folder.running() == status(os.getpid())
    assert folder.config.read_text() == "admin:\n  endpoint: dns:///localhost:1\n  insecure: true\n"
    folder.withdraw()
    assert folder.running() is None
    assert folder.last_status() == status(os.getpid())


def test_a_later_process_of_the_same_number_is_not_meant(folder: StateFolder) -> None:
    folder.publish(status(os.getpid()))
    folder.pid.write_text(f"{os.getpid()} 1.0\n")
    assert folder.running() is None


def test_one_process_at_a_time_has_the_state(folder: StateFolder) -> None:
    with folder.locked(), pytest.raises(StateInUse), StateFolder(folder.root).locked():
        pass
    with folder.locked():
        pass


def test_the_secret_is_made_once_and_for_its_owner_only(folder: StateFolder) -> None:
    assert folder.secret() == folder.secret()
    assert (folder.root / "secret").stat().st_mode & 0o777 == 0o600
