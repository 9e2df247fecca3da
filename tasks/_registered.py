"""Everything that Flyte has under one version of a project and domain, read back whole, in few calls."""

from __future__ import annotations

from collections.abc import Collection
from concurrent.futures import ThreadPoolExecutor

from flyteidl.admin.common_pb2 import NamedEntityIdentifier, ObjectGetRequest, ResourceListRequest, Sort
from flyteidl.admin.launch_plan_pb2 import LaunchPlan
from flyteidl.admin.task_pb2 import TaskSpec
from flyteidl.admin.workflow_pb2 import WorkflowSpec
from flyteidl.core.identifier_pb2 import Identifier

from tasks._entities import Entity, Kind
from tasks._flyte import Flyte

_PAGE = 500
_AT_ONCE = 8


def fetch_registered(
    flyte: Flyte, project: str, domain: str, version: str, *, workflows: Collection[str] | None = None
) -> list[Entity]:
    """Return the entities that are registered at one version; none where nothing is.

    Workflows come with their nodes, if `workflows` is None or has their name, else with their identifier
    alone. Calls: three lists, a page of which holds 500, and one for each workflow that comes whole, since
    Flyte's list of workflows leaves out their nodes.

    Raises:
        FlyteUnavailable, FlyteUnauthenticated, FlyteRefused: Flyte cannot be asked, or has no such place.
    """
    request = ResourceListRequest(
        id=NamedEntityIdentifier(project=project, domain=domain),
        filters=f"eq(version,{version})",
        limit=_PAGE,
        sort_by=Sort(key="created_at", direction=Sort.ASCENDING),
    )
    lists = (("ListTasks", "tasks"), ("ListWorkflows", "workflows"), ("ListLaunchPlans", "launch_plans"))
    with ThreadPoolExecutor(max_workers=_AT_ONCE) as pool:
        tasks, listed, plans = pool.map(lambda one: list(flyte.pages(one[0], request, one[1])), lists)
        whole = pool.map(lambda one: _workflow(flyte, one.id, workflows), listed)
        return [
            *(
                Entity(kind=Kind.TASK, message=TaskSpec(template=one.closure.compiled_task.template))
                for one in tasks
            ),
            *whole,
            *(Entity(kind=Kind.LAUNCH_PLAN, message=LaunchPlan(id=one.id, spec=one.spec)) for one in plans),
        ]


def _workflow(flyte: Flyte, identifier: Identifier, wanted: Collection[str] | None) -> Entity:
    spec = WorkflowSpec()
    spec.template.id.CopyFrom(identifier)
    if wanted is None or identifier.name in wanted:
        closure = flyte.call("GetWorkflow", ObjectGetRequest(id=identifier)).closure.compiled_workflow
        spec.template.CopyFrom(closure.primary.template)
        spec.sub_workflows.extend(one.template for one in closure.sub_workflows)
    return Entity(kind=Kind.WORKFLOW, message=spec)
