"""What stands between tasks and their Flyte, so that a test can strike while a call is on its way.

A task reaches Flyte through a wire (`taxiway install --cluster-endpoint`), which passes every call on as it
is. A call that a test has named is held: the test knows then what has happened and what has not, does to
the caller or to Flyte what it wants to, and lets the call go on or drops it.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, NoReturn

import grpc
import psutil
from flyteidl.service import admin_pb2
from google.protobuf.message_factory import GetMessageClass

_ADMIN = admin_pb2.DESCRIPTOR.services_by_name["AdminService"]
_THREADS = 48
_WAIT_S = 180.0
_LARGEST = [("grpc.max_receive_message_length", -1), ("grpc.max_send_message_length", -1)]
_QUICK = [("grpc.initial_reconnect_backoff_ms", 100), ("grpc.max_reconnect_backoff_ms", 500)]


@dataclass(frozen=True, kw_only=True)
class Caller:
    """The process that makes a call, and the execution that it is a task of."""

    pid: int
    execution: str

    def kill(self) -> None:
        """End the process as `kill -KILL` does; it is there until then."""
        process = psutil.Process(self.pid)
        process.kill()
        process.wait(10)


@dataclass(kw_only=True)
class Hold:
    """The first call of an RPC that `when` is true of, made by a task of the execution `by` if that is given.

    With `answered` it is held on its way back: Flyte has done what it asks for, and nobody knows yet.
    """

    rpc: str
    when: Callable[[Any], bool]
    by: str = ""
    answered: bool = False
    dropped: bool = False
    caller: Caller | None = None
    _claimed: threading.Lock = field(default_factory=threading.Lock)
    _there: threading.Event = field(default_factory=threading.Event)
    _let_go: threading.Event = field(default_factory=threading.Event)

    def there(self) -> Caller:
        """Wait until the call is held, and return who makes it."""
        assert self._there.wait(_WAIT_S), f"nobody called {self.rpc} of that kind within {_WAIT_S:g} s"
        assert self.caller is not None
        return self.caller

    def go_on(self) -> None:
        """Let the call go on."""
        self._let_go.set()

    def drop(self) -> None:
        """Let nothing more come of the call, as where its caller is gone."""
        self.dropped = True
        self._let_go.set()

    def claims(self, rpc: str, request: Any, peer: str) -> bool:
        """Whether a call is the one to be held; true of one call alone."""
        if self._claimed.locked() or rpc != self.rpc or not self.when(request):
            return False
        caller = _caller(peer)
        if caller is None or (self.by and caller.execution != self.by):
            return False
        if not self._claimed.acquire(blocking=False):
            return False
        self.caller = caller
        return True

    def stop(self) -> None:
        """Hold the call until the test lets it go."""
        self._there.set()
        self._let_go.wait()


class Wire(grpc.GenericRpcHandler):
    """Passes calls on to `upstream`; `endpoint` is where it takes them."""

    def __init__(self, upstream: str) -> None:
        self._channel = grpc.insecure_channel(upstream, options=[*_LARGEST, *_QUICK])
        self._pool = ThreadPoolExecutor(_THREADS)
        self._server = grpc.server(self._pool, handlers=[self], options=_LARGEST)
        self.endpoint = f"127.0.0.1:{self._server.add_insecure_port('127.0.0.1:0')}"
        self._holds: list[Hold] = []
        self._server.start()

    def hold(self, rpc: str, when: Callable[[Any], bool], *, by: str = "", answered: bool = False) -> Hold:
        """Hold the first call from now on that fits."""
        hold = Hold(rpc=rpc, when=when, by=by, answered=answered)
        self._holds.append(hold)
        return hold

    def close(self) -> None:
        """Take no more calls, and let go those that are held."""
        for hold in self._holds:
            hold.drop()
        self._server.stop(None).wait()
        self._pool.shutdown()
        self._channel.close()

    def service(self, handler_call_details: grpc.HandlerCallDetails) -> grpc.RpcMethodHandler[Any, Any]:
        method = handler_call_details.method
        return grpc.unary_unary_rpc_method_handler(lambda raw, context: self._pass(method, raw, context))

    def _pass(self, method: str, raw: bytes, context: grpc.ServicerContext) -> bytes:
        hold = self._held(method, raw, context.peer())
        if hold is not None and not hold.answered:
            hold.stop()
        if hold is not None and hold.dropped:
            context.abort(grpc.StatusCode.CANCELLED, "its caller is gone")
        forward: Any = self._channel.unary_unary(method)
        given = tuple(pair for pair in context.invocation_metadata() if pair[0] != "user-agent")
        try:
            answer: bytes = forward(raw, timeout=context.time_remaining(), metadata=given)
        except grpc.RpcError as error:
            _refuse(context, error)
        if hold is not None and hold.answered:
            hold.stop()
        return answer

    def _held(self, method: str, raw: bytes, peer: str) -> Hold | None:
        service, _, rpc = method.strip("/").partition("/")
        if service != _ADMIN.full_name or not any(hold.rpc == rpc for hold in self._holds):
            return None
        request = GetMessageClass(_ADMIN.methods_by_name[rpc].input_type).FromString(raw)
        return next((hold for hold in self._holds if hold.claims(rpc, request, peer)), None)


@contextmanager
def wire(upstream: str) -> Iterator[Wire]:
    """Set up a wire to a Flyte."""
    made = Wire(upstream)
    try:
        yield made
    finally:
        made.close()


def _refuse(context: grpc.ServicerContext, error: Any) -> NoReturn:
    context.set_trailing_metadata(error.trailing_metadata() or ())
    context.abort(error.code(), error.details() or "")


def _caller(peer: str) -> Caller | None:
    """Return the task at the other end of a connection; None where that is gone already."""
    port = int(peer.rpartition(":")[2])
    for one in psutil.net_connections("tcp"):
        if one.pid and one.laddr and one.laddr[1] == port and one.status == psutil.CONN_ESTABLISHED:
            environ = psutil.Process(one.pid).environ()
            return Caller(pid=one.pid, execution=environ.get("FLYTE_INTERNAL_EXECUTION_ID", ""))
    return None
