"""Who we are to a registry: from docker's configuration, a Flyte secret of that form, or a helper program.

No part of it is ever an argument, printed, or part of an error.
"""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeVar

from flytekit import Secret

from tasks._errors import (
    CommandMissing,
    CredentialHelperFailed,
    CredentialHelperMissing,
    RegistryCredentialsInvalid,
)
from tasks._references import DOCKER_HUB
from tasks._run import run
from tasks._secrets import SECRET_GROUP, Secrets, read_secret

T = TypeVar("T")

_KEY = "docker_config"
REGISTRY_SECRETS = [Secret(group=SECRET_GROUP, key=_KEY)]
"""For `secret_requests` of a task that asks a registry."""
_HUB_KEY = "https://index.docker.io/v1/"
_HELPER = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")
_HELPER_TIMEOUT_S = 30
# The user that docker's helpers give where the secret is an identity token.
_TOKEN_USER = "<token>"  # noqa: S105 (a user's name)
_ABSENT = "credentials not found"


@dataclass(frozen=True, kw_only=True)
class Login:
    """A user and password, or an identity token that is exchanged for others; empty is nobody."""

    user: str = field(default="", repr=False)
    password: str = field(default="", repr=False)
    identity_token: str = field(default="", repr=False)

    @property
    def basic(self) -> str:
        """The `Authorization` of basic authentication; empty without a password."""
        if not self.password:
            return ""
        return "Basic " + base64.b64encode(f"{self.user}:{self.password}".encode()).decode()

    @property
    def secrets(self) -> tuple[str, ...]:
        """What must not be seen of it, in each form that it is sent in."""
        return tuple(filter(None, (self.password, self.identity_token, self.basic.removeprefix("Basic "))))


ANONYMOUS = Login()


@dataclass(frozen=True, kw_only=True)
class DockerConfig:
    """What one `config.json` says about registries; `origin` names it in errors.

    `helpers` are by registry, `store` is the helper for all others; empty is none.
    """

    origin: str
    logins: Mapping[str, Login] = field(default_factory=dict, repr=False)
    helpers: Mapping[str, str] = field(default_factory=dict)
    store: str = ""


@dataclass(frozen=True, kw_only=True)
class Keychain:
    """Where logins are found, the first one first. `environ` is what helper programs run in."""

    configs: tuple[DockerConfig, ...] = ()
    environ: Mapping[str, str] = field(default_factory=dict, repr=False)

    def login(self, registry: str) -> Login:
        """Return who we are to `registry`, `HOST` or `HOST:PORT`; nobody where nothing is known of it.

        Raises:
            CredentialHelperMissing: the program that would know is not installed.
            CredentialHelperFailed: it did not answer as such programs do.
            CommandTimedOut: it did not answer in time.
        """
        found = (self._login(config, registry) for config in self.configs)
        return next((login for login in found if login != ANONYMOUS), ANONYMOUS)

    def _login(self, config: DockerConfig, registry: str) -> Login:
        helper = config.helpers.get(registry, config.store)
        asked = _ask(helper, registry, self.environ) if helper else ANONYMOUS
        return asked if asked != ANONYMOUS else config.logins.get(registry, ANONYMOUS)


def read_keychain(secrets: Secrets, environ: Mapping[str, str]) -> Keychain:
    """Read the secret `docker_config` of the group `taxiway`, and docker's own file where there is one.

    Raises:
        RegistryCredentialsInvalid: one of them is there and cannot be read.
    """
    configs = [parse_docker_config(text, origin=origin) for origin, text in _texts(secrets, environ)]
    return Keychain(configs=tuple(configs), environ=environ)


def docker_config(secrets: Secrets, environ: Mapping[str, str]) -> bytes | None:
    """Return the first of what `read_keychain` reads as it is, for the docker command; None without any.

    Raises:
        RegistryCredentialsInvalid: it is there and cannot be read.
    """
    return next((text.encode() for _, text in _texts(secrets, environ)), None)


def _texts(secrets: Secrets, environ: Mapping[str, str]) -> Iterator[tuple[str, str]]:
    """Yield each docker configuration that there is, with what it is called in errors."""
    if text := read_secret(secrets, _KEY):
        yield f"the secret {SECRET_GROUP}/{_KEY}", text
    folder = environ.get("DOCKER_CONFIG") or (f"{environ['HOME']}/.docker" if environ.get("HOME") else "")
    file = Path(folder) / "config.json"
    try:
        text = file.read_text() if folder else ""
    except (FileNotFoundError, NotADirectoryError):
        text = ""
    except (OSError, UnicodeDecodeError) as error:
        raise _invalid(str(file), type(error).__name__) from None
    if text.strip():
        yield str(file), text


def parse_docker_config(text: str, *, origin: str) -> DockerConfig:
    """Read docker's `config.json`; fields that do not concern registries are passed over.

    Raises:
        RegistryCredentialsInvalid: it is not of docker's form.
    """
    try:
        document = json.loads(text)
        return DockerConfig(
            origin=origin,
            logins=_by_registry({key: _login_of(value) for key, value in _table(document, "auths").items()}),
            helpers=_by_registry(
                {key: _helper_of(value) for key, value in _table(document, "credHelpers").items()}
            ),
            store=_helper_of(document.get("credsStore") or ""),
        )
    except (ValueError, TypeError, AttributeError, RecursionError) as error:
        # The error's own text could quote a secret, and so could those that it came from.
        raise _invalid(origin, type(error).__name__) from None


def written(logins: Mapping[str, Login]) -> str:
    """Return a docker `config.json` with these logins, by registry, and nothing else."""
    auths: dict[str, dict[str, str]] = {}
    for registry, login in logins.items():
        key = _HUB_KEY if registry == DOCKER_HUB else registry
        if login.identity_token:
            user = base64.b64encode(f"{login.user}:".encode()).decode()
            auths[key] = {"auth": user, "identitytoken": login.identity_token}
        elif login.password:
            auths[key] = {"auth": login.basic.removeprefix("Basic ")}
    return json.dumps({"auths": auths})


def registry_of(key: str) -> str:
    """Return the registry that a key of docker's configuration means: a host, or an old one's URL."""
    host = key.partition("://")[2] or key
    host = host.partition("/")[0].lower()
    return DOCKER_HUB if host in ("index.docker.io", "registry-1.docker.io") else host


def _by_registry(found: Mapping[str, T]) -> dict[str, T]:
    """Key by registry; a key that is just a registry's name counts before an old URL of the same."""
    ordered = sorted(found.items(), key=lambda item: item[0] == registry_of(item[0]))
    return {registry_of(key): value for key, value in ordered}


def _table(document: Mapping[str, object], name: str) -> Mapping[str, object]:
    found = document.get(name) or {}
    if not isinstance(found, dict):
        raise TypeError(name)
    return found


def _login_of(entry: object) -> Login:
    if not isinstance(entry, dict):
        raise TypeError("a login is not an object")
    user, password, auth, token = (
        _text_of(entry.get(name) or "") for name in ("username", "password", "auth", "identitytoken")
    )
    if auth:
        user, _, password = base64.b64decode(auth, validate=True).decode().rstrip("\0").partition(":")
    return Login(user=user, password="" if token else password, identity_token=token)


def _text_of(value: object) -> str:
    if not isinstance(value, str):
        raise TypeError("not a text")
    return value


def _helper_of(name: object) -> str:
    if not isinstance(name, str) or (name and not _HELPER.fullmatch(name)):
        raise ValueError("a helper's name is a path or not a text")
    return name


def _ask(helper: str, registry: str, environ: Mapping[str, str]) -> Login:
    """Ask a helper as docker does: the registry on stdin, an object with the secret on stdout."""
    program = f"docker-credential-{helper}"
    server = _HUB_KEY if registry == DOCKER_HUB else registry
    try:
        # Every code is taken here, for an error of `run` would quote what was printed.
        done = run(
            [program, "get"],
            timeout_s=_HELPER_TIMEOUT_S,
            env=environ,
            stdin=server.encode(),
            expect=range(-64, 256),
        )
    except CommandMissing as error:
        raise CredentialHelperMissing(
            f"The credentials for {registry} are kept by `{program}`, which cannot be started.",
            remedy=f"Install {program}, or give the secret {SECRET_GROUP}/{_KEY}.",
        ) from error
    if done.code != 0 and _ABSENT in done.stdout + done.stderr:
        return ANONYMOUS
    try:
        if done.code != 0:
            raise ValueError(f"it ended with exit code {done.code}")
        answer = json.loads(done.stdout)
        return _login_from(answer["Username"], answer["Secret"])
    except (ValueError, TypeError, KeyError) as error:
        why = str(error) if done.code != 0 else "what it printed is not what such programs print"
        raise CredentialHelperFailed(
            f"`{program} get` did not give the credentials for {registry}: {why}.",
            remedy=f"Run it by hand with `{server}` on its input.",
        ) from None


def _login_from(user: object, secret: object) -> Login:
    if user == _TOKEN_USER:
        return Login(identity_token=_text_of(secret))
    return Login(user=_text_of(user), password=_text_of(secret))


def _invalid(origin: str, why: str) -> RegistryCredentialsInvalid:
    return RegistryCredentialsInvalid(
        f"The registry credentials in {origin} cannot be read ({why}).",
        remedy="Write it as docker's config.json has it; `docker login` makes one.",
    )
