"""What is registered already under one version: listed once a create finds the first of it."""

from __future__ import annotations

import threading

from flyteidl.admin.common_pb2 import NamedEntityIdentifier, ResourceListRequest, Sort
from flyteidl.admin.launch_plan_pb2 import LaunchPlan
from flyteidl.admin.task_pb2 import TaskSpec
from google.protobuf.message import Message as Proto

from tasks._entities import Entity, Kind
from tasks._errors import FlyteRefused
from tasks._flyte import Flyte

_PAGE = 500
_LISTS = {Kind.TASK: ("ListTasks", "tasks"), Kind.LAUNCH_PLAN: ("ListLaunchPlans", "launch_plans")}
"""Only these lists hold the whole entity; one of workflows leaves out their nodes."""


class Existing:
    """Tasks and launch plans that need no create, for Flyte has them with exactly this content.

    A repeated registration finds nearly all of its entities by a call for every 500. A first one, which
    finds nothing, makes no call for this. Whatever is not exactly the same is left to a create to judge.
    """

    def __init__(self, flyte: Flyte) -> None:
        self._flyte = flyte
        self._lock = threading.Lock()
        self._unread = list(_LISTS)
        self._found: dict[tuple[Kind, str], Proto] = {}

    def has(self, entity: Entity) -> bool:
        """Whether Flyte is known to have exactly this entity; makes no call."""
        found = self._found.get((entity.kind, entity.name))
        return found is not None and bool(found == _content(entity))

    def look(self, entity: Entity) -> None:
        """Read one list that was not read yet, of the version that `entity` was found to exist at.

        Every create that finds its entity there comes here, so the lists are read side by side.

        Raises:
            FlyteUnavailable, FlyteUnauthenticated: Flyte cannot be asked.
        """
        with self._lock:
            if not self._unread:
                return
            kind = self._unread.pop(0)
        rpc, field = _LISTS[kind]
        request = ResourceListRequest(
            id=NamedEntityIdentifier(project=entity.id.project, domain=entity.id.domain),
            filters=f"eq(version,{entity.id.version})",
            limit=_PAGE,
            sort_by=Sort(key="created_at", direction=Sort.ASCENDING),
        )
        try:
            for one in self._flyte.pages(rpc, request, field):
                content = one.closure.compiled_task.template if kind is Kind.TASK else one.spec
                self._found[kind, one.id.name] = content
        except FlyteRefused:
            # A version that no filter can hold: creates tell what is there, one by one.
            return


def _content(entity: Entity) -> Proto:
    message = entity.message
    content: Proto
    if isinstance(message, LaunchPlan):
        content = message.spec
    elif isinstance(message, TaskSpec):
        content = message.template
    else:
        content = message
    return content
