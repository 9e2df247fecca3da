from __future__ import annotations

from pathlib import Path

import click
import psutil
import pytest

from scripts import local_registry
from tests.needs import need


@pytest.fixture(autouse=True)
def _program() -> None:
    need(local_registry.PROGRAM)


def running(folder: Path) -> bool:
    return psutil.pid_exists(int((folder / "pid").read_text()))


def test_it_ends_with_the_block(tmp_path: Path) -> None:
    folder = tmp_path / "registry"
    with local_registry.local_registry(folder, keep=False) as host:
        assert host.startswith("127.0.0.1:")
        assert running(folder)
    assert not running(folder)


def test_one_that_is_kept_is_ended_by_the_next_who_comes(tmp_path: Path) -> None:
    folder = tmp_path / "registry"
    with local_registry.local_registry(folder, keep=True):
        process = psutil.Process(int((folder / "pid").read_text()))
    assert local_registry.stop_command(folder) == f"kill {process.pid}"
    assert process.is_running()
    local_registry.stop_earlier(folder)
    assert not process.is_running()


def test_a_process_that_has_its_number_by_now_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "pid").write_text(str(psutil.Process().pid))
    local_registry.stop_earlier(tmp_path)
    local_registry.stop_earlier(tmp_path / "none")


def test_why_it_does_not_start_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(local_registry, "_settings", lambda folder, port: {"version": "none"})
    with (
        pytest.raises(click.ClickException, match=r"docker-registry does not start: .+"),
        local_registry.local_registry(tmp_path / "registry", keep=True),
    ):
        pass
