"""The records that travel between the steps of a release.

Every record is frozen, refuses unknown fields and is passed by keyword, so that what one step wrote is
what the next one reads. Lists are lists, for flytekit has no literal type for a tuple of open length.
"""

from __future__ import annotations

import enum
import re
from functools import cache
from typing import Any

from pydantic import BaseModel, ConfigDict, field_validator

_FULL_SHA = re.compile(r"[0-9a-f]{40}|[0-9a-f]{64}")
_DIGEST = re.compile(r"sha256:[0-9a-f]{64}")


class Record(BaseModel):
    """Base of everything that crosses the edge of a step: frozen, and closed to unknown fields."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    @classmethod
    def model_json_schema(cls, *args: Any, **kwargs: Any) -> dict[str, Any]:
        """Return the JSON Schema, the same object each time where nothing special is asked.

        flytekit asks for it at every mention of a record in a task's interface, and again for each record
        that contains it (`flytekit.extras.pydantic_transformer`): 400 times as a promotion's task starts,
        half of the CPU time of the start.
        """
        return super().model_json_schema(*args, **kwargs) if args or kwargs else _plain_schema(cls)


@cache
def _plain_schema(record: type[Record]) -> dict[str, Any]:
    return super(Record, record).model_json_schema()


def full_sha(value: str) -> str:
    """Return `value` if it is a full object name (40 or 64 lower-case hexadecimal digits).

    Raises:
        ValueError: it is anything else: a branch, an abbreviation, an option.
    """
    if not _FULL_SHA.fullmatch(value):
        raise ValueError(f"{value!r} is not a full commit SHA (40 or 64 lower-case hexadecimal digits)")
    return value


def digest(value: str) -> str:
    """Return `value` if it is an OCI digest, `sha256:` and 64 hexadecimal digits.

    Raises:
        ValueError: it is anything else.
    """
    if not _DIGEST.fullmatch(value):
        raise ValueError(f"{value!r} is not a digest (sha256: and 64 hexadecimal digits)")
    return value


class Revision(Record):
    """One commit of a target repository."""

    repository: str
    sha: str

    _full = field_validator("sha")(full_sha)


class Image(Record):
    """The environment of a revision: `repository@sha256:...`, and what it was made from."""

    reference: str
    fingerprint: str

    @field_validator("reference")
    @classmethod
    def _by_digest(cls, value: str) -> str:
        repository, _, name = value.rpartition("@")
        if not repository:
            raise ValueError(f"{value!r} names no digest; an image is known by repository@sha256:... alone")
        digest(name)
        return value

    @property
    def digest(self) -> str:
        """The digest alone, `sha256:...`."""
        return self.reference.rpartition("@")[2]


class Status(str, enum.Enum):
    """How a step ended, where it could find out."""

    PASSED = "passed"
    FAILED = "failed"
    SKIPPED = "skipped"


class Finding(Record):
    """One thing that a step found: where, what, and what to do about it."""

    where: str
    problem: str
    remedy: str


class Verdict(Record):
    """The answer of a step: data, never an exception. What could not be found out is raised instead."""

    status: Status
    summary: str
    findings: list[Finding] = []

    @property
    def passed(self) -> bool:
        """Whether the steps after this one may go on."""
        return self.status is Status.PASSED
