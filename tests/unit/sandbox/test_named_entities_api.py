from __future__ import annotations

from pathlib import Path

import pytest
from flyteidl.admin.common_pb2 import (
    NAMED_ENTITY_ARCHIVED,
    NamedEntityGetRequest,
    NamedEntityIdentifier,
    NamedEntityListRequest,
    NamedEntityMetadata,
    NamedEntityUpdateRequest,
)
from flyteidl.core.identifier_pb2 import DATASET, TASK

from scripts.sandbox.caller import Caller
from scripts.sandbox.errors import InvalidArgument, NotFound
from scripts.sandbox.named_entities_api import NamedEntitiesApi
from tests.unit.sandbox.registry import registry, task_request

CALLER = Caller()
NAME = NamedEntityIdentifier(project="p", domain="development", name="t")


@pytest.fixture
def api(tmp_path: Path) -> NamedEntitiesApi:
    """Two versions of the task `t`, one of `.flytegen.t`."""
    there = registry(tmp_path)
    for name, version in (("t", "v1"), ("t", "v2"), (".flytegen.t", "v1")):
        there.entities.register_task(task_request(name, version))
    return NamedEntitiesApi(there.db)


def names(api: NamedEntitiesApi, filters: str = "") -> list[str]:
    request = NamedEntityListRequest(
        resource_type=TASK, project="p", domain="development", limit=10, filters=filters
    )
    return [entity.id.name for entity in api.ListNamedEntities(request, CALLER).entities]


def test_made_up_names_are_listed_only_when_asked_for(api: NamedEntitiesApi) -> None:
    assert names(api) == ["t"]
    assert names(api, "contains(name,flytegen)") == [".flytegen.t"]


def test_an_archived_name_is_hidden_only_by_a_filter(api: NamedEntitiesApi) -> None:
    metadata = NamedEntityMetadata(state=NAMED_ENTITY_ARCHIVED, description="old")
    api.UpdateNamedEntity(NamedEntityUpdateRequest(resource_type=TASK, id=NAME, metadata=metadata), CALLER)
    found = api.GetNamedEntity(NamedEntityGetRequest(resource_type=TASK, id=NAME), CALLER)
    assert found.metadata == metadata
    assert names(api, "eq(state,0)") == [".flytegen.t"]
    assert "t" in names(api)


def test_a_name_without_versions_is_not_found(api: NamedEntitiesApi) -> None:
    request = NamedEntityGetRequest(resource_type=TASK, id=NAME)
    request.id.name = "x"
    with pytest.raises(NotFound, match="entry not found"):
        api.GetNamedEntity(request, CALLER)


def test_other_types_have_no_names(api: NamedEntitiesApi) -> None:
    metadata = NamedEntityMetadata(state=NAMED_ENTITY_ARCHIVED)
    request = NamedEntityUpdateRequest(resource_type=DATASET, id=NAME, metadata=metadata)
    with pytest.raises(InvalidArgument, match=r"Resource \[DATASET\] cannot have its state updated"):
        api.UpdateNamedEntity(request, CALLER)
