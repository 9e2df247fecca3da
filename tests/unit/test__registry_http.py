from __future__ import annotations

import socket
import ssl

import pytest
import requests

from tasks._errors import RegistryInvalid, RegistryUnavailable, RegistryUntrusted
from tasks._registry_http import Request, Wire, network_error, shown_url

REQUEST = Request(method="GET", url="https://a.io/v2/x?signature=c4n4ry", most_bytes=1)


@pytest.fixture
def wire() -> Wire:
    return Wire(session=requests.Session(), plain_http=frozenset({"mirror.internal:5000"}))


@pytest.mark.parametrize(
    ("host", "scheme"),
    [
        ("a.io", "https"),
        ("a.io:80", "https"),
        ("localhost", "http"),
        ("localhost:5000", "http"),
        ("127.1.2.3:5000", "http"),
        ("[::1]:5000", "http"),
        ("10.0.0.1:5000", "https"),
        ("localhost.a.io", "https"),
        ("127.0.0.1.a.io", "https"),
        ("mirror.internal:5000", "http"),
        ("mirror.internal", "https"),
    ],
)
def test_http_is_spoken_on_loopback_and_where_the_settings_say_so(wire: Wire, host: str, scheme: str) -> None:
    assert wire.base_url(host) == f"{scheme}://{host}"


@pytest.mark.parametrize(
    ("url", "safe"),
    [
        ("https://b.io/x", True),
        ("http://127.0.0.1:1/x", True),
        ("http://mirror.internal:5000/x", True),
        ("http://mirror.internal/x", False),
        ("http://b.io/x", False),
        ("HTTPS://b.io", True),
        ("//b.io/x", False),
        ("file:///etc/passwd", False),
        ("https:///x", False),
        ("https://b.io:x/", False),
        ("", False),
    ],
)
def test_a_server_leads_nowhere_but_where_it_is_safe(wire: Wire, url: str, safe: bool) -> None:
    if safe:
        wire.check_url(url)
    else:
        with pytest.raises(RegistryUntrusted):
            wire.check_url(url)


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("https://user:c4n4ry@a.io:1/x?c4n4ry#c4n4ry", "https://a.io:1/x"),
        ("http://[::1", "(something that is no URL)"),
    ],
)
def test_a_url_is_shown_without_what_may_be_secret(url: str, shown: str) -> None:
    assert shown_url(url) == shown


def wrapped(error: Exception) -> requests.ConnectionError:
    """An error as requests gives it: around one of urllib3, which is around the system's."""
    outer = requests.ConnectionError(f"Max retries exceeded with url {REQUEST.url}")
    outer.__context__ = error
    return outer


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        (wrapped(ConnectionRefusedError(111, "Connection refused")), "Connection refused"),
        (wrapped(socket.gaierror(-2, "Name or service not known")), "Name or service not known"),
        (wrapped(TimeoutError("timed out")), "timed out"),
        (requests.exceptions.ChunkedEncodingError(REQUEST.url), "ChunkedEncodingError"),
        (wrapped(ssl.SSLError(1, "wrong version number")), "wrong version number"),
    ],
)
def test_a_network_error_says_why_and_not_where_to_the_letter(error: Exception, reason: str) -> None:
    found = network_error(error, REQUEST)
    assert isinstance(found, RegistryUnavailable)
    assert found.problem == f"GET https://a.io/v2/x failed: {reason}."


def test_a_certificate_that_is_not_trusted_does_not_pass_by_waiting() -> None:
    cause = ssl.SSLCertVerificationError(1, "certificate verify failed")
    cause.verify_message = "certificate has expired"
    found = network_error(wrapped(cause), REQUEST)
    assert isinstance(found, RegistryUntrusted)
    assert "certificate has expired" in found.problem


def test_a_url_that_cannot_be_asked_is_no_reason_to_wait() -> None:
    error = requests.exceptions.InvalidURL(f"Invalid URL {REQUEST.url}")
    found = network_error(error, REQUEST)
    assert isinstance(found, RegistryInvalid)
    assert "c4n4ry" not in str(found)
