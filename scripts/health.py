"""Say whether Taxiway's tasks can run here: `python -m scripts.health`, the image's health command.

It asks no Flyte, so it also runs where there is none; `taxiway.self-check` asks the rest from inside a task.
"""

from __future__ import annotations

import os
import sys
import tempfile
from collections.abc import Mapping
from importlib import import_module
from pathlib import Path

import click

from scripts.own import WORKFLOWS
from tasks._versions import version_of
from tasks.self_check import Check, check_programs, check_settings


def check_health(environ: Mapping[str, str], folder: Path) -> list[Check]:
    """Look at what tasks need beside Flyte: every flow, programs, settings, and a `folder` to write to."""
    return [check_flows(), *check_programs(), check_settings(environ), check_folder(folder)]


def check_flows() -> Check:
    """Say whether all of Taxiway's workflows, and so what they import, can be imported."""
    try:
        for name in WORKFLOWS:
            import_module(name.rpartition(".")[0])
    except ImportError as error:
        remedy = "Install Taxiway again from its lock."
        return Check(name="workflows", ok=False, found=str(error), remedy=remedy)
    return Check(name="workflows", ok=True, found=f"{len(WORKFLOWS)} of Taxiway {version_of('taxiway')}")


def check_folder(folder: Path) -> Check:
    """Say whether files can be made in `folder`, as Flyte's clients do in their working directory."""
    try:
        with tempfile.TemporaryFile(dir=folder):
            pass
    except OSError as error:
        remedy = "Run as a user who may write there, or from another folder."
        return Check(name="working directory", ok=False, found=str(error), remedy=remedy)
    return Check(name="working directory", ok=True, found=str(folder))


def main() -> None:
    """Print what was looked at, and end with 1 where something is not as it should be."""
    checks = check_health(os.environ, Path.cwd())
    for check in checks:
        click.echo(f"{'ok ' if check.ok else 'NOT'} {check.name}: {check.found} {check.remedy}".rstrip())
    sys.exit(not all(check.ok for check in checks))


if __name__ == "__main__":
    main()
