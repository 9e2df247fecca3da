"""Under which key the results of a task are kept: what it is called, what goes in and out, its cache version.

The task's own version, its image and its code do not count. Source: flytepropeller
`nodes/catalog/datacatalog/transformer.go`, flyteplugins `catalog/hashing.go`.
"""

from __future__ import annotations

import base64
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from flyteidl.core.identifier_pb2 import DATASET, Identifier
from flyteidl.core.interface_pb2 import TypedInterface
from flyteidl.core.literals_pb2 import Literal, LiteralMap
from flyteidl.core.tasks_pb2 import TaskTemplate
from flyteidl.core.types_pb2 import LiteralType
from google.protobuf.message import Message

from scripts.sandbox.object_hash import message_hash

_SIGNATURE_LENGTH = 8
_COUNTS = "cache-key-metadata"


@dataclass(frozen=True, kw_only=True)
class CacheKey:
    """A data set of the catalog, and the tag of one result in it."""

    project: str
    domain: str
    name: str
    version: str
    tag: str

    @property
    def dataset(self) -> Identifier:
        """The data set, as clients are told of it."""
        return Identifier(
            resource_type=DATASET,
            project=self.project,
            domain=self.domain,
            name=self.name,
            version=self.version,
        )


def is_cached(task: TaskTemplate) -> bool:
    """Say whether the results of a task are looked up and kept."""
    return bool(task.metadata.discoverable)


def is_serialized(task: TaskTemplate) -> bool:
    """Say whether equal calls of a task wait for each other, so that only one of them runs."""
    return is_cached(task) and bool(task.metadata.cache_serializable)


def cache_key(task: TaskTemplate, inputs: LiteralMap) -> CacheKey:
    """Return the key of what a task makes of its inputs."""
    version = task.metadata.discovery_version.strip(" ")
    return CacheKey(
        project=task.id.project,
        domain=task.id.domain,
        name=f"flyte_task-{task.id.name}",
        version=f"{version}-{_signature(task.interface)}",
        tag=f"flyte_cached-{inputs_hash(inputs, task.metadata.cache_ignore_input_vars)}",
    )


def inputs_hash(inputs: LiteralMap, ignored: Sequence[str] = ()) -> str:
    """Return the hash of inputs; those that are ignored do not count, nor what a hash stands for."""
    counted = {name: _hashed(value) for name, value in inputs.literals.items() if name not in ignored}
    return _text(LiteralMap(literals=counted))


def _signature(interface: TypedInterface) -> str:
    """Hash both sides of an interface, which propeller knows without descriptions.

    Source: flytepropeller `compiler/transformers/k8s/utils.go` (StripInterfaceTypeMetadata).
    """
    stripped = TypedInterface()
    stripped.CopyFrom(interface)
    sides = (stripped.inputs, stripped.outputs)
    for variables in sides:
        for variable in variables.variables.values():
            variable.ClearField("description")
            _strip(variable.type)
    return "-".join(_text(side)[:_SIGNATURE_LENGTH] for side in sides)


def _strip(kind: LiteralType) -> None:
    """Take out of a type what it tells of itself, but for what is said to count for the key."""
    kind.ClearField("metadata")
    if _COUNTS not in kind.annotation.annotations:
        kind.ClearField("annotation")
    for inner in _inner(kind):
        _strip(inner)


def _inner(kind: LiteralType) -> Iterator[LiteralType]:
    yield from kind.structure.dataclass_type.values()
    yield from kind.union_type.variants
    yield from (column.literal_type for column in kind.structured_dataset_type.columns)
    if kind.HasField("collection_type"):
        yield kind.collection_type
    elif kind.HasField("map_value_type"):
        yield kind.map_value_type


def _hashed(literal: Literal) -> Literal:
    """Leave of a literal no more than its hash where a task has given it one."""
    if literal.hash:
        return Literal(hash=literal.hash)
    kept = Literal()
    if literal.HasField("collection"):
        kept.collection.SetInParent()
        kept.collection.literals.extend(_hashed(item) for item in literal.collection.literals)
        return kept
    if literal.HasField("map"):
        kept.map.SetInParent()
        for name, item in literal.map.literals.items():
            kept.map.literals[name].CopyFrom(_hashed(item))
        return kept
    return literal


def _text(message: Message) -> str:
    return base64.urlsafe_b64encode(message_hash(message)).decode().rstrip("=")
