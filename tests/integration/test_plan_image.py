"""From a fetched revision to its image, as the first two steps of a preview do it."""

from __future__ import annotations

import os
from datetime import datetime, timedelta, timezone
from pathlib import Path

import pytest

from tasks._builder import Action, Purpose
from tasks._enrolment import Enrolment, PreviewStage
from tasks._git_credentials import Credentials
from tasks._settings import Settings
from tasks._types import Revision
from tasks._venv import VenvImages
from tasks.image import ensure_image
from tasks.plan import (
    Build,
    Change,
    Plan,
    Reuse,
    find_inputs,
    ingredients_of,
    make_context,
    make_plan,
    read_recipe,
    terms_of,
)
from tasks.policy import ImagePolicy, PackagePolicy, Policy, Stage
from tasks.source import Source, fetch
from tests.repositories import Made, Repository

POLICY = Policy(
    package=PackagePolicy(modules=["flows"], source="src"),
    image=ImagePolicy(repository="registry.example.com/fraud", dependencies=["requirements.lock"]),
    stage=[Stage(name="development", project="fraud", domain="development")],
)
ENROLMENT = Enrolment(
    name="fraud",
    repository="https://git.example.com/fraud",
    preview=PreviewStage(project="fraud-previews", domain="development"),
)
FILES: dict[str, str | Made] = {
    "taxiway.toml": "[package]\n",
    "requirements.lock": "iniconfig==2.0.0\n",
    "src/flows.py": "1",
    "README.md": "1",
}


@pytest.fixture(scope="module")
def repository(tmp_path_factory: pytest.TempPathFactory) -> Repository:
    made = Repository.create(tmp_path_factory.mktemp("plan") / "fraud.git")
    base = made.commit(FILES)
    for branch, change in {
        "code": {"src/flows.py": "2", "README.md": "2"},
        "dependency": {"requirements.lock": "iniconfig==2.1.0\n", "src/flows.py": "2"},
        "policy": {"taxiway.toml": "[image]\n"},
        "words": {"README.md": "2"},
    }.items():
        made.commit({**FILES, **change}, branch=branch, parent=base)
    made.commit(
        {**FILES, "requirements.lock": Made(content=b"README.md", mode="120000")}, branch="link", parent=base
    )
    return made


@pytest.fixture
def builder(tmp_path: Path) -> VenvImages:
    return VenvImages(root=tmp_path / "images", environ=os.environ, timeout_s=120)


def fetched(repository: Repository, branch: str, into: Path) -> Source:
    return fetch(
        Revision(repository=repository.url, sha=repository.git("rev-parse", branch)),
        base_branch="main",
        into=into,
        settings=Settings(allow_file_urls=True),
        credentials=Credentials(),
        environ=os.environ,
    )


def planned(
    source: Source, builder: VenvImages, purpose: Purpose = Purpose.PREVIEW, *, policy: Policy = POLICY
) -> Plan:
    inputs = find_inputs(source, policy.image, at=source.revision.sha)
    assert inputs.problems == []
    terms = terms_of(policy.image, ENROLMENT, purpose)
    recipe = read_recipe(source, inputs, terms)
    return make_plan(
        source,
        policy,
        inputs,
        terms=terms,
        examined=builder.examine(recipe),
        builder=builder,
        purpose=purpose,
    )


@pytest.mark.parametrize(
    ("branch", "change", "paths"),
    [
        ("code", Change.CODE, ["README.md", "src/flows.py"]),
        ("dependency", Change.DEPENDENCIES, ["requirements.lock", "src/flows.py"]),
        ("policy", Change.POLICY, ["taxiway.toml"]),
        ("words", Change.NOTHING, ["README.md"]),
        ("main", Change.UNKNOWN, []),
    ],
)
def test_plan_says_what_changed(
    branch: str, change: Change, paths: list[str], repository: Repository, builder: VenvImages, tmp_path: Path
) -> None:
    plan = planned(fetched(repository, branch, tmp_path / "work"), builder)
    assert plan.change is change
    assert [changed.path for changed in plan.changed] == paths


def test_image_is_built_once_for_all_revisions_that_need_the_same(
    repository: Repository, builder: VenvImages, tmp_path: Path
) -> None:
    code = fetched(repository, "code", tmp_path / "code")
    first = planned(code, builder)
    context = make_context(code, find_inputs(code, POLICY.image, at=code.revision.sha), into=tmp_path)
    assert isinstance(first.decision, Build)
    assert context.files == ["requirements.lock"]
    built = ensure_image(first, context, builder=builder, into=tmp_path / "build")
    assert built.action is Action.BUILT
    assert built.image.reference.startswith("registry.example.com/fraud/previews@sha256:")

    second = planned(fetched(repository, "words", tmp_path / "words"), builder)
    assert isinstance(second.decision, Reuse)
    reused = ensure_image(second, context, builder=builder, into=tmp_path / "reuse")
    assert (reused.action, reused.image) == (Action.REUSED, built.image)

    assert isinstance(planned(fetched(repository, "dependency", tmp_path / "d"), builder).decision, Build)
    assert isinstance(planned(code, builder, Purpose.RELEASE).decision, Build)

    builder.prune(unused_for=timedelta(0), now=datetime.now(timezone.utc) + timedelta(days=1), dry_run=False)
    again = ensure_image(second, context, builder=builder, into=tmp_path / "again")
    assert (again.action, again.image) == (Action.BUILT, built.image)


FOLDERS = ImagePolicy(
    repository="registry.example.com/fraud", dependencies=["requirements.lock", "lib", "src"]
)
BELOW: dict[str, str | Made] = {
    **FILES,
    "lib/deep/a.py": "1",
    "lib/requirements.txt": "there-is-no-such-package==1\n",
    "lib/run": Made(content=b"#!/bin/sh\n", mode="100755"),
    "lib/link": Made(content=b"../README.md", mode="120000"),
    "library.py": "1",
}


def test_a_listed_folder_is_all_the_files_below_it(repository: Repository, tmp_path: Path) -> None:
    repository.commit(BELOW, branch="folder")
    repository.commit({**BELOW, "lib/deep/a.py": "2"}, branch="folder-changed")
    source = fetched(repository, "folder", tmp_path / "work")
    inputs = find_inputs(source, FOLDERS, at=source.revision.sha)
    assert inputs.problems == []
    files = {"lib/deep/a.py", "lib/requirements.txt", "lib/run", "requirements.lock", "src/flows.py"}
    assert {entry.path for entry in inputs.files} == files
    assert set(make_context(source, inputs, into=tmp_path).files) == files

    changed = fetched(repository, "folder-changed", tmp_path / "changed")
    others = find_inputs(changed, FOLDERS, at=changed.revision.sha)
    one, other = (ingredients_of(each.files, FOLDERS, {}) for each in (inputs, others))
    assert {name for name in one if one[name] != other[name]} == {"file:lib/deep/a.py"}
    assert one["mode:lib/run"] == "executable"


def test_a_venv_installs_nothing_of_what_lies_in_a_folder(
    repository: Repository, builder: VenvImages, tmp_path: Path
) -> None:
    repository.commit(BELOW, branch="folder")
    policy = POLICY.model_copy(update={"image": FOLDERS})
    source = fetched(repository, "folder", tmp_path / "work")
    plan = planned(source, builder, policy=policy)
    inputs = find_inputs(source, FOLDERS, at=source.revision.sha)
    context = make_context(source, inputs, into=tmp_path)
    built = ensure_image(plan, context, builder=builder, into=tmp_path / "build")
    assert built.action is Action.BUILT
    assert built.because.startswith("a virtual environment from requirements.lock, ")
    assert (tmp_path / "build/context/lib/requirements.txt").exists()


@pytest.mark.parametrize(
    ("files", "listed", "said"),
    [
        pytest.param({}, "nosuch", "nosuch is no file of the revision", id="not there"),
        pytest.param({}, "src/flows.py/x", "src/flows.py/x is no file", id="below a file"),
        pytest.param(
            {"lib/link": Made(content=b"..", mode="120000")}, "lib/link", "lib/link is no file", id="a link"
        ),
        pytest.param(
            {"lib/link": Made(content=b"..", mode="120000")},
            "lib/link/src",
            "lib/link/src is no file",
            id="through a link",
        ),
        pytest.param(
            {"lib/link": Made(content=b"..", mode="120000")}, "lib", "lib is no file", id="links alone"
        ),
        pytest.param({"lib/a\tb": "1"}, "lib", r"lib holds 'lib/a\tb', whose name", id="a strange name"),
        pytest.param(
            {f"lib/{number}": "" for number in range(2001)}, "lib", "lib holds 2001 files", id="too many"
        ),
    ],
)
def test_what_cannot_be_a_dependency_is_a_problem(
    files: dict[str, str | Made], listed: str, said: str, repository: Repository, tmp_path: Path
) -> None:
    repository.commit({**FILES, **files}, branch="strange")
    source = fetched(repository, "strange", tmp_path / "work")
    image = ImagePolicy(repository="registry.example.com/fraud", dependencies=["requirements.lock", listed])
    [problem] = find_inputs(source, image, at=source.revision.sha).problems
    assert problem.where == "image.dependencies"
    assert problem.problem.startswith(said)


def test_link_in_place_of_a_dependency_file_is_a_problem(repository: Repository, tmp_path: Path) -> None:
    source = fetched(repository, "link", tmp_path / "work")
    problems = find_inputs(source, POLICY.image, at=source.revision.sha).problems
    assert [problem.where for problem in problems] == ["image.dependencies"]
