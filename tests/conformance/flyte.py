"""The Flyte under test as its clients see it: stubs, flytekit's remote, and waiting with patience."""

from __future__ import annotations

import time
import uuid
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TypeVar

import grpc
import pytest
from flyteidl.admin.execution_pb2 import (
    Execution,
    ExecutionCreateRequest,
    ExecutionSpec,
    WorkflowExecutionGetDataRequest,
    WorkflowExecutionGetRequest,
)
from flyteidl.admin.node_execution_pb2 import (
    NodeExecution,
    NodeExecutionGetDataRequest,
    NodeExecutionGetDataResponse,
    NodeExecutionListRequest,
)
from flyteidl.admin.task_execution_pb2 import TaskExecution, TaskExecutionListRequest
from flyteidl.core.execution_pb2 import WorkflowExecution
from flyteidl.core.identifier_pb2 import LAUNCH_PLAN, Identifier, WorkflowExecutionIdentifier
from flyteidl.core.literals_pb2 import Literal, LiteralMap
from flyteidl.service.admin_pb2_grpc import AdminServiceStub
from flyteidl.service.dataproxy_pb2_grpc import DataProxyServiceStub
from flyteidl.service.signal_pb2_grpc import SignalServiceStub
from flytekit.configuration import Config
from flytekit.core.context_manager import FlyteContextManager
from flytekit.core.type_engine import TypeEngine
from flytekit.remote import FlyteRemote

DOMAIN, VERSION = "development", "v1"
TERMINAL = (
    WorkflowExecution.SUCCEEDED,
    WorkflowExecution.FAILED,
    WorkflowExecution.ABORTED,
    WorkflowExecution.TIMED_OUT,
)
_CHANNEL = [
    ("grpc.max_receive_message_length", -1),
    # An error that shows the difference of two workflows travels in the metadata, up to 32,000 characters.
    ("grpc.max_metadata_size", 1 << 20),
    ("grpc.absolute_max_metadata_size", 4 << 20),
]
_POLL_S = 0.25

T = TypeVar("T")


@dataclass(frozen=True, kw_only=True)
class Flyte:
    """An endpoint, a project of this run's own, and how patient to be with it (seconds for one wait)."""

    endpoint: str
    project: str
    task_image: str
    other_image: str
    wait_s: float
    admin: AdminServiceStub
    data_proxy: DataProxyServiceStub
    signals: SignalServiceStub

    @classmethod
    def at(cls, endpoint: str, *, task_image: str, other_image: str, wait_s: float) -> Flyte:
        """Connect, with a project name that no earlier run has used."""
        channel = grpc.insecure_channel(endpoint, options=_CHANNEL)
        return cls(
            endpoint=endpoint,
            project=f"conformance-{uuid.uuid4().hex[:8]}",
            task_image=task_image,
            other_image=other_image,
            wait_s=wait_s,
            admin=AdminServiceStub(channel),
            data_proxy=DataProxyServiceStub(channel),
            signals=SignalServiceStub(channel),
        )

    def remote(self) -> FlyteRemote:
        """Return flytekit's own client for the same endpoint."""
        config = Config.for_endpoint(self.endpoint, insecure=True)
        return FlyteRemote(config, default_project=self.project, default_domain=DOMAIN)

    def id(self, kind: int, name: str, version: str = VERSION) -> Identifier:
        """Return the identifier of an entity of this run's project."""
        return Identifier(resource_type=kind, project=self.project, domain=DOMAIN, name=name, version=version)

    def launch(
        self,
        plan: str,
        inputs: Mapping[str, object] | None = None,
        *,
        name: str = "",
        spec: ExecutionSpec | None = None,
    ) -> WorkflowExecutionIdentifier:
        """Launch a registered launch plan; `inputs` are Python values of the types that they look like."""
        whole = ExecutionSpec()
        whole.CopyFrom(spec or ExecutionSpec())
        whole.launch_plan.CopyFrom(self.id(LAUNCH_PLAN, plan))
        return self.admin.CreateExecution(
            ExecutionCreateRequest(
                project=self.project, domain=DOMAIN, name=name, spec=whole, inputs=literals(inputs or {})
            )
        ).id

    def execution(self, id_: WorkflowExecutionIdentifier) -> Execution:
        """Return the execution as it is now."""
        return self.admin.GetExecution(WorkflowExecutionGetRequest(id=id_))

    def ended(self, id_: WorkflowExecutionIdentifier) -> Execution:
        """Wait until the execution has ended, and return it."""
        return self.until(lambda: self.execution(id_), lambda seen: seen.closure.phase in TERMINAL)

    def until(self, fetch: Callable[[], T], ready: Callable[[T], bool]) -> T:
        """Fetch until `ready`, and return what was fetched; what was seen last is in the failure."""
        deadline = time.monotonic() + self.wait_s
        while True:
            seen = fetch()
            if ready(seen):
                return seen
            if time.monotonic() > deadline:
                pytest.fail(f"not there after {self.wait_s:g} s; last seen: {seen}")
            time.sleep(_POLL_S)

    def outputs(self, id_: WorkflowExecutionIdentifier) -> LiteralMap:
        """Return an execution's outputs."""
        return self.admin.GetExecutionData(WorkflowExecutionGetDataRequest(id=id_)).full_outputs

    def nodes(self, id_: WorkflowExecutionIdentifier, parent: str = "") -> dict[str, NodeExecution]:
        """Return the node executions of one level, by node id; those that Flyte adds are left out."""
        request = NodeExecutionListRequest(workflow_execution_id=id_, limit=100, unique_parent_id=parent)
        found = self.admin.ListNodeExecutions(request).node_executions
        return {node.id.node_id: node for node in found if node.metadata.spec_node_id not in _ADDED}

    def node_data(self, node: NodeExecution) -> NodeExecutionGetDataResponse:
        """Return a node's inputs, outputs, and the workflow that it made."""
        return self.admin.GetNodeExecutionData(NodeExecutionGetDataRequest(id=node.id))

    def attempts(self, node: NodeExecution) -> list[TaskExecution]:
        """Return the attempts of a task node, the first one first."""
        request = TaskExecutionListRequest(node_execution_id=node.id, limit=100)
        found = self.admin.ListTaskExecutions(request).task_executions
        return sorted(found, key=lambda attempt: attempt.id.retry_attempt)


_ADDED = ("start-node", "end-node")


@contextmanager
def refused(code: grpc.StatusCode, *texts: str) -> Iterator[None]:
    """Expect the call inside to be refused with this code, and with every one of `texts` in its message.

    Blanks do not count, for Go's protobuf varies them on purpose.
    """
    with pytest.raises(grpc.RpcError) as error:
        yield
    details = " ".join((error.value.details() or "").split())
    assert (error.value.code(), [text for text in texts if text not in details]) == (code, []), details


def literals(values: Mapping[str, object]) -> LiteralMap:
    """Return Python values as literals of the types that flytekit guesses for them."""
    context = FlyteContextManager.current_context()
    made = LiteralMap()
    for name, value in values.items():
        kind = list[int] if isinstance(value, list) else type(value)
        literal = TypeEngine.to_literal(context, value, kind, TypeEngine.to_literal_type(kind))
        made.literals[name].CopyFrom(literal.to_flyte_idl())
    return made


def python(literal_map: LiteralMap, name: str) -> object:
    """Return a primitive, none, a list or a map of those as a Python value; a blob as its URI."""
    return _python(literal_map.literals[name])


def _python(literal: Literal) -> object:
    kind = literal.WhichOneof("value")
    if kind == "collection":
        return [_python(item) for item in literal.collection.literals]
    if kind == "map":
        return {key: _python(item) for key, item in literal.map.literals.items()}
    scalar = literal.scalar
    if scalar.WhichOneof("value") == "blob":
        return scalar.blob.uri
    if scalar.WhichOneof("value") == "none_type":
        return None
    return getattr(scalar.primitive, scalar.primitive.WhichOneof("value"))
