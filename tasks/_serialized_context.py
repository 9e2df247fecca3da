"""Take out of a dynamic task what differs from one packaging to the next.

flytekit puts the settings that a dynamic task was serialised with into the task's environment, as base64 of
gzip of JSON (`SerializationSettings.serialized_context`). Among them is the folder that the code lay in,
which nothing reads at run time and which would make every packaging another one.
"""

from __future__ import annotations

import base64
import binascii
import json
import struct
import zlib

from flyteidl.admin.task_pb2 import TaskSpec
from google.protobuf.struct_pb2 import Struct

from tasks._entities import Entity

VARIABLE = "_F_SS_C"
_FOLDER = "source_root"
_LONGEST = 16 * 1024
# Magic, deflate, no flags, time 0, no hint about the effort, unknown system.
_GZIP_HEAD = b"\x1f\x8b\x08\x00\x00\x00\x00\x00\x00\xff"


def settled(entity: Entity) -> Entity:
    """Return `entity` as every packaging of the same code gives it."""
    if not isinstance(entity.message, TaskSpec):
        return entity
    copy = TaskSpec()
    copy.CopyFrom(entity.message)
    for pair in copy.template.container.env if copy.template.HasField("container") else ():
        if pair.key == VARIABLE:
            pair.value = settled_context(pair.value)
    if copy.template.HasField("k8s_pod"):
        _settle_pod(copy.template.k8s_pod.pod_spec)
    return Entity(kind=entity.kind, message=copy)


def settled_context(text: str) -> str:
    """Return the context without the folder; one that cannot be read stays as it is."""
    try:
        unzip = zlib.decompressobj(wbits=31)
        settings = json.loads(unzip.decompress(base64.b64decode(text, validate=True), _LONGEST))
    except (binascii.Error, zlib.error, ValueError, RecursionError):
        return text
    if not isinstance(settings, dict) or not settings.pop(_FOLDER, None):
        return text
    content = json.dumps(settings, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return base64.b64encode(_gzip(content.encode())).decode()


def _gzip(content: bytes) -> bytes:
    """Store `content`, less than 64 KiB, as it is: what deflate makes of it differs between zlibs."""
    size = struct.pack("<HH", len(content), len(content) ^ 0xFFFF)
    end = struct.pack("<LL", zlib.crc32(content), len(content))
    return _GZIP_HEAD + b"\x01" + size + content + end


def _settle_pod(spec: Struct) -> None:
    for container in spec.fields["containers"].list_value.values if "containers" in spec.fields else ():
        variables = container.struct_value.fields
        for variable in variables["env"].list_value.values if "env" in variables else ():
            fields = variable.struct_value.fields
            if "name" in fields and fields["name"].string_value == VARIABLE and "value" in fields:
                fields["value"].string_value = settled_context(fields["value"].string_value)
