"""Projects, and the domains that every one of them has.

Source: flyteadmin `project_manager.go`, `validation/project_validator.go`, `gormimpl/project_repo.go`.
"""

from __future__ import annotations

import re
import sqlite3

from flyteidl.admin.common_pb2 import Sort
from flyteidl.admin.project_pb2 import (
    Domain,
    InactiveProject,
    Project,
    ProjectListRequest,
)
from flyteidl.admin.project_pb2 import (
    Projects as Listed,
)

from scripts.sandbox import lists
from scripts.sandbox.clock import now, to_text
from scripts.sandbox.database import Database
from scripts.sandbox.errors import AlreadyExists, InvalidArgument, NotFound
from scripts.sandbox.labels import check_labels

DOMAINS = ("development", "staging", "production")
_MAX_NAME, _MAX_DESCRIPTION = 64, 300
_DNS_LABEL = re.compile(r"[a-z0-9]([-a-z0-9]*[a-z0-9])?")
_DNS_LABEL_RULE = (
    "a lowercase RFC 1123 label must consist of lower case alphanumeric characters or '-', and must start "
    "and end with an alphanumeric character (e.g. 'my-name',  or '123-abc', regex used for validation is "
    "'[a-z0-9]([-a-z0-9]*[a-z0-9])?')"
)
_TABLE = lists.Table(
    entity="project",
    source="projects",
    columns={
        "id": "rowid",
        "identifier": "id",
        "name": "name",
        "state": "state",
        "created_at": "created_at",
    },
    parsers={"state": lists.integer, "id": lists.integer, "created_at": lists.moment},
)


class Projects:
    """The projects of one sandbox."""

    def __init__(self, db: Database) -> None:
        self._db = db

    def check(self, project: str, domain: str) -> None:
        """Check that something may be created in `project` and `domain`.

        Raises:
            InvalidArgument: there is no such project or domain, or the project is archived.
        """
        row = self._db.row("project", id=project)
        if row is None:
            raise InvalidArgument(
                f"failed to validate that project [{project}] and domain [{domain}] are registered, "
                f"err: [project [{project}] not found]"
            )
        if row["state"] != Project.ACTIVE:
            raise InvalidArgument(f"project [{project}] is not active", detail=InactiveProject(id=project))
        if domain not in DOMAINS:
            raise InvalidArgument(f"domain [{domain}] is unrecognized by system")

    def check_for_update(self, project: str) -> None:
        """Check that settings of the whole project may be changed.

        Raises:
            InvalidArgument: there is no such project, or it is archived.
        """
        row = self._db.row("project", id=project)
        if row is None:
            raise InvalidArgument(
                f"failed to validate that project [{project}] is registered, "
                f"err: [project [{project}] not found]"
            )
        if row["state"] != Project.ACTIVE:
            raise InvalidArgument(f"project [{project}] is not active")

    def check_exists(self, project: str) -> None:
        """Check that there is such a project, archived or not.

        Raises:
            InvalidArgument: there is none.
        """
        if self._db.row("project", id=project) is None:
            raise InvalidArgument(
                f"failed to validate that project [{project}] exists, err: [project [{project}] not found]"
            )

    def register(self, project: Project) -> None:
        """Add a project.

        Raises:
            InvalidArgument: its id, name, labels or description are not what flyteadmin takes.
            AlreadyExists: its id is taken.
        """
        if not project.name:
            raise InvalidArgument("missing project_name")
        _check(project)
        try:
            self._db.write("add_project", **_columns(project), created_at=to_text(now()))
        except sqlite3.IntegrityError as error:
            raise AlreadyExists(
                "value with matching already exists "
                '(duplicate key value violates unique constraint "projects_pkey")'
            ) from error

    def ensure(self, *ids: str) -> None:
        """Add those of the projects that are not there yet, named like their ids."""
        for id_ in ids:
            if self._db.row("project", id=id_) is None:
                self.register(Project(id=id_, name=id_))

    def update(self, project: Project) -> None:
        """Change what is not empty of a project's name, description and labels, and its state.

        Raises:
            NotFound: there is no such project.
            InvalidArgument: as `register`.
        """
        old = self.get(project.id)
        _check(project)
        merged = Project(
            id=project.id,
            name=project.name or old.name,
            description=project.description or old.description,
            labels=project.labels if project.HasField("labels") else old.labels,
            state=project.state,
        )
        self._db.write("update_project", **_columns(merged))

    def get(self, id_: str) -> Project:
        """Return a project with its domains.

        Raises:
            NotFound: there is none.
        """
        row = self._db.row("project", id=id_)
        if row is None:
            raise NotFound(f"project [{id_}] not found")
        return _project(row)

    def list(self, request: ProjectListRequest) -> Listed:
        """Return a page of projects; without filters only those that are not archived.

        Raises:
            InvalidArgument: a filter, the sort key or the token is not valid.
        """
        page = lists.page(
            self._db,
            _TABLE,
            filters=request.filters or f"ne(state,{Project.ARCHIVED})",
            sort=request.sort_by
            if request.HasField("sort_by")
            else Sort(key="identifier", direction=Sort.ASCENDING),
            limit=request.limit,
            token=request.token,
            rpc="ListProjects",
        )
        return Listed(projects=[_project(row) for row in page.rows], token=page.token)


def domains() -> list[Domain]:
    """Return the domains that every project has."""
    return [Domain(id=name, name=name) for name in DOMAINS]


def _check(project: Project) -> None:
    if not project.id:
        raise InvalidArgument("missing project_id")
    check_labels(project.labels)
    problems = [] if _DNS_LABEL.fullmatch(project.id) else [_DNS_LABEL_RULE]
    if len(project.id) > 63:
        problems.insert(0, "must be no more than 63 characters")
    if problems:
        raise InvalidArgument(f"invalid project id [{project.id}]: [{' '.join(problems)}]")
    for field, text, most in (
        ("project_name", project.name, _MAX_NAME),
        ("project_description", project.description, _MAX_DESCRIPTION),
    ):
        if len(text.encode()) > most:
            raise InvalidArgument(f"{field} cannot exceed {most} characters")
    if project.domains:
        raise InvalidArgument(
            "Domains are currently only set system wide. "
            "Please retry without domains included in your request."
        )


def _columns(project: Project) -> dict[str, object]:
    message = Project(id=project.id, name=project.name, description=project.description, state=project.state)
    if project.HasField("labels"):
        message.labels.CopyFrom(project.labels)
    return {
        "id": project.id,
        "name": project.name,
        "state": project.state,
        "message": message.SerializeToString(deterministic=True),
    }


def _project(row: sqlite3.Row) -> Project:
    project = Project.FromString(row["message"])
    project.domains.extend(domains())
    return project
