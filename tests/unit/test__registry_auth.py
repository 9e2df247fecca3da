from __future__ import annotations

import pytest

from tasks._errors import RegistryInvalid
from tasks._registry_auth import (
    Challenge,
    Scope,
    TokenRequest,
    chosen,
    parse_challenges,
    read_token,
    token_request,
)
from tasks._registry_credentials import Login

PULL = Scope(name="risk/fraud", actions="pull")
BEARER = Challenge(
    scheme="bearer", parameters={"realm": "https://a.io/token", "service": "registry", "scope": "x y"}
)


@pytest.mark.parametrize(
    ("header", "expected"),
    [
        ('Basic realm="Registry Realm"', [("basic", {"realm": "Registry Realm"})]),
        (
            'Bearer realm="https://a.io/t?x=1",service="a.io",scope="repository:x/y:pull,push"',
            [
                (
                    "bearer",
                    {"realm": "https://a.io/t?x=1", "service": "a.io", "scope": "repository:x/y:pull,push"},
                )
            ],
        ),
        (
            'BEARER Realm = "a" , error="invalid_token", Basic realm="b"',
            [("bearer", {"realm": "a", "error": "invalid_token"}), ("basic", {"realm": "b"})],
        ),
        (r'Basic realm="a \"quoted\" b"', [("basic", {"realm": 'a "quoted" b'})]),
        ("Bearer realm=https://a.io/t", [("bearer", {"realm": "https://a.io/t"})]),
        (
            'Negotiate abc==, Basic realm="x", charset="UTF-8"',
            [("negotiate", {}), ("basic", {"realm": "x", "charset": "UTF-8"})],
        ),
        ("Negotiate", [("negotiate", {})]),
        ('realm="nobody\'s"', []),
        ("", []),
        ('Basic realm="never closed', [("basic", {})]),
    ],
)
def test_challenges_are_read(header: str, expected: list[tuple[str, dict[str, str]]]) -> None:
    found = [(one.scheme, one.parameters) for one in parse_challenges(header)]
    assert [one for one in found if one[0] in ("basic", "bearer", "negotiate")] == expected


@pytest.mark.parametrize(
    ("header", "scheme"),
    [
        ('Basic realm="a", Bearer realm="b"', "bearer"),
        ('Bearer service="no realm", Basic realm="a"', "basic"),
        ("Basic", "basic"),
        ("Negotiate", ""),
    ],
)
def test_bearer_is_answered_before_basic_and_nothing_else(header: str, scheme: str) -> None:
    found = chosen(parse_challenges(header))
    assert (found.scheme if found else "") == scheme


def test_a_token_is_asked_for_with_all_scopes_of_the_challenge() -> None:
    request = token_request(BEARER, PULL, Login(user="u", password="p"))
    assert request.query == (
        ("service", "registry"),
        ("scope", "x"),
        ("scope", "y"),
        ("client_id", "taxiway"),
    )
    assert request.authorization == "Basic dTpw"
    assert request.form == {}


def test_a_challenge_without_a_scope_is_answered_with_ours() -> None:
    challenge = Challenge(scheme="bearer", parameters={"realm": "https://a.io/token"})
    request = token_request(challenge, PULL, Login())
    assert request.query == (("scope", "repository:risk/fraud:pull"), ("client_id", "taxiway"))
    assert request.authorization == ""


def test_an_identity_token_travels_in_a_form_and_is_not_seen() -> None:
    request = token_request(BEARER, PULL, Login(identity_token="c4n4ry"))
    assert request.form["refresh_token"] == "c4n4ry"
    assert request.form["scope"] == "x y"
    assert (request.query, request.authorization) == ((), "")
    assert "c4n4ry" not in repr(request)


def test_a_request_for_a_token_does_not_show_the_password() -> None:
    request = TokenRequest(realm="https://a.io", authorization="Basic c4n4ry", secrets=("c4n4ry",))
    assert "c4n4ry" not in repr(request)


@pytest.mark.parametrize(
    ("document", "fresh_until"),
    [
        ({"token": "abc", "expires_in": 100}, 190),
        ({"access_token": "abc", "expires_in": 100.0}, 190),
        ({"token": "abc"}, 154),
        ({"token": "abc", "expires_in": 0}, 154),
        ({"token": "abc", "expires_in": "soon"}, 154),
    ],
)
def test_a_token_is_used_for_most_of_its_life(document: dict[str, object], fresh_until: float) -> None:
    token = read_token(document, now=100, what="It")
    assert token.value == "abc"
    assert token.fresh_until == pytest.approx(fresh_until)
    assert "abc" not in repr(token)


@pytest.mark.parametrize("value", ["", None, 3, "a b", "a\nb", "ä"])
def test_what_cannot_be_sent_is_no_token(value: object) -> None:
    with pytest.raises(RegistryInvalid, match="It holds no token"):
        read_token({"token": value}, now=0, what="It")


def test_a_scope_covers_what_it_allows_on_the_same_repository() -> None:
    push = Scope(name="risk/fraud", actions="pull,push")
    assert push.covers(PULL)
    assert not PULL.covers(push)
    assert not push.covers(Scope(name="risk/other", actions="pull"))
