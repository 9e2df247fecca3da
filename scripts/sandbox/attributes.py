"""Matchable resources: settings of a project, of a domain of it, or of one workflow; the nearest counts.

Source: flyteadmin `manager/impl/resources/resource_manager.go`, `gormimpl/resource_repo.go`.
"""

from __future__ import annotations

import sqlite3
from dataclasses import dataclass

from flyteidl.admin.matchable_resource_pb2 import (
    MatchableAttributesConfiguration,
    MatchableResource,
    MatchingAttributes,
    WorkflowExecutionConfig,
)

from scripts.sandbox.database import Database
from scripts.sandbox.errors import InvalidArgument, NotFound

_RESOURCE_OF = {
    "task_resource_attributes": MatchableResource.TASK_RESOURCE,
    "cluster_resource_attributes": MatchableResource.CLUSTER_RESOURCE,
    "execution_queue_attributes": MatchableResource.EXECUTION_QUEUE,
    "execution_cluster_label": MatchableResource.EXECUTION_CLUSTER_LABEL,
    "plugin_overrides": MatchableResource.PLUGIN_OVERRIDE,
    "workflow_execution_config": MatchableResource.WORKFLOW_EXECUTION_CONFIG,
    "cluster_assignment": MatchableResource.CLUSTER_ASSIGNMENT,
}


@dataclass(frozen=True, kw_only=True)
class Scope:
    """What a setting is for; an empty domain or workflow is all of them."""

    project: str
    domain: str = ""
    workflow: str = ""


@dataclass(frozen=True, kw_only=True)
class Found:
    """Attributes, and the scope that they are kept for."""

    attributes: MatchingAttributes
    scope: Scope

    def place(self, *without: str) -> dict[str, str]:
        """Return the fields of the scope but those in `without`."""
        return {field: value for field, value in vars(self.scope).items() if field not in without}


class Attributes:
    """The matchable resources of one sandbox."""

    def __init__(self, db: Database) -> None:
        self._db = db

    def set(self, scope: Scope, attributes: MatchingAttributes | None) -> None:
        """Keep `attributes` for `scope` in place of what was there; plugin overrides are merged by task type.

        Raises:
            InvalidArgument: there are none, or of a kind that cannot be matched.
        """
        if attributes is None:
            raise InvalidArgument("missing matching_attributes")
        resource = _RESOURCE_OF.get(str(attributes.WhichOneof("target")))
        if resource is None:
            named = "-".join(filter(None, (scope.project, scope.domain, scope.workflow)))
            raise InvalidArgument(f"Unrecognized matching attributes type for request {named}")
        with self._db.transaction():
            if resource == MatchableResource.PLUGIN_OVERRIDE:
                attributes = self._with_earlier_overrides(scope, attributes)
            self._db.write(
                "set_attributes",
                resource=resource,
                message=attributes.SerializeToString(deterministic=True),
                **vars(scope),
            )

    def nearest(self, resource: MatchableResource.ValueType, scope: Scope) -> Found:
        """Return the most specific attributes that match `scope`.

        Raises:
            NotFound: none do.
        """
        row = self._db.row("nearest_attributes", resource=resource, **vars(scope))
        if row is None:
            raise NotFound(_not_found(resource, scope))
        return _found(row)

    def exactly(self, resource: MatchableResource.ValueType, scope: Scope) -> Found:
        """Return the attributes kept for `scope` itself.

        Raises:
            NotFound: there are none.
        """
        row = self._db.row("attributes", resource=resource, **vars(scope))
        if row is None:
            raise NotFound(_not_found(resource, scope))
        return _found(row)

    def delete(self, resource: MatchableResource.ValueType, scope: Scope) -> None:
        """Delete the attributes of `scope` and, as flyteadmin does, of all that lies below it."""
        self._db.write("delete_attributes", resource=resource, **vars(scope))

    def all(self, resource: MatchableResource.ValueType) -> list[MatchableAttributesConfiguration]:
        """Return every setting of one kind, the most specific first."""
        return [
            MatchableAttributesConfiguration(
                attributes=MatchingAttributes.FromString(row["message"]),
                project=row["project"],
                domain=row["domain"],
                workflow=row["workflow"],
            )
            for row in self._db.rows("all_attributes", resource=resource)
        ]

    def workflow_execution_config(
        self, project: str, domain: str, workflow: str
    ) -> list[WorkflowExecutionConfig]:
        """Return the settings that count for an execution, nearest first: at most two.

        The most specific one that matches counts, and then the project's own; one for a domain is passed
        over where the workflow has one (flyteadmin `getExecutionConfig`).
        """
        configs = []
        own = Scope(project=project, domain=domain, workflow=workflow)
        for find, scope in ((self.nearest, own), (self.exactly, Scope(project=project))):
            try:
                found = find(MatchableResource.WORKFLOW_EXECUTION_CONFIG, scope)
            except NotFound:
                continue
            configs.append(found.attributes.workflow_execution_config)
        return configs

    def _with_earlier_overrides(self, scope: Scope, attributes: MatchingAttributes) -> MatchingAttributes:
        try:
            earlier = self.exactly(MatchableResource.PLUGIN_OVERRIDE, scope).attributes.plugin_overrides
        except NotFound:
            return attributes
        by_type = {one.task_type: one for one in (*earlier.overrides, *attributes.plugin_overrides.overrides)}
        return MatchingAttributes(plugin_overrides={"overrides": list(by_type.values())})


def _found(row: sqlite3.Row) -> Found:
    scope = Scope(project=row["project"], domain=row["domain"], workflow=row["workflow"])
    return Found(attributes=MatchingAttributes.FromString(row["message"]), scope=scope)


def _not_found(resource: MatchableResource.ValueType, scope: Scope) -> str:
    """As Go prints the struct that flyteadmin looked up."""
    return (
        f"Resource [{{Project:{scope.project} Domain:{scope.domain} Workflow:{scope.workflow} LaunchPlan: "
        f"ResourceType:{MatchableResource.Name(resource)}}}] not found"
    )
