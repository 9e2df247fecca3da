"""The RPCs about names: whether one is archived, and its description.

Source: flyteadmin `named_entity_manager.go`, `gormimpl/named_entity_repo.go`.
"""

from __future__ import annotations

import sqlite3

from flyteidl.admin.common_pb2 import (
    NAMED_ENTITY_ACTIVE,
    NamedEntity,
    NamedEntityGetRequest,
    NamedEntityIdentifier,
    NamedEntityList,
    NamedEntityListRequest,
    NamedEntityMetadata,
    NamedEntityUpdateRequest,
    NamedEntityUpdateResponse,
)
from flyteidl.core.identifier_pb2 import LAUNCH_PLAN, TASK, WORKFLOW, ResourceType

from scripts.sandbox import lists
from scripts.sandbox.caller import Caller
from scripts.sandbox.database import Database
from scripts.sandbox.errors import InvalidArgument, NotFound
from scripts.sandbox.identifiers import check_named, check_present, check_resource_type

_NAMED = (WORKFLOW, TASK, LAUNCH_PLAN)
_GENERATED = "not_like(name,.flytegen%)"
"""What hides the workflows that stand for single tasks, where a request has no filter of its own."""
_TABLE = lists.Table(
    entity="entities",
    source=(
        "(SELECT e.resource_type, e.project, e.domain, e.name, min(e.rowid) AS first, "
        "coalesce(n.state, 0) AS state, coalesce(n.description, '') AS description "
        "FROM entities AS e LEFT JOIN named_entities AS n USING (resource_type, project, domain, name) "
        "GROUP BY e.resource_type, e.project, e.domain, e.name)"
    ),
    columns={name: name for name in ("resource_type", "project", "domain", "name", "state", "description")},
    parsers={"state": lists.integer, "resource_type": lists.integer},
    tie="first",
)


class NamedEntitiesApi:
    """Answers for named entities."""

    def __init__(self, db: Database) -> None:
        self._db = db

    def GetNamedEntity(self, request: NamedEntityGetRequest, caller: Caller) -> NamedEntity:
        """Return one name."""
        check_resource_type(request.resource_type)
        check_named(request.id)
        return self._get(request.resource_type, request.id)

    def UpdateNamedEntity(
        self, request: NamedEntityUpdateRequest, caller: Caller
    ) -> NamedEntityUpdateResponse:
        """Archive a name or bring it back, or describe it; its versions are none the wiser."""
        check_resource_type(request.resource_type)
        check_named(request.id)
        if not request.HasField("metadata"):
            raise InvalidArgument("missing metadata")
        if request.metadata.state != NAMED_ENTITY_ACTIVE and request.resource_type not in _NAMED:
            kind = ResourceType.Name(request.resource_type)
            raise InvalidArgument(f"Resource [{kind}] cannot have its state updated")
        self._get(request.resource_type, request.id)
        self._db.write(
            "set_named_entity",
            resource_type=request.resource_type,
            project=request.id.project,
            domain=request.id.domain,
            name=request.id.name,
            state=request.metadata.state,
            description=request.metadata.description,
        )
        return NamedEntityUpdateResponse()

    def ListNamedEntities(self, request: NamedEntityListRequest, caller: Caller) -> NamedEntityList:
        """Return a page of names."""
        check_present(project=request.project, domain=request.domain)
        check_resource_type(request.resource_type)
        lists.check_limit(request.limit)
        kind = request.resource_type
        if kind not in _NAMED:
            raise InvalidArgument(f"Cannot list entity names for resource type: {ResourceType.Name(kind)}")
        page = lists.page(
            self._db,
            _TABLE,
            where={"resource_type": kind, "project": request.project, "domain": request.domain},
            filters=request.filters or _GENERATED,
            sort=request.sort_by if request.HasField("sort_by") else None,
            limit=request.limit,
            token=request.token,
            rpc="ListNamedEntities",
        )
        return NamedEntityList(entities=[_entity(kind, row) for row in page.rows], token=page.token)

    def _get(self, kind: ResourceType.ValueType, id_: NamedEntityIdentifier) -> NamedEntity:
        if kind not in _NAMED:
            name = ResourceType.Name(kind)
            raise InvalidArgument(f"Cannot get NamedEntityMetadata for resource type: {name}")
        row = self._db.row(
            "named_entity", resource_type=kind, project=id_.project, domain=id_.domain, name=id_.name
        )
        if row is None:
            raise NotFound("entry not found")
        return _entity(kind, row)


def _entity(kind: ResourceType.ValueType, row: sqlite3.Row) -> NamedEntity:
    return NamedEntity(
        resource_type=kind,
        id=NamedEntityIdentifier(project=row["project"], domain=row["domain"], name=row["name"]),
        metadata=NamedEntityMetadata(description=row["description"] or "", state=row["state"] or 0),
    )
