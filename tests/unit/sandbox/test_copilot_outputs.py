"""The messages are those that flytecopilot 1.16.8 leaves in errors.pb."""

from __future__ import annotations

from pathlib import Path

import pytest
from flyteidl.core.interface_pb2 import Variable, VariableMap
from flyteidl.core.types_pb2 import BlobType, LiteralType, SimpleType
from google.protobuf.json_format import MessageToDict

from scripts.sandbox.copilot_outputs import OutputUploadFailed, literal_of, take


def interface(**types: LiteralType) -> VariableMap:
    return VariableMap(variables={name: Variable(type=kind) for name, kind in types.items()})


TEXT, NUMBER = LiteralType(simple=SimpleType.STRING), LiteralType(simple=SimpleType.INTEGER)
FILE = LiteralType(blob=BlobType())


@pytest.fixture
def outputs(tmp_path: Path) -> Path:
    folder = tmp_path / "outputs"
    folder.mkdir()
    return folder


def test_scalars_and_files(outputs: Path, tmp_path: Path) -> None:
    (outputs / "n").write_text(" 7\n")
    (outputs / "text.txt").write_text("found by its name without the extension")
    (outputs / "log").write_bytes(b"0123")
    (outputs / "folder" / "deep").mkdir(parents=True)
    (outputs / "folder" / "deep" / "x").write_text("x")
    taken = take(
        interface(n=NUMBER, text=TEXT, log=FILE, folder=FILE), outputs, f"file://{tmp_path}/raw"
    ).literals
    assert taken["n"].scalar.primitive.integer == 7
    assert taken["text"].scalar.primitive.string_value == "found by its name without the extension"
    assert taken["log"].scalar.blob.uri == f"file://{tmp_path}/raw/log"
    assert (tmp_path / "raw" / "log").read_bytes() == b"0123"
    assert taken["folder"].scalar.blob.metadata.type.dimensionality == BlobType.MULTIPART
    assert (tmp_path / "raw" / "folder" / "x").read_text() == "x"


def test_a_scalar_may_have_1024_bytes(outputs: Path) -> None:
    (outputs / "text").write_text("a" * 1024)
    assert len(take(interface(text=TEXT), outputs, "").literals["text"].scalar.primitive.string_value) == 1024


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (None, "file not found at path [{path}]: stat {path}: no such file or directory"),
        (b"a" * 1025, "maximum allowed filesize is [1024], but found [1025]"),
        (b"1_000", "failed to parse integer value"),
        (b"", "failed to parse integer value"),
        (b"\xff", "utf-8"),
    ],
    ids=["missing", "too long", "no Go integer", "empty", "no text"],
)
def test_what_is_no_output(outputs: Path, content: bytes | None, message: str) -> None:
    if content is not None:
        (outputs / "n").write_bytes(content)
    with pytest.raises(OutputUploadFailed) as error:
        take(interface(n=NUMBER), outputs, "")
    assert message.format(path=outputs / "n") in str(error.value)
    assert error.value.output == "n"


def test_a_folder_is_no_scalar(outputs: Path) -> None:
    (outputs / "n").mkdir()
    with pytest.raises(OutputUploadFailed, match=r"expected file for type \[INTEGER\], found dir"):
        take(interface(n=NUMBER), outputs, "")


def test_the_containers_own_error_comes_first(outputs: Path) -> None:
    (outputs / "_ERROR").write_text("no data today")
    (outputs / "n").write_text("7")
    with pytest.raises(OutputUploadFailed, match="User Error: no data today"):
        take(interface(n=NUMBER), outputs, "")


def test_lists_are_not_supported_by_copilot(outputs: Path) -> None:
    with pytest.raises(OutputUploadFailed, match="does not support"):
        take(interface(n=LiteralType(collection_type=NUMBER)), outputs, "")


@pytest.mark.parametrize(
    ("kind", "text", "expected"),
    [
        (SimpleType.FLOAT, "1.5e3", {"primitive": {"floatValue": 1500.0}}),
        (SimpleType.BOOLEAN, "T", {"primitive": {"boolean": True}}),
        (SimpleType.DURATION, "1m30s", {"primitive": {"duration": "90s"}}),
        (
            SimpleType.DATETIME,
            "2026-01-02T03:04:05+01:00",
            {"primitive": {"datetime": "2026-01-02T02:04:05Z"}},
        ),
        (SimpleType.STRUCT, '{"a": [1]}', {"generic": {"a": [1.0]}}),
        (SimpleType.BINARY, "abc", {"binary": {"value": "YWJj"}}),
        (SimpleType.NONE, "whatever", {"noneType": {}}),
        (SimpleType.ERROR, "bad", {"error": {"message": "bad"}}),
    ],
)
def test_text_becomes_a_literal(kind: SimpleType.ValueType, text: str, expected: dict[str, object]) -> None:
    assert MessageToDict(literal_of(kind, text)) == {"scalar": expected}


@pytest.mark.parametrize(
    ("kind", "text"),
    [
        (SimpleType.INTEGER, str(2**63)),
        (SimpleType.BOOLEAN, "yes"),
        (SimpleType.DURATION, "90"),
        (SimpleType.DATETIME, "today"),
        (SimpleType.STRUCT, "[1]"),
    ],
)
def test_text_that_is_no_such_value(kind: SimpleType.ValueType, text: str) -> None:
    with pytest.raises(OutputUploadFailed):
        literal_of(kind, text)
