"""One HTTP exchange with a registry, or with a host that it names: limited in size and time, counted.

It knows nothing of authentication, of redirects or of retries.
"""

from __future__ import annotations

import logging
import ssl
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.cookiejar import DefaultCookiePolicy
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import requests
import urllib3
from requests.auth import AuthBase
from requests.structures import CaseInsensitiveDict

from tasks._errors import RegistryInvalid, RegistryTooLarge, RegistryUnavailable, RegistryUntrusted
from tasks._network import is_loopback_host
from tasks._wait import Clock

log = logging.getLogger(__name__)

_CHUNK = 64 * 1024
_ERROR_BYTES = 16 * 1024
_NO_PROXY = {"http": "", "https": ""}
# What OpenSSL calls the answer of a server that was spoken to in TLS and knows only http.
_NO_TLS = frozenset({"WRONG_VERSION_NUMBER", "RECORD_LAYER_FAILURE", "PACKET_LENGTH_TOO_LONG"})


@dataclass(frozen=True, kw_only=True)
class Request:
    """What to send; `most_bytes` is the most that the answer's body may be. `form` is sent as a form."""

    method: str
    url: str
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    query: tuple[tuple[str, str], ...] = ()
    form: Mapping[str, str] = field(default_factory=dict, repr=False)
    body: bytes = field(default=b"", repr=False)
    most_bytes: int


@dataclass(frozen=True, kw_only=True)
class Answer:
    """What came back, whole. Of an error's body, only the beginning is kept."""

    status: int
    headers: Mapping[str, str] = field(default_factory=CaseInsensitiveDict)
    body: bytes = field(default=b"", repr=False)


@dataclass(frozen=True, kw_only=True)
class Sent:
    """One exchange that took place, for whoever counts them; `status` is 0 where it broke off."""

    method: str
    url: str
    status: int
    received_bytes: int
    seconds: float


Observer = Callable[[Sent], None]


@dataclass(frozen=True, kw_only=True)
class Wire:
    """Connections to registries. `plain_http` are hosts, with their ports, that are spoken to without TLS.

    `timeout_s` is for one whole exchange, `connect_timeout_s` for its beginning. An `observer` is told of
    every exchange.
    """

    session: requests.Session
    plain_http: frozenset[str] = frozenset()
    ca_file: Path | None = None
    timeout_s: float = 30
    connect_timeout_s: float = 10
    observer: Observer | None = None
    clock: Clock = time.monotonic

    def base_url(self, host: str) -> str:
        """Return where the API of a registry is: http on loopback and where the settings say so."""
        secure = not self._may_be_plain(urlsplit(f"//{host}").hostname or "", host)
        return f"{'https' if secure else 'http'}://{host}"

    def check_url(self, url: str) -> None:
        """Let a URL that a server named pass if it may be spoken to.

        Raises:
            RegistryUntrusted: it is not https, or not a URL.
        """
        try:
            parts = urlsplit(url)
            host, port = parts.hostname or "", parts.port
        except ValueError:
            parts, host, port = urlsplit(""), "", None
        if host and parts.scheme == "https":
            return
        authority = host if port is None else f"{host}:{port}"
        if not host or parts.scheme != "http" or not self._may_be_plain(host, authority):
            raise RegistryUntrusted(
                f"A registry leads to {shown_url(url)}, which is not https.",
                remedy="Have it named by https, or name its host in TAXIWAY_PLAIN_HTTP_REGISTRIES.",
            )

    def _may_be_plain(self, host: str, authority: str) -> bool:
        return is_loopback_host(host) or authority in self.plain_http

    def exchange(self, request: Request) -> Answer:
        """Send a request and return the whole answer, whatever its status; no redirect is followed.

        Raises:
            RegistryUnavailable: there was no answer, or it broke off, or it took too long.
            RegistryTooLarge: its body is larger than `most_bytes`.
            RegistryUntrusted: the server's certificate is not trusted, or it does not speak TLS.
            RegistryInvalid: the URL cannot be asked.
        """
        began = self.clock()
        status, body = 0, bytearray()
        try:
            with self._send(request) as response:
                status, most = response.status_code, request.most_bytes
                headers: Mapping[str, str] = response.headers
                for chunk in self._chunks(response, request, deadline=began + self.timeout_s):
                    body += chunk
                    if len(body) > (most if status < 300 else _ERROR_BYTES):
                        break
        except (requests.RequestException, urllib3.exceptions.HTTPError, OSError) as error:
            status = 0
            # Its own text repeats the URL, and the query of a redirect's target can be a signature.
            raise network_error(error, request) from None
        finally:
            self._tell(request, status, len(body), self.clock() - began)
        if status < 300 and len(body) > most:
            raise RegistryTooLarge(
                f"{request.method} {shown_url(request.url)} is answered with more than {most} bytes.",
                remedy="Name another image; nothing of this kind is so large.",
            )
        return Answer(status=status, headers=headers, body=bytes(body))

    def _send(self, request: Request) -> requests.Response:
        host = urlsplit(request.url).hostname or ""
        return self.session.request(
            request.method,
            request.url,
            params=request.query,
            data=dict(request.form) or request.body or None,
            # Digests are over the content as it is kept, so it has to come as it is.
            headers={"User-Agent": "taxiway", "Accept-Encoding": "identity", **request.headers},
            timeout=(min(self.connect_timeout_s, self.timeout_s), self.timeout_s),
            allow_redirects=False,
            stream=True,
            verify=True if self.ca_file is None else str(self.ca_file),
            proxies=_NO_PROXY if is_loopback_host(host) else None,
        )

    def _chunks(self, response: requests.Response, request: Request, *, deadline: float) -> Iterator[bytes]:
        """Yield the body as it arrives, so that a slow one is noticed between any two pieces."""
        while chunk := response.raw.read1(_CHUNK, decode_content=True):
            yield chunk
            if self.clock() > deadline:
                raise TimeoutError(f"no end of its answer in {self.timeout_s:g} s")

    def _tell(self, request: Request, status: int, received: int, seconds: float) -> None:
        url = shown_url(request.url)
        log.debug("%s %s: %d, %d bytes in %.3f s", request.method, url, status, received, seconds)
        if self.observer is not None:
            self.observer(
                Sent(method=request.method, url=url, status=status, received_bytes=received, seconds=seconds)
            )


class _Session(requests.Session):
    """Leaves redirects alone; to prepare for the next request, requests would read a body of any size.

    It looks for proxies and certificates in the environment once for each host; requests does so for every
    request, which takes as long as sending it.
    """

    def __init__(self) -> None:
        super().__init__()
        self._found: dict[tuple[str, str], Any] = {}

    def get_redirect_target(self, resp: requests.Response) -> str | None:
        return None

    def merge_environment_settings(
        self, url: str | bytes | None, proxies: Any, stream: Any, verify: Any, cert: Any
    ) -> Any:
        parts = urlsplit(str(url))
        where = parts.scheme, parts.netloc
        if where not in self._found:
            self._found[where] = super().merge_environment_settings(url, proxies, stream, verify, cert)
        return {**self._found[where], "stream": stream}


class _NoOtherAuth(AuthBase):
    """Keeps requests from adding a login of its own, from ~/.netrc or from a URL."""

    def __call__(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        return request


@contextmanager
def open_session() -> Iterator[requests.Session]:
    """Give a session that keeps no cookies and knows no logins, and close it in the end."""
    with _Session() as session:
        session.auth = _NoOtherAuth()
        session.cookies.set_policy(DefaultCookiePolicy(allowed_domains=[]))
        yield session


def shown_url(url: str) -> str:
    """Return a URL as it may be seen: without user, password, query or fragment."""
    try:
        parts = urlsplit(url)
        return f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}{parts.path}"
    except ValueError:
        return "(something that is no URL)"


def network_error(
    error: Exception, request: Request
) -> RegistryUnavailable | RegistryUntrusted | RegistryInvalid:
    """Return our error for one of requests, urllib3 or the system, without a word of the URL's query."""
    causes = list(_causes(error))
    failed = f"{request.method} {shown_url(request.url)} failed"
    for cause in causes:
        if isinstance(cause, ssl.SSLCertVerificationError):
            return RegistryUntrusted(
                f"{failed}: the server's certificate is not trusted ({cause.verify_message}).",
                remedy="Have it renewed, or name its authority in REQUESTS_CA_BUNDLE.",
            )
        if isinstance(cause, ssl.SSLError) and getattr(cause, "reason", "") in _NO_TLS:
            return RegistryUntrusted(
                f"{failed}: the server does not speak TLS ({cause.strerror}).",
                remedy="Give it a certificate, or name its host in TAXIWAY_PLAIN_HTTP_REGISTRIES.",
            )
    if isinstance(error, ValueError):
        return RegistryInvalid(
            f"{failed}: it cannot be sent ({type(error).__name__}).", remedy="Check where the registry leads."
        )
    named = [cause.strerror for cause in causes if isinstance(cause, OSError) and cause.strerror]
    timeouts = [str(cause) for cause in causes if type(cause) is TimeoutError]
    why = next(iter([*named, *timeouts]), type(error).__name__)
    return RegistryUnavailable(
        f"{failed}: {why}.", remedy="Check that the registry runs and can be reached; it is tried again."
    )


def _causes(error: BaseException) -> Iterator[BaseException]:
    """Yield an error and what it came from, by any of the ways in which the libraries keep that."""
    waiting, seen = [error], set()
    while waiting:
        one = waiting.pop(0)
        if id(one) in seen:
            continue
        seen.add(id(one))
        yield one
        inner = (one.__cause__, one.__context__, getattr(one, "reason", None), *one.args)
        waiting += [cause for cause in inner if isinstance(cause, BaseException)]
