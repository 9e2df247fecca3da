"""What a failed build or push means, by what the docker command printed; pure.

The words are those of Docker 20.10 and later, of BuildKit, and of registries as docker passes them on.
"""

from __future__ import annotations

import re

from tasks._errors import (
    BuildFailed,
    BuildTimedOut,
    CredentialHelperMissing,
    DiskFull,
    EngineUnavailable,
    PackageIndexUnavailable,
    RegistryDenied,
    RegistryNotFound,
    RegistryUnavailable,
    RegistryUntrusted,
    TaxiwayError,
)

_SHOWN_LINES = 20
_STEP_FAILED = re.compile(r"executor failed running|did not complete successfully|returned a non-zero code")
_SYNTAX = re.compile(r"(?:dockerfile )?parse error (?:on )?line (?P<line>\d+): (?P<said>.*)", re.IGNORECASE)
_AT_LINE = re.compile(r"^Dockerfile:(?P<line>\d+)$", re.MULTILINE)
_MISSING = re.compile(
    r'"(?P<buildkit>[^"]+)":? not found|(?:COPY|ADD) failed: .*stat (?P<classic>[^:]+): ', re.MULTILINE
)
_STEP = re.compile(r"^ > (?P<name>.*):$", re.MULTILINE)
_BASE_STEP = re.compile(r"\[internal\] load metadata|\[auth\]|\] FROM ")
_NO_ROOM = re.compile(r"no space left on device|disk quota exceeded", re.IGNORECASE)
_NO_INDEX = re.compile(
    r"NewConnectionError|ConnectTimeout|ReadTimeout|Temporary failure (in name resolution|resolving)"
    r"|Could not resolve|Connection (refused|reset|timed out)|error sending request|dns error",
    re.IGNORECASE,
)
_NO_ENGINE = re.compile(
    r"cannot connect to the docker daemon|error during connect|error reading from server: EOF"
    r"|transport is closing|failed to dial gRPC|use of closed network connection|code = Unavailable"
    r"|context canceled|failed to receive status",
    re.IGNORECASE,
)
_NO_HELPER = re.compile(r"error getting credentials - err:.*?docker-credential-(?P<helper>[\w.-]+)")
_DENIED = re.compile(
    r"no basic auth credentials|unauthorized\b|\bdenied\b|status code.*40[13]"
    r"|40[13] (Unauthorized|Forbidden)",
    re.IGNORECASE,
)
_UNTRUSTED = re.compile(r"x509: |server gave HTTP response to HTTPS client|tls: ", re.IGNORECASE)
_NO_REGISTRY = re.compile(
    r"dial tcp|connection re(fused|set)|i/o timeout|TLS handshake timeout|no such host|unexpected EOF|: EOF"
    r"|Client\.Timeout|unexpected (HTTP )?status.* 5\d\d|\b(50[0234]|429) |toomanyrequests"
    r"|blob upload (unknown|invalid)|internal server error|Service Unavailable",
    re.IGNORECASE,
)
_FULL = re.compile(r"\b507\b|no space left on device", re.IGNORECASE)
_NO_IMAGE = re.compile(r"not found|manifest unknown|does not exist", re.IGNORECASE)
_FOREIGN = re.compile(r"exec format error", re.IGNORECASE)
_NOISE = re.compile(r"^(?:#\d+ )?(?:sha256:[0-9a-f]{64}|-+|)$")


def build_fault(printed: str, *, engine: str, engine_answers: bool, platform: str) -> TaxiwayError:
    """Return the error that a failed build is; `engine` is the address of the one that it was built on."""
    last = last_lines(printed)
    said = _final(printed)
    shown = f"The last lines of the build:\n{last}\n"
    if not engine_answers or (_NO_ENGINE.search(said) and not _STEP_FAILED.search(said)):
        return EngineUnavailable(
            f"The container engine at {engine} broke off a build. {shown}",
            remedy="It is tried again; see whether the engine is well.",
        )
    if _STEP_FAILED.search(said):
        return _step_fault(printed, shown, platform)
    if found := _SYNTAX.search(said):
        return BuildFailed(
            f"The Dockerfile cannot be read: line {found['line']}: {found['said']}.",
            remedy="Correct that line.",
        )
    if _NO_ROOM.search(said):
        return _disk_full(engine, shown)
    if found := _MISSING.search(said):
        name = found["buildkit"] or found["classic"]
        return BuildFailed(
            f"The Dockerfile copies `{name.lstrip('/')}`, which is not among what it is built from. {shown}",
            remedy="Add it to image.dependencies, or correct its name.",
        )
    step = _STEP.search(printed)
    of_base = step is None or _BASE_STEP.search(step["name"])
    missing = f"An image that the Dockerfile starts from cannot be had. {shown}"
    return (_registry_fault(said, missing) if of_base else None) or BuildFailed(
        f"The image could not be built. {shown}", remedy="See what the builder says, and correct it."
    )


def timed_out(printed: str, timeout_s: float) -> BuildTimedOut:
    """Return the error of a build that was ended at its limit."""
    return BuildTimedOut(
        f"The build was ended after {timeout_s:g} s. The last lines of the build:\n{last_lines(printed)}\n",
        remedy="See what it waited for, or raise TAXIWAY_BUILD_TIMEOUT_S.",
    )


def push_fault(printed: str, reference: str, *, engine: str, engine_answers: bool) -> TaxiwayError:
    """Return the error that a failed push is."""
    said = _final(printed)
    shown = f"{reference} could not be pushed: {said}."
    if not engine_answers or _NO_ENGINE.search(said):
        return EngineUnavailable(
            f"The container engine at {engine} broke off: {shown}",
            remedy="It is tried again; see whether the engine is well.",
        )
    if _NO_ROOM.search(said) and not _NO_REGISTRY.search(said):
        return _disk_full(engine, shown)
    return _registry_fault(said, shown) or RegistryUnavailable(
        shown, remedy="See whether the registry is well; it is tried again."
    )


def last_lines(printed: str) -> str:
    """Return the last lines that say something."""
    lines = [line for line in printed.splitlines() if not _NOISE.fullmatch(line.strip())]
    return "\n".join(lines[-_SHOWN_LINES:])


def _final(printed: str) -> str:
    return (last_lines(printed).splitlines() or ["it printed nothing"])[-1].strip()


def _step_fault(printed: str, shown: str, platform: str) -> TaxiwayError:
    """Return what a RUN that failed means; what it printed itself is among the last lines."""
    if _NO_ROOM.search(shown):
        return _disk_full("the builder", shown)
    if _FOREIGN.search(shown):
        return BuildFailed(
            f"The engine cannot run what is for {platform}. {shown}",
            remedy="Correct image.platform, or build on an engine of that kind or with emulation (binfmt).",
        )
    if _NO_INDEX.search(shown):
        return PackageIndexUnavailable(
            f"The packages of the image could not be fetched. {shown}",
            remedy="It is tried again; see whether the package index can be reached from the engine.",
        )
    return BuildFailed(
        f"A command of the Dockerfile failed. {shown}", remedy="Correct the Dockerfile, or what it installs."
    )


def _registry_fault(said: str, shown: str) -> TaxiwayError | None:
    """Return the error that is the registry's, None where it is not about a registry."""
    if found := _NO_HELPER.search(said):
        return CredentialHelperMissing(
            f"The registry's credentials are kept by `docker-credential-{found['helper']}`, which cannot be "
            f"started. {shown}",
            remedy="Install it, or give the secret taxiway/docker_config with a login.",
        )
    if _DENIED.search(said):
        return RegistryDenied(
            shown, remedy="Have the login allowed to do this, or use another one.", status=403
        )
    if _UNTRUSTED.search(said):
        return RegistryUntrusted(
            shown, remedy="Have the engine trust the registry's certificate, or list it as insecure there."
        )
    if _NO_REGISTRY.search(said):
        # Of an answer that is 5xx, docker shows nothing but the status.
        full = _FULL.search(said)
        remedy = "Make room in the registry" if full else "See whether the registry is well and has room"
        return RegistryUnavailable(shown, remedy=f"{remedy}; it is tried again.")
    if _NO_IMAGE.search(said):
        return RegistryNotFound(shown, remedy="Check the name of the image.", status=404)
    return None


def _disk_full(where: str, shown: str) -> DiskFull:
    return DiskFull(
        f"There is no room left on the container engine ({where}). {shown}",
        remedy="Make room there, for instance with `docker builder prune`.",
    )
