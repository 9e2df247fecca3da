"""What a task of this installation finds around it: whether previews can work from here."""

from __future__ import annotations

import os
import platform
import shutil
from collections.abc import Mapping

import flytekit
from flyteidl.admin.version_pb2 import GetVersionRequest
from flytekit import Resources, task
from flytekit.configuration import Config

from tasks._errors import BadUsage, TaxiwayError
from tasks._flyte import Flyte, connect
from tasks._settings import read_settings
from tasks._types import Record
from tasks._versions import version_of

PROGRAMS = ("git", "uv")


class Check(Record):
    """One thing that was looked at. `remedy` is empty where it is as it should be."""

    name: str
    ok: bool
    found: str
    remedy: str = ""


class SelfCheck(Record):
    """Everything that a task found; that it can be read shows that the storage takes what tasks write."""

    checks: list[Check]
    versions: dict[str, str]


def check_programs() -> list[Check]:
    """Say which programs that the steps start are on PATH."""
    return [
        Check(
            name=f"program {name}",
            ok=(path := shutil.which(name)) is not None,
            found=path or "not on PATH",
            remedy="" if path else f"Install {name} in the image of Taxiway's tasks.",
        )
        for name in PROGRAMS
    ]


def check_settings(environ: Mapping[str, str]) -> Check:
    """Say whether the settings in the environment can be read."""
    try:
        settings = read_settings(environ)
    except BadUsage as error:
        return Check(name="settings", ok=False, found=error.problem, remedy=error.remedy)
    kept = f"images in {settings.image_root}" if settings.image_root else "no folder of images"
    return Check(name="settings", ok=True, found=kept)


def check_flyte(flyte: Flyte) -> Check:
    """Say whether Flyte answers from where this runs."""
    try:
        flyte.call("GetVersion", GetVersionRequest())
    except TaxiwayError as error:
        remedy = f"Install with the --cluster-endpoint that is right inside the cluster. {error.remedy}"
        return Check(name="Flyte from a task", ok=False, found=error.problem, remedy=remedy)
    return Check(name="Flyte from a task", ok=True, found=flyte.endpoint)


def versions() -> dict[str, str]:
    """Return the versions of what a report depends on."""
    return {
        "taxiway": version_of("taxiway"),
        "flytekit": flytekit.__version__,
        "flyteidl": version_of("flyteidl"),
        "python": platform.python_version(),
    }


@task(requests=Resources(cpu="100m", mem="250Mi"), limits=Resources(cpu="1", mem="500Mi"))
def look_around() -> SelfCheck:
    """Look at programs, settings and Flyte from inside a task."""
    with connect(Config.auto(), timeout_s=10, patience_s=5) as flyte:
        checks = [*check_programs(), check_settings(os.environ), check_flyte(flyte)]
    return SelfCheck(checks=checks, versions=versions())
