"""The settings that flytekit leaves in a dynamic task, made the same for every packaging."""

from __future__ import annotations

import base64
import gzip

import pytest
from flyteidl.admin.task_pb2 import TaskSpec
from flytekit.configuration import FastSerializationSettings, ImageConfig, SerializationSettings
from google.protobuf.json_format import ParseDict

from tasks._entities import Entity, Kind
from tasks._serialized_context import VARIABLE, settled, settled_context


def context(folder: str) -> str:
    settings = SerializationSettings(
        image_config=ImageConfig.from_images("registry.example.com/fraud:1"),
        fast_serialization_settings=FastSerializationSettings(enabled=True, destination_dir="."),
        source_root=folder,
    )
    text: str = settings.serialized_context
    return text


def test_the_folder_makes_no_difference_and_nothing_else_is_lost() -> None:
    assert settled_context(context("/tmp/one")) == settled_context(context("/tmp/another"))
    read = SerializationSettings.from_transport(settled_context(context("/tmp/one")))
    assert read.source_root is None
    assert read.image_config.default_image.full == "registry.example.com/fraud:1"
    assert read.fast_serialization_settings.destination_dir == "."


@pytest.mark.parametrize(
    "text",
    [
        "",
        "%%%",
        base64.b64encode(b"not gzip").decode(),
        base64.b64encode(gzip.compress(b"not JSON")).decode(),
        base64.b64encode(gzip.compress(b"[1]")).decode(),
        base64.b64encode(gzip.compress(b"[" * 16_000)).decode(),
        base64.b64encode(gzip.compress(b'{"source_root": "' + b"x" * 10**6 + b'"}')).decode(),
    ],
    ids=["empty", "no base64", "no gzip", "no JSON", "a list", "deep", "long"],
)
def test_what_cannot_be_read_stays(text: str) -> None:
    assert settled_context(text) == text


def test_containers_and_pods_are_settled_and_the_original_is_not() -> None:
    env = {"env": [{"key": VARIABLE, "value": context("/tmp/one")}, {"key": "A", "value": "b"}]}
    pod = {"containers": [{"env": [{"name": VARIABLE, "value": context("/tmp/one")}, {"name": "A"}]}, {}]}
    for template in ({"container": env}, {"k8sPod": {"podSpec": pod}}):
        message = ParseDict({"template": template}, TaskSpec())
        entity = settled(Entity(kind=Kind.TASK, message=message))
        assert context("/tmp/one") in str(message)
        assert settled_context(context("/tmp/one")) in str(entity.message)
