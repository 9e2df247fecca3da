"""Secrets from a folder, given to tasks as Flyte's webhook gives Kubernetes' ones.

Source: flytepropeller `pkg/webhook/k8s_secrets.go`. The folder holds `<group>/<key>`, for all namespaces,
and `<project>-<domain>/<group>/<key>`, which wins in that namespace. Only the keys that a task asks for
are given. One that does not exist is left out, and the task starts all the same.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path, PurePosixPath

from flyteidl.core.security_pb2 import Secret

from scripts.sandbox.environment import Variables

_ENV_PREFIX = "_FSEC_"


def find(folder: Path | None, namespace: str, secret: Secret) -> bytes | None:
    """Return a secret's value, or None where there is none in this namespace.

    A group or key that is not one plain file name is never found, so nothing outside the folder is read.
    """
    names = (secret.group, secret.key)
    if folder is None or any(
        not name or name in (".", "..") or "/" in name or "\0" in name for name in names
    ):
        return None
    for base in (folder / namespace, folder):
        path: Path = base / secret.group / secret.key
        if path.is_file():
            return path.read_bytes()
    return None


def mount(
    secrets: Iterable[Secret],
    *,
    source: Path | None,
    namespace: str,
    target: Path,
    seen_as: str | None = None,
) -> Variables:
    """Write the secrets asked for as files under `target`, and return the variables that go with them.

    `seen_as` is where the task finds `target`, if that is not where it lies.
    A secret whose mount requirement is ENV_VAR becomes a variable instead; `env_var` names one more.
    Nothing is asked for: nothing is written or returned.
    """
    variables: dict[str, str] = {}
    seen_as = seen_as or str(target)
    for secret in secrets:
        value = find(source, namespace, secret)
        if secret.mount_requirement == Secret.ENV_VAR:
            _as_variable(secret, value, variables)
        else:
            variables["FLYTE_SECRETS_DEFAULT_DIR"] = seen_as
            variables["FLYTE_SECRETS_FILE_PREFIX"] = ""
            place = PurePosixPath(secret.group.lower(), secret.key.lower())
            if secret.env_var:
                variables[secret.env_var] = f"{seen_as}/{place}"
            if value is not None:
                _write(target / place, value)
    return tuple(variables.items())


def _as_variable(secret: Secret, value: bytes | None, variables: dict[str, str]) -> None:
    variables["FLYTE_SECRETS_ENV_PREFIX"] = _ENV_PREFIX
    if value is None:
        return
    text = value.decode(errors="surrogateescape")
    variables[f"{_ENV_PREFIX}{secret.group}_{secret.key}".upper()] = text
    if secret.env_var:
        variables[secret.env_var] = text


def _write(path: Path, value: bytes) -> None:
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    path.touch(mode=0o600)
    path.write_bytes(value)
