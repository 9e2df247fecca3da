"""Who is taken for the caller of an RPC or of an HTTP request."""

from __future__ import annotations

import pytest

from scripts.sandbox.caller import BadHeader, PrincipalHeader

HEADER = PrincipalHeader.named("X-Forwarded-User")


def test_without_a_header_nobody_is_known() -> None:
    assert PrincipalHeader().caller([("x-forwarded-user", "ada"), ("", "eve")]).principal == ""


@pytest.mark.parametrize(
    ("metadata", "principal"),
    [
        ([("x-forwarded-user", "ada")], "ada"),
        ([("X-Forwarded-User", " ada@example.com ")], "ada@example.com"),
        ([("x-forwarded-user", b"ada")], "ada"),
        ([("x-forwarded-user", "ada"), ("X-FORWARDED-USER", "ada")], "ada"),
        ([("x-forwarded-user", "ada"), ("x-forwarded-user", "eve")], ""),
        ([("user-agent", "grpc-python")], ""),
        ([], ""),
    ],
    ids=["gRPC", "HTTP", "bytes", "said twice", "two of them", "another header", "nothing"],
)
def test_the_value_of_the_header_is_the_principal(
    metadata: list[tuple[str, str | bytes]], principal: str
) -> None:
    assert HEADER.caller(metadata).principal == principal


@pytest.mark.parametrize("name", ["", "two words", "grpc-user", "user-bin", "für"])
def test_a_name_that_no_call_can_carry_is_refused(name: str) -> None:
    with pytest.raises(BadHeader):
        PrincipalHeader.named(name)
