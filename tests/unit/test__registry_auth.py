from __future__ import annotations

import pytest

from tasks._errors import RegistryInvalid
from tasks._registry_auth import (
    Scope,
    TokenRequest,
    read_token,
    token_request,
)
from tasks._registry_challenges import Challenge
from tasks._registry_credentials import Login

PULL = Scope(name="risk/fraud", actions="pull")
BEARER = Challenge(
    scheme="bearer", parameters={"realm": "https://a.io/token", "service": "registry", "scope": "x y"}
)


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
