"""The Flyte of a stage: Taxiway's own, or another cluster's with credentials of its own."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace

from flytekit import Secret
from flytekit.configuration import AuthType, Config, PlatformConfig

from tasks._errors import BadUsage
from tasks._flyte import Flyte, connect
from tasks._network import is_loopback_host
from tasks._secrets import SECRET_GROUP, Secrets

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib  # type: ignore[import-not-found]

_KEY = "flyte_credentials"
_PAIR = ("client_id", "client_secret")
VARIABLE = f"_FSEC_{SECRET_GROUP}_{_KEY}".upper()
"""Where flytekit looks for the same outside of a task: an environment variable of this name."""
STAGE_SECRETS = [Secret(group=SECRET_GROUP, key=_KEY)]
"""For `secret_requests` of a task that goes to other clusters: a TOML table for each endpoint, with
`client_id` and `client_secret`."""


def platform_of(
    endpoint: str, own: PlatformConfig, credentials: Mapping[str, Mapping[str, str]]
) -> PlatformConfig:
    """Return how to reach an endpoint; an empty one is our own Flyte.

    Another one is reached with TLS, but for this machine's loopback, and with the credentials that are
    kept for it; ours are not sent there.

    Raises:
        BadUsage: what is kept for it is no whole pair of `client_id` and `client_secret`.
    """
    if not endpoint:
        return own
    known = credentials.get(endpoint, {})
    platform = replace(
        PlatformConfig(),
        endpoint=endpoint,
        insecure=is_loopback(endpoint),
        ca_cert_file_path=own.ca_cert_file_path,
    )
    if not known:
        return platform
    pair = [known.get(name) for name in _PAIR]
    if not all(isinstance(part, str) and part for part in pair):
        raise BadUsage(
            f"The secret {SECRET_GROUP}/{_KEY} has no {' and '.join(_PAIR)} for {endpoint}.",
            remedy=f"Give both in its table, or take the table out where {endpoint} asks for no login.",
        )
    return replace(
        platform, auth_mode=AuthType.CLIENTSECRET, client_id=pair[0], client_credentials_secret=pair[1]
    )


def is_loopback(endpoint: str) -> bool:
    """Say whether an endpoint is this machine itself."""
    return is_loopback_host(endpoint.removeprefix("dns:///").rpartition(":")[0].strip("[]"))


def read_stage_credentials(secrets: Secrets) -> dict[str, dict[str, str]]:
    """Read the credentials for other clusters' endpoints; none where there is no such secret.

    Raises:
        BadUsage: the secret is no TOML of tables.
    """
    try:
        text = secrets.get(SECRET_GROUP, _KEY)
    except ValueError:
        return {}
    try:
        tables = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        # The error's text could quote the secret.
        raise BadUsage(
            f"The secret {SECRET_GROUP}/{_KEY} is no TOML.", remedy="Give a table for each endpoint."
        ) from error
    return {endpoint: dict(table) for endpoint, table in tables.items() if isinstance(table, dict)}


@contextmanager
def open_stage(endpoint: str, own: Flyte, credentials: Mapping[str, Mapping[str, str]]) -> Iterator[Flyte]:
    """Yield the Flyte of a stage at `endpoint`: `own` where that is empty.

    Raises:
        BadUsage: see `platform_of`.
    """
    if not endpoint:
        yield own
        return
    platform = platform_of(endpoint, own.config.platform, credentials)
    with connect(Config(platform=platform), timeout_s=own.timeout_s, patience_s=own.patience_s) as flyte:
        yield replace(flyte, login=_login(endpoint, known=endpoint in credentials))


def _login(endpoint: str, *, known: bool) -> str:
    secret = f"the secret {SECRET_GROUP}/{_KEY} (of a command: {VARIABLE})"
    if known:
        return f"Correct the table of {endpoint} in {secret}."
    return f"Add a table of {endpoint}, with {' and '.join(_PAIR)}, to {secret}."
