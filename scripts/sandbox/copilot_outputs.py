"""A raw container's files as outputs, as flytecopilot's uploader takes them.

Source: flytecopilot `data/upload.go` and flyteidl `coreutils/literals.go`. A missing, mistyped or too long
output leaves no `outputs.pb` but an `errors.pb` that nobody reads, so Flyte never says what was wrong.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from flyteidl.core.errors_pb2 import ContainerError, ErrorDocument
from flyteidl.core.interface_pb2 import VariableMap
from flyteidl.core.literals_pb2 import Binary, Blob, BlobMetadata, Literal, LiteralMap, Primitive, Scalar
from flyteidl.core.types_pb2 import BlobType, Error, LiteralType, SimpleType
from google.protobuf.json_format import Parse, ParseError
from google.protobuf.struct_pb2 import Struct

from scripts.sandbox.copilot_inputs import local_path
from scripts.sandbox.gotext import parse_duration, parse_timestamp

MAX_SCALAR_BYTES = 1024
_MAX_ERROR_BYTES = 1024 * 1024
_BOOLEANS = {
    **dict.fromkeys(("1", "t", "T", "TRUE", "true", "True"), True),
    **dict.fromkeys(("0", "f", "F", "FALSE", "false", "False"), False),
}


class OutputUploadFailed(Exception):
    """The container's files are not its outputs; the message is the one that copilot keeps to itself.

    `output` is the one that it is about, which copilot's message may leave out; empty where it is none.
    """

    output = ""


def take(outputs: VariableMap, folder: Path, raw_output_prefix: str) -> LiteralMap:
    """Read every output of an interface back from `folder`; blobs are copied below `raw_output_prefix`.

    Raises:
        OutputUploadFailed: an output is missing, of another type or too long, of a type that copilot
            cannot take, or the container left a file `_ERROR`.
    """
    with _failing_for(""):
        _raise_user_error(folder / "_ERROR")
    taken = LiteralMap()
    for name in sorted(outputs.variables):
        with _failing_for(name):
            literal = _take(name, outputs.variables[name].type, folder / name, raw_output_prefix)
        taken.literals[name].CopyFrom(literal)
    return taken


@contextmanager
def _failing_for(output: str) -> Iterator[None]:
    try:
        yield
    except OutputUploadFailed as error:
        error.output = output
        raise
    except (OSError, UnicodeDecodeError) as error:
        failed = OutputUploadFailed(str(error))
        failed.output = output
        raise failed from error


def error_document(code: str, message: str) -> ErrorDocument:
    """Return what copilot writes to `errors.pb`."""
    return ErrorDocument(error=ContainerError(code=code, message=message, kind=ContainerError.RECOVERABLE))


def literal_of(kind: SimpleType.ValueType, text: str) -> Literal:
    """Read a value of a simple type from text, without the blanks around it.

    Raises:
        OutputUploadFailed: the text is no such value.
    """
    text = text.strip(" \n\t")
    if kind == SimpleType.STRUCT:
        try:
            return Literal(scalar=Scalar(generic=Parse(text, Struct(), ignore_unknown_fields=True)))
        except ParseError as error:
            raise OutputUploadFailed(f"failed to load generic type as json.: {error}") from error
    if kind == SimpleType.BINARY:
        return Literal(scalar=Scalar(binary=Binary(value=text.encode())))
    if kind == SimpleType.ERROR:
        return Literal(scalar=Scalar(error=Error(message=text)))
    if kind == SimpleType.NONE:
        return Literal(scalar=Scalar(none_type={}))
    return Literal(scalar=Scalar(primitive=_primitive(kind, text)))


def _raise_user_error(path: Path) -> None:
    if not path.exists():
        return
    if path.is_dir():
        raise OutputUploadFailed("error file is a directory")
    if path.stat().st_size > _MAX_ERROR_BYTES:
        raise OutputUploadFailed(f"error file too large {path.stat().st_size}")
    raise OutputUploadFailed(f"User Error: {path.read_text(errors='replace')}")


def _take(name: str, kind: LiteralType, path: Path, raw_output_prefix: str) -> Literal:
    if kind.WhichOneof("type") == "simple":
        return _simple(kind.simple, _found(path))
    if kind.WhichOneof("type") == "blob":
        return _blob(_found(path), f"{raw_output_prefix.rstrip('/')}/{name}")
    raise OutputUploadFailed(f"currently CoPilot uploader does not support [{kind}], system error")


def _found(path: Path) -> Path:
    """The file or folder of an output, or the only file with its name and any extension."""
    if path.exists():
        return path
    siblings = path.parent.iterdir() if path.parent.is_dir() else iter(())
    matches = [item for item in siblings if item.name.startswith(f"{path.name}.")]
    if len(matches) != 1:
        raise OutputUploadFailed(f"file not found at path [{path}]: stat {path}: no such file or directory")
    return matches[0]


def _simple(kind: SimpleType.ValueType, path: Path) -> Literal:
    if path.is_dir():
        raise OutputUploadFailed(
            f"expected file for type [{SimpleType.Name(kind)}], found dir at path [{path}]"
        )
    size = path.stat().st_size
    if size > MAX_SCALAR_BYTES:
        raise OutputUploadFailed(f"maximum allowed filesize is [{MAX_SCALAR_BYTES}], but found [{size}]")
    return literal_of(kind, path.read_text())


def _primitive(kind: SimpleType.ValueType, text: str) -> Primitive:
    name = SimpleType.Name(kind)
    try:
        if kind == SimpleType.INTEGER:
            return Primitive(integer=int(_ascii(text)))
        if kind == SimpleType.FLOAT:
            return Primitive(float_value=float(_ascii(text)))
        if kind == SimpleType.BOOLEAN:
            return Primitive(boolean=_BOOLEANS[text])
        if kind == SimpleType.DURATION:
            return Primitive(duration=parse_duration(text))
        if kind == SimpleType.DATETIME:
            return Primitive(datetime=parse_timestamp(text))
    except (KeyError, ValueError) as error:
        raise OutputUploadFailed(f"failed to parse {name.lower()} value: {text!r}") from error
    if kind != SimpleType.STRING:
        raise OutputUploadFailed(f"unsupported type {name}")
    return Primitive(string_value=text)


def _ascii(text: str) -> str:
    """Python reads `1_000` and digits of other scripts as numbers; Go does not."""
    if not text.isascii() or "_" in text:
        raise ValueError(text)
    return text


def _blob(path: Path, uri: str) -> Literal:
    """Upload a file, or the files of a folder side by side, as copilot knows no nested folders."""
    target = local_path(uri)
    if target is None:
        raise OutputUploadFailed(f"{uri} is not in the sandbox's storage")
    if path.is_dir():
        target.mkdir(parents=True, exist_ok=True)
        for file in sorted(item for item in path.rglob("*") if not item.is_dir()):
            shutil.copyfile(file, target / file.name)
    else:
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(path, target)
    dimensionality = BlobType.MULTIPART if path.is_dir() else BlobType.SINGLE
    metadata = BlobMetadata(type=BlobType(dimensionality=dimensionality))
    return Literal(scalar=Scalar(blob=Blob(uri=uri, metadata=metadata)))
