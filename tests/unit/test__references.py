from __future__ import annotations

import pytest

from tasks._errors import ReferenceInvalid
from tasks._references import Reference, Repository, parse_reference, parse_repository

DIGEST = "sha256:" + "a" * 64


@pytest.mark.parametrize(
    ("text", "normal"),
    [
        ("ubuntu", "docker.io/library/ubuntu:latest"),
        ("ubuntu:22.04", "docker.io/library/ubuntu:22.04"),
        ("bitnami/redis", "docker.io/bitnami/redis:latest"),
        ("index.docker.io/ubuntu", "docker.io/library/ubuntu:latest"),
        ("registry.example.com/fraud", "registry.example.com/fraud:latest"),
        ("Registry.Example.COM/fraud:v1", "registry.example.com/fraud:v1"),
        ("localhost/fraud", "localhost/fraud:latest"),
        ("localhost:5000/risk/fraud:V_1", "localhost:5000/risk/fraud:V_1"),
        ("[::1]:5000/fraud:v1", "[::1]:5000/fraud:v1"),
        (f"a.io/fraud@{DIGEST}", f"a.io/fraud@{DIGEST}"),
        (f"a.io:80/fraud:v1@{DIGEST}", f"a.io:80/fraud:v1@{DIGEST}"),
        ("a.io/x/y__z/a--b.c", "a.io/x/y__z/a--b.c:latest"),
    ],
)
def test_a_reference_has_one_full_spelling(text: str, normal: str) -> None:
    assert str(parse_reference(text)) == normal
    assert parse_reference(normal) == parse_reference(text)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "Fraud",
        "a.io/",
        "a.io/Fraud",
        "a.io//fraud",
        "a.io/../fraud",
        "a.io/fraud?x=1",
        "a.io/-fraud",
        "a.io/fr___aud",
        "a.io/fraud:",
        "a.io/fraud:.v1",
        "a.io/fraud:v1:v2",
        "a.io/fraud:" + "v" * 129,
        "a.io/fraud@",
        "a.io/fraud@sha256:abc",
        "a.io/fraud@" + DIGEST.upper(),
        "a.io/fraud@md5:" + "a" * 32,
        "a.io:99999/fraud",
        "a.io:x/fraud",
        "https://a.io/fraud",
        "user:secret@a.io/fraud",
        "a.io/fraud\n",
        "a.io/fr aud",
        "a.io/" + "f" * 255,
    ],
)
def test_what_the_spec_does_not_spell_is_refused(text: str) -> None:
    with pytest.raises(ReferenceInvalid):
        parse_reference(text)


def test_a_reference_needs_a_tag_or_a_digest() -> None:
    with pytest.raises(ReferenceInvalid, match="REPOSITORY:TAG"):
        Reference(repository=parse_repository("a.io/fraud"))


def test_the_digest_counts_where_there_is_a_tag_as_well() -> None:
    assert parse_reference(f"a.io/fraud:v1@{DIGEST}").identifier == DIGEST
    assert parse_reference("a.io/fraud:v1").pinned(DIGEST).tag == "v1"


def test_docker_hub_answers_under_another_host() -> None:
    assert parse_repository("ubuntu").host == "registry-1.docker.io"
    assert Repository(registry="a.io:80", name="fraud").host == "a.io:80"
