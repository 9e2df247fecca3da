from __future__ import annotations

import pytest

from tasks._registry_challenges import chosen, parse_challenges


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
