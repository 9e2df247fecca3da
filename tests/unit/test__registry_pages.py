from __future__ import annotations

import pytest
from requests.structures import CaseInsensitiveDict

from tasks._errors import RegistryInvalid
from tasks._references import Repository
from tasks._registry_calls import Call
from tasks._registry_http import Answer
from tasks._registry_pages import next_page

HERE = Repository(registry="a.io:5000", name="risk/fraud")
CALL = Call(method="GET", repository=HERE, path="/v2/risk/fraud/tags/list?n=5")


def after(link: str) -> str:
    found = next_page(Answer(status=200, headers=CaseInsensitiveDict({"link": link} if link else {})), CALL)
    return found.path if found else ""


@pytest.mark.parametrize(
    ("link", "path"),
    [
        ("", ""),
        ('</v2/x?last=b>; rel="next"', "/v2/x?last=b"),
        ("</v2/x?last=b>; rel=next", "/v2/x?last=b"),
        ('<?last=b>;title="x";rel="next"', "/v2/risk/fraud/tags/list?last=b"),
        ('<https://a.io:5000/v2/x?last=b>; REL="next"', "/v2/x?last=b"),
        ('</v2/w>; rel="prev", </v2/x?last=b>; rel="last next"', "/v2/x?last=b"),
        ('</v2/w>; rel="prev"', ""),
        ('</v2/w>; rel="nextish"', ""),
        ('</v2/w>; rel="prev"; title="next"', ""),
        ("nonsense", ""),
    ],
)
def test_the_next_page_is_where_the_link_says(link: str, path: str) -> None:
    assert after(link) == path


@pytest.mark.parametrize(
    "url",
    [
        "https://b.io/v2/x",
        "https://a.io/v2/x",
        "//b.io/v2/x",
        "https://user:c4n4ry@a.io:5000/v2/x",
        "/v2/risk/fraud/tags/list?n=5",
        "",
        "mailto:x",
        "http://[::1",
    ],
)
def test_a_page_elsewhere_is_none(url: str) -> None:
    with pytest.raises(RegistryInvalid) as invalid:
        after(f'<{url}>; rel="next"')
    assert "c4n4ry" not in str(invalid.value)


def test_a_path_that_looks_like_a_host_stays_a_path() -> None:
    assert after('<https://a.io:5000//b.io/v2/x>; rel="next"') == "//b.io/v2/x?"
