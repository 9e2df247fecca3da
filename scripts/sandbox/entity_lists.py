"""Lists of tasks, workflows and launch plans: their names, their versions, what is active."""

from __future__ import annotations

from flyteidl.admin.common_pb2 import (
    NamedEntityIdentifier,
    NamedEntityIdentifierList,
    NamedEntityIdentifierListRequest,
    ResourceListRequest,
)
from flyteidl.admin.launch_plan_pb2 import ACTIVE, ActiveLaunchPlanListRequest
from flyteidl.core.identifier_pb2 import LAUNCH_PLAN, TASK, WORKFLOW, ResourceType

from scripts.sandbox import lists
from scripts.sandbox.database import Database
from scripts.sandbox.errors import InvalidArgument
from scripts.sandbox.identifiers import check_present

_COLUMNS = ("project", "domain", "name", "version", "created_at", "updated_at")
_PARSERS: dict[str, lists.Parse] = {
    "created_at": lists.moment,
    "updated_at": lists.moment,
    "state": lists.integer,
    "id": lists.integer,
}
_PARSERS |= {f"workflow.{field}": parse for field, parse in _PARSERS.items()}


def _columns(alias: str, prefix: str = "") -> dict[str, str]:
    return {f"{prefix}{column}": f"{alias}.{column}" for column in _COLUMNS} | {
        f"{prefix}id": f"{alias}.rowid"
    }


_TABLES = {
    TASK: lists.Table(
        entity="task",
        source="entities AS e",
        columns=_columns("e") | {"type": "e.kind"},
        parsers=_PARSERS,
        tie="e.rowid",
    ),
    WORKFLOW: lists.Table(
        entity="workflow", source="entities AS e", columns=_columns("e"), parsers=_PARSERS, tie="e.rowid"
    ),
    LAUNCH_PLAN: lists.Table(
        entity="launch_plan",
        source="entities AS e LEFT JOIN entities AS w ON w.rowid = e.workflow",
        columns=_columns("e")
        | _columns("w", "workflow.")
        | {"state": "e.state", "schedule_type": "e.kind", "workflow_id": "e.workflow"},
        parsers=_PARSERS,
        tie="e.rowid",
    ),
}


class EntityLists:
    """Pages of what is registered."""

    def __init__(self, db: Database) -> None:
        self._db = db

    def versions(self, kind: ResourceType.ValueType, request: ResourceListRequest, rpc: str) -> lists.Page:
        """Return versions of one kind of entity, those of one name if the request has one.

        Raises:
            InvalidArgument: the request is not valid.
        """
        if not request.HasField("id"):
            raise InvalidArgument("missing id")
        check_present(project=request.id.project, domain=request.id.domain)
        lists.check_limit(request.limit)
        where: dict[str, object] = {
            "e.resource_type": kind,
            "e.project": request.id.project,
            "e.domain": request.id.domain,
        }
        if request.id.name:
            where["e.name"] = request.id.name
        return lists.page(
            self._db,
            _TABLES[kind],
            select="e.*",
            where=where,
            filters=request.filters,
            sort=request.sort_by if request.HasField("sort_by") else None,
            limit=request.limit,
            token=request.token,
            rpc=rpc,
        )

    def active(self, request: ActiveLaunchPlanListRequest) -> lists.Page:
        """Return the active launch plans of a project and domain.

        Raises:
            InvalidArgument: the request is not valid.
        """
        check_present(project=request.project, domain=request.domain)
        lists.check_limit(request.limit)
        return lists.page(
            self._db,
            _TABLES[LAUNCH_PLAN],
            select="e.*",
            where={
                "e.resource_type": LAUNCH_PLAN,
                "e.project": request.project,
                "e.domain": request.domain,
                "e.state": ACTIVE,
            },
            sort=request.sort_by if request.HasField("sort_by") else None,
            limit=request.limit,
            token=request.token,
            rpc="ListActiveLaunchPlans",
        )

    def names(
        self, kind: ResourceType.ValueType, request: NamedEntityIdentifierListRequest, rpc: str
    ) -> NamedEntityIdentifierList:
        """Return each name of one kind of entity once.

        Raises:
            InvalidArgument: the request is not valid.
        """
        check_present(project=request.project, domain=request.domain)
        lists.check_limit(request.limit)
        page = lists.page(
            self._db,
            _TABLES[kind],
            select="e.project, e.domain, e.name",
            where={"e.resource_type": kind, "e.project": request.project, "e.domain": request.domain},
            sort=request.sort_by if request.HasField("sort_by") else None,
            limit=request.limit,
            token=request.token,
            rpc=rpc,
            group="e.project, e.domain, e.name",
        )
        return NamedEntityIdentifierList(
            entities=[NamedEntityIdentifier(**dict(row)) for row in page.rows], token=page.token
        )
