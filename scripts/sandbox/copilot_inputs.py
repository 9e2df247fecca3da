"""A raw container's inputs as files, as flytecopilot's downloader lays them out.

Source: flytecopilot `data/download.go`. Every input is a file or a folder of its own name; beside them lie
`inputs.pb`, in which blobs point to these files, and `inputs.json`.
"""

from __future__ import annotations

import base64
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import requests
from flyteidl.core.literals_pb2 import Blob, BlobMetadata, Literal, LiteralMap, Primitive, Scalar
from flyteidl.core.tasks_pb2 import DataLoadingConfig
from flyteidl.core.types_pb2 import BlobType
from google.protobuf.json_format import MessageToDict

from scripts.sandbox.gotext import duration_text, json_text, plain_float, timestamp_text
from scripts.sandbox.storage import DATA_SCHEME

_FETCH_TIMEOUT_S = 300
_CHUNK_BYTES = 1 << 20


class InputDownloadFailed(Exception):
    """An input cannot be laid out. In Flyte the container starts nevertheless, without its inputs."""


@dataclass(frozen=True)
class _Place:
    """A file or folder, and the path under which the container finds it."""

    path: Path
    seen_as: str

    def __truediv__(self, name: str) -> _Place:
        return _Place(self.path / name, f"{self.seen_as}/{name}")


def lay_out(
    inputs: LiteralMap,
    folder: Path,
    form: DataLoadingConfig.LiteralMapFormat.ValueType,
    *,
    seen_as: str | None = None,
) -> None:
    """Write `inputs` as files into `folder`, which is made.

    `seen_as` is where the container finds `folder`, if that is not where it lies. YAML is written as JSON,
    of which it is a superset.

    Raises:
        InputDownloadFailed: a value has no form as a file, or what it points to cannot be read.
    """
    folder.mkdir(parents=True, exist_ok=True)
    try:
        values, literals = _map(inputs, _Place(folder, seen_as or str(folder)))
        (folder / "inputs.pb").write_bytes(literals.SerializeToString(deterministic=True))
        if form != DataLoadingConfig.PROTO:
            name = "inputs.yaml" if form == DataLoadingConfig.YAML else "inputs.json"
            (folder / name).write_text(json_text(values))
    except (OSError, requests.RequestException) as error:
        raise InputDownloadFailed(f"failed to download input variable from remote store: {error}") from error


def local_path(uri: str) -> Path | None:
    """Return the file or folder behind a URI of a local file or a plain path; None for any other address.

    flytekit quotes nothing in such a URI, so nothing is unquoted.
    """
    for scheme in ("file://", f"{DATA_SCHEME}://"):
        if uri.startswith(scheme):
            return Path(uri[len(scheme) :])
    return None if "://" in uri else Path(uri)


def _map(literals: LiteralMap, folder: _Place) -> tuple[dict[str, object], LiteralMap]:
    values, moved = {}, LiteralMap()
    for name in sorted(literals.literals):
        values[name], literal = _literal(_loaded(literals.literals[name]), folder / name)
        moved.literals[name].CopyFrom(literal)
    return values, moved


def _loaded(literal: Literal) -> Literal:
    """Read a literal that is so large that it travels as a file."""
    if literal.WhichOneof("value") != "offloaded_metadata":
        return literal
    path = local_path(literal.offloaded_metadata.uri)
    if path is None:
        raise InputDownloadFailed(f"{literal.offloaded_metadata.uri} is not in the sandbox's storage")
    return Literal.FromString(path.read_bytes())


def _literal(literal: Literal, place: _Place) -> tuple[object, Literal]:
    kind = literal.WhichOneof("value")
    if kind == "scalar":
        value, scalar = _scalar(literal.scalar, place)
        return value, Literal(scalar=scalar)
    if kind == "map":
        place.path.mkdir(parents=True, exist_ok=True)
        values, moved = _map(literal.map, place)
        return values, Literal(map=moved)
    if kind == "collection":
        place.path.mkdir(parents=True, exist_ok=True)
        pairs = [_literal(item, place / str(i)) for i, item in enumerate(literal.collection.literals)]
        collected = Literal(collection={"literals": [item for _, item in pairs]})
        return [value for value, _ in pairs], collected
    raise InputDownloadFailed(f"unsupported literal type [{kind}]")


def _scalar(scalar: Scalar, place: _Place) -> tuple[object, Scalar]:
    kind = scalar.WhichOneof("value")
    if kind == "blob":
        _fetch(scalar.blob, place.path)
        return place.seen_as, Scalar(blob=Blob(metadata=scalar.blob.metadata, uri=place.seen_as))
    if kind == "schema":
        folder = BlobMetadata(type=BlobType(dimensionality=BlobType.MULTIPART))
        _fetch(Blob(metadata=folder, uri=scalar.schema.uri), place.path)
        return place.seen_as, Scalar(schema={"uri": place.seen_as, "type": scalar.schema.type})
    if kind == "union":
        value, literal = _literal(scalar.union.value, place)
        return value, Scalar(union={"type": scalar.union.type, "value": literal})
    value, data = _plain(scalar)
    place.path.write_bytes(data)
    return value, scalar


def _plain(scalar: Scalar) -> tuple[object, bytes]:
    """The value in inputs.json, and the file's content, of a scalar that points to nothing."""
    kind = scalar.WhichOneof("value")
    if kind == "primitive":
        value, text = _primitive(scalar.primitive)
        return value, text.encode()
    if kind == "binary":
        return base64.b64encode(scalar.binary.value).decode(), scalar.binary.value
    if kind == "error":
        return scalar.error.message, scalar.error.message.encode()
    if kind == "generic":
        fields: Mapping[str, object] = MessageToDict(scalar.generic)
        return fields, json_text(fields).encode()
    if kind == "none_type":
        return None, b"null"
    raise InputDownloadFailed(f"unsupported scalar type [{kind}]")


def _primitive(primitive: Primitive) -> tuple[object, str]:
    kind = primitive.WhichOneof("value")
    if kind == "float_value":
        return primitive.float_value, plain_float(primitive.float_value)
    if kind == "boolean":
        return primitive.boolean, str(primitive.boolean).lower()
    if kind == "datetime":
        text = timestamp_text(primitive.datetime)
        return text, text
    if kind == "duration":
        return None, duration_text(primitive.duration)  # copilot's JSON holds null for it
    if kind is None:
        return None, "null"
    value = getattr(primitive, kind)
    return value, str(value)


def _fetch(blob: Blob, path: Path) -> None:
    """Copy what a blob points to: a file, or a folder with all that is in it."""
    source = local_path(blob.uri)
    if source is None:
        _download(blob, path)
    elif blob.metadata.type.dimensionality == BlobType.SINGLE:
        shutil.copyfile(source, path)
    else:
        shutil.copytree(source, path, dirs_exist_ok=True)


def _download(blob: Blob, path: Path) -> None:
    single = blob.metadata.type.dimensionality == BlobType.SINGLE
    if not single or not blob.uri.startswith(("http://", "https://")):
        raise InputDownloadFailed(f"{blob.uri} is not in the sandbox's storage")
    with requests.get(blob.uri, stream=True, timeout=_FETCH_TIMEOUT_S) as response, path.open("wb") as out:
        response.raise_for_status()
        for chunk in response.iter_content(_CHUNK_BYTES):
            out.write(chunk)
