"""A call of a registry's API: authenticated, led by its redirects, repeated while that can help."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from urllib.parse import urljoin, urlsplit

from requests.structures import CaseInsensitiveDict

from tasks._errors import RegistryInvalid, RegistryUnavailable
from tasks._manifests import parse_object
from tasks._references import Repository
from tasks._registry_auth import Authenticator, Scope, TokenRequest
from tasks._registry_credentials import Keychain
from tasks._registry_http import Answer, Request, Wire, shown_url
from tasks._registry_refusals import refusal
from tasks._wait import Sleep, patiently

_HOPS = 5
_REDIRECTS = frozenset({301, 302, 303, 307, 308})
_TOKEN_BYTES = 1024 * 1024
PULL, PUSH, DELETE = "pull", "pull,push", "delete"
"""What the token for a call has to allow, in the words of the token specification."""


@dataclass(frozen=True, kw_only=True)
class Call:
    """One call on a repository; `path` begins at its host's root, such as `/v2/fraud/tags/list?n=5`."""

    method: str
    repository: Repository
    path: str
    actions: str = PULL
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = field(default=b"", repr=False)
    most_bytes: int = 4 * 1024 * 1024


@dataclass(frozen=True, kw_only=True)
class Caller:
    """Makes calls on any registry; patient for `patience_s` while one is unavailable."""

    wire: Wire
    keychain: Keychain
    patience_s: float = 45
    sleep: Sleep = time.sleep
    _known: dict[str, Authenticator] = field(default_factory=dict, repr=False)

    def call(self, call: Call, *, expect: tuple[int, ...] = (200,)) -> Answer:
        """Make a call that may be repeated, and return an answer whose status is one of `expect`.

        Raises:
            RegistryUnavailable: there was no such answer while patience lasted.
            RegistryDenied, RegistryNotFound, RegistryRefused: the registry answers with an error.
            RegistryInvalid, RegistryTooLarge, RegistryUntrusted: its answer is not to be used.
            CredentialHelperMissing, CredentialHelperFailed, CommandTimedOut: it asks who we are, and the
                program that knows does not say.
        """
        return patiently(
            lambda: self._once(call, expect),
            patience_s=self.patience_s,
            passing=RegistryUnavailable,
            clock=self.wire.clock,
            sleep=self.sleep,
        )

    def _once(self, call: Call, expect: tuple[int, ...]) -> Answer:
        host = call.repository.host
        auth = self._authenticator(call.repository.registry)
        request = Request(
            method=call.method,
            url=self.wire.base_url(host) + call.path,
            headers=call.headers,
            body=call.body,
            most_bytes=call.most_bytes,
        )
        scope = Scope(name=call.repository.name, actions=call.actions)
        answer = self._follow(request, auth.authorization(scope))
        if answer.status == 401 and "WWW-Authenticate" in answer.headers:
            answer = self._follow(request, auth.challenged(answer.headers["WWW-Authenticate"], scope))
        if answer.status not in expect:
            raise refusal(answer, f"{call.method} {shown_url(request.url)}", secrets=auth.secrets)
        return answer

    def _authenticator(self, registry: str) -> Authenticator:
        if registry not in self._known:
            self._known[registry] = Authenticator(
                registry=registry,
                find_login=lambda: self.keychain.login(registry),
                fetch_token=self._fetch_token,
                clock=self.wire.clock,
            )
        return self._known[registry]

    def _fetch_token(self, asked: TokenRequest) -> Mapping[str, object]:
        self.wire.check_url(asked.realm)
        known = {"Authorization": asked.authorization} if asked.authorization else {}
        request = Request(
            method="POST" if asked.form else "GET",
            url=asked.realm,
            headers=known,
            query=asked.query,
            form=asked.form,
            most_bytes=_TOKEN_BYTES,
        )
        answer = self.wire.exchange(request)
        if answer.status != 200:
            doing = f"Getting a token from {shown_url(asked.realm)}"
            raise refusal(answer, doing, secrets=asked.secrets)
        return parse_object(answer.body, f"The answer of {shown_url(asked.realm)}")

    def _follow(self, request: Request, authorization: str) -> Answer:
        """Send a request, and again where it is led to; only its own origin is told who we are."""
        known = {"Authorization": authorization} if authorization else {}
        asked = replace(request, headers={**request.headers, **known})
        for _ in range(_HOPS):
            answer = self.wire.exchange(asked)
            if answer.status not in _REDIRECTS:
                return _without_foreign_challenge(answer, asked.url, request.url)
            asked = redirected(asked, answer)
            self.wire.check_url(asked.url)
        raise RegistryInvalid(
            f"{request.method} {shown_url(request.url)} is redirected more than {_HOPS} times.",
            remedy="Check the registry's configuration.",
        )


def redirected(asked: Request, answer: Answer) -> Request:
    """Return the request that a redirect leads to, without our authorization where that is another origin.

    Raises:
        RegistryInvalid: it leads nowhere, or content that we send would go to another origin.
    """
    try:
        url = urljoin(asked.url, answer.headers["Location"])
        same = origin(url) == origin(asked.url)
    except (KeyError, ValueError):
        raise RegistryInvalid(
            f"{asked.method} {shown_url(asked.url)} is redirected to nowhere.",
            remedy="Check the registry's configuration.",
        ) from None
    if not same and asked.method not in ("GET", "HEAD"):
        raise RegistryInvalid(
            f"{asked.method} {shown_url(asked.url)} is redirected to another host, {shown_url(url)}.",
            remedy="Name the registry by the host that takes it.",
        )
    kept = asked.headers if same else {k: v for k, v in asked.headers.items() if k != "Authorization"}
    return replace(asked, url=url, headers=kept)


def origin(url: str) -> tuple[str, str, int]:
    """Return the scheme, host and port that a URL is of; raises ValueError where it is none."""
    parts = urlsplit(url)
    return parts.scheme, parts.hostname or "", parts.port or {"http": 80, "https": 443}.get(parts.scheme, 0)


def _without_foreign_challenge(answer: Answer, url: str, first: str) -> Answer:
    """Drop the challenge of a host that we were led to: it must not learn who we are."""
    if origin(url) == origin(first):
        return answer
    kept = {name: value for name, value in answer.headers.items() if name.lower() != "www-authenticate"}
    return replace(answer, headers=CaseInsensitiveDict(kept))
