from __future__ import annotations

import pytest

from tasks._dockerfile import read_dockerfile
from tasks._dockerfile_rules import Rules, findings_of, matching

TREE = frozenset(
    {"Dockerfile", "requirements.lock", "setup.py", "src/a.py", "src/b.py", "deps/x.txt", "deps/y.txt"}
)
LISTED = frozenset({"Dockerfile", "requirements.lock", "deps/x.txt", "deps/y.txt"})


def problems(text: str, **rules: object) -> list[str]:
    held = Rules(name="Dockerfile", listed=LISTED, tree=TREE, **rules)  # type: ignore[arg-type]
    return [f"{one.where} {one.problem} {one.remedy}" for one in findings_of(read_dockerfile(text), held)]


@pytest.mark.parametrize(
    "instruction",
    [
        "COPY requirements.lock ./",
        "COPY ./requirements.lock Dockerfile /root/",
        "COPY *.lock /",
        "COPY nothing*.txt requirements.lock /",
        "COPY deps /deps",
        "COPY deps/[xy].txt /",
        "COPY --from=0 /anything /",
        "RUN --mount=type=bind,target=/context true",
        "RUN --mount=type=secret,id=pip_conf true",
        "RUN --network=none true",
    ],
)
def test_what_the_policy_lists_may_be_taken(instruction: str) -> None:
    assert problems(f"FROM a\nFROM b\n{instruction}") == []


@pytest.mark.parametrize(
    ("instruction", "named"),
    [
        ("COPY setup.py /", "takes setup.py, which `image.dependencies` does not list"),
        ("COPY . .", "takes setup.py, src/a.py, src/b.py, which `image.dependencies`"),
        ("COPY s* /", "takes setup.py, src/a.py, src/b.py, which `image.dependencies`"),
        ("COPY src/*.py /", "takes src/a.py, src/b.py, which `image.dependencies`"),
        ("COPY ../setup.py /", "takes setup.py, which"),
        ("COPY absent.txt /", "takes absent.txt, which the revision does not have"),
        ("ADD https://example.com/x /", "ADD fetches https://example.com/x"),
        ("RUN --mount=source=src,target=/x true", "RUN --mount takes src/a.py, src/b.py, which"),
        ("RUN --security=insecure true", "privileges"),
        ("RUN --network=host true", "`limits.build_networks`"),
        ("RUN --mount=type=secret,id=x,required true", "the secret x, which"),
        ("FROM bad..name", "the base is no image"),
    ],
)
def test_anything_else_is_a_finding_with_its_line(instruction: str, named: str) -> None:
    [problem] = problems(f"FROM a\n{instruction}")
    assert problem.startswith("Dockerfile:2 ")
    assert named in problem


def test_frontend_of_ones_own_is_refused() -> None:
    assert "another image to read this file" in problems("# syntax=docker/dockerfile:1\nFROM a")[0]


@pytest.mark.parametrize(
    ("base", "allowed", "fine"),
    [
        ("python:3.11", ["docker.io/library/python"], True),
        ("python:3.11", ["docker.io"], True),
        ("python:3.11", ["docker.io/library/pyth"], False),
        ("registry.example.com/base/python@sha256:" + "a" * 64, ["registry.example.com/base"], True),
        ("registry.example.com/python", ["registry.example.com/base"], False),
        ("python:3.11", [], False),
        ("python:3.11", ["*"], True),
        ("scratch", [], True),
    ],
)
def test_bases_are_held_against_the_allowed_ones(base: str, allowed: list[str], fine: bool) -> None:
    assert (problems(f"FROM {base}", base_images=allowed) == []) is fine


def test_image_that_something_is_copied_from_counts_as_a_base() -> None:
    allowed = ["docker.io/library/a"]
    [problem] = problems("FROM a\nCOPY --from=busybox:1 /bin/sh /", base_images=allowed)
    assert "docker.io/library/busybox is not among" in problem


def test_secret_and_network_that_are_allowed_pass() -> None:
    text = "FROM a\nRUN --network=host --mount=type=secret,id=x,required true"
    assert problems(text, network_host=True, secrets=frozenset({"x"})) == []


def test_wildcards_are_those_of_go() -> None:
    assert matching("?etup.py", TREE) == ["setup.py"]
    assert matching("*/a.py", TREE) == ["src/a.py"]
    assert matching("[d]*", TREE) == ["deps/x.txt", "deps/y.txt"]
