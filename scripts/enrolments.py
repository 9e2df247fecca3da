"""Enrolments as Flyte keeps them: fixed inputs of the targets' launch plans."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from flyteidl.admin.launch_plan_pb2 import ActiveLaunchPlanListRequest, LaunchPlan

from scripts.connection import active_plan
from tasks._enrolment import Enrolment
from tasks._errors import BadUsage, FlyteNotFound, NotInstalled
from tasks._flyte import Flyte
from tasks._names import plan_name
from tasks._toml import Document, Invalid, parse, validate
from tasks._typed import Unreadable, value_of
from workflows.launch_plans import FIXED, PREVIEW


@dataclass(frozen=True, kw_only=True)
class Enrolled:
    """One enrolled target and the version of its launch plan that is ACTIVE."""

    enrolment: Enrolment
    plan: LaunchPlan

    @property
    def version(self) -> str:
        """The launch plan's version, which changes with anything about the enrolment."""
        return str(self.plan.id.version)


def enrolled_of(plan: LaunchPlan) -> Enrolled:
    """Read an enrolment back from its launch plan.

    Raises:
        NotInstalled: the plan was not made by this version of Taxiway.
    """
    try:
        value = value_of(plan.spec.fixed_inputs, FIXED, Enrolment)
    except Unreadable as error:
        raise NotInstalled(
            f"The enrolment in {plan.id.name} {plan.id.version} cannot be read by this version of Taxiway.",
            remedy="Use the version of Taxiway that enrolled it, or enrol the target again.",
        ) from error
    return Enrolled(enrolment=value, plan=plan)


def find_enrolled(flyte: Flyte, project: str, domain: str, target: str) -> Enrolled:
    """Return the ACTIVE enrolment of one target.

    Raises:
        NotInstalled: there is none of this name.
    """
    try:
        return enrolled_of(active_plan(flyte, project, domain, plan_name(PREVIEW.name, target)))
    except FlyteNotFound as error:
        raise NotInstalled(
            f"No target {target} is enrolled in {project}/{domain} of {flyte.endpoint}.",
            remedy=f"See `taxiway enroll --list`, or enrol it: `taxiway enroll URL --name {target}`.",
        ) from error


def all_enrolled(flyte: Flyte, project: str, domain: str) -> list[Enrolled]:
    """Return every target's ACTIVE enrolment, sorted by name."""
    request = ActiveLaunchPlanListRequest(project=project, domain=domain)
    plans = flyte.pages("ListActiveLaunchPlans", request, "launch_plans")
    found = [enrolled_of(plan) for plan in plans if plan.id.name.startswith(plan_name(PREVIEW.name, ""))]
    return sorted(found, key=lambda one: one.enrolment.name)


def read_enrolment_file(path: Path) -> dict[str, Any]:
    """Return what an enrolment file holds; it is validated with the flags, which come on top.

    Raises:
        BadUsage: it is not TOML.
    """
    document = parse(path.read_bytes(), str(path))
    if isinstance(document, Invalid):
        [finding] = document.findings
        raise BadUsage(f"{finding.where}: {finding.problem}", remedy=finding.remedy)
    return document.data


def validated(values: dict[str, Any]) -> Enrolment:
    """Return an enrolment made of `values`.

    Raises:
        BadUsage: it is not one; the text names everything that is wrong, and never shows the URL.
    """
    found = validate(Document(name="enrolment", data=values), Enrolment)
    if isinstance(found, Invalid):
        wrong = " ".join(f"{one.where}: {one.problem} {one.remedy}" for one in found.findings)
        raise BadUsage(
            f"The enrolment is not valid. {wrong}", remedy="See `taxiway enroll --help` for every field."
        )
    return found
