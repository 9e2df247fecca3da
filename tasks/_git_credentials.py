"""What lets git read a private repository: from a Flyte secret into files that only git reads.

No part of it is ever an argument, part of a URL or an environment variable. A token goes through git's
own `credential-store`, which gives it to the host that it is for and to no other, redirects included.
"""

from __future__ import annotations

import shlex
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import quote, unquote, urlsplit

from flytekit import Secret

from tasks._secrets import SECRET_GROUP, Secrets, read_secret

_TOKEN, _SSH_KEY, _KNOWN_HOSTS = "git_token", "git_ssh_key", "git_known_hosts"
# For `secret_requests` of the task that fetches.
GIT_SECRETS = [Secret(group=SECRET_GROUP, key=key) for key in (_TOKEN, _SSH_KEY, _KNOWN_HOSTS)]
_TOKEN_USER = "x-access-token"  # noqa: S105 (a user's name)


@dataclass(frozen=True, kw_only=True)
class Credentials:
    """A token (`TOKEN` or `USER:TOKEN`) for https, a private key and known hosts for ssh; empty is none."""

    token: str = field(default="", repr=False)
    ssh_key: str = field(default="", repr=False)
    known_hosts: str = field(default="", repr=False)


def read_credentials(secrets: Secrets) -> Credentials:
    """Read the three secrets of the group `taxiway`; one that does not exist is empty."""
    return Credentials(
        token=read_secret(secrets, _TOKEN),
        ssh_key=read_secret(secrets, _SSH_KEY),
        known_hosts=read_secret(secrets, _KNOWN_HOSTS),
    )


@dataclass(frozen=True, kw_only=True)
class Access:
    """What to add to git's environment and configuration, and what to mask in all that it prints."""

    env: dict[str, str]
    config: tuple[str, ...]
    secrets: tuple[str, ...] = field(repr=False)


def grant(url: str, credentials: Credentials, *, folder: Path) -> Access:
    """Write what `url` needs of `credentials` into files below `folder`, readable by us alone.

    An unknown ssh host is refused: without `git_known_hosts` no host is known. A repository of this machine
    may be another user's, for those who enrolled it trust it, and an image's user is hardly ever its owner.
    """
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    env = {"GIT_SSH_COMMAND": shlex.join(_ssh(credentials, folder)), "GIT_SSH_VARIANT": "ssh"}
    if url.startswith("file://"):
        # git's server side, which checks the owner, goes by configuration files alone.
        trusted = f"[safe]\n\tdirectory = {_quoted(unquote(urlsplit(url).path))}\n"
        env["GIT_CONFIG_GLOBAL"] = str(_private(folder / "gitconfig", trusted))
    config = ["credential.helper="]
    user, _, token = credentials.token.rpartition(":")
    if token and url.startswith("https://"):
        line = (
            f"https://{quote(user or _TOKEN_USER, safe='')}:{quote(token, safe='')}@{urlsplit(url).netloc}\n"
        )
        store = _private(folder / "git-credentials", line)
        config.append(f"credential.helper=store --file={shlex.quote(str(store))}")
    known = (credentials.token, token, quote(token, safe=""), credentials.ssh_key)
    return Access(env=env, config=tuple(config), secrets=tuple(dict.fromkeys(filter(None, known))))


def _ssh(credentials: Credentials, folder: Path) -> list[str]:
    hosts = _private(folder / "known_hosts", credentials.known_hosts + "\n")
    words = ["ssh", "-F", "/dev/null", "-o", "BatchMode=yes", "-o", "StrictHostKeyChecking=yes"]
    words += ["-o", f"UserKnownHostsFile={hosts}", "-o", "GlobalKnownHostsFile=/dev/null"]
    words += ["-o", "ConnectTimeout=30", "-o", "IdentitiesOnly=yes"]
    if credentials.ssh_key:
        words += ["-i", str(_private(folder / "ssh_key", credentials.ssh_key + "\n"))]
    return words


def _quoted(value: str) -> str:
    """Return a value as git's configuration files have it."""
    for plain, escaped in (("\\", "\\\\"), ('"', '\\"'), ("\n", "\\n")):
        value = value.replace(plain, escaped)
    return f'"{value}"'


def _private(path: Path, text: str) -> Path:
    path.touch(mode=0o600)
    path.write_text(text)
    return path
