"""Enrol a target: register its launch plan, which fixes what callers must not choose, and activate it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from flyteidl.admin.common_pb2 import ObjectGetRequest
from flyteidl.admin.launch_plan_pb2 import (
    ACTIVE,
    LaunchPlan,
    LaunchPlanUpdateRequest,
)
from flyteidl.admin.project_pb2 import Project, ProjectListRequest, ProjectRegisterRequest

from scripts.connection import active_plan, installed
from scripts.enrolments import Enrolled, enrolled_of
from tasks._create import Outcome, Refusal, create
from tasks._enrolment import ANY, Enrolment
from tasks._entities import Entity, Kind
from tasks._errors import FlyteExists, FlyteNotFound, RegistrationRefused, StageMissing
from tasks._flyte import Flyte
from tasks._git_url import checked_url
from tasks._typed import literal_of
from workflows.launch_plans import FLOWS, Flow, Installation, target_plan

ALLOW_FILE_URLS = "TAXIWAY_ALLOW_FILE_URLS"


@dataclass(frozen=True, kw_only=True)
class Enrolling:
    """What an enrolment left behind."""

    enrolled: Enrolled
    created: bool
    activated: bool
    projects_made: Sequence[str]


def enrol(
    flyte: Flyte, enrolment: Enrolment, *, project: str, domain: str, create_projects: bool = False
) -> Enrolling:
    """Register and activate the launch plans of a target in Taxiway's own `project` and `domain`.

    The same enrolment again makes nothing; another one makes a new version, and that one ACTIVE. With
    `create_projects` the projects of previews and of the limits are made where they are missing.

    Raises:
        NotInstalled: Taxiway is not installed there.
        CredentialsInUrl, UrlRefused: the repository's URL is not taken.
        StageMissing: the preview project does not exist.
        RegistrationRefused: Flyte does not take the launch plan.
    """
    installation = installed(flyte, project, domain)
    checked_url(enrolment.repository, allow_file=installation.env.get(ALLOW_FILE_URLS) == "1")
    wanted = [enrolment.preview.project, *(name for name in enrolment.limits.projects if name != ANY)]
    made = [name for name in wanted if make_project(flyte, name)] if create_projects else []
    check_project(flyte, enrolment.preview.project)
    plans = [_plan(flyte, flow, enrolment, installation) for flow in FLOWS]
    # The first one, the preview's, says who is enrolled, so it comes last.
    published = [publish(flyte, plan) for plan in reversed(plans)]
    return Enrolling(
        enrolled=enrolled_of(plans[0]),
        created=any(created for created, _ in published),
        activated=any(activated for _, activated in published),
        projects_made=made,
    )


def publish(flyte: Flyte, plan: LaunchPlan) -> tuple[bool, bool]:
    """Register a launch plan and make it the ACTIVE version; return whether each had to be done.

    Raises:
        RegistrationRefused: Flyte does not take it.
    """
    outcome = create(flyte, Entity(kind=Kind.LAUNCH_PLAN, message=plan))
    if isinstance(outcome, Refusal):
        raise RegistrationRefused(
            f"Flyte does not take {plan.id.name}: {outcome.reason}.",
            remedy="Change what Flyte names.",
            refusals={str(outcome.entity): outcome.reason},
        )
    try:
        active = active_plan(flyte, plan.id.project, plan.id.domain, plan.id.name).id.version
    except FlyteNotFound:
        active = ""
    if active != plan.id.version:
        flyte.call("UpdateLaunchPlan", LaunchPlanUpdateRequest(id=plan.id, state=ACTIVE))
    return outcome is Outcome.CREATED, active != plan.id.version


def projects(flyte: Flyte) -> dict[str, Project]:
    """Return the projects that are in use, by id."""
    found = flyte.pages("ListProjects", ProjectListRequest(), "projects")
    return {one.id: one for one in found if one.state == Project.ACTIVE}


def check_project(flyte: Flyte, name: str) -> None:
    """Check that a project exists.

    Raises:
        StageMissing: it does not.
    """
    if name not in projects(flyte):
        raise StageMissing(
            f"Project {name} does not exist in {flyte.endpoint}.",
            remedy="Create it in Flyte, or let Taxiway do so with --create-projects.",
        )


def make_project(flyte: Flyte, name: str) -> bool:
    """Make a project if it does not exist, and return whether it had to be made."""
    if name in projects(flyte):
        return False
    try:
        flyte.call("RegisterProject", ProjectRegisterRequest(project=Project(id=name, name=name)))
    except FlyteExists:
        return False
    return True


def _plan(flyte: Flyte, flow: Flow, enrolment: Enrolment, installation: Installation) -> LaunchPlan:
    found = flyte.call("GetWorkflow", ObjectGetRequest(id=installation.workflow(flow.workflow)))
    interface = found.closure.compiled_workflow.primary.template.interface
    return target_plan(flow, enrolment, literal_of(enrolment), interface, installation)
