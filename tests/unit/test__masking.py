from __future__ import annotations

import base64

import pytest

from tasks._masking import masks_of
from tasks._run import masked

SECRET = b"c4n4ry/Kq8v+Zx2mT7pWn5?"


@pytest.mark.parametrize(
    "printed",
    [
        pytest.param(SECRET, id="as it is"),
        pytest.param(b"a c4n4ry%2FKq8v%2BZx2mT7pWn5%3F b", id="in a URL"),
        *(
            pytest.param(base64.b64encode(b"x" * lead + SECRET + b"y" * trail), id=f"base64 {lead} {trail}")
            for lead in range(4)
            for trail in range(4)
        ),
        pytest.param(base64.urlsafe_b64encode(b"user:" + SECRET), id="base64 for URLs"),
    ],
)
def test_a_secret_is_masked_in_every_form(printed: bytes) -> None:
    shown = masked(printed.decode(), masks_of([SECRET]))
    assert "***" in shown
    assert len(shown) < len(printed)
    for part in (b"Kq8v", base64.b64encode(SECRET)[4:12], base64.b64encode(b"x" + SECRET)[4:12]):
        assert part.decode() not in shown


def test_the_lines_of_a_secret_are_masked_each() -> None:
    key = b"-----BEGIN KEY-----\n" + base64.encodebytes(bytes(range(120))) + b"-----END KEY-----\n"
    shown = "\n".join(f"#5 0.1 {line}" for line in key.decode().splitlines())
    assert masked(shown, masks_of([key])) == "\n".join(["#5 0.1 ***"] * 5)


def test_the_lines_of_a_long_secrets_base64_are_masked() -> None:
    secret = bytes(range(33, 126)) * 2
    shown = base64.encodebytes(secret).decode()
    assert set(masked(shown, masks_of([secret])).split()) == {"***"}


def test_of_a_short_secret_only_itself_is_masked() -> None:
    assert masks_of([b"ab"]) == ("ab",)
    assert masks_of([b"", b"\n"]) == ("\n", "%0A")
