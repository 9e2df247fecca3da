"""The names of images, as the OCI distribution spec and docker's habits spell them: parsed once, then typed.

What is not spelled so cannot be made, so that a name may go into a registry's URL as it is.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace

from tasks._errors import ReferenceInvalid

DOCKER_HUB = "docker.io"
_HUB_NAMES = frozenset({DOCKER_HUB, "index.docker.io", "registry-1.docker.io"})
_LABEL = r"[a-z0-9](?:[a-z0-9-]*[a-z0-9])?"
_REGISTRY = re.compile(rf"(?:{_LABEL}(?:\.{_LABEL})*|\[[0-9a-f:]+\])(?::(?P<port>[0-9]{{1,5}}))?")
_PART = r"[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*"
_NAME = re.compile(rf"{_PART}(?:/{_PART})*")
_TAG = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._-]{0,127}")
_DIGEST = re.compile(r"sha256:[0-9a-f]{64}|sha512:[0-9a-f]{128}")
# Registries keep names in columns and paths of this length; docker refuses longer ones, too.
_LONGEST = 255


@dataclass(frozen=True, kw_only=True)
class Repository:
    """A repository of images: `registry` is `HOST` or `HOST:PORT`, `name` the rest of its path.

    Raises:
        ReferenceInvalid: either is not spelled as the spec has it.
    """

    registry: str
    name: str

    def __post_init__(self) -> None:
        host = _REGISTRY.fullmatch(self.registry)
        if not host or int(host["port"] or 0) > 65535:
            raise _invalid(self.registry, "registry", "HOST or HOST:PORT")
        if not _NAME.fullmatch(self.name):
            raise _invalid(self.name, "repository", "lower-case words with . _ or - inside and / between")
        if len(str(self)) > _LONGEST:
            raise _invalid(self.name, "repository", f"at most {_LONGEST} characters with its registry")

    def __str__(self) -> str:
        return f"{self.registry}/{self.name}"

    @property
    def host(self) -> str:
        """Where its API is, which Docker Hub keeps apart from its name."""
        return "registry-1.docker.io" if self.registry == DOCKER_HUB else self.registry

    def tagged(self, tag: str) -> Reference:
        """Return the reference of a tag here."""
        return Reference(repository=self, tag=tag)

    def at(self, digest: str) -> Reference:
        """Return the reference of a digest here."""
        return Reference(repository=self, digest=digest)


@dataclass(frozen=True, kw_only=True)
class Reference:
    """What a manifest is asked for by: a tag, a digest, or both, of which the digest counts.

    Raises:
        ReferenceInvalid: there is neither, or one is not spelled as the spec has it.
    """

    repository: Repository
    tag: str = ""
    digest: str = ""

    def __post_init__(self) -> None:
        if self.tag and not _TAG.fullmatch(self.tag):
            raise _invalid(self.tag, "tag", "up to 128 letters, digits, _ . and -, not beginning with . or -")
        if self.digest:
            checked_digest(self.digest)
        elif not self.tag:
            raise _invalid(str(self.repository), "image", "REPOSITORY:TAG or REPOSITORY@sha256:...")

    def __str__(self) -> str:
        tag = f":{self.tag}" if self.tag else ""
        digest = f"@{self.digest}" if self.digest else ""
        return f"{self.repository}{tag}{digest}"

    @property
    def identifier(self) -> str:
        """The digest where there is one, else the tag."""
        return self.digest or self.tag

    def pinned(self, digest: str) -> Reference:
        """Return this reference with a digest, and with its tag if it had one."""
        return replace(self, digest=digest)


def checked_digest(text: str) -> str:
    """Return `text` if it is a digest: `sha256:` or `sha512:` and its lower-case hexadecimal digits.

    Raises:
        ReferenceInvalid: it is anything else.
    """
    if not _DIGEST.fullmatch(text):
        raise _invalid(text, "digest", "sha256: and 64 hexadecimal digits")
    return text


def parse_repository(text: str) -> Repository:
    """Read `[HOST[:PORT]/]PATH`; what names no registry is of Docker Hub, as docker has it.

    Raises:
        ReferenceInvalid: it is not spelled so.
    """
    first, slash, rest = text.partition("/")
    named = bool(slash) and (any(mark in first for mark in ".:") or first.lower() == "localhost")
    registry, name = (first.lower(), rest) if named else (DOCKER_HUB, text)
    if registry in _HUB_NAMES:
        registry, name = DOCKER_HUB, name if "/" in name else f"library/{name}"
    return Repository(registry=registry, name=name)


def parse_reference(text: str) -> Reference:
    """Read `[HOST[:PORT]/]PATH[:TAG][@DIGEST]`; with neither tag nor digest, the tag is `latest`.

    Raises:
        ReferenceInvalid: it is not spelled so.
    """
    named, at, digest = text.partition("@")
    path, colon, tag = named.rpartition(":")
    if not colon or "/" in tag:
        path, colon, tag = named, "", ""
    if (colon and not tag) or (at and not digest):
        raise _invalid(text, "image", "[HOST[:PORT]/]PATH[:TAG][@DIGEST]")
    if not colon and not at:
        tag = "latest"
    return Reference(repository=parse_repository(path), tag=tag, digest=digest)


def _invalid(text: str, what: str, form: str) -> ReferenceInvalid:
    shown = text if len(text) <= _LONGEST else f"{text[:_LONGEST]}..."
    return ReferenceInvalid(f"{shown!r} is not the name of a {what}.", remedy=f"Write it as {form}.")
