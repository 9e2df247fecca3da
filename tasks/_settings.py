"""Taxiway's settings, read once from an environment mapping; no other module reads the environment.

Where Flyte is, and who we are to it, is flytekit's own configuration (`FLYTE_PLATFORM_URL`,
`FLYTE_PLATFORM_INSECURE`, `FLYTECTL_CONFIG`, ...), which `flytekit.configuration.Config.auto` reads.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from tasks._errors import BadUsage

PREFIX = "TAXIWAY_"
Setting = bool | int | float | str | Path | tuple[str, ...]


@dataclass(frozen=True, kw_only=True)
class Settings:
    """What an installation decides for all its targets. 0 is no limit; a list is written with commas."""

    allow_file_urls: bool = False
    """Whether a target repository may be a `file://` URL; for trying out and for tests."""
    image_root: Path | None = None
    """The folder of venv images, where there is no container engine."""
    docker_host: str = ""
    """The container engine that builds images, such as `tcp://builder:2376`; empty is none."""
    max_repository_bytes: int = 2 * 1024**3
    """The most that fetching one revision may bring."""
    max_bundle_bytes: int = 256 * 1024**2
    """The most that a code bundle may hold, before compression."""
    plain_http_registries: tuple[str, ...] = ()
    """Registries, as `HOST:PORT`, that speak http without TLS; those on loopback do so unasked."""
    fetch_timeout_s: float = 300
    build_timeout_s: float = 1800
    package_timeout_s: int = 300
    rpc_timeout_s: float = 60
    rpc_patience_s: float = 45
    """How long a call is tried again while a Flyte, Taxiway's own or a stage's, is unavailable."""


def read_settings(environ: Mapping[str, str]) -> Settings:
    """Read `TAXIWAY_<FIELD>` for every field of `Settings`.

    Raises:
        BadUsage: a value is not of its field's type, or names no field.
    """
    known = {PREFIX + name.upper(): name for name in Settings.__dataclass_fields__}
    values: dict[str, Setting] = {}
    for key, text in environ.items():
        if not key.startswith(PREFIX):
            continue
        if key not in known:
            raise BadUsage(
                f"{key} is no setting of Taxiway.", remedy=f"Unset it; known are {', '.join(sorted(known))}."
            )
        values[known[key]] = _parse(key, text, Settings.__dataclass_fields__[known[key]].type)
    return Settings(**values)  # type: ignore[arg-type]


def _parse(key: str, text: str, kind: object) -> Setting:
    try:
        if kind == "bool":
            return {"1": True, "true": True, "0": False, "false": False, "": False}[text.lower()]
        if kind in {"int", "float"}:
            return _not_negative(int(text) if kind == "int" else float(text))
        if kind == "tuple[str, ...]":
            return tuple(word for word in map(str.strip, text.split(",")) if word)
        if kind == "str":
            return text
        if not text:
            raise ValueError("an empty path")
        return Path(text)
    except (KeyError, ValueError) as error:
        raise BadUsage(
            f"{key}={text!r} is not a valid {kind}.", remedy=f"Set {key} to a {kind}, or unset it."
        ) from error


def _not_negative(number: float) -> float:
    if not 0 <= number < math.inf:
        raise ValueError("negative, infinite or not a number")
    return number
