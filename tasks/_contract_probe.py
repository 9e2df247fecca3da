"""What is asked of an image from inside, in a container that can reach and keep nothing.

It has no network, no mounts and no secrets; memory, processes and time are limited. What it prints was
written by strangers and is read as such.
"""

from __future__ import annotations

import contextlib
import re
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import docker
import requests
from docker.errors import APIError, ImageNotFound
from docker.types import LogConfig

from tasks._engine import ENGINE_FAULTS, Engine, engine_fault
from tasks._registry_credentials import ANONYMOUS, Login

_MARK = "taxiway-probe"
_LINE = re.compile(rf"^{_MARK} (?P<name>[a-z_-]+)=(?P<value>[ -~]{{0,200}})$", re.MULTILINE)
_TIMEOUT_S = 60
# Far beyond the time of both probes of an image, on clocks that may differ.
_ABANDONED_S = 600
_LABEL = "taxiway.probe"
_MEMORY_BYTES = 512 * 1024**2
_PROCESSES = 100
_SHOWN = 500

PROGRAMS = ("pyflyte-execute", "pyflyte-fast-execute", "tar")
"""What Flyte starts, and what unpacks the code bundle, as flytekit does."""

# Nothing but a POSIX shell is taken for granted. flytekit is asked by the Python that would run it.
_SCRIPT = """\
say() { printf 'taxiway-probe %s=%s\\n' "$1" "$2"; }
say begun yes
while read -r name _ uid _; do case $name in Uid:) say uid "$uid";; esac; done < /proc/self/status
say workdir "$(pwd)"
for program in pyflyte-execute pyflyte-fast-execute tar; do say "$program" "$(command -v $program)"; done
try="$1/.taxiway-probe-$$"
if mkdir -p "$1" 2>/dev/null && (: > "$try") 2>/dev/null; then rm -f "$try"; say writable yes
else say writable no; fi
found=$(command -v pyflyte-execute) && read -r line < "$found" && case $line in
  '#!'*) python=${line#'#!'};;
esac
ask='import sys, importlib.metadata as m; print("%d.%d" % sys.version_info[:2], m.version("flytekit"))'
said=$(${python:-python3} -c "$ask" 2>/dev/null) && say python "${said% *}" && say flytekit "${said#* }"
say ended yes
"""


@dataclass(frozen=True, kw_only=True)
class Ran:
    """How a probe went. `answers` are what it said, by name; `problem` is why it said nothing."""

    answers: Mapping[str, str] = field(default_factory=dict)
    code: int | None = None
    printed: str = ""
    problem: str = ""

    @property
    def ended(self) -> bool:
        """Whether the script ran, whole."""
        return "ended" in self.answers


@dataclass(frozen=True, kw_only=True)
class Probed:
    """An image's configuration, and its probes: with its own ENTRYPOINT, and with none where that failed."""

    platform: str
    user: str
    entrypoint: tuple[str, ...]
    as_flyte_does: Ran
    without_entrypoint: Ran | None = None


def probe(
    engine: Engine, reference: str, *, destination: str, runnable: str, login: Login = ANONYMOUS
) -> Probed:
    """Look into an image, which is pulled where the engine has it not; `destination` is where code goes.

    An image that is not for the platform `runnable` is not started.

    Raises:
        EngineUnavailable: the engine broke off.
        APIError: the engine refuses.
    """
    try:
        _sweep(engine.client)
        image = _image(engine.client, reference, login)
        config: Mapping[str, Any] = image.get("Config") or {}
        platform = "/".join(filter(None, (image.get("Os"), image.get("Architecture"))))
        entrypoint = tuple(config.get("Entrypoint") or ())
        runs = platform == runnable
        own = _run(engine.client, reference, destination) if runs else Ran(problem="it was not started")
        plain = None
        if runs and entrypoint and not own.ended:
            plain = _run(engine.client, reference, destination, replaced=True)
        return Probed(
            platform=platform,
            user=str(config.get("User") or ""),
            entrypoint=entrypoint,
            as_flyte_does=own,
            without_entrypoint=plain,
        )
    except APIError:
        raise
    except ENGINE_FAULTS as error:
        raise engine_fault(str(error), engine.address) from error


def answers_of(printed: str) -> dict[str, str]:
    """Return what the script said, by name; the last word counts."""
    return {found["name"]: found["value"] for found in _LINE.finditer(printed.replace("\r", ""))}


def _sweep(client: docker.APIClient) -> None:
    """Remove the containers of probes that nobody waits for any more: whoever did was killed."""
    for found in client.containers(all=True, filters={"label": _LABEL}):
        if time.time() - found["Created"] > _ABANDONED_S:
            with contextlib.suppress(APIError):
                client.remove_container(found["Id"], v=True, force=True)


def _image(client: docker.APIClient, reference: str, login: Login) -> Mapping[str, Any]:
    try:
        found: Mapping[str, Any] = client.inspect_image(reference)
    except ImageNotFound:
        known = {"username": login.user, "password": login.password, "identitytoken": login.identity_token}
        auth = {name: value for name, value in known.items() if value} or None
        client.pull(reference, auth_config=auth)
        found = client.inspect_image(reference)
    return found


def _run(client: docker.APIClient, reference: str, destination: str, *, replaced: bool = False) -> Ran:
    host = client.create_host_config(
        network_mode="none",
        mem_limit=_MEMORY_BYTES,
        memswap_limit=_MEMORY_BYTES,
        pids_limit=_PROCESSES,
        security_opt=["no-new-privileges"],
        log_config=LogConfig(type=LogConfig.types.JSON, config={"max-size": "1m"}),
    )
    script = ["-c", _SCRIPT, "probe", destination]
    try:
        container: str = client.create_container(
            reference,
            command=script if replaced else ["sh", *script],
            entrypoint=["sh"] if replaced else None,
            labels={_LABEL: reference},
            healthcheck={"Test": ["NONE"]},
            host_config=host,
            use_config_proxy=False,  # which can hold a password
        )["Id"]
    except APIError as error:
        return Ran(problem=str(error.explanation))
    try:
        return _outcome(client, container)
    finally:
        with contextlib.suppress(APIError):
            client.remove_container(container, v=True, force=True)


def _outcome(client: docker.APIClient, container: str) -> Ran:
    problem, code = "", None
    try:
        client.start(container)
        code = client.wait(container, timeout=_TIMEOUT_S)["StatusCode"]
    except APIError as error:
        return Ran(problem=str(error.explanation))
    except (requests.exceptions.ReadTimeout, requests.exceptions.ConnectionError):
        client.kill(container)
        problem = f"it did not end within {_TIMEOUT_S} s"
    printed = client.logs(container, tail=200).decode(errors="replace")
    return Ran(answers=answers_of(printed), code=code, printed=printed[-_SHOWN:], problem=problem)
