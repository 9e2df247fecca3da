"""What a stage runs now, to compare a package with: read from Flyte in a bounded number of calls."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from flyteidl.admin.common_pb2 import NamedEntityIdentifier, ResourceListRequest, Sort
from flyteidl.admin.launch_plan_pb2 import ActiveLaunchPlanListRequest, LaunchPlan

from tasks._entities import Entity, Kind
from tasks._flyte import Flyte
from tasks._registered import fetch_registered

_NAMES = 50
_NEWEST_FIRST = Sort(key="created_at", direction=Sort.DESCENDING)


@dataclass(frozen=True, kw_only=True)
class Baseline:
    """The entities of a stage's present version; `version` is empty where nothing is registered there.

    A workflow that the package does not hold has its identifier alone, for that is all a removal needs.
    """

    version: str
    active: bool
    entities: list[Entity]


def fetch_baseline(
    flyte: Flyte, package: Sequence[Entity], *, project: str, domain: str, version: str
) -> Baseline:
    """Read what is ACTIVE in a stage, else what is newest there, as far as it concerns `package`.

    `version` is the package's own, which is no baseline for itself. The present version is that of the
    newest ACTIVE launch plan that has a name of the package's, else of the newest workflow or task that has
    one. A launch plan that is ACTIVE at another version is compared as it is.

    Calls: one list of ACTIVE launch plans, a page of which holds 100; at most two to find the newest; and
    what `fetch_registered` makes for that version, with the workflows that are in both.
    """
    names = {kind: {one.name for one in package if one.kind is kind} for kind in Kind}
    request = ActiveLaunchPlanListRequest(project=project, domain=domain, sort_by=_NEWEST_FIRST)
    listed = flyte.pages("ListActiveLaunchPlans", request, "launch_plans")
    known = names[Kind.LAUNCH_PLAN]
    active = [plan for plan in listed if plan.id.name in known and plan.id.version != version]
    place = NamedEntityIdentifier(project=project, domain=domain)
    present = active[0].id.version if active else _newest(flyte, place, names, version)
    if not present:
        return Baseline(version="", active=False, entities=[])
    entities = fetch_registered(flyte, project, domain, present, workflows=names[Kind.WORKFLOW])
    elsewhere = {one.id.name: _plan(one) for one in reversed(active)}
    return Baseline(
        version=present,
        active=bool(active),
        entities=[
            *(one for one in entities if one.kind is not Kind.LAUNCH_PLAN or one.name not in elsewhere),
            *elsewhere.values(),
        ],
    )


def _plan(plan: LaunchPlan) -> Entity:
    return Entity(kind=Kind.LAUNCH_PLAN, message=LaunchPlan(id=plan.id, spec=plan.spec))


def _newest(flyte: Flyte, place: NamedEntityIdentifier, names: dict[Kind, set[str]], but: str) -> str:
    """Return the newest version, `but` one, of any workflow, else task, that has a name of the package's."""
    for kind, rpc, field in (
        (Kind.WORKFLOW, "ListWorkflows", "workflows"),
        (Kind.TASK, "ListTasks", "tasks"),
    ):
        some = ";".join(sorted(names[kind])[:_NAMES])
        if some:
            request = ResourceListRequest(
                id=place, limit=1, filters=f"value_in(name,{some})+ne(version,{but})", sort_by=_NEWEST_FIRST
            )
            found = getattr(flyte.call(rpc, request), field)
            if found:
                return str(found[0].id.version)
    return ""
