"""What building on an engine needs of Flyte's secrets: who we are to it, and what builds are given."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from pathlib import Path

from flytekit import Secret

from tasks._engine import CERTIFICATES, EngineAddress
from tasks._errors import BadUsage
from tasks._secrets import SECRET_GROUP, Secrets, read_secret

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib  # type: ignore[import-not-found]

_KEYS = ("docker_ca", "docker_cert", "docker_key")
_BUILD = "build_secrets"
CLIENT_SECRETS = [Secret(group=SECRET_GROUP, key=key) for key in _KEYS]
"""For `secret_requests` of a task that asks the engine something: our certificates for it."""
ENGINE_SECRETS = [*CLIENT_SECRETS, Secret(group=SECRET_GROUP, key=_BUILD)]
"""For `secret_requests` of a task that builds: certificates for the engine, and the secrets of builds, as
TOML: `group = "..."`, or `key = "..."` in a table of the group's name."""


def read_engine_address(
    host: str, secrets: Secrets, environ: Mapping[str, str], *, folder: Path
) -> EngineAddress:
    """Return where the engine is; certificates for it are written below `folder`, readable by us alone.

    Outside of Flyte they are where docker looks for them: in the folder that DOCKER_CERT_PATH names.

    Raises:
        BadUsage: only some of the three secrets are there.
    """
    found = [read_secret(secrets, key) for key in _KEYS]
    if not any(found):
        local = environ.get("DOCKER_CERT_PATH", "")
        return EngineAddress(host=host, tls=Path(local) if local and host.startswith("tcp:") else None)
    if not all(found):
        missing = [f"{SECRET_GROUP}/{key}" for key, text in zip(_KEYS, found, strict=True) if not text]
        raise BadUsage(
            f"Of the certificates for the container engine, {' and '.join(missing)} is missing.",
            remedy="Add the secret, or remove the others where the engine asks for no certificate.",
        )
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    for name, text in zip(CERTIFICATES, found, strict=True):
        file = folder / name
        file.touch(mode=0o600)
        file.write_text(f"{text}\n")
    return EngineAddress(host=host, tls=folder)


def read_build_secrets(secrets: Secrets) -> dict[str, bytes]:
    """Return the secrets that builds may be given, by the names that policies use.

    Raises:
        BadUsage: the secret is no TOML of texts and tables of texts.
    """
    text = read_secret(secrets, _BUILD)
    try:
        return parse_build_secrets(text)
    except ValueError:
        # The error's text could quote the secret, and so could those that it came from.
        raise BadUsage(
            f"The secret {SECRET_GROUP}/{_BUILD} is no TOML of texts and tables of texts.",
            remedy='Write each as `group = "..."`, or as `key = "..."` in a table of the group\'s name.',
        ) from None


def parse_build_secrets(text: str) -> dict[str, bytes]:
    """Read build secrets by their names, `group` or `group/key`; raises ValueError where they are none."""
    found: dict[str, bytes] = {}
    for group, value in tomllib.loads(text).items():
        inner = {f"{group}/{key}": one for key, one in value.items()} if isinstance(value, dict) else {}
        for name, one in inner.items() if isinstance(value, dict) else ((group, value),):
            if not isinstance(one, str):
                raise ValueError(name)
            found[name] = one.encode()
    return found
