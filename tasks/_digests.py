"""Digests of plain data: the same data, the same digest, on any machine."""

from __future__ import annotations

import hashlib
import json
from typing import Any


def content_digest(content: bytes, *, like: str = "sha256:") -> str:
    """Return the OCI digest of `content`, by the algorithm of the digest `like`: sha256 or sha512."""
    algorithm = "sha512" if like.startswith("sha512:") else "sha256"
    return f"{algorithm}:{hashlib.new(algorithm, content).hexdigest()}"


def canonical_json(value: Any) -> str:
    """Return plain data as JSON in its one form: sorted keys, no blanks, ASCII."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=True)


def json_digest(value: Any) -> str:
    """Return `sha256:...` over the canonical JSON of plain data."""
    return f"sha256:{hashlib.sha256(canonical_json(value).encode()).hexdigest()}"
