"""URLs of single objects that are good for a while, as an object store signs them."""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from urllib.parse import quote, urlencode

from scripts.sandbox.errors import InvalidArgument
from scripts.sandbox.storage import NotStored, Storage


class Refused(Exception):
    """A URL is not, or no longer, what was signed."""


@dataclass(frozen=True, kw_only=True)
class Signer:
    """Signs and checks URLs with one secret. `base` is where the objects are served, without a slash."""

    base: str
    secret: bytes

    def sign(self, method: str, path: str, expires_at: datetime | None, md5: str = "") -> str:
        """Return the URL under which `method` may be used on `path`; without a time it never expires.

        `md5` (base64) is the only content that an upload may have; an empty one lets any through.
        """
        expires = "" if expires_at is None else str(int(expires_at.timestamp()))
        query = {"expires": expires, "token": self._token(method, path, expires, md5)}
        if md5:
            query["md5"] = md5
        return f"{self.base}/{quote(path)}?{urlencode(query)}"

    def check(self, method: str, path: str, query: Mapping[str, str], now: datetime) -> str:
        """Check a URL's query for `method` on `path` and return the MD5 that was signed with it.

        Raises:
            Refused: it was not signed by us for that, or is out of date.
        """
        expires, md5 = query.get("expires", ""), query.get("md5", "")
        wanted = self._token(method, path, expires, md5)
        if not hmac.compare_digest(wanted.encode(), query.get("token", "").encode()):
            raise Refused("the request's signature does not match")
        if expires and int(expires) < now.timestamp():
            raise Refused("the request has expired")
        return md5

    def _token(self, method: str, path: str, expires: str, md5: str) -> str:
        text = "\n".join((method, path, expires, md5))
        return hmac.new(self.secret, text.encode(), hashlib.sha256).hexdigest()


def object_path(*parts: str) -> str:
    """Join the parts of an object's path; empty ones are left out.

    Raises:
        InvalidArgument: a part would lead out of the folder that the parts before it name.
    """
    steps = [step for part in parts if part for step in part.split("/")]
    if any(step in ("", ".", "..") or "\0" in step or "\\" in step for step in steps):
        raise InvalidArgument(f"[{'/'.join(filter(None, parts))}] is no path of an object within its folder")
    return "/".join(steps)


def file_within(root: Path, path: str) -> Path | None:
    """Return the file at `path` below `root`, None where it is not below it, links followed."""
    file = (root / path).resolve()
    return file if file.is_relative_to(root) and file != root else None


def stored_path(storage: Storage, uri: str) -> str:
    """Return the path of the object behind a native URL.

    Raises:
        InvalidArgument: it does not lie in the storage.
    """
    try:
        file = storage.path(uri).resolve()
    except NotStored as error:
        raise InvalidArgument(str(error)) from error
    if not file.is_relative_to(storage.root) or file == storage.root:
        raise InvalidArgument(f"{uri} is not in the sandbox's storage")
    return file.relative_to(storage.root).as_posix()


def md5_of(file: Path) -> str:
    """Return the MD5 of a file in base64."""
    digest = hashlib.md5(usedforsecurity=False)
    with file.open("rb") as stream:
        while chunk := stream.read(1 << 20):
            digest.update(chunk)
    return base64.b64encode(digest.digest()).decode()


def is_md5(text: str) -> bool:
    """Whether `text` is an MD5 in base64."""
    try:
        return len(base64.b64decode(text, validate=True)) == 16
    except (binascii.Error, ValueError):
        return False
