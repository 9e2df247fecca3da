"""Names that are derived, so that asking for the same thing twice finds the first one."""

from __future__ import annotations

import hashlib
import re

_NAME_LENGTH = 47
"""Flyte allows 63, and names pods `<execution>-<node>-<attempt>` up to 50 characters, else by a hash."""


def suggested_target(url: str) -> str:
    """Return a target name made from the last part of a repository's URL."""
    last = url.rstrip("/").rpartition("/")[2].removesuffix(".git").lower()
    return re.sub(r"[^a-z0-9]+", "-", last)[:40].strip("-") or "target"


def execution_name(
    flow: str, *, target: str, repository: str, sha: str, pull_request: int = 0, attempt: int = 1
) -> str:
    """Return the one name of the execution that does exactly this.

    It reads `<flow>-<target>-<sha7>-<hash10>`; the hash is over everything that was asked, so that a
    second launch of the same is refused by Flyte as existing already.
    """
    asked = "\0".join([flow, target, repository, sha, str(pull_request), str(attempt)])
    unique = f"{sha[:7]}-{hashlib.sha256(asked.encode()).hexdigest()[:10]}"
    readable = f"{flow}-{target}"[: _NAME_LENGTH - len(unique) - 1].rstrip("-")
    return f"{readable}-{unique}"
