"""Digests of plain data: the same data, the same digest, on any machine."""

from __future__ import annotations

import hashlib
import json
from typing import Any


def canonical_json(value: Any) -> str:
    """Return plain data as JSON in its one form: sorted keys, no blanks, ASCII."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=True)


def json_digest(value: Any) -> str:
    """Return `sha256:...` over the canonical JSON of plain data."""
    return f"sha256:{hashlib.sha256(canonical_json(value).encode()).hexdigest()}"
