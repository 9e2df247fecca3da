from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timezone

import pytest

from tasks._engine_record import (
    FINGERPRINT,
    ImageRecord,
    by_folder,
    image_tag,
    is_record_tag,
    labels_of,
    manifest_of,
    record_in,
    record_tag,
)
from tasks._manifests import DOCKER_MANIFEST, Descriptor, Manifest
from tasks._references import parse_repository

PRINT = "sha256:" + "b" * 64
NOON = datetime(2026, 1, 5, 12, tzinfo=timezone.utc)
IMAGE = Descriptor(media_type=DOCKER_MANIFEST, digest="sha256:" + "a" * 64, size=7, platform="linux/arm64/v8")
RECORD = ImageRecord(
    image=IMAGE, labels=labels_of(PRINT, {"platform": "x"}, {"who": "me"}, NOON), size_bytes=12
)


@pytest.mark.parametrize("record", [RECORD, replace(RECORD, user="1000", checked_for="/app")])
def test_record_is_read_as_it_was_written(record: ImageRecord) -> None:
    read = record_in(manifest_of(record), PRINT)
    assert read == record
    assert read is not None
    assert (read.fingerprint, read.created) == (PRINT, NOON)
    assert read.digest == manifest_of(record).digest


def test_record_of_another_fingerprint_is_none() -> None:
    assert record_in(manifest_of(RECORD), "sha256:" + "c" * 64) is None


@pytest.mark.parametrize(
    "other",
    [
        pytest.param(Manifest(media_type=DOCKER_MANIFEST, digest="", body=b""), id="an image"),
        pytest.param(
            replace(manifest_of(RECORD), annotations={FINGERPRINT: PRINT}), id="without the image's size"
        ),
        pytest.param(replace(manifest_of(RECORD), manifests=(IMAGE, IMAGE)), id="of two images"),
    ],
)
def test_anything_else_is_no_record(other: Manifest) -> None:
    assert record_in(other) is None


def test_tags_are_spelled_as_a_registry_takes_them() -> None:
    repository = parse_repository("registry.example.com/fraud")
    for tag in (image_tag(PRINT), record_tag(PRINT)):
        assert str(repository.tagged(tag)).endswith("b" * 64)
    assert is_record_tag(record_tag(PRINT))
    assert not is_record_tag(image_tag(PRINT))


@pytest.mark.parametrize("created", ["", "yesterday"])
def test_record_without_a_date_is_old(created: str) -> None:
    labels = {**RECORD.labels, "org.opencontainers.image.created": created}
    assert replace(RECORD, labels=labels).created.year == 1970


def test_files_of_a_folder_are_one_ingredient_of_a_label() -> None:
    alone = {"file:requirements.lock": "1", "platform": "x", "argument:tasks/a": "2", "file:tasksx": "3"}
    inside = {"file:tasks/a.py": "4", "mode:tasks/a.py": "executable", "file:tasks/deep/b.py": "5"}
    shown = by_folder({**alone, **inside}, ["tasks", "requirements.lock"])
    assert {name: value for name, value in shown.items() if name in alone} == alone
    [folder] = set(shown) - set(alone)
    assert folder == "folder:tasks"
    changed = by_folder({**alone, **inside, "file:tasks/a.py": "6"}, ["tasks"])
    assert changed[folder] != shown[folder]
    assert set(by_folder(inside, ["."])) == {"folder:."}
