from __future__ import annotations

import json
from pathlib import Path

import pytest
from flyteidl.core.literals_pb2 import Literal, LiteralMap
from flyteidl.core.tasks_pb2 import DataLoadingConfig
from google.protobuf.json_format import ParseDict

from scripts.sandbox.copilot_inputs import InputDownloadFailed, lay_out

JSON, PROTO = DataLoadingConfig.JSON, DataLoadingConfig.PROTO


def inputs(**literals: object) -> LiteralMap:
    return ParseDict({"literals": literals}, LiteralMap())


def scalar(**fields: object) -> dict[str, object]:
    return {"scalar": {"primitive": fields}}


def blob(uri: str, dimensionality: str = "SINGLE") -> dict[str, object]:
    return {"scalar": {"blob": {"uri": uri, "metadata": {"type": {"dimensionality": dimensionality}}}}}


def test_scalars_are_text(tmp_path: Path) -> None:
    given = inputs(
        text=scalar(stringValue="a b; $(id)"),
        n=scalar(integer=7),
        x=scalar(floatValue=1e21),
        yes=scalar(boolean=True),
        at=scalar(datetime="2026-01-02T03:04:05Z"),
        wait=scalar(duration="90s"),
        nothing={"scalar": {"noneType": {}}},
        struct={"scalar": {"generic": {"b": 1, "a": [1.5]}}},
    )
    lay_out(given, tmp_path, JSON)
    assert {name: (tmp_path / name).read_text() for name in given.literals} == {
        "text": "a b; $(id)",
        "n": "7",
        "x": "1000000000000000000000",
        "yes": "true",
        "at": "2026-01-02T03:04:05Z",
        "wait": "1m30s",
        "nothing": "null",
        "struct": '{"a":[1.5],"b":1}',
    }
    assert json.loads((tmp_path / "inputs.json").read_text()) == {
        "text": "a b; $(id)",
        "n": 7,
        "x": 1e21,
        "yes": True,
        "at": "2026-01-02T03:04:05Z",
        "wait": None,
        "nothing": None,
        "struct": {"a": [1.5], "b": 1},
    }
    assert LiteralMap.FromString((tmp_path / "inputs.pb").read_bytes()) == given


def test_blobs_are_copied_and_inputs_pb_points_to_the_copies(tmp_path: Path) -> None:
    (tmp_path / "data#1.bin").write_bytes(b"0123")
    (tmp_path / "many" / "deep").mkdir(parents=True)
    (tmp_path / "many" / "deep" / "x").write_text("x")
    folder = tmp_path / "inputs"
    lay_out(
        inputs(
            file=blob(f"file://{tmp_path}/data#1.bin"), folder=blob(f"file://{tmp_path}/many", "MULTIPART")
        ),
        folder,
        JSON,
    )
    assert (folder / "file").read_bytes() == b"0123"
    assert (folder / "folder" / "deep" / "x").read_text() == "x"
    written = LiteralMap.FromString((folder / "inputs.pb").read_bytes())
    assert written.literals["file"].scalar.blob.uri == str(folder / "file")
    assert json.loads((folder / "inputs.json").read_text())["folder"] == str(folder / "folder")


def test_lists_and_maps_are_folders(tmp_path: Path) -> None:
    items = [scalar(integer=i) for i in (5, 6)]
    given = inputs(
        items={"collection": {"literals": items}},
        named={"map": {"literals": {"a": items[0]}}},
        empty={"collection": {}},
    )
    lay_out(given, tmp_path, JSON)
    assert [(tmp_path / "items" / str(i)).read_text() for i in (0, 1)] == ["5", "6"]
    assert (tmp_path / "named" / "a").read_text() == "5"
    assert (tmp_path / "inputs.json").read_text() == '{"empty":[],"items":[5,6],"named":{"a":5}}'
    assert list((tmp_path / "empty").iterdir()) == []


def test_a_large_literal_is_read_from_where_it_was_put(tmp_path: Path) -> None:
    (tmp_path / "large.pb").write_bytes(ParseDict(scalar(stringValue="large"), Literal()).SerializeToString())
    lay_out(inputs(text={"offloadedMetadata": {"uri": f"file://{tmp_path}/large.pb"}}), tmp_path / "in", JSON)
    assert (tmp_path / "in" / "text").read_text() == "large"


def test_protobuf_alone_where_the_task_asks_for_it(tmp_path: Path) -> None:
    lay_out(inputs(n=scalar(integer=1)), tmp_path, PROTO)
    assert {file.name for file in tmp_path.iterdir()} == {"n", "inputs.pb"}


@pytest.mark.parametrize(
    "value",
    [
        blob("file:///nowhere/at/all"),
        blob("s3://bucket/key"),
        {"scalar": {"structuredDataset": {"uri": "file:///x"}}},
        {},
    ],
    ids=["missing file", "foreign storage", "structured dataset", "no value"],
)
def test_what_cannot_be_laid_out(tmp_path: Path, value: dict[str, object]) -> None:
    with pytest.raises(InputDownloadFailed):
        lay_out(inputs(x=value), tmp_path / "in", JSON)


def test_copies_have_the_paths_under_which_the_container_finds_them(tmp_path: Path) -> None:
    (tmp_path / "data.bin").write_bytes(b"0123")
    file = blob(f"local://{tmp_path}/data.bin")
    folder = tmp_path / "inputs"
    given = inputs(file=file, many={"collection": {"literals": [file]}})
    lay_out(given, folder, JSON, seen_as="/var/inputs")
    assert (folder / "file").read_bytes() == (folder / "many" / "0").read_bytes() == b"0123"
    assert json.loads((folder / "inputs.json").read_text()) == {
        "file": "/var/inputs/file",
        "many": ["/var/inputs/many/0"],
    }
    moved = LiteralMap.FromString((folder / "inputs.pb").read_bytes()).literals
    assert moved["file"].scalar.blob.uri == "/var/inputs/file"
