"""What goes wrong between the client and a registry, against one that does so on request."""

from __future__ import annotations

import gzip
import json
import logging
import time
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from tasks._errors import (
    RegistryDenied,
    RegistryInvalid,
    RegistryMismatch,
    RegistryNotFound,
    RegistryRefused,
    RegistryTooLarge,
    RegistryUnavailable,
    RegistryUntrusted,
    TaxiwayError,
)
from tasks._references import Reference, Repository
from tasks._registry import RegistryClient, open_registries
from tasks._registry_credentials import DockerConfig, Keychain, Login
from tasks._registry_http import Sent
from tests.clock import Time
from tests.integration.fake_registry import (
    CHALLENGE,
    CUT,
    IDENTITY,
    LOST,
    PASSWORD,
    RESET,
    STALL,
    TRICKLE,
    USER,
    FakeRegistry,
    fake_registry,
)
from tests.registry import IMAGE, INDEX, digest_of, image_of, index_of

CONFIG = b'{"os": "linux"}'
MANIFESTS, BLOBS, TOKEN = "/v2/risk/fraud/manifests", "/v2/risk/fraud/blobs", "/token"
BY_PASSWORD = Login(user=USER, password=PASSWORD)


@pytest.fixture
def registry() -> Iterator[FakeRegistry]:
    with fake_registry() as served:
        served.hold("v1", image_of(CONFIG))
        served.hold_blob(CONFIG)
        yield served


@pytest.fixture
def open_one(registry: FakeRegistry) -> FakeRegistry:
    registry.anonymous = True
    return registry


@pytest.fixture
def bearer(registry: FakeRegistry) -> FakeRegistry:
    registry.bearer = True
    return registry


@contextmanager
def asking(
    registry: FakeRegistry, login: Login = BY_PASSWORD, **options: Any
) -> Iterator[tuple[RegistryClient, Time]]:
    still = Time()
    keys = Keychain(configs=(DockerConfig(origin="this test", logins={registry.host: login}),))
    given = {"patience_s": 30, "clock": still.clock, "sleep": still.sleep, **options}
    with open_registries(keys, **given) as client:
        yield client, still


def here(registry: FakeRegistry) -> Repository:
    return Repository(registry=registry.host, name="risk/fraud")


def v1(registry: FakeRegistry) -> Reference:
    return here(registry).tagged("v1")


def failure_of(registry: FakeRegistry, **options: Any) -> tuple[TaxiwayError, str]:
    """Read the manifest, which has to fail; return the error and all that is shown of it."""
    with asking(registry, **options) as (client, _), pytest.raises(TaxiwayError) as failed:
        client.manifest(v1(registry))
    return failed.value, "".join(traceback.format_exception(failed.value))


# Who we are.


def test_a_token_is_got_once_for_a_scope_and_used_until_it_expires(bearer: FakeRegistry) -> None:
    with asking(bearer) as (client, still):
        client.manifest(v1(bearer))
        client.manifest(v1(bearer))
        assert bearer.paths.count(TOKEN) == 1
        still.now += 299
        client.manifest(v1(bearer))
    assert bearer.paths.count(TOKEN) == 2
    assert len(bearer.seen) == 6, "no request was denied but the first"


def test_a_token_that_the_registry_no_longer_takes_is_renewed_once(bearer: FakeRegistry) -> None:
    with asking(bearer) as (client, _):
        client.manifest(v1(bearer))
        bearer.tokens.clear()
        client.manifest(v1(bearer))
        again = CHALLENGE.format(url=bearer.url, scope="repository:risk/fraud:pull")
        bearer.go_wrong(MANIFESTS, 401, times=2, WWW_Authenticate=again)
        with pytest.raises(RegistryDenied):
            client.manifest(v1(bearer))
    assert bearer.issued == 3


def test_each_scope_has_a_token_of_its_own_and_the_wider_one_serves(bearer: FakeRegistry) -> None:
    with asking(bearer) as (client, _):
        client.tag(v1(bearer), "v2")
        assert sorted(bearer.tokens.values()) == ["pull", "pull,push"]
        client.delete(here(bearer).tagged("v2"))
        client.manifest(v1(bearer))
    assert bearer.issued == 3
    assert [one.path for one in bearer.seen if not one.authorization] == [f"{MANIFESTS}/v1"]


def test_an_identity_token_is_exchanged(bearer: FakeRegistry) -> None:
    with asking(bearer, Login(identity_token=IDENTITY)) as (client, _):
        client.manifest(v1(bearer))
    [exchange] = [one for one in bearer.seen if one.path == TOKEN]
    assert (exchange.method, exchange.query, exchange.authorization) == ("POST", {}, "")


def test_a_token_without_a_life_is_used_for_a_minute(bearer: FakeRegistry) -> None:
    bearer.expires_in = None
    with asking(bearer) as (client, still):
        client.manifest(v1(bearer))
        still.now += 50
        client.manifest(v1(bearer))
        still.now += 10
        client.manifest(v1(bearer))
    assert bearer.issued == 2


@pytest.mark.parametrize(
    "login",
    [Login(user=USER, password="c4n4ry-wrong"), Login(identity_token="c4n4ry-old"), Login()],
    ids=["password", "identity token", "nobody"],
)
def test_who_gets_no_token_is_denied_without_a_word_of_the_secret(
    bearer: FakeRegistry, login: Login, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    error, shown = failure_of(bearer, login=login)
    assert isinstance(error, RegistryDenied)
    for secret in (login.password, login.identity_token, login.basic.removeprefix("Basic ")):
        assert not secret or secret not in shown + caplog.text


def test_a_server_that_repeats_our_token_does_not_have_it_shown(bearer: FakeRegistry) -> None:
    body = json.dumps({"errors": [{"code": "DENIED", "message": "no c4n4ry-token-1 here"}]}).encode()
    with asking(bearer) as (client, _):
        client.manifest(v1(bearer))
        bearer.go_wrong(MANIFESTS, 403, body)
        with pytest.raises(RegistryDenied, match=r"DENIED: no \*\*\* here") as denied:
            client.manifest(v1(bearer))
    assert (denied.value.status, denied.value.codes) == (403, ("DENIED",))


@pytest.mark.parametrize(
    ("realm", "kind"),
    [
        ("http://tokens.example.com/token", RegistryUntrusted),
        ("ftp://127.0.0.1/token", RegistryUntrusted),
        ("nowhere", RegistryInvalid),
        ("http://[::1", RegistryInvalid),
    ],
)
def test_credentials_do_not_go_where_the_challenge_has_no_safe_place(
    registry: FakeRegistry, realm: str, kind: type[TaxiwayError]
) -> None:
    registry.go_wrong(MANIFESTS, 401, WWW_Authenticate=f'Bearer realm="{realm}"')
    error, _ = failure_of(registry)
    assert isinstance(error, kind)
    assert len(registry.seen) == 1


def test_a_challenge_that_we_cannot_answer_is_a_denial(registry: FakeRegistry) -> None:
    registry.go_wrong(MANIFESTS, 401, WWW_Authenticate="Negotiate")
    error, shown = failure_of(registry)
    assert isinstance(error, RegistryDenied)
    assert "Negotiate" in shown


def test_an_issuer_of_tokens_that_is_down_is_waited_for(bearer: FakeRegistry) -> None:
    bearer.go_wrong(TOKEN, 503, times=2)
    with asking(bearer) as (client, still):
        client.manifest(v1(bearer))
    assert len(still.slept) == 2


@pytest.mark.parametrize("body", [b"", b"[]", b"{}", b'{"token": ""}', b'{"token": "a\\r\\nb"}'])
def test_an_answer_without_a_token_is_invalid(bearer: FakeRegistry, body: bytes) -> None:
    bearer.go_wrong(TOKEN, 200, body)
    error, _ = failure_of(bearer)
    assert isinstance(error, RegistryInvalid)


# What passes by waiting.


@pytest.mark.parametrize("status", [500, 502, 503, 504, 507, 408, 429, RESET, CUT], ids=str)
def test_what_passes_is_tried_again_until_it_works(open_one: FakeRegistry, status: int) -> None:
    open_one.go_wrong(MANIFESTS, status, times=2)
    with asking(open_one) as (client, still):
        assert client.manifest(v1(open_one)).config is not None
    assert len(still.slept) == 2
    assert len(open_one.seen) == 3


@pytest.mark.parametrize("status", [500, 429, RESET, CUT], ids=str)
def test_what_does_not_pass_is_unavailable_after_all_patience(open_one: FakeRegistry, status: int) -> None:
    open_one.go_wrong(MANIFESTS, status, times=1000)
    error, _ = failure_of(open_one)
    assert isinstance(error, RegistryUnavailable)
    assert len(open_one.seen) > 5


def test_a_busy_registry_is_left_alone_as_long_as_it_asks(open_one: FakeRegistry) -> None:
    open_one.go_wrong(MANIFESTS, 429, Retry_After="7")
    with asking(open_one) as (client, still):
        client.manifest(v1(open_one))
    assert still.slept == [7]


def test_a_registry_that_asks_for_more_than_our_patience_is_unavailable_at_once(
    open_one: FakeRegistry,
) -> None:
    open_one.go_wrong(MANIFESTS, 429, Retry_After="3600")
    error, shown = failure_of(open_one)
    assert isinstance(error, RegistryUnavailable)
    assert error.after_s == 3600
    assert "asks to wait for 3600 s" in shown
    assert len(open_one.seen) == 1


@pytest.mark.parametrize("how", [STALL, TRICKLE], ids=["nothing more comes", "byte by byte"])
def test_an_answer_without_an_end_is_given_up(open_one: FakeRegistry, how: int) -> None:
    open_one.go_wrong(MANIFESTS, how)
    error, _ = failure_of(open_one, timeout_s=0.3, patience_s=0, clock=time.monotonic)
    assert isinstance(error, RegistryUnavailable)


def test_a_lost_answer_to_a_deletion_is_none_the_less_one(open_one: FakeRegistry) -> None:
    open_one.go_wrong(MANIFESTS, LOST)
    with asking(open_one) as (client, _):
        client.delete(v1(open_one))
    assert [one.method for one in open_one.seen] == ["DELETE", "DELETE"]
    assert "v1" not in open_one.manifests


# What does not.


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        (400, RegistryRefused),
        (403, RegistryDenied),
        (404, RegistryNotFound),
        (405, RegistryRefused),
        (501, RegistryRefused),
        (302, RegistryInvalid),
        (204, RegistryRefused),
    ],
)
def test_what_is_refused_is_not_tried_again(
    open_one: FakeRegistry, status: int, kind: type[TaxiwayError]
) -> None:
    open_one.go_wrong(MANIFESTS, status)
    error, _ = failure_of(open_one)
    assert type(error) is kind
    assert len(open_one.seen) == 1


def test_a_tag_whose_bytes_are_not_what_the_registry_says_is_a_mismatch(open_one: FakeRegistry) -> None:
    body = json.dumps(image_of(CONFIG)).encode()
    open_one.go_wrong(
        MANIFESTS, 200, body, Docker_Content_Digest=digest_of(b"x"), Content_Type=image_of(b"")["mediaType"]
    )
    error, _ = failure_of(open_one)
    assert isinstance(error, RegistryMismatch)
    assert len(open_one.seen) == 1


def test_a_digest_is_held_against_what_comes(open_one: FakeRegistry) -> None:
    wrong = here(open_one).at(digest_of(b"x"))
    open_one.manifests[wrong.digest] = (IMAGE, b"<html>")
    open_one.digest_header = False
    open_one.blobs[wrong.digest] = b"something else"
    with asking(open_one) as (client, _):
        with pytest.raises(RegistryMismatch, match="nothing of it was used"):
            client.manifest(wrong)
        with pytest.raises(RegistryMismatch):
            client.resolve(wrong)
        with pytest.raises(RegistryMismatch):
            client.blob(wrong.repository, wrong.digest)


def test_a_push_that_is_stored_as_something_else_is_a_mismatch(open_one: FakeRegistry) -> None:
    with asking(open_one) as (client, _):
        manifest = client.manifest(v1(open_one))
        open_one.go_wrong(f"{MANIFESTS}/v2", 201, Docker_Content_Digest=digest_of(b"x"))
        with pytest.raises(RegistryMismatch):
            client.put(manifest, here(open_one).tagged("v2"))
        with pytest.raises(RegistryMismatch):
            client.put(manifest, here(open_one).at(digest_of(b"x")))
    assert [one.method for one in open_one.seen] == ["GET", "PUT"], "a wrong digest is not even sent"


def test_what_is_too_large_is_not_read_to_its_end(open_one: FakeRegistry) -> None:
    sent: list[Sent] = []
    digest = open_one.hold_blob(b"x" * 2_000_000)
    with asking(open_one, observer=sent.append) as (client, _), pytest.raises(RegistryTooLarge):
        client.blob(here(open_one), digest, most_bytes=1000)
    assert sent[0].received_bytes < 1_000_000


def test_content_that_grows_when_decoded_is_measured_decoded(open_one: FakeRegistry) -> None:
    open_one.go_wrong(BLOBS, 200, gzip.compress(b"x" * 5_000_000), Content_Encoding="gzip")
    with asking(open_one) as (client, _), pytest.raises(RegistryTooLarge):
        client.blob(here(open_one), digest_of(b"x"), most_bytes=100_000)


def test_an_error_page_without_end_is_shown_by_its_beginning(open_one: FakeRegistry) -> None:
    open_one.go_wrong(MANIFESTS, 400, b"<html>" + b"no " * 1_000_000)
    _, shown = failure_of(open_one)
    assert "<html>no no" in shown
    assert len(shown) < 10_000


# Where we are led to.


def test_a_redirect_to_another_host_carries_no_credentials(
    registry: FakeRegistry, caplog: pytest.LogCaptureFixture
) -> None:
    with fake_registry(no_authorization=True) as storage:
        storage.hold_blob(CONFIG)
        registry.blobs_at = storage.url
        with asking(registry) as (client, _):
            assert client.blob(here(registry), digest_of(CONFIG)) == CONFIG
            assert client.has_blob(here(registry), digest_of(CONFIG))
        assert len(storage.seen) == 2
    assert "Basic" not in caplog.text


def test_a_host_that_we_are_led_to_does_not_learn_who_we_are_by_asking(registry: FakeRegistry) -> None:
    with fake_registry(no_authorization=True) as storage:
        storage.go_wrong(BLOBS, 401, WWW_Authenticate='Basic realm="give it to me"', times=9)
        registry.blobs_at = storage.url
        with asking(registry) as (client, _), pytest.raises(RegistryDenied) as denied:
            client.blob(here(registry), digest_of(CONFIG))
        assert len(storage.seen) == 1
    assert "c4n4ry-signed" not in str(denied.value)


def test_a_storage_that_is_away_is_named_without_its_signature(registry: FakeRegistry) -> None:
    with fake_registry() as storage:
        registry.blobs_at = storage.url
    with asking(registry, patience_s=0) as (client, _), pytest.raises(RegistryUnavailable) as failed:
        client.blob(here(registry), digest_of(CONFIG))
    shown = "".join(traceback.format_exception(failed.value))
    assert storage.host in shown
    assert "c4n4ry" not in shown


def test_a_redirect_on_the_same_host_keeps_the_credentials(registry: FakeRegistry) -> None:
    with asking(registry) as (client, _):
        client.manifest(v1(registry))
        registry.hold("elsewhere", image_of(CONFIG))
        registry.go_wrong(MANIFESTS, 307, Location="elsewhere")
        client.manifest(v1(registry))
    assert registry.paths[-1] == f"{MANIFESTS}/elsewhere"


@pytest.mark.parametrize(
    ("location", "kind"),
    [
        ("http://registry.example.com/", RegistryUntrusted),
        ("file:///etc/passwd", RegistryUntrusted),
        ("http://[::1", RegistryInvalid),
    ],
)
def test_a_redirect_to_what_is_not_safe_is_not_followed(
    open_one: FakeRegistry, location: str, kind: type[TaxiwayError]
) -> None:
    open_one.go_wrong(MANIFESTS, 302, times=99, Location=location)
    error, _ = failure_of(open_one)
    assert isinstance(error, kind)


def test_redirects_in_a_ring_come_to_an_end(open_one: FakeRegistry) -> None:
    open_one.go_wrong(MANIFESTS, 302, times=99, Location="v1")
    error, _ = failure_of(open_one)
    assert isinstance(error, RegistryInvalid)
    assert len(open_one.seen) == 5


def test_a_push_is_not_led_to_another_host(open_one: FakeRegistry) -> None:
    with asking(open_one) as (client, _):
        manifest = client.manifest(v1(open_one))
        open_one.go_wrong(MANIFESTS, 307, Location="https://registry.example.com/v2/x")
        with pytest.raises(RegistryInvalid, match="another host"):
            client.put(manifest, here(open_one).tagged("v2"))


def test_a_login_of_netrc_is_not_sent(
    open_one: FakeRegistry, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "netrc").write_text("machine 127.0.0.1 login netrc password c4n4ry\n")
    monkeypatch.setenv("NETRC", str(tmp_path / "netrc"))
    with asking(open_one) as (client, _):
        client.manifest(v1(open_one))
    assert open_one.seen[0].authorization == ""


def test_loopback_is_not_reached_through_a_proxy(
    open_one: FakeRegistry, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:9")
    monkeypatch.delenv("no_proxy", raising=False)
    monkeypatch.delenv("NO_PROXY", raising=False)
    with asking(open_one) as (client, _):
        client.manifest(v1(open_one))


# Lists.


def test_tags_are_read_page_by_page_and_no_further_than_asked(open_one: FakeRegistry) -> None:
    open_one.page = 2
    for tag in ("v2", "v3", "v4", "v5"):
        open_one.hold(tag, image_of(CONFIG))
    with asking(open_one) as (client, _):
        tags = client.tags(here(open_one))
        assert [next(tags), next(tags)] == ["v1", "v2"]
        assert len(open_one.seen) == 1
        assert list(tags) == ["v3", "v4", "v5"]
    assert len(open_one.seen) == 3


def test_a_repository_without_tags_has_none(open_one: FakeRegistry) -> None:
    open_one.manifests.clear()
    with asking(open_one) as (client, _):
        assert list(client.tags(here(open_one))) == []


@pytest.mark.parametrize(
    ("body", "link"),
    [
        (b'{"tags": ["v1"]}', '<https://registry.example.com/v2/x/tags/list?last=v1>; rel="next"'),
        (b'{"tags": ["v1"]}', '<//registry.example.com/v2/x>; rel="next"'),
        (b'{"tags": ["v1"]}', '</v2/risk/fraud/tags/list?n=1000>; rel="next"'),
        (b'{"tags": ["v1"]}', '<http://[::1>; rel="next"'),
        (b'{"tags": "v1"}', ""),
        (b'{"tags": [1]}', ""),
        (b"<html>", ""),
    ],
    ids=["another host", "its short form", "the same page", "no URL", "a text", "a number", "no JSON"],
)
def test_a_list_that_is_none_is_invalid(open_one: FakeRegistry, body: bytes, link: str) -> None:
    open_one.go_wrong("/v2/risk/fraud/tags", 200, body, times=99, Link=link)
    with asking(open_one) as (client, _), pytest.raises(RegistryInvalid):
        list(client.tags(here(open_one)))


def test_referrers_of_the_api_are_filtered_here_if_not_there(open_one: FakeRegistry) -> None:
    digest = digest_of(open_one.manifests["v1"][1])
    kinds = ("application/vnd.signature", "application/vnd.sbom")
    entries = [
        {"mediaType": INDEX, "digest": digest, "size": 2, "artifactType": kind, "annotations": {"a": "b"}}
        for kind in kinds
    ]
    open_one.referrers = index_of(*entries)
    with asking(open_one) as (client, _):
        [found] = client.referrers(here(open_one), digest, artifact_type=kinds[1])
    assert (found.artifact_type, found.annotations) == (kinds[1], {"a": "b"})
    assert open_one.seen[0].query == {"artifactType": [kinds[1]]}


def test_a_head_without_a_digest_is_made_up_for_by_reading(open_one: FakeRegistry) -> None:
    open_one.digest_header = False
    with asking(open_one) as (client, _):
        found = client.resolve(v1(open_one))
    assert found.digest == digest_of(open_one.manifests["v1"][1])
    assert [one.method for one in open_one.seen] == ["HEAD", "GET"]


def test_the_body_of_a_redirect_is_not_read_to_its_end(open_one: FakeRegistry) -> None:
    sent: list[Sent] = []
    open_one.go_wrong(MANIFESTS, 307, b"x" * 3_000_000, Location="v1")
    with asking(open_one, observer=sent.append) as (client, _):
        client.manifest(v1(open_one))
    assert [one.status for one in sent] == [307, 200]
    assert sent[0].received_bytes < 1_000_000
