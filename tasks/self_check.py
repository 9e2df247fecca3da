"""What a task of this installation finds around it: whether previews can work from here."""

from __future__ import annotations

import os
import platform
import shutil
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path

import flytekit
from flyteidl.admin.version_pb2 import GetVersionRequest
from flytekit import Resources, current_context, task
from flytekit.configuration import Config

from tasks._engine import open_engine
from tasks._engine_secrets import CLIENT_SECRETS, read_engine_address
from tasks._errors import BadUsage, TaxiwayError
from tasks._flyte import Flyte, connect
from tasks._secrets import Secrets
from tasks._settings import Settings, read_settings
from tasks._types import Record
from tasks._versions import version_of

PROGRAMS = ("git", "uv")
ENGINE_PROGRAMS = ("docker",)
"""What is needed besides where images are built on a container engine."""


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


def check_programs(names: Sequence[str] = PROGRAMS) -> list[Check]:
    """Say which programs that the steps start are on PATH."""
    return [
        Check(
            name=f"program {name}",
            ok=(path := shutil.which(name)) is not None,
            found=path or "not on PATH",
            remedy="" if path else f"Install {name}; Taxiway's tasks need it in their image.",
        )
        for name in names
    ]


def check_settings(environ: Mapping[str, str]) -> Check:
    """Say whether the settings in the environment can be read."""
    try:
        settings = read_settings(environ)
    except BadUsage as error:
        return Check(name="settings", ok=False, found=error.problem, remedy=error.remedy)
    return Check(name="settings", ok=True, found=where_images_are(settings))


def where_images_are(settings: Settings) -> str:
    """Return where images are built and kept, in words."""
    if settings.docker_host:
        return f"images on the engine at {settings.docker_host}"
    return f"images in {settings.image_root}" if settings.image_root else "no folder of images"


def check_engine(environ: Mapping[str, str], secrets: Secrets) -> list[Check]:
    """Say whether images can be built from here on the settings' engine; nothing where they name none."""
    try:
        settings = read_settings(environ)
    except BadUsage:
        return []  # `check_settings` says so
    if not settings.docker_host:
        return []
    with tempfile.TemporaryDirectory(prefix="taxiway-") as folder:
        try:
            address = read_engine_address(settings.docker_host, secrets, environ, folder=Path(folder) / "tls")
            with open_engine(address, environ=environ) as engine:
                known = "" if engine.buildkit else ", which takes no secrets for builds"
                found = f"{address.host} for {engine.platform}{known}"
            check = Check(name="container engine", ok=True, found=found)
        except TaxiwayError as error:
            check = Check(name="container engine", ok=False, found=error.problem, remedy=error.remedy)
    return [*check_programs(ENGINE_PROGRAMS), check]


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


@task(
    requests=Resources(cpu="100m", mem="250Mi"),
    limits=Resources(cpu="1", mem="500Mi"),
    secret_requests=CLIENT_SECRETS,
)
def look_around() -> SelfCheck:
    """Look at programs, settings, the container engine and Flyte from inside a task."""
    checks = [*check_programs(), check_settings(os.environ)]
    checks += check_engine(os.environ, current_context().secrets)
    with connect(Config.auto(), timeout_s=10, patience_s=5) as flyte:
        checks.append(check_flyte(flyte))
    return SelfCheck(checks=checks, versions=versions())
