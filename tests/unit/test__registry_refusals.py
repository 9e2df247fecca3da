from __future__ import annotations

import json

import pytest
from requests.structures import CaseInsensitiveDict

from tasks._errors import RegistryDenied, RegistryNotFound, RegistryRefused, RegistryUnavailable
from tasks._registry_http import Answer
from tasks._registry_refusals import read_errors, refusal, retry_after_s

DENIED = json.dumps({"errors": [{"code": "DENIED", "message": "no c4n4ry"}, {"code": "UNKNOWN"}]}).encode()


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        (401, RegistryDenied),
        (403, RegistryDenied),
        (404, RegistryNotFound),
        (400, RegistryRefused),
        (405, RegistryRefused),
        (413, RegistryRefused),
        (501, RegistryRefused),
        (408, RegistryUnavailable),
        (429, RegistryUnavailable),
        (500, RegistryUnavailable),
        (503, RegistryUnavailable),
        (507, RegistryUnavailable),
        (599, RegistryUnavailable),
    ],
)
def test_only_what_is_about_the_moment_passes_by_waiting(status: int, kind: type[Exception]) -> None:
    assert type(refusal(Answer(status=status), "GET x")) is kind


@pytest.mark.parametrize(
    ("status", "detail", "full"),
    [
        (507, "", True),
        (500, "write /data/x: no space left on device", True),
        (500, {"DriverName": "filesystem", "Enclosed": {"Op": "write", "Err": 28}}, True),
        (500, {"Err": 5}, False),
        (503, "", False),
    ],
)
def test_a_registry_that_is_full_is_told_from_one_that_is_ill(
    status: int, detail: object, full: bool
) -> None:
    body = json.dumps({"errors": [{"code": "UNKNOWN", "message": "unknown error", "detail": detail}]})
    error = refusal(Answer(status=status, body=body.encode()), "PUT x")
    assert isinstance(error, RegistryUnavailable)
    assert ("no room left" in error.problem, "Make room" in error.remedy) == (full, full)


def test_the_registrys_words_are_told_without_secrets() -> None:
    error = refusal(Answer(status=403, body=DENIED), "GET x", secrets=("c4n4ry",))
    assert isinstance(error, RegistryDenied)
    assert error.codes == ("DENIED", "UNKNOWN")
    assert error.problem == "GET x failed: HTTP 403: DENIED: no ***; UNKNOWN."


@pytest.mark.parametrize(
    ("body", "said"),
    [
        (b"", ""),
        (b"404 page not found\n", "404 page not found"),
        (b"<html>\n<b>\x1b[31mno</b>\xff", "<html> <b>[31mno</b>\ufffd"),
        (b'{"errors": null}', '{"errors": null}'),
        (b'{"errors": ["x"]}', '{"errors": ["x"]}'),
        (b'{"errors": []}', ""),
        (b"[" * 10_000, "[" * 10_000),
    ],
)
def test_a_body_of_any_form_is_told_in_one_line(body: bytes, said: str) -> None:
    assert read_errors(body) == ((), said)


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({}, 0),
        ({"retry-after": "7"}, 7),
        ({"Retry-After": " 0 "}, 0),
        ({"Retry-After": "-3"}, 0),
        ({"Retry-After": "soon"}, 0),
        ({"Retry-After": "²"}, 0),
        (
            {
                "Retry-After": "Wed, 21 Oct 2015 07:28:30 GMT",
                "Date": "Wed, 21 Oct 2015 07:28:00 GMT",
            },
            30,
        ),
        (
            {
                "Retry-After": "Wed, 21 Oct 2015 07:28:00 GMT",
                "Date": "Wed, 21 Oct 2015 07:28:30 GMT",
            },
            0,
        ),
        ({"Retry-After": "Wed, 21 Oct 2015 07:28:00 GMT"}, 0),
    ],
)
def test_how_long_a_server_asks_to_be_left_alone(headers: dict[str, str], seconds: float) -> None:
    answer = Answer(status=429, headers=CaseInsensitiveDict(headers))
    assert retry_after_s(answer) == seconds
