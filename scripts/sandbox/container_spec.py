"""Decides what container is made for an attempt, as the kubelet would make it. Makes none."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from flyteidl.core.tasks_pb2 import Resources

from scripts.sandbox.environment import Variables, expand, resolve
from scripts.sandbox.quantities import parse_quantity, rounded_up
from scripts.sandbox.runtime import Attempt
from scripts.sandbox.shared_engine import SOCKET, SharedEngine

SANDBOX_LABEL = "taxiway.sandbox"
"""Its value is the state folder of the sandbox that a container belongs to."""

_PERIOD_US, _MIN_QUOTA_US = 100_000, 1_000
_MIN_MEMORY_BYTES = 6 << 20  # the engine refuses less


@dataclass(frozen=True, kw_only=True)
class Mount:
    """A folder or socket of this machine, and where it appears in the container."""

    source: Path
    target: str
    read_only: bool = False


@dataclass(frozen=True, kw_only=True)
class ContainerSpec:
    """A container. Without an entrypoint the image's own is active, and gets `args`; 0 is no limit.

    Its user belongs to `groups` beside those that the image gives it.
    """

    image: str
    entrypoint: tuple[str, ...]
    args: tuple[str, ...]
    environment: Mapping[str, str]
    labels: Mapping[str, str]
    mounts: tuple[Mount, ...]
    groups: tuple[int, ...] = ()
    memory_bytes: int
    cpu_quota_us: int
    cpu_period_us: int = _PERIOD_US


def container_spec(
    attempt: Attempt,
    *,
    sandbox: Path,
    mounts: Iterable[Mount],
    mounted: Variables = (),
    shared: SharedEngine | None = None,
) -> ContainerSpec:
    """Say what container an attempt runs in. `mounted` are the variables of its secrets.

    The image's own variables stay where nothing replaces them; words and values can refer to those of the
    pod alone.
    """
    environment = resolve([*attempt.environment, *mounted])
    engine = shared if shared is not None and shared.serves(attempt) else None
    sockets = [] if engine is None else [Mount(source=engine.socket, target=SOCKET)]
    return ContainerSpec(
        image=attempt.image,
        entrypoint=tuple(expand(word, environment) for word in attempt.command),
        args=tuple(expand(word, environment) for word in attempt.args),
        environment=environment,
        labels={SANDBOX_LABEL: str(sandbox), "namespace": attempt.namespace, **dict(attempt.labels)},
        mounts=(*mounts, *sockets),
        groups=() if engine is None else (engine.group,),
        memory_bytes=_memory_bytes(attempt.resources),
        cpu_quota_us=_cpu_quota_us(attempt.resources),
    )


def _memory_bytes(resources: Resources) -> int:
    amount = _limit(resources, Resources.MEMORY)
    return max(_MIN_MEMORY_BYTES, rounded_up(parse_quantity(amount))) if amount else 0


def _cpu_quota_us(resources: Resources) -> int:
    """A quota rather than a number of CPUs, for the engine refuses more of them than the machine has."""
    amount = _limit(resources, Resources.CPU)
    return max(_MIN_QUOTA_US, math.ceil(parse_quantity(amount) * _PERIOD_US)) if amount else 0


def _limit(resources: Resources, name: Resources.ResourceName.ValueType) -> str:
    """Of a request alone Flyte makes the limit, too (flyteplugins, AdjustOrDefaultResource)."""
    for entries in (resources.limits, resources.requests):
        for entry in entries:
            if entry.name == name and entry.value:
                amount: str = entry.value
                return amount
    return ""
