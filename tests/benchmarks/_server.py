"""An in-memory stand-in for Flyte's registration calls: strict, countable, with latency and faults to order.

It keeps what it is given, answers a second create as flyteadmin does (identical, different), refuses a
workflow whose tasks or launch plans are missing and an upload whose checksum is wrong. Run as a program it
prints its ports as JSON and serves until it is ended; `GET /` of its HTTP side returns what was called,
and `DELETE /` forgets it.
"""

from __future__ import annotations

import argparse
import base64
import hashlib
import json
import re
import sys
import threading
import time
from collections.abc import Callable
from concurrent import futures
from dataclasses import asdict, dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any

import grpc
from flyteidl.admin import launch_plan_pb2, task_pb2, workflow_pb2
from flyteidl.core.identifier_pb2 import Identifier, ResourceType
from flyteidl.service import admin_pb2_grpc, dataproxy_pb2, dataproxy_pb2_grpc
from google.protobuf.message import Message

Fault = Callable[[str, int], "tuple[grpc.StatusCode, str] | None"]
"""What goes wrong, by RPC and the number of the call (from 1): a status and its text, or None."""


@dataclass(frozen=True)
class Call:
    """One call as the server saw it; times in seconds of one clock, before and after the latency."""

    rpc: str
    began: float
    ended: float
    in_flight: int


@dataclass
class Server:
    """The stand-in. `latency_s` is added to every call; `fault` may refuse one."""

    latency_s: float = 0.0
    fault: Fault | None = None
    port: int = 0
    calls: list[Call] = field(default_factory=list)
    entities: dict[tuple[str, ...], Message] = field(default_factory=dict)
    files: dict[str, bytes] = field(default_factory=dict)
    endpoint: str = ""
    http: str = ""

    def __enter__(self) -> Server:
        self._lock = threading.Lock()
        self._flying = 0
        self._numbers: dict[str, int] = {}
        handler = type("Handler", (_Http,), {"server_state": self})
        self._web = ThreadingHTTPServer(("127.0.0.1", 0), handler)
        threading.Thread(target=self._web.serve_forever, daemon=True).start()
        self.http = f"http://127.0.0.1:{self._web.server_address[1]}"
        self._grpc = grpc.server(
            futures.ThreadPoolExecutor(max_workers=64), options=[("grpc.max_metadata_size", 1 << 20)]
        )
        admin_pb2_grpc.add_AdminServiceServicer_to_server(_Admin(self), self._grpc)
        dataproxy_pb2_grpc.add_DataProxyServiceServicer_to_server(_DataProxy(self), self._grpc)
        self.port = self._grpc.add_insecure_port(f"127.0.0.1:{self.port}")
        self.endpoint = f"127.0.0.1:{self.port}"
        self._grpc.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._grpc.stop(None).wait()
        self._web.shutdown()
        self._web.server_close()

    def serve(self, rpc: str, context: grpc.ServicerContext, answer: Callable[[], Any]) -> Any:
        """Count a call, hold it up, refuse it if so ordered, else answer it."""
        with self._lock:
            self._flying += 1
            flying = self._flying
            number = self._numbers[rpc] = self._numbers.get(rpc, 0) + 1
        began = time.monotonic()
        try:
            if self.latency_s:
                time.sleep(self.latency_s)
            if self.fault and (wrong := self.fault(rpc, number)):
                context.abort(*wrong)
            with self._lock:
                return answer()
        except Refused as refused:
            return context.abort(refused.code, refused.details)
        except (AttributeError, KeyError, TypeError, ValueError) as error:
            # A bug in here would leave as UNKNOWN, which sends flytekit's clients off to log in.
            return context.abort(grpc.StatusCode.INTERNAL, repr(error))
        finally:
            with self._lock:
                self._flying -= 1
                self.calls.append(Call(rpc, began, time.monotonic(), flying))

    def counts(self) -> dict[str, int]:
        """Return how often each RPC was called."""
        count: dict[str, int] = {}
        for call in self.calls:
            count[call.rpc] = count.get(call.rpc, 0) + 1
        return count


class Refused(Exception):
    """A call is answered with an error."""

    def __init__(self, code: grpc.StatusCode, details: str) -> None:
        super().__init__(details)
        self.code, self.details = code, details


def key(identifier: Any) -> tuple[str, ...]:
    """Return an identifier as a key of `Server.entities`."""
    kind = ResourceType.Name(identifier.resource_type)
    return (kind, identifier.project, identifier.domain, identifier.name, identifier.version)


class _Admin(admin_pb2_grpc.AdminServiceServicer):
    def __init__(self, server: Server) -> None:
        self._server = server

    def CreateTask(self, request: Any, context: grpc.ServicerContext) -> Any:  # noqa: N802
        return self._create("CreateTask", "task", request, context, task_pb2.TaskCreateResponse)

    def CreateWorkflow(self, request: Any, context: grpc.ServicerContext) -> Any:  # noqa: N802
        return self._create(
            "CreateWorkflow", "workflow", request, context, workflow_pb2.WorkflowCreateResponse
        )

    def CreateLaunchPlan(self, request: Any, context: grpc.ServicerContext) -> Any:  # noqa: N802
        response = launch_plan_pb2.LaunchPlanCreateResponse
        return self._create("CreateLaunchPlan", "launch plan", request, context, response)

    def GetTask(self, request: Any, context: grpc.ServicerContext) -> Any:  # noqa: N802
        def answer() -> Any:
            task = task_pb2.Task(id=request.id)
            task.closure.compiled_task.template.CopyFrom(self._found(request.id).template)
            return task

        return self._server.serve("GetTask", context, answer)

    def GetWorkflow(self, request: Any, context: grpc.ServicerContext) -> Any:  # noqa: N802
        def answer() -> Any:
            spec = self._found(request.id)
            workflow = workflow_pb2.Workflow(id=request.id)
            workflow.closure.compiled_workflow.primary.template.CopyFrom(spec.template)
            return workflow

        return self._server.serve("GetWorkflow", context, answer)

    def GetLaunchPlan(self, request: Any, context: grpc.ServicerContext) -> Any:  # noqa: N802
        def answer() -> Any:
            return launch_plan_pb2.LaunchPlan(id=request.id, spec=self._found(request.id))

        return self._server.serve("GetLaunchPlan", context, answer)

    def ListTasks(self, request: Any, context: grpc.ServicerContext) -> Any:  # noqa: N802
        def answer() -> Any:
            tasks = task_pb2.TaskList()
            for identifier, spec in self._listed("TASK", request):
                task = tasks.tasks.add()
                task.id.CopyFrom(identifier)
                task.closure.compiled_task.template.CopyFrom(spec.template)
            return tasks

        return self._server.serve("ListTasks", context, answer)

    def ListLaunchPlans(self, request: Any, context: grpc.ServicerContext) -> Any:  # noqa: N802
        def answer() -> Any:
            plans = [
                launch_plan_pb2.LaunchPlan(id=identifier, spec=spec)
                for identifier, spec in self._listed("LAUNCH_PLAN", request)
            ]
            return launch_plan_pb2.LaunchPlanList(launch_plans=plans)

        return self._server.serve("ListLaunchPlans", context, answer)

    def _listed(self, kind: str, request: Any) -> list[tuple[Any, Any]]:
        """Return what has the version that the one filter it knows asks for; all on one page."""
        asked = re.fullmatch(r"eq\(version,(.+)\)", request.filters)
        if asked is None or not request.limit:
            raise Refused(grpc.StatusCode.INVALID_ARGUMENT, f"'{request.filters}' is invalid filter")
        wanted = (kind, request.id.project, request.id.domain, asked[1])
        found = []
        for (kind_, project, domain, name, version), spec in self._server.entities.items():
            if (kind_, project, domain, version) == wanted:
                identifier = Identifier(
                    resource_type=ResourceType.Value(kind),
                    project=project,
                    domain=domain,
                    name=name,
                    version=version,
                )
                found.append((identifier, spec))
        return found

    def _found(self, identifier: Any) -> Any:
        found = self._server.entities.get(key(identifier))
        if found is None:
            raise Refused(grpc.StatusCode.NOT_FOUND, f"missing entity of type {key(identifier)}")
        return found

    def _create(
        self, rpc: str, word: str, request: Any, context: grpc.ServicerContext, response: Callable[[], Any]
    ) -> Any:
        def answer() -> Any:
            _validate(request)
            there = self._server.entities.get(key(request.id))
            if there is None:
                self._check_references(request)
                self._server.entities[key(request.id)] = request.spec
                return response()
            if there == request.spec:
                raise Refused(
                    grpc.StatusCode.ALREADY_EXISTS, f"{word} with identical structure already exists"
                )
            # flyteadmin cuts its text at 32,000 characters (`pkg/errors`, truncateErrorMessage).
            text = (
                f"{request.id.name} {word} with different structure already exists. (Please register a new "
                f"version of the {word}):\n/template:\n\t- {there} \n\t+ {request.spec}"
            )
            raise Refused(grpc.StatusCode.INVALID_ARGUMENT, text[:32000])

        return self._server.serve(rpc, context, answer)

    def _check_references(self, request: Any) -> None:
        spec, there = request.spec, self._server.entities
        if isinstance(spec, launch_plan_pb2.LaunchPlanSpec):
            if key(spec.workflow_id) not in there:
                raise Refused(grpc.StatusCode.NOT_FOUND, f"missing entity of type {key(spec.workflow_id)}")
            return
        if isinstance(spec, task_pb2.TaskSpec):
            return
        for node in spec.template.nodes:
            wanted = [node.task_node.reference_id] if node.HasField("task_node") else []
            if node.workflow_node.HasField("launchplan_ref"):
                wanted.append(node.workflow_node.launchplan_ref)
            for one in wanted:
                if key(one) not in there:
                    text = f"failed to compile workflow for [{request.id.name}] with err: missing {key(one)}"
                    raise Refused(grpc.StatusCode.INVALID_ARGUMENT, text)


def _validate(request: Any) -> None:
    for name in ("project", "domain", "name", "version"):
        if not getattr(request.id, name) or "{{" in getattr(request.id, name):
            raise Refused(grpc.StatusCode.INVALID_ARGUMENT, f"missing {name}")


class _DataProxy(dataproxy_pb2_grpc.DataProxyServiceServicer):
    def __init__(self, server: Server) -> None:
        self._server = server

    def CreateUploadLocation(self, request: Any, context: grpc.ServicerContext) -> Any:  # noqa: N802
        def answer() -> Any:
            root = request.filename_root or base64.b32encode(request.content_md5).decode()
            path = f"{request.project}/{request.domain}/{root}/{request.filename}"
            checksum = base64.b64encode(request.content_md5).decode()
            return dataproxy_pb2.CreateUploadLocationResponse(
                signed_url=f"{self._server.http}/{path}?signature=secret",
                native_url=f"s3://bucket/{path}",
                headers={"Content-Length": "24", "Content-MD5": checksum},
            )

        return self._server.serve("CreateUploadLocation", context, answer)


class _Http(BaseHTTPRequestHandler):
    server_state: Server

    def do_PUT(self) -> None:
        began = time.monotonic()
        time.sleep(self.server_state.latency_s)
        content = self.rfile.read(int(self.headers["Content-Length"]))
        digest = base64.b64encode(hashlib.md5(content, usedforsecurity=False).digest()).decode()
        right = digest == self.headers["Content-MD5"]
        if right:
            self.server_state.files[self.path.partition("?")[0]] = content
        self._answer(200 if right else 400, b"" if right else b"BadDigest")
        self.server_state.calls.append(Call("PUT", began, time.monotonic(), 1))

    def do_GET(self) -> None:
        path = self.path.partition("?")[0]
        if path != "/":
            content = self.server_state.files.get(path)
            self._answer(404 if content is None else 200, content or b"NoSuchKey")
            return
        self._answer(200, json.dumps([asdict(call) for call in self.server_state.calls]).encode())

    def do_DELETE(self) -> None:
        self.server_state.calls.clear()
        self._answer(200, b"")

    def _answer(self, status: int, content: bytes) -> None:
        self.send_response(status)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002
        """Say nothing; the calls are counted."""


def main() -> None:
    """Serve until standard input ends."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--latency", type=float, default=0.0, help="seconds added to every call")
    with Server(latency_s=parser.parse_args().latency) as server:
        print(json.dumps({"endpoint": server.endpoint, "http": server.http}), flush=True)  # noqa: T201
        sys.stdin.read()


if __name__ == "__main__":
    main()
