"""The external resources of an array node's attempt: what clients see of each attempt of each item.

Source: flytepropeller `nodes/array/event_recorder.go`, flyteadmin `transformers/task_execution.go`
(mergeExternalResources).
"""

from __future__ import annotations

from flyteidl.admin.task_execution_pb2 import TaskExecution as Message
from flyteidl.event.event_pb2 import ExternalResourceInfo

from scripts.sandbox.attempts import AttemptRef
from scripts.sandbox.ids import attempt_name


def resource_of(message: Message, ref: AttemptRef) -> ExternalResourceInfo:
    """Return what is told of an attempt of an item, added in its place where it was not there yet.

    Raises:
        ValueError: it is no attempt of an item.
    """
    item, resources = ref.item, message.closure.metadata.external_resources
    if item is None:
        raise ValueError(f"{ref.name} is no attempt of an item")
    for known in resources:
        if (known.index, known.retry_attempt) == (item.index, ref.attempt):
            return known
    name = attempt_name(ref.key.name, item.node_id, item.node_attempt)
    made = resources.add(
        external_id=f"{name}-n{item.index}-{ref.attempt}", index=item.index, retry_attempt=ref.attempt
    )
    if len(resources) > 1 and _order(resources[-2]) > _order(made):
        resources.sort(key=_order)
        return resource_of(message, ref)
    return made


def _order(resource: ExternalResourceInfo) -> tuple[int, int]:
    return resource.index, resource.retry_attempt
