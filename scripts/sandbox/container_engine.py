"""The container engine of this machine: reached by `DOCKER_HOST`, or at Docker's usual socket."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import closing
from typing import Any

import docker
import requests
from docker.errors import DockerException
from docker.utils import kwargs_from_env

MIN_API = (1, 40)
"""Docker 19.03, podman 3. Any later one is spoken to in its own version."""

ENGINE_FAULTS = (DockerException, requests.RequestException, OSError)
"""What a call to the engine raises: it says no, or it is not there."""
_TIMEOUT_S = 60
# Each attempt holds a connection for its output, beside those of short calls.
_CONNECTIONS = 128


class EngineUnreachable(Exception):
    """No container engine answers, or one that is too old; the message says where, and what to do."""


def connect(environ: Mapping[str, str]) -> docker.APIClient:
    """Return a client of the engine that `environ` names, which has answered.

    Raises:
        EngineUnreachable: none does.
    """
    where = environ.get("DOCKER_HOST") or "the default socket"
    least = ".".join(map(str, MIN_API))
    remedy = "Start one, or set DOCKER_HOST to its address (and DOCKER_CERT_PATH, if it asks for one)"
    try:
        options = kwargs_from_env(environment=environ)
        with closing(_client(options, least)) as asking:
            version: str = asking.version(api_version=False)["ApiVersion"]
        if tuple(int(part) for part in version.split(".")) >= MIN_API:
            return _client(options, version)
    except (*ENGINE_FAULTS, ValueError, KeyError) as error:
        raise EngineUnreachable(f"no container engine answers at {where}: {error}. {remedy}.") from error
    raise EngineUnreachable(
        f"the container engine at {where} speaks version {version} of Docker's API; "
        f"{least} is the least that serves. Start a newer one."
    )


def _client(options: Mapping[str, Any], version: str) -> docker.APIClient:
    client = docker.APIClient(**options, version=version, timeout=_TIMEOUT_S, max_pool_size=_CONNECTIONS)
    # The environment's proxies, certificates and logins of ~/.netrc are for others than the engine.
    client.trust_env = False
    return client
