"""Registering one entity: the call, and what each of Flyte's answers to it means."""

from __future__ import annotations

import enum
from collections.abc import Iterable
from dataclasses import dataclass

from flyteidl.admin.common_pb2 import ObjectGetRequest
from flyteidl.admin.launch_plan_pb2 import LaunchPlan, LaunchPlanCreateRequest
from flyteidl.admin.task_pb2 import TaskCreateRequest, TaskSpec
from flyteidl.admin.workflow_pb2 import WorkflowCreateRequest
from flyteidl.core.workflow_pb2 import WorkflowTemplate

from tasks import _structure
from tasks._entities import Entity, Kind
from tasks._errors import (
    DifferentStructure,
    FlyteExists,
    FlyteInvalid,
    FlyteNotFound,
    FlyteRefused,
    StageMissing,
)
from tasks._flyte import Flyte

_SHOWN = 12
_AGAIN = 3
_NO_PLACE = ("failed to validate that project", "is not active", "is unrecognized by system")
"""flyteadmin's words about a project or domain (`validation/project_validator.go`)."""


class Outcome(enum.Enum):
    """What a create left behind."""

    CREATED = "created"
    EXISTING = "existing"


@dataclass(frozen=True, kw_only=True)
class Refusal:
    """Flyte does not take an entity; `reason` is in its own words."""

    entity: Entity
    reason: str


def create(flyte: Flyte, entity: Entity) -> Outcome | Refusal:
    """Register one entity. One that is there with the same content counts as registered.

    Raises:
        DifferentStructure: it is there with other content; the error shows what differs.
        StageMissing: there is no such project or domain, or it is archived.
        FlyteUnavailable, FlyteUnauthenticated, FlyteRefused: see `Flyte.once`.
    """
    rpc, request = _request(entity)
    for _ in range(_AGAIN):
        try:
            flyte.once(rpc, request)
        except FlyteExists as error:
            if "identical structure" in error.details:
                return Outcome.EXISTING
            # Lost a race with another create ("value with matching already exists"): asked again, Flyte
            # compares the two and says whether they are the same.
        except FlyteInvalid as error:
            if "different structure" in error.details:
                raise _different(flyte, entity, error.details) from error
            if any(word in error.details for word in _NO_PLACE):
                raise _no_place(entity, error.details) from error
            return Refusal(entity=entity, reason=error.details)
        except FlyteNotFound as error:
            return Refusal(entity=entity, reason=error.details)
        else:
            return Outcome.CREATED
    return Refusal(entity=entity, reason="Flyte says that it exists, and not whether it is the same")


def _request(entity: Entity) -> tuple[str, object]:
    message = entity.message
    if isinstance(message, LaunchPlan):
        return "CreateLaunchPlan", LaunchPlanCreateRequest(id=message.id, spec=message.spec)
    if isinstance(message, TaskSpec):
        return "CreateTask", TaskCreateRequest(id=entity.id, spec=message)
    return "CreateWorkflow", WorkflowCreateRequest(id=entity.id, spec=message)


def _different(flyte: Flyte, entity: Entity, said: str) -> DifferentStructure:
    """Say what differs: from comparing the two, or, where they cannot be, in Flyte's words, cut short.

    Flyte's own text can hold all of a workflow twice over, as Go prints it.
    """
    try:
        found = list(_structure.differences(registered(flyte, entity), wanted(entity)))
    except FlyteRefused:
        found = []
    lines = _structure.sentences(found, most=_SHOWN) or [
        line[:300] for line in said.splitlines()[1 : _SHOWN + 1]
    ]
    shown = "".join(f"\n  {line}" for line in lines)
    return DifferentStructure(
        f"The {entity} is registered already at version {entity.id.version} in "
        f"{entity.id.project}/{entity.id.domain}, with other content:{shown}\n",
        remedy="Register under a new version, or find what makes the package differ from run to run.",
    )


def _no_place(entity: Entity, said: str) -> StageMissing:
    place = f"{entity.id.project}/{entity.id.domain}"
    return StageMissing(
        f"Nothing can be registered in {place}: {said[:500]}.",
        remedy="Have an administrator create or unarchive the project, or enrol the target with another.",
    )


def wanted(entity: Entity) -> _structure.Tree:
    """Return an entity as a tree to compare with what is registered."""
    message = entity.message
    if isinstance(message, LaunchPlan):
        return _structure.tree(message.spec)
    if isinstance(message, TaskSpec):
        return _structure.tree(message.template)
    return _workflow(message.template, message.sub_workflows)


def registered(flyte: Flyte, entity: Entity) -> _structure.Tree:
    """Fetch what Flyte has under an entity's identifier, as a tree to compare with `wanted`.

    Raises:
        FlyteNotFound: there is nothing.
    """
    found = flyte.call(_GET[entity.kind], ObjectGetRequest(id=entity.id))
    if entity.kind is Kind.LAUNCH_PLAN:
        return _structure.tree(found.spec)
    if entity.kind is Kind.TASK:
        return _structure.tree(found.closure.compiled_task.template)
    closure = found.closure.compiled_workflow
    return _workflow(closure.primary.template, [one.template for one in closure.sub_workflows])


_GET = {Kind.TASK: "GetTask", Kind.WORKFLOW: "GetWorkflow", Kind.LAUNCH_PLAN: "GetLaunchPlan"}


def _workflow(template: WorkflowTemplate, inner: Iterable[WorkflowTemplate]) -> _structure.Tree:
    within = {f"[{one.id.name}]": _structure.tree(one) for one in inner}
    return {"template": _structure.tree(template), "sub_workflows": within}
