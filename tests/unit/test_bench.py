from __future__ import annotations

import importlib.util
from pathlib import Path

import pytest
from click.testing import CliRunner

from scripts.commands import bench
from tasks._errors import BadUsage
from tests.engine import shared


def test_the_benchmarks_of_this_checkout_are_known() -> None:
    assert {"bundle", "register"} <= set(bench.names())
    assert not [name for name in bench.names() if name.startswith("_")]


def test_help_lists_every_benchmark_with_what_it_measures() -> None:
    shown = " ".join(CliRunner().invoke(bench.command, ["--help"]).output.split())
    for name, subject in bench.subjects().items():
        assert subject.endswith(".")
        assert f"{name} {subject}" in shown


def test_an_unknown_benchmark_names_the_known_ones() -> None:
    with pytest.raises(BadUsage, match="register"):
        bench.load("nothing")


def test_an_installed_taxiway_says_that_it_has_none(monkeypatch: pytest.MonkeyPatch) -> None:
    def missing(name: str) -> None:
        raise ModuleNotFoundError(name)

    monkeypatch.setattr(importlib.util, "find_spec", missing)
    with pytest.raises(BadUsage, match="not part of an installed Taxiway"):
        bench.load("register")


def test_figures_are_printed_for_people_and_for_programs(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bench, "load", lambda _: lambda rounds: {"ratio": 8.5, "ours_s": 0.25 * rounds})
    shown = CliRunner().invoke(bench.command, ["register", "--rounds", "2"])
    assert shown.output == "ratio       8.50 x\nours_s     0.500\n"
    printed = CliRunner().invoke(bench.command, ["register", "--json"])
    assert printed.output == '{"benchmark": "register", "rounds": 5, "ratio": 8.5, "ours_s": 1.25}\n'


def test_images_need_a_registry_and_an_engine_and_say_so(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(BadUsage, match="needs docker-registry and htpasswd"):
        bench.load("image")(1)
    for name in ("docker-registry", "htpasswd"):
        (tmp_path / name).touch(mode=0o755)
    nowhere = f"unix://{tmp_path}/none"
    monkeypatch.setenv("DOCKER_HOST", nowhere)
    monkeypatch.setattr(shared, "_USUAL", nowhere)
    with pytest.raises(BadUsage, match=f"{nowhere}, does not answer.* Run it as root"):
        bench.load("image")(1)
