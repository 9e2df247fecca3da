"""What a task of Taxiway's finds out about the execution that it is part of."""

from __future__ import annotations

from flyteidl.core.identifier_pb2 import WorkflowExecutionIdentifier
from flytekit import current_context

from tasks._flyte import Flyte
from tasks._home import Home


def own_execution() -> WorkflowExecutionIdentifier:
    """Return the execution that this task is part of."""
    own = current_context().execution_id
    return WorkflowExecutionIdentifier(project=own.project, domain=own.domain, name=own.name)


def home_of(flyte: Flyte, target: str) -> Home:
    """Return where the records of a target are: where this task runs."""
    own = own_execution()
    return Home(flyte=flyte, project=own.project, domain=own.domain, target=target)
