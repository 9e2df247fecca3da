from __future__ import annotations

from dataclasses import replace

import pytest

from tasks._builder import Absent, Purpose, home_of, sources_of
from tasks._enrolment import Enrolment, Limits, PreviewStage
from tasks._git import Kind, TreeEntry
from tasks._types import Image
from tasks.plan import (
    Build,
    Change,
    ChangedPath,
    Reuse,
    blobs_of,
    change_of,
    decide,
    fingerprint_of,
    ingredients_of,
    overall,
    tags_of,
    terms_of,
    withheld,
)
from tasks.policy import ImagePolicy, PackagePolicy, Policy, Stage

IMAGE = ImagePolicy(
    repository="registry.example.com/fraud", dependencies=["requirements.lock", "pyproject.toml"]
)
TRAITS = {"builder": "venv", "python": "cpython 3.11"}
FILES = [
    TreeEntry(path="requirements.lock", kind=Kind.FILE, oid="1" * 40),
    TreeEntry(path="pyproject.toml", kind=Kind.FILE, oid="2" * 40),
]
FOUND = Image(reference="registry.example.com/fraud@sha256:" + "a" * 64, fingerprint="sha256:" + "b" * 64)


def policy(source: str) -> Policy:
    return Policy(
        package=PackagePolicy(modules=["fraud"], source=source),
        image=IMAGE,
        stage=[Stage(name="development", project="fraud", domain="development")],
    )


def test_fingerprint_is_the_same_on_any_machine_and_in_any_order() -> None:
    first = fingerprint_of(ingredients_of(FILES, IMAGE, TRAITS))
    assert first == fingerprint_of(ingredients_of(FILES[::-1], IMAGE, dict(reversed(TRAITS.items()))))
    # Written down: images are found again by it.
    assert first == "sha256:d52680c98ced5631dc9b9d44f6ea0eb27e8785c42a7f5386ec2777baba82eed5"


@pytest.mark.parametrize(
    ("files", "image", "traits"),
    [
        pytest.param([FILES[0]], IMAGE, TRAITS, id="a file less"),
        pytest.param(
            [FILES[0], TreeEntry(path="pyproject.toml", kind=Kind.FILE, oid="3" * 40)],
            IMAGE,
            TRAITS,
            id="content",
        ),
        pytest.param(
            [FILES[0], TreeEntry(path="pyproject.lock", kind=Kind.FILE, oid="2" * 40)],
            IMAGE,
            TRAITS,
            id="name",
        ),
        pytest.param([FILES[0], replace(FILES[1], kind=Kind.EXECUTABLE)], IMAGE, TRAITS, id="mode"),
        pytest.param(FILES, IMAGE.model_copy(update={"platform": "linux/arm64"}), TRAITS, id="platform"),
        pytest.param(FILES, IMAGE, {**TRAITS, "python": "cpython 3.12"}, id="Python"),
    ],
)
def test_fingerprint_changes_with_every_ingredient(
    files: list[TreeEntry], image: ImagePolicy, traits: dict[str, str]
) -> None:
    changed = fingerprint_of(ingredients_of(files, image, traits))
    assert changed != fingerprint_of(ingredients_of(FILES, IMAGE, TRAITS))


def test_files_are_found_again_among_the_ingredients() -> None:
    assert blobs_of(ingredients_of(FILES, IMAGE, TRAITS)) == {
        "requirements.lock": "1" * 40,
        "pyproject.toml": "2" * 40,
    }


@pytest.mark.parametrize(
    ("path", "source", "change"),
    [
        ("src/fraud/train.py", "src", Change.CODE),
        ("srcx/train.py", "src", Change.NOTHING),
        ("README.md", "src", Change.NOTHING),
        ("README.md", ".", Change.CODE),
        ("taxiway.toml", ".", Change.POLICY),
        ("requirements.lock", ".", Change.DEPENDENCIES),
        ("Dockerfile", "src", Change.DEPENDENCIES),
    ],
)
def test_path_changes_what_the_policy_says(path: str, source: str, change: Change) -> None:
    assert change_of(path, policy(source)) is change


@pytest.mark.parametrize(
    ("path", "change"),
    [
        ("src/fraud/train.py", Change.DEPENDENCIES),
        ("src/fraudulent.py", Change.CODE),
        ("src/fraud", Change.DEPENDENCIES),
        ("taxiway.toml", Change.POLICY),
    ],
)
def test_whatever_lies_in_a_listed_folder_is_a_dependency(path: str, change: Change) -> None:
    listed = policy("src")
    image = listed.image.model_copy(update={"dependencies": ["src/fraud"]})
    assert change_of(path, listed.model_copy(update={"image": image})) is change


@pytest.mark.parametrize(
    ("changes", "named"),
    [
        ([], Change.NOTHING),
        ([Change.NOTHING], Change.NOTHING),
        ([Change.NOTHING, Change.CODE], Change.CODE),
        ([Change.POLICY, Change.CODE], Change.POLICY),
        ([Change.CODE, Change.DEPENDENCIES, Change.POLICY], Change.DEPENDENCIES),
    ],
)
def test_revision_is_named_by_its_dearest_change(changes: list[Change], named: Change) -> None:
    assert overall([ChangedPath(path="x", change=change) for change in changes]) is named


def test_image_that_is_there_is_reused() -> None:
    decision = decide([Absent(because="not here"), FOUND])
    assert isinstance(decision, Reuse)
    assert decision.image == FOUND


def test_image_that_is_nowhere_is_built_for_all_reasons() -> None:
    assert decide([Absent(because="not here"), Absent(because="nor there")]) == Build(
        because="not here; nor there"
    )


def test_release_takes_nothing_of_previews_and_previews_take_either() -> None:
    assert sources_of("r/fraud", Purpose.RELEASE) == ["r/fraud"]
    assert sources_of("r/fraud", Purpose.PREVIEW) == ["r/fraud", "r/fraud/previews"]
    assert home_of("r/fraud", Purpose.PREVIEW) == "r/fraud/previews"
    assert home_of("r/fraud", Purpose.RELEASE) == "r/fraud"


def enrolment(preview: tuple[str, ...] = (), **limits: object) -> Enrolment:
    return Enrolment(
        name="fraud",
        repository="https://git.example.com/fraud",
        preview=PreviewStage(project="previews", domain="development", build_secrets=list(preview)),
        limits=Limits.model_validate(limits),
    )


SECRET = IMAGE.model_copy(update={"secrets": ["pip_index", "fraud/token"]})


@pytest.mark.parametrize(
    ("purpose", "preview", "given"),
    [
        (Purpose.RELEASE, (), ["pip_index", "fraud/token"]),
        (Purpose.PREVIEW, (), []),
        (Purpose.PREVIEW, ("pip_index",), ["pip_index"]),
        (Purpose.PREVIEW, ("*",), ["pip_index", "fraud/token"]),
    ],
)
def test_previews_are_given_the_secrets_that_are_named_for_them(
    purpose: Purpose, preview: tuple[str, ...], given: list[str]
) -> None:
    terms = terms_of(SECRET, enrolment(preview), purpose)
    assert terms.secrets == given
    assert len(withheld(SECRET, terms)) == 2 - len(given)


def test_terms_are_the_policys_within_the_enrolments_limits() -> None:
    policy = IMAGE.model_copy(update={"build_args": {"A": "1"}, "network": "none"})
    terms = terms_of(policy, enrolment(), Purpose.RELEASE)
    assert (terms.build_args, terms.network, terms.network_host) == ({"A": "1"}, "none", False)
    assert terms.base_images == ["*"]
    assert 0 < terms.context_bytes < terms.image_bytes
    wide = enrolment(build_networks=["host"], base_images=["docker.io/library/python"], context_bytes=5)
    terms = terms_of(policy, wide, Purpose.RELEASE)
    assert (terms.network_host, terms.base_images, terms.context_bytes) == (
        True,
        ["docker.io/library/python"],
        5,
    )


def test_people_call_an_image_by_its_revision_and_pull_request() -> None:
    assert tags_of("4f0c1d2" + "0" * 33, 12) == ["4f0c1d2", "pr-12"]
    assert tags_of("4f0c1d2" + "0" * 33, 0) == ["4f0c1d2"]
