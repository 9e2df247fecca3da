"""Names that are derived, so that asking for the same thing twice finds the first one."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Sequence

_NAME_LENGTH = 47
"""Flyte allows 63, and names pods `<execution>-<node>-<attempt>` up to 50 characters, else by a hash."""


def suggested_target(url: str) -> str:
    """Return a target name made from the last part of a repository's URL."""
    last = url.rstrip("/").rpartition("/")[2].removesuffix(".git").lower()
    return re.sub(r"[^a-z0-9]+", "-", last)[:40].strip("-") or "target"


def execution_name(
    flow: str,
    *,
    target: str,
    repository: str,
    sha: str,
    pull_request: int = 0,
    attempt: int = 1,
    more: Sequence[str] = (),
) -> str:
    """Return the one name of the execution that does exactly this.

    It reads `<flow>-<target>-<sha7>-<hash10>`; the hash is over everything that was asked, `more` included,
    so that a second launch of the same is refused by Flyte as existing already.
    """
    asked = "\0".join([flow, target, repository, sha, str(pull_request), str(attempt), *more])
    unique = f"{sha[:7]}-{hashlib.sha256(asked.encode()).hexdigest()[:10]}"
    readable = f"{flow}-{target}"[: _NAME_LENGTH - len(unique) - 1].rstrip("-")
    return f"{readable}-{unique}"


def plan_name(flow: str, target: str) -> str:
    """Return the name of a target's launch plan for `flow`, such as `taxiway.promote.fraud`."""
    return f"taxiway.{flow}.{target}"


def generation_name(target: str, stage: str, generation: int) -> str:
    """Return the one name of the execution that brings a stage to its next `generation`, counted from 0.

    It reads `<target>-<stage>-<hash6>-g<generation>`. Whoever gets it may change what is ACTIVE in the
    stage: the name is the lock.
    """
    unique = hashlib.sha256(f"{target}\0{stage}".encode()).hexdigest()[:6]
    last = f"-{unique}-g{generation}"
    readable = f"{target}-{stage}"[: _NAME_LENGTH - len(last) - 1].rstrip("-")
    # An execution's name begins with a letter; a target's may begin with a digit.
    return f"s{readable}{last}" if readable[0].isdigit() else f"{readable}{last}"


def target_tag(target: str) -> str:
    """Return the tag of everything that Taxiway does for a target."""
    return f"taxiway.{target}"


def stage_tag(target: str, stage: str) -> str:
    """Return the tag of everything that Taxiway does for one stage of a target."""
    return f"taxiway.{target}.stage.{stage}"


def release_tag(target: str, sha: str) -> str:
    """Return the tag of everything that Taxiway does with one release of a target."""
    return f"taxiway.{target}.release.{sha}"
