"""The RPCs that let clients up- and download: signed URLs, and what `flyte://` URLs stand for.

Source: flyteadmin `dataproxy/service.go`, `common/flyte_url.go`. Two things differ on purpose: a path that
would leave its folder is refused, where flyteadmin lets `..` through, and nothing outside the storage is
ever signed.
"""

from __future__ import annotations

import base64
import re
import secrets
import string
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Protocol

from flyteidl.admin.node_execution_pb2 import (
    NodeExecution,
    NodeExecutionGetDataRequest,
    NodeExecutionGetDataResponse,
    NodeExecutionGetRequest,
)
from flyteidl.admin.task_execution_pb2 import (
    TaskExecutionGetDataRequest,
    TaskExecutionGetDataResponse,
    TaskExecutionList,
    TaskExecutionListRequest,
)
from flyteidl.core.identifier_pb2 import NodeExecutionIdentifier, WorkflowExecutionIdentifier
from flyteidl.core.literals_pb2 import LiteralMap
from flyteidl.service.dataproxy_pb2 import (
    ARTIFACT_TYPE_DECK,
    ARTIFACT_TYPE_UNDEFINED,
    CreateDownloadLinkRequest,
    CreateDownloadLinkResponse,
    CreateDownloadLocationRequest,
    CreateDownloadLocationResponse,
    CreateUploadLocationRequest,
    CreateUploadLocationResponse,
    GetDataRequest,
    GetDataResponse,
    PreSignedURLs,
)
from google.protobuf.duration_pb2 import Duration
from google.protobuf.message import Message

from scripts.sandbox.caller import Caller
from scripts.sandbox.clock import now, to_timestamp
from scripts.sandbox.errors import AlreadyExists, FlyteError, InvalidArgument, NotFound
from scripts.sandbox.gotext import duration_text, message_text
from scripts.sandbox.signed_urls import Signer, file_within, md5_of, object_path, stored_path
from scripts.sandbox.storage import Storage

MAX_EXPIRY = timedelta(hours=1)
_NAME_LENGTH = 20
_WORD = "[a-zA-Z0-9_-]+"
_FLYTE_URL = re.compile(
    rf"flyte://v1/(?P<project>{_WORD})/(?P<domain>{_WORD})/(?P<execution>{_WORD})/(?P<node>{_WORD})"
    rf"(?:/(?P<attempt>[0-9]+))?/(?:(?P<kind>[iod])|(?P<named>[io])/(?P<name>{_WORD}))$"
)


class KnowsNodes(Protocol):
    """What is asked about nodes and task executions; the servicer for them has it."""

    def GetNodeExecution(self, request: NodeExecutionGetRequest, caller: Caller) -> NodeExecution:
        """Return a node execution."""

    def GetNodeExecutionData(
        self, request: NodeExecutionGetDataRequest, caller: Caller
    ) -> NodeExecutionGetDataResponse:
        """Return its inputs and outputs."""

    def ListTaskExecutions(self, request: TaskExecutionListRequest, caller: Caller) -> TaskExecutionList:
        """Return a node's task executions."""

    def GetTaskExecutionData(
        self, request: TaskExecutionGetDataRequest, caller: Caller
    ) -> TaskExecutionGetDataResponse:
        """Return the inputs and outputs of one."""


class DataProxyApi:
    """Answers for data. `signer` is asked for anew each time, for its address is known late."""

    def __init__(self, storage: Storage, signer: Callable[[], Signer], nodes: KnowsNodes) -> None:
        self._storage = storage
        self._signer = signer
        self._nodes = nodes

    def CreateUploadLocation(
        self, request: CreateUploadLocationRequest, caller: Caller
    ) -> CreateUploadLocationResponse:
        """Return a URL to upload one file to. As in flyteadmin the project need not exist."""
        if not request.project or not request.domain:
            raise InvalidArgument("project and domain are required parameters")
        if not request.filename_root and not request.content_md5:
            raise InvalidArgument("content_md5 or filename_root is a required parameter")
        if request.filename and request.filename_root:
            self._check_free(request)
        expires_in = _upload_expiry(request.expires_in if request.HasField("expires_in") else None)
        root = request.filename_root or base64.b32encode(request.content_md5).decode()
        name = request.filename or _random_name()
        path = object_path(request.org, request.project, request.domain, root, name)
        md5 = base64.b64encode(request.content_md5).decode()
        expires_at = now() + expires_in
        headers = {"Content-Length": str(len(md5)), "Content-MD5": md5}
        if request.add_content_md5_metadata:
            headers["x-amz-meta-flyteContentMD5"] = md5
        return CreateUploadLocationResponse(
            signed_url=self._signer().sign("PUT", path, expires_at, md5),
            native_url=self._storage.data_uri(path),
            expires_at=to_timestamp(expires_at),
            headers=headers,
        )

    def CreateDownloadLocation(
        self, request: CreateDownloadLocationRequest, caller: Caller
    ) -> CreateDownloadLocationResponse:
        """Return a URL to download what lies behind a native URL."""
        given = request.expires_in if request.HasField("expires_in") else None
        expires_in = _download_expiry(given, "error while validating request:")
        expires_at = now() + expires_in
        path = stored_path(self._storage, request.native_url)
        signed = self._signer().sign("GET", path, expires_at)
        return CreateDownloadLocationResponse(signed_url=signed, expires_at=to_timestamp(expires_at))

    def CreateDownloadLink(
        self, request: CreateDownloadLinkRequest, caller: Caller
    ) -> CreateDownloadLinkResponse:
        """Return a URL of a node's deck."""
        problem = "error while validating request. Error:"
        given = request.expires_in if request.HasField("expires_in") else None
        expires_in = _download_expiry(given, problem)
        if request.artifact_type == ARTIFACT_TYPE_UNDEFINED:
            raise InvalidArgument(f"{problem} invalid artifact type [ARTIFACT_TYPE_UNDEFINED]")
        if request.WhichOneof("source") is None:
            raise InvalidArgument(f"{problem} source is required. Provided nil")
        path = self._deck(request, caller)
        expires_at = now() + expires_in
        urls = [self._signer().sign("GET", path, expires_at)]
        stamp = to_timestamp(expires_at)
        both = PreSignedURLs(signed_url=urls, expires_at=stamp)
        return CreateDownloadLinkResponse(signed_url=urls, expires_at=stamp, pre_signed_urls=both)

    def GetData(self, request: GetDataRequest, caller: Caller) -> GetDataResponse:
        """Return what a `flyte://` URL stands for: literals, one of them, or a deck's URL."""
        problem = "failed to validate resolve artifact request. Error:"
        if not request.flyte_url:
            raise InvalidArgument(f"{problem} source is required. Provided empty string")
        if not request.flyte_url.startswith("flyte://"):
            raise InvalidArgument(f"{problem} request does not start with the correct prefix")
        match = _FLYTE_URL.search(request.flyte_url)
        if match is None:
            raise InvalidArgument(
                f"failed to parse artifact url Error: failed to parse [{request.flyte_url}]"
            )
        node = NodeExecutionIdentifier(
            node_id=match["node"],
            execution_id=WorkflowExecutionIdentifier(
                project=match["project"], domain=match["domain"], name=match["execution"]
            ),
        )
        kind = match["kind"] or match["named"]
        if match["attempt"] is not None:
            return self._of_attempt(node, int(match["attempt"]), kind, match["name"], caller)
        return self._of_node(node, kind, match["name"], caller)

    def _check_free(self, request: CreateUploadLocationRequest) -> None:
        """Check that nothing else was uploaded to the same place."""
        path = object_path(
            request.org, request.project, request.domain, request.filename_root, request.filename
        )
        file = file_within(self._storage.root, path)
        if file is None or not file.is_file():
            return
        if base64.b64encode(request.content_md5).decode() != md5_of(file):
            raise AlreadyExists(
                f"file already exists at location [{self._storage.data_uri(path)}], "
                "specify a matching hash if you wish to rewrite"
            )

    def _deck(self, request: CreateDownloadLinkRequest, caller: Caller) -> str:
        try:
            node = self._nodes.GetNodeExecution(NodeExecutionGetRequest(id=request.node_execution_id), caller)
        except FlyteError as error:
            raise InvalidArgument(
                f"failed to find node execution [{message_text(request.node_execution_id)}]. "
                f"Error: {error.message}"
            ) from error
        uri = node.closure.deck_uri if request.artifact_type == ARTIFACT_TYPE_DECK else ""
        if not uri:
            raise NotFound(f"no deckUrl found for request [{message_text(request)}]")
        path = stored_path(self._storage, uri)
        if not Path(self._storage.root / path).is_file():
            raise NotFound("object not found")
        return path

    def _of_node(
        self, node: NodeExecutionIdentifier, kind: str, name: str | None, caller: Caller
    ) -> GetDataResponse:
        data = self._nodes.GetNodeExecutionData(NodeExecutionGetDataRequest(id=node), caller)
        if kind == "d":
            request = CreateDownloadLinkRequest(artifact_type=ARTIFACT_TYPE_DECK, node_execution_id=node)
            return GetDataResponse(pre_signed_urls=self.CreateDownloadLink(request, caller).pre_signed_urls)
        literals = data.full_inputs if kind == "i" else data.full_outputs
        return _picked(literals, name, "node", node)

    def _of_attempt(
        self, node: NodeExecutionIdentifier, attempt: int, kind: str, name: str | None, caller: Caller
    ) -> GetDataResponse:
        wanted = f"eq(retry_attempt,{attempt})"
        request = TaskExecutionListRequest(node_execution_id=node, limit=1, filters=wanted)
        found = self._nodes.ListTaskExecutions(request, caller).task_executions
        if not found:
            raise InvalidArgument(
                f"no task executions were listed [node_execution_id:{{{message_text(node)}}} "
                f"retry_attempt:{attempt}]. Error: <nil>"
            )
        data = self._nodes.GetTaskExecutionData(TaskExecutionGetDataRequest(id=found[0].id), caller)
        if kind == "d":
            raise InvalidArgument(
                "deck type cannot be specified with a retry attempt, just use the node instead"
            )
        return _picked(data.full_inputs if kind == "i" else data.full_outputs, name, "task", found[0].id)


def _picked(literals: LiteralMap, name: str | None, kind: str, id_: Message) -> GetDataResponse:
    if name is None:
        return GetDataResponse(literal_map=literals)
    if name not in literals.literals:
        raise InvalidArgument(f"name [{name}] not found in {kind} execution [{message_text(id_)}]")
    return GetDataResponse(literal=literals.literals[name])


def _upload_expiry(given: Duration | None) -> timedelta:
    if given is None:
        return MAX_EXPIRY
    if given.ToTimedelta() > MAX_EXPIRY:
        raise InvalidArgument(
            f"expiresIn [{duration_text(given)}] cannot exceed max allowed expiration [1h0m0s]"
        )
    return given.ToTimedelta()


def _download_expiry(given: Duration | None, problem: str) -> timedelta:
    if given is None:
        return MAX_EXPIRY
    text = f"{problem} expiresIn is invalid. Error: input duration [{duration_text(given)}]"
    if given.ToTimedelta() < timedelta(0):
        raise InvalidArgument(f"{text} should not less than 0")
    if given.ToTimedelta() > MAX_EXPIRY:
        raise InvalidArgument(f"{text} cannot exceed max allowed expiration [1h0m0s]")
    return given.ToTimedelta()


def _random_name() -> str:
    return "".join(secrets.choice(string.ascii_lowercase + string.digits) for _ in range(_NAME_LENGTH))
