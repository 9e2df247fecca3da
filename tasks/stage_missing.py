"""What a stage lacks for a package, as far as Flyte can tell without being written to."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from flyteidl.admin.matchable_resource_pb2 import TASK_RESOURCE, TaskResourceSpec
from flyteidl.admin.project_domain_attributes_pb2 import ProjectDomainAttributesGetRequest
from flyteidl.admin.project_pb2 import Project, ProjectGetRequest
from flyteidl.admin.task_pb2 import TaskSpec
from flyteidl.core.tasks_pb2 import Resources

from tasks._entities import Entity, Kind
from tasks._errors import FlyteNotFound, FlyteRefused
from tasks._flyte import Flyte
from tasks._quantities import quantity
from tasks._types import Finding
from tasks.policy import Stage

_LIMITED = {
    Resources.CPU: "cpu",
    Resources.MEMORY: "memory",
    Resources.GPU: "gpu",
    Resources.EPHEMERAL_STORAGE: "ephemeral_storage",
}
_NOT_PLANS = {"smoke", "none"}
"""What a stage's `verify` may be besides a launch plan."""


def missing_place(flyte: Flyte, stage: Stage) -> list[Finding]:
    """Return what is wrong with a stage's project and domain; empty where both are in use. One call."""
    where = f"stage {stage.name}"
    remedy = "Have an administrator create or unarchive the project, or correct the stage."
    try:
        project = flyte.call("GetProject", ProjectGetRequest(id=stage.project))
    except FlyteNotFound:
        problem = f"The project {stage.project} does not exist in {flyte.endpoint}."
        return [Finding(where=where, problem=problem, remedy=remedy)]
    if project.state != Project.ACTIVE:
        problem = f"The project {stage.project} is archived in {flyte.endpoint}."
        return [Finding(where=where, problem=problem, remedy=remedy)]
    domains = [domain.id for domain in project.domains]
    if domains and stage.domain not in domains:
        problem = f"{flyte.endpoint} has no domain {stage.domain}."
        return [Finding(where=where, problem=problem, remedy=f"Name one of {', '.join(domains)}.")]
    return []


def task_limits(flyte: Flyte, stage: Stage) -> TaskResourceSpec:
    """Return the limits on tasks that are set for a stage's project or domain. One call.

    All of it is empty where none are set: the platform's own defaults cannot be read.
    """
    request = ProjectDomainAttributesGetRequest(
        project=stage.project, domain=stage.domain, resource_type=TASK_RESOURCE
    )
    try:
        answer = flyte.call("GetProjectDomainAttributes", request)
    except FlyteRefused:
        return TaskResourceSpec()
    found: TaskResourceSpec = answer.attributes.matching_attributes.task_resource_attributes.limits
    return found


def over_limits(package: Sequence[Entity], limits: TaskResourceSpec, stage: Stage) -> Iterator[Finding]:
    """Yield the tasks that ask for more than a stage gives; Flyte would refuse to register them.

    Flyte looks only at resources that a task has a request for.
    """
    for entity in package:
        if not isinstance(entity.message, TaskSpec):
            continue
        resources = entity.message.template.container.resources
        requested = {one.name for one in resources.requests}
        for kind, name in _LIMITED.items():
            limit = getattr(limits, name)
            asked = [
                one.value
                for one in (*resources.requests, *resources.limits)
                if one.name == kind and one.value
            ]
            most = max(asked, key=_size, default="")
            if kind in requested and limit and most and _size(most) > _size(limit):
                yield Finding(
                    where=f"stage {stage.name}: {entity}",
                    problem=f"It asks for {most} of {name}; {stage.project}/{stage.domain} allows {limit}.",
                    remedy="Let the task ask for less, or have an administrator raise the limit.",
                )


def missing_plans(package: Sequence[Entity], stage: Stage) -> Iterator[Finding]:
    """Yield the launch plans that a stage's policy names and the package does not hold."""
    held = {one.name for one in package if one.kind is Kind.LAUNCH_PLAN}
    named = [("activate", name) for name in stage.activate]
    named += [("smoke", test.launch_plan) for test in stage.smoke]
    named += [("verify", stage.verify)] if stage.verify not in _NOT_PLANS else []
    for key, name in named:
        if name not in held:
            yield Finding(
                where=f"stage {stage.name}: {key}",
                problem=f"The package holds no launch plan {name}.",
                remedy=f"Correct `{key}`, or see that `package.modules` defines it.",
            )


def _size(text: str) -> float:
    """Return a quantity as a number; one in a form that we do not know is under every limit."""
    try:
        return quantity(text)
    except ValueError:
        return 0
