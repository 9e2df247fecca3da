"""How Flyte names things: unique node ids, attempts (pods), child and scheduled executions.

Source: flyteplugins `pluginmachinery/encoding/encoder.go`, flytepropeller `nodes/common/utils.go` and
`nodes/subworkflow/util.go`, flyteadmin `scheduler/identifier/identifier.go`.
"""

from __future__ import annotations

import base64
import secrets
import string
from dataclasses import dataclass
from datetime import datetime

MAX_NODE_ID = 20
MAX_ATTEMPT_NAME = 50
MAX_CHILD_NAME = 20

_RFC4648 = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567"
_FLYTE = "abcdefghijklmnopqrstuvwxyz123456"
_TO_FLYTE = str.maketrans(_RFC4648, _FLYTE)
_RANDOM = string.ascii_lowercase + string.digits


@dataclass(frozen=True)
class ExecutionKey:
    """What identifies an execution."""

    project: str
    domain: str
    name: str

    def __str__(self) -> str:
        return f"{self.project}:{self.domain}:{self.name}"


def fnv1a(text: str, *, bits: int) -> bytes:
    """Return the FNV-1a hash of `text` in 32 or 64 bits, big-endian."""
    prime, basis = {32: (0x01000193, 0x811C9DC5), 64: (0x100000001B3, 0xCBF29CE484222325)}[bits]
    value = basis
    for byte in text.encode():
        value = ((value ^ byte) * prime) % (1 << bits)
    return value.to_bytes(bits // 8, "big")


def fnv1(text: str) -> bytes:
    """Return the FNV-1 hash of `text` in 64 bits, big-endian; it multiplies first, FNV-1a last."""
    value = 0xCBF29CE484222325
    for byte in text.encode():
        value = (value * 0x100000001B3) % (1 << 64) ^ byte
    return value.to_bytes(8, "big")


def fixed_length(parts: list[str], *, limit: int, bits: int = 32) -> str:
    """Join the parts that are not empty with dashes; where that is longer than `limit`, hash it."""
    joined = "-".join(filter(None, parts))
    if len(joined) <= limit:
        return joined
    encoded = base64.b32encode(fnv1a(joined, bits=bits)).decode().rstrip("=")
    return "f" + encoded.translate(_TO_FLYTE)


def unique_node_id(parent: str, parent_attempt: int, node_id: str) -> str:
    """Return the id of a node within its execution; `parent` is empty at the top."""
    attempt = str(parent_attempt) if parent else ""
    return fixed_length([parent, attempt, node_id], limit=MAX_NODE_ID)


def attempt_name(execution: str, unique_id: str, attempt: int) -> str:
    """Return the name of the pod of one attempt."""
    return fixed_length([execution, unique_id, str(attempt)], limit=MAX_ATTEMPT_NAME)


def child_execution_name(execution: str, unique_id: str, attempt: int) -> str:
    """Return the name of the execution that a launch-plan node starts."""
    return fixed_length([execution, unique_id, str(attempt)], limit=MAX_CHILD_NAME, bits=64)


def scheduled_execution_name(project: str, domain: str, name: str, version: str, at: datetime) -> str:
    """Return the name of the execution that a version of a launch plan has at its tick `at`.

    Flyte makes a UUID of 16 bytes, of which the hash fills eight, and takes 19 of its 32 digits.
    """
    hashed = fnv1(f"{project}:{domain}:{name}:{version}:{int(at.timestamp())}")
    return "f" + hashed[::-1].hex().ljust(19, "0")


def random_execution_name() -> str:
    """Return a name for an execution that was given none: `a` and 19 characters."""
    return "a" + "".join(secrets.choice(_RANDOM) for _ in range(19))


def random_version() -> str:
    """Return the version of a dynamic workflow: 10 characters."""
    return "".join(secrets.choice(_RANDOM) for _ in range(10))


def shard(name: str) -> str:
    """Return the two characters by which raw output is spread over a bucket."""
    value = int.from_bytes(fnv1a(name, bits=32), "big") % (36 * 36)
    letters = string.digits + string.ascii_lowercase
    return letters[value // 36] + letters[value % 36]
