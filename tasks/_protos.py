"""Read the archive that `pyflyte package` writes, believing nothing about it.

Its members are `<index>_<name>_<kind>.pb`, kind 1 for tasks, 2 for workflows and 3 for launch plans
(`flytekit.tools.serialize_helpers`), and the code that flytekit bundled, which is passed over.
"""

from __future__ import annotations

import gzip
import hashlib
import io
import re
import tarfile
import zlib
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from google.protobuf.message import DecodeError

from tasks import _entities as entities
from tasks._entities import Entity, Kind
from tasks._serialized_context import settled

MAX_UNPACKED_BYTES = 128 * 1024 * 1024
MAX_ENTITY_BYTES = 4 * 1024 * 1024
"""The longest message that flyteadmin receives."""
MAX_ENTITIES = 10_000
_MEMBER = re.compile(r"(?P<index>[0-9]+)_(?P<name>[^/]+)_(?P<kind>[123])\.pb")
_BUNDLE = re.compile(r"fast[0-9a-f]+\.tar\.gz")
_KINDS = {"1": Kind.TASK, "2": Kind.WORKFLOW, "3": Kind.LAUNCH_PLAN}


class BadArchive(ValueError):
    """The archive is not what `pyflyte package` writes; the message says in which way."""


def read_archive(path: Path) -> list[Entity]:
    """Return the entities of an archive, settled, sorted by kind and name.

    Raises:
        BadArchive: it is damaged, too large, or holds anything else than entities.
    """
    found: dict[tuple[str, str], Entity] = {}
    for member, content in _members(_unzipped(path)):
        entity = settled(_entity(member, content))
        if found.setdefault((entity.kind.value, entity.name), entity) is not entity:
            raise BadArchive(f"it holds {entity} twice")
    order = list(Kind)
    return sorted(found.values(), key=lambda entity: (order.index(entity.kind), entity.name))


def digest(found: Sequence[Entity]) -> str:
    """Return `sha256:...` over the entities' own content, the same in whatever order they were written."""
    whole = hashlib.sha256()
    for content in sorted(_canonical(found)):
        whole.update(hashlib.sha256(content).digest())
    return f"sha256:{whole.hexdigest()}"


def _canonical(found: Iterable[Entity]) -> Iterator[bytes]:
    for entity in found:
        yield entity.kind.value.encode() + b"\0" + entity.message.SerializeToString(deterministic=True)


def _unzipped(path: Path) -> bytes:
    try:
        with gzip.open(path) as file:
            content = file.read(MAX_UNPACKED_BYTES + 1)
    except (OSError, EOFError, zlib.error) as error:
        raise BadArchive(f"it cannot be unpacked: {error}") from error
    if len(content) > MAX_UNPACKED_BYTES:
        raise BadArchive(f"it holds more than {MAX_UNPACKED_BYTES // 1024**2} MiB")
    return content


def _members(content: bytes) -> Iterator[tuple[str, bytes]]:
    count = 0
    try:
        with tarfile.open(fileobj=io.BytesIO(content), mode="r:") as tar:
            for member in tar:
                if _BUNDLE.fullmatch(member.name) and member.isreg():
                    continue
                if not _MEMBER.fullmatch(member.name) or not member.isreg():
                    raise BadArchive(f"its member {member.name[:200]!r} is no entity")
                if member.size > MAX_ENTITY_BYTES:
                    raise BadArchive(f"its member {member.name[:200]!r} is larger than Flyte takes (4 MiB)")
                count += 1
                if count > MAX_ENTITIES:
                    raise BadArchive(f"it holds more than {MAX_ENTITIES} entities")
                file = tar.extractfile(member)
                yield member.name, file.read() if file else b""
    except tarfile.TarError as error:
        raise BadArchive(f"it is damaged: {error}") from error


def _entity(member: str, content: bytes) -> Entity:
    parts = _MEMBER.fullmatch(member)
    if parts is None:
        raise BadArchive(f"its member {member!r} is no entity")
    try:
        entity = entities.parse(_KINDS[parts["kind"]], content)
    except DecodeError as error:
        raise BadArchive(f"its member {member!r} is not the message that its name says") from error
    if entity.name != parts["name"]:
        raise BadArchive(f"its member {member!r} holds {entity}, which its name does not say")
    return entity
