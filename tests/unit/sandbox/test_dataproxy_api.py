from __future__ import annotations

from pathlib import Path

import pytest
from flyteidl.admin.node_execution_pb2 import (
    NodeExecution,
    NodeExecutionGetDataRequest,
    NodeExecutionGetDataResponse,
    NodeExecutionGetRequest,
)
from flyteidl.admin.task_execution_pb2 import (
    TaskExecution,
    TaskExecutionGetDataRequest,
    TaskExecutionGetDataResponse,
    TaskExecutionList,
    TaskExecutionListRequest,
)
from flyteidl.core.literals_pb2 import LiteralMap
from flyteidl.service.dataproxy_pb2 import GetDataRequest, GetDataResponse

from scripts.sandbox.caller import Caller
from scripts.sandbox.dataproxy_api import DataProxyApi
from scripts.sandbox.errors import InvalidArgument, NotFound
from scripts.sandbox.signed_urls import Signer
from scripts.sandbox.storage import Storage

CALLER = Caller()
NODE = "flyte://v1/p/development/e/n0"


def literals(value: int) -> LiteralMap:
    result = LiteralMap()
    result.literals["x"].scalar.primitive.integer = value
    return result


class OneNode:
    """The node `n0` with a first attempt; its deck lies where it is told to."""

    def __init__(self, deck_uri: str) -> None:
        self._deck_uri = deck_uri

    def GetNodeExecution(self, request: NodeExecutionGetRequest, caller: Caller) -> NodeExecution:  # noqa: N802
        node = NodeExecution(id=request.id)
        node.closure.deck_uri = self._deck_uri
        return node

    def GetNodeExecutionData(  # noqa: N802
        self, request: NodeExecutionGetDataRequest, caller: Caller
    ) -> NodeExecutionGetDataResponse:
        if request.id.node_id != "n0":
            raise NotFound("no such node")
        return NodeExecutionGetDataResponse(full_inputs=literals(1), full_outputs=literals(2))

    def ListTaskExecutions(  # noqa: N802
        self, request: TaskExecutionListRequest, caller: Caller
    ) -> TaskExecutionList:
        found = [TaskExecution()] if request.filters == "eq(retry_attempt,0)" else []
        return TaskExecutionList(task_executions=found)

    def GetTaskExecutionData(  # noqa: N802
        self, request: TaskExecutionGetDataRequest, caller: Caller
    ) -> TaskExecutionGetDataResponse:
        return TaskExecutionGetDataResponse(full_inputs=literals(3), full_outputs=literals(4))


@pytest.fixture
def storage(tmp_path: Path) -> Storage:
    return Storage(tmp_path)


@pytest.fixture
def api(storage: Storage) -> DataProxyApi:
    signer = Signer(base="http://localhost:1/objects", secret=b"s")
    return DataProxyApi(storage, lambda: signer, OneNode(storage.uri("n0/deck.html")))


def found(api: DataProxyApi, url: str) -> GetDataResponse:
    return api.GetData(GetDataRequest(flyte_url=url), CALLER)


@pytest.mark.parametrize(
    ("url", "value"),
    [(f"{NODE}/i/x", 1), (f"{NODE}/o/x", 2), (f"{NODE}/0/i/x", 3), (f"{NODE}/0/o/x", 4)],
)
def test_a_flyte_url_stands_for_a_literal(api: DataProxyApi, url: str, value: int) -> None:
    assert found(api, url).literal.scalar.primitive.integer == value
    assert found(api, url.removesuffix("/x")).literal_map == literals(value)


@pytest.mark.parametrize(
    ("url", "problem"),
    [
        ("", "failed to validate resolve artifact request. Error: source is required. Provided empty string"),
        ("http://x", "failed to validate resolve artifact request. Error: request does not start with the"),
        (f"{NODE}/z", f"failed to parse artifact url Error: failed to parse [{NODE}/z]"),
        (f"{NODE}/i/y", "name [y] not found in node execution ["),
        (f"{NODE}/5/i", "no task executions were listed ["),
        (f"{NODE}/0/d", "deck type cannot be specified with a retry attempt, just use the node instead"),
    ],
)
def test_other_urls_are_refused(api: DataProxyApi, url: str, problem: str) -> None:
    with pytest.raises(InvalidArgument) as refused:
        found(api, url)
    assert refused.value.message.startswith(problem)


def test_a_deck_is_found_once_it_is_written(api: DataProxyApi, storage: Storage) -> None:
    with pytest.raises(NotFound, match="object not found"):
        found(api, f"{NODE}/d")
    (storage.root / "n0").mkdir()
    (storage.root / "n0" / "deck.html").write_text("<p>")
    urls = found(api, f"{NODE}/d").pre_signed_urls.signed_url
    assert urls[0].startswith("http://localhost:1/objects/n0/deck.html?expires=")
