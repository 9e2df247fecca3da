"""Which URLs of repositories are taken, and how they are shown."""

from __future__ import annotations

import re
from urllib.parse import urlsplit

from tasks._errors import CredentialsInUrl, UrlRefused
from tasks._run import MASK

_SCP_LIKE = re.compile(
    r"(?P<user>[A-Za-z0-9._~-]+)@(?P<host>[A-Za-z0-9][A-Za-z0-9.-]*):(?P<path>[^/:].*|/.*)"
)
_USERINFO = re.compile(r"(?P<scheme>[A-Za-z][A-Za-z0-9+.-]*://)[^/\s@'\"]+@")
_SCHEMES = "https://, ssh:// or user@host:path"


def masked_urls(text: str) -> str:
    """Return `text` with the part before `@` masked in every URL it holds."""
    return _USERINFO.sub(rf"\g<scheme>{MASK}@", text)


def checked_url(url: str, *, allow_file: bool) -> str:
    """Return `url` if git may be given it: https, ssh, or (where allowed) file; no credentials, no options.

    A user name is part of an ssh address and stays; anywhere else it counts as a credential, for tokens
    are often given as one.

    Raises:
        CredentialsInUrl: it holds a user, a password or a token.
        UrlRefused: it is of another scheme, or not a URL.
    """
    shown = masked_urls(url)
    if not url or url.startswith("-") or not url.isprintable() or any(letter in url for letter in " '\"\\"):
        raise UrlRefused(f"{shown!r} is not the URL of a repository.", remedy=f"Give one with {_SCHEMES}.")
    if "::" in url.partition("://")[0]:
        raise UrlRefused(
            f"{shown!r} names a git remote helper, which is a program.", remedy=f"Give one with {_SCHEMES}."
        )
    if _SCP_LIKE.fullmatch(url):
        return url
    try:
        parts = urlsplit(url)
        host = parts.hostname or ""
        _ = parts.port
    except ValueError as error:
        raise UrlRefused(f"{shown!r} is not a URL: {error}.", remedy=f"Give one with {_SCHEMES}.") from error
    if parts.password is not None or (parts.username is not None and parts.scheme != "ssh"):
        raise CredentialsInUrl(
            f"{shown!r} holds credentials.",
            remedy="Give the URL without them; a git_token or git_ssh_key belongs in the secret `taxiway`.",
        )
    if parts.query or parts.fragment:
        raise UrlRefused(
            f"{url.partition('?')[0].partition('#')[0]!r} is followed by a query or a fragment.",
            remedy="Give the URL without it; credentials belong in the secret `taxiway`.",
        )
    if parts.scheme == "file":
        return _file_url(url, parts.path, host, allow_file)
    if parts.scheme not in ("https", "ssh") or not host or host.startswith("-") or not parts.path.strip("/"):
        raise UrlRefused(
            f"{shown!r} is not taken: only https and ssh URLs are.", remedy=f"Give one with {_SCHEMES}."
        )
    return url


def _file_url(url: str, path: str, host: str, allowed: bool) -> str:
    if not allowed:
        raise UrlRefused(
            f"{url!r} is a file of the machine that a task runs on.",
            remedy="Use https or ssh, or set TAXIWAY_ALLOW_FILE_URLS=1 where trying things out.",
        )
    if host or not path.startswith("/"):
        raise UrlRefused(f"{url!r} names no absolute path.", remedy="Give file:///absolute/path.")
    return url
