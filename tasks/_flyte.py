"""The port to Flyte: flytekit's own authenticated channel, raw calls, our errors.

The channel is built from flytekit's configuration with its proxies and authentication, but without its
wrapper of exceptions, which sends every refused call four times
(`flytekit.clients.grpc_utils.wrap_exception_interceptor`). Limits on metadata are raised, since Flyte's
"different structure" error carries up to 32,000 characters in it.

The authentication waits for the answer of each call inside the call, so calls run side by side in
threads, never as futures.
"""

from __future__ import annotations

import logging
import math
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import Any

import grpc
import requests
from flyteidl.service.admin_pb2_grpc import AdminServiceStub
from flyteidl.service.dataproxy_pb2_grpc import DataProxyServiceStub
from flyteidl.service.identity_pb2_grpc import IdentityServiceStub
from flyteidl.service.signal_pb2_grpc import SignalServiceStub
from flytekit.clients.auth.authenticator import Authenticator
from flytekit.clients.auth.exceptions import (
    AccessTokenNotFoundError,
    AuthenticationError,
    AuthenticationPending,
)
from flytekit.clients.auth.keyring import KeyringStore
from flytekit.clients.auth_helper import (
    RemoteClientConfigStore,
    get_authenticator,
    get_channel,
    upgrade_channel_to_proxy_authenticated,
)
from flytekit.clients.grpc_utils.auth_interceptor import AuthUnaryInterceptor
from flytekit.configuration import AuthType, Config, PlatformConfig

from tasks._errors import (
    FlyteExists,
    FlyteInvalid,
    FlyteNotFound,
    FlyteRefused,
    FlyteUnauthenticated,
    FlyteUnavailable,
    TaxiwayError,
)
from tasks._wait import Clock, Sleep, patiently

log = logging.getLogger(__name__)

MIB = 1024 * 1024
OPTIONS = [
    ("grpc.max_metadata_size", 1 * MIB),
    ("grpc.absolute_max_metadata_size", 4 * MIB),
    ("grpc.max_receive_message_length", 64 * MIB),
    ("grpc.keepalive_time_ms", 30_000),
    ("grpc.keepalive_timeout_ms", 10_000),
    # Left alone, a channel that lost its server waits up to two minutes before it looks again.
    ("grpc.initial_reconnect_backoff_ms", 200),
    ("grpc.max_reconnect_backoff_ms", 2_000),
]
PAGE = 100

_PASSING = {
    grpc.StatusCode.UNAVAILABLE,
    grpc.StatusCode.DEADLINE_EXCEEDED,
    grpc.StatusCode.RESOURCE_EXHAUSTED,
    grpc.StatusCode.ABORTED,
}
_BUSY = ("too many clients", "Stream removed", "RST_STREAM")
"""Words of an INTERNAL or UNKNOWN error that passes by waiting: PostgreSQL's and gRPC's."""
_TOO_LARGE = ("larger than max", "exceeds limit")
"""Words of a RESOURCE_EXHAUSTED that does not pass: the message or its metadata is over a size limit."""


@dataclass(kw_only=True)
class Trips:
    """The shortest round trip of any call on a connection, in seconds: about the length of the line."""

    shortest_s: float = math.inf


@dataclass(frozen=True, kw_only=True)
class Flyte:
    """An open connection to one Flyte.

    `timeout_s` is the limit of one call; `patience_s` how long `call` goes on trying while Flyte is
    unavailable. `login` is what to do where it does not know us; empty is flytekit's own configuration.
    """

    config: Config
    rpcs: Mapping[str, Callable[..., Any]]
    timeout_s: float = 60
    patience_s: float = 45
    login: str = ""
    clock: Clock = time.monotonic
    sleep: Sleep = time.sleep
    trips: Trips = field(default_factory=Trips)

    @property
    def endpoint(self) -> str:
        """Where it is, as the configuration has it."""
        return str(self.config.platform.endpoint)

    def once(self, rpc: str, request: Any) -> Any:
        """Make one call and return its answer.

        Raises:
            FlyteUnavailable, FlyteUnauthenticated, FlyteRefused: see `error_of`.
        """
        log.debug("%s %s", rpc, self.endpoint)
        began = self.clock()
        try:
            answer = self.rpcs[rpc](request, timeout=self.timeout_s)
        except grpc.RpcError as error:
            doing = f"{rpc} on {self.endpoint}"
            raise error_of(error.code(), error.details() or "", doing, login=self.login) from error
        except requests.RequestException as error:
            raise FlyteUnavailable(
                f"No token for {self.endpoint}: its identity provider does not answer ({error}).",
                remedy="Check that it can be reached from here.",
            ) from error
        except (AccessTokenNotFoundError, AuthenticationError, AuthenticationPending) as error:
            raise _unauthenticated(self.endpoint, str(error), self.login) from error
        self.trips.shortest_s = min(self.trips.shortest_s, self.clock() - began)
        return answer

    def call(self, rpc: str, request: Any) -> Any:
        """Make a call that may be repeated, patiently while Flyte is unavailable.

        Raises:
            FlyteUnavailable, FlyteUnauthenticated, FlyteRefused: see `error_of`.
        """
        return patiently(
            lambda: self.once(rpc, request), patience_s=self.patience_s, clock=self.clock, sleep=self.sleep
        )

    def pages(self, rpc: str, request: Any, field: str) -> Iterator[Any]:
        """Yield the items of a list call, page by page: `request` says what, `field` where they stand.

        Raises:
            FlyteUnavailable, FlyteUnauthenticated, FlyteRefused: see `error_of`.
        """
        asked = type(request)()
        asked.CopyFrom(request)
        asked.limit = asked.limit or PAGE
        while True:
            page = self.call(rpc, asked)
            yield from getattr(page, field)
            if not page.token:
                return
            asked.token = page.token

    def hurried(self, *, timeout_s: float, patience_s: float) -> Flyte:
        """Return the same connection under other limits."""
        return replace(self, timeout_s=timeout_s, patience_s=patience_s)


@contextmanager
def connect(config: Config, *, timeout_s: float = 60, patience_s: float = 45) -> Iterator[Flyte]:
    """Open a connection to the Flyte that `config` names, and close it in the end.

    Nothing is sent until the first call. Where nobody can log in, a Flyte that asks for it is an error at
    once; flytekit would wait for a browser.
    """
    platform = config.platform
    channel = get_channel(platform, options=OPTIONS)
    upgraded = upgrade_channel_to_proxy_authenticated(platform, channel)
    if can_log_in(platform, at_terminal=sys.stdin is not None and sys.stdin.isatty()):
        upgraded = grpc.intercept_channel(upgraded, _Login(platform, upgraded))
    stubs = (AdminServiceStub, DataProxyServiceStub, SignalServiceStub, IdentityServiceStub)
    rpcs: dict[str, Callable[..., Any]] = {}
    for stub in stubs:
        rpcs.update(vars(stub(upgraded)))
    try:
        yield Flyte(config=config, rpcs=rpcs, timeout_s=timeout_s, patience_s=patience_s)
    finally:
        channel.close()


class _Login(AuthUnaryInterceptor):
    """flytekit's authentication, with one authenticator for all threads.

    flytekit makes it at the first call. Of two first calls side by side each makes one, and the call whose
    token is in the one that was replaced is sent again without a token.
    """

    def __init__(self, platform: PlatformConfig, channel: grpc.Channel) -> None:
        super().__init__(lambda: get_authenticator(platform, RemoteClientConfigStore(channel)))
        self._making = threading.Lock()

    @property
    def authenticator(self) -> Authenticator:
        """Make the authenticator, or return the one that was made."""
        with self._making:
            return super().authenticator


def can_log_in(platform: PlatformConfig, *, at_terminal: bool) -> bool:
    """Whether flytekit can get a token: without a person, with one at the terminal, or from the keyring."""
    mode = platform.auth_mode if isinstance(platform.auth_mode, str) else platform.auth_mode.name
    return (
        mode.upper() not in _INTERACTIVE
        or at_terminal
        or KeyringStore.retrieve(platform.endpoint) is not None
    )


_INTERACTIVE = {AuthType.STANDARD.name, AuthType.PKCE.name, AuthType.DEVICEFLOW.name}


def error_of(code: grpc.StatusCode, details: str, doing: str, *, login: str = "") -> TaxiwayError:
    """Return our error for a gRPC status: what passes by waiting is recoverable, all else is not.

    `login` is what to do where Flyte does not know us; see `Flyte`.
    """
    problem = f"{doing} failed: {code.name}: {details[:2000]}."
    if code is grpc.StatusCode.RESOURCE_EXHAUSTED and any(word in details for word in _TOO_LARGE):
        return _refused(FlyteRefused, problem, code, details, "Send less in one message.")
    if code in _PASSING or any(word in details for word in _BUSY):
        return FlyteUnavailable(
            problem, remedy="Check that Flyte runs and can be reached; it is tried again."
        )
    if code is grpc.StatusCode.UNAUTHENTICATED:
        return _unauthenticated(doing, details, login)
    if code is grpc.StatusCode.UNIMPLEMENTED and "AuthMetadata" in details:
        return _unauthenticated(doing, f"it asks who we are, and offers no way to log in ({details})", login)
    if code is grpc.StatusCode.PERMISSION_DENIED:
        return _refused(
            FlyteRefused, problem, code, details, "Ask for the permission, or use another identity."
        )
    kind, remedy = _KINDS.get(code, (FlyteRefused, "See Flyte's own log for the reason."))
    return _refused(kind, problem, code, details, remedy)


_KINDS: dict[grpc.StatusCode, tuple[type[FlyteRefused], str]] = {
    grpc.StatusCode.NOT_FOUND: (FlyteNotFound, "Check the name, and that it is registered."),
    grpc.StatusCode.ALREADY_EXISTS: (FlyteExists, "Use what is there, or another name."),
    grpc.StatusCode.INVALID_ARGUMENT: (FlyteInvalid, "Correct what Flyte names."),
}


def _refused(
    kind: type[FlyteRefused], problem: str, code: grpc.StatusCode, details: str, remedy: str
) -> FlyteRefused:
    return kind(problem, remedy=remedy, status=code.name, details=details)


def _unauthenticated(doing: str, details: str, login: str) -> FlyteUnauthenticated:
    return FlyteUnauthenticated(
        f"Flyte does not accept who we are ({doing}): {details}.", remedy=login or _LOGIN
    )


_LOGIN = (
    "Give flytekit credentials: FLYTE_CREDENTIALS_CLIENT_ID and a client secret, or a config file that "
    "FLYTECTL_CONFIG names."
)
