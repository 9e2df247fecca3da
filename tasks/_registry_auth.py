"""How a registry is told who we are: its challenge, and basic or bearer authentication in answer to it.

Only a registry's own challenge is answered, never one of a host that it redirects to. What is sent where
is decided here; sending it is passed in.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from urllib.parse import urlsplit

from tasks._errors import RegistryDenied, RegistryInvalid
from tasks._registry_challenges import Challenge, chosen, parse_challenges
from tasks._registry_credentials import Login
from tasks._wait import Clock

_CLIENT = "taxiway"
# The spec's, where a token comes without one.
_DEFAULT_LIFE_S = 60.0
# A token is not used in its last tenth, for it takes time to arrive.
_USED_SHARE = 0.9


@dataclass(frozen=True, kw_only=True)
class Scope:
    """What a request needs: `actions` on the repository `name`, such as `pull` or `pull,push`."""

    name: str
    actions: str

    def __str__(self) -> str:
        return f"repository:{self.name}:{self.actions}"

    def covers(self, other: Scope) -> bool:
        """Whether who may do this may do the other as well."""
        return self.name == other.name and set(self.actions.split(",")) >= set(other.actions.split(","))


@dataclass(frozen=True, kw_only=True)
class TokenRequest:
    """What is sent to who issues tokens: a GET with `query`, or a POST of `form` where there is one.

    `secrets` are what must not be seen of it.
    """

    realm: str
    query: tuple[tuple[str, str], ...] = ()
    form: Mapping[str, str] = field(default_factory=dict, repr=False)
    authorization: str = field(default="", repr=False)
    secrets: tuple[str, ...] = field(default=(), repr=False)


@dataclass(frozen=True, kw_only=True)
class Token:
    """A bearer token and the time, by the caller's clock, up to which it is used."""

    value: str = field(repr=False)
    fresh_until: float


def token_request(challenge: Challenge, scope: Scope, login: Login) -> TokenRequest:
    """Return how to ask for a token: as OAuth 2 where there is an identity token, else by GET.

    The registry's own idea of the scope counts before ours.

    Raises:
        RegistryInvalid: the challenge's realm is no URL.
    """
    realm = challenge.parameters["realm"]
    try:
        usable = bool(urlsplit(realm).hostname) and urlsplit(realm).port != 0
    except ValueError:
        usable = False
    if not usable:
        raise RegistryInvalid(
            f"A registry's challenge names {realm[:200]!r} as where its tokens come from, which is no URL.",
            remedy="Check the registry's configuration.",
        )
    service = challenge.parameters.get("service", "")
    scopes = challenge.parameters.get("scope", "").split() or [str(scope)]
    if login.identity_token:
        form = {"grant_type": "refresh_token", "client_id": _CLIENT, "scope": " ".join(scopes)}
        form |= {"refresh_token": login.identity_token, "service": service}
        return TokenRequest(realm=realm, form=form, secrets=login.secrets)
    query = [("service", service)] if service else []
    query += [("scope", one) for one in scopes] + [("client_id", _CLIENT)]
    return TokenRequest(realm=realm, query=tuple(query), authorization=login.basic, secrets=login.secrets)


def read_token(document: Mapping[str, object], *, now: float, what: str) -> Token:
    """Read the answer of who issues tokens; `what` names it in errors.

    Raises:
        RegistryInvalid: it holds no token that can be sent.
    """
    value = document.get("token") or document.get("access_token")
    if not isinstance(value, str) or not re.fullmatch(r"[!-~]+", value):
        raise RegistryInvalid(f"{what} holds no token.", remedy="Check who issues the registry's tokens.")
    life = document.get("expires_in")
    numeric = isinstance(life, (int, float)) and life > 0
    life_s = float(life) if numeric else _DEFAULT_LIFE_S  # type: ignore[arg-type]
    return Token(value=value, fresh_until=now + life_s * _USED_SHARE)


@dataclass(kw_only=True)
class Authenticator:
    """Our standing with one registry: its last challenge, and a token for each scope.

    `find_login` is asked once, and only after a challenge; `fetch_token` sends a request for a token.
    """

    registry: str
    find_login: Callable[[], Login]
    fetch_token: Callable[[TokenRequest], Mapping[str, object]]
    clock: Clock
    _challenge: Challenge | None = None
    _login: Login | None = field(default=None, repr=False)
    _tokens: dict[Scope, Token] = field(default_factory=dict, repr=False)

    @property
    def secrets(self) -> tuple[str, ...]:
        """What must not be seen in logs and errors."""
        known = () if self._login is None else self._login.secrets
        return (*known, *(token.value for token in self._tokens.values()))

    def authorization(self, scope: Scope) -> str:
        """Return the header for a request; empty where the registry has not asked for any yet.

        Raises:
            RegistryDenied, RegistryUnavailable, RegistryInvalid: no token was to be had.
        """
        if self._challenge is None:
            return ""
        now = self.clock()
        for known, token in self._tokens.items():
            if known.covers(scope) and now < token.fresh_until:
                return f"Bearer {token.value}"
        return self._answer(self._challenge, scope)

    def challenged(self, header: str, scope: Scope) -> str:
        """Return the header to try once more with, after a 401 with this `WWW-Authenticate`.

        Raises:
            RegistryDenied: we have nothing to answer with, or no token was given.
            RegistryUnavailable, RegistryInvalid: no token was to be had.
        """
        challenge = chosen(parse_challenges(header))
        if challenge is None:
            raise self._denied(f"it asks for {header[:200]!r}, which is neither basic nor bearer")
        for known in [known for known in self._tokens if known.covers(scope)]:
            del self._tokens[known]
        answer = self._answer(challenge, scope)
        # A challenge's scope is its request's; what is asked next has one of its own.
        kept = {key: value for key, value in challenge.parameters.items() if key != "scope"}
        self._challenge = Challenge(scheme=challenge.scheme, parameters=kept)
        return answer

    def _answer(self, challenge: Challenge, scope: Scope) -> str:
        if self._login is None:
            self._login = self.find_login()
        if challenge.scheme == "basic":
            if not self._login.basic:
                raise self._denied("it asks for a password, and there is none for it")
            return self._login.basic
        request = token_request(challenge, scope, self._login)
        document = self.fetch_token(request)
        what = f"The answer of {urlsplit(request.realm).hostname}, which issues tokens for {self.registry},"
        token = read_token(document, now=self.clock(), what=what)
        self._tokens[scope] = token
        return f"Bearer {token.value}"

    def _denied(self, why: str) -> RegistryDenied:
        return RegistryDenied(
            f"The registry {self.registry} cannot be told who we are: {why}.",
            remedy=f"Run `docker login {self.registry}`, or give the secret taxiway/docker_config.",
            status=401,
        )
