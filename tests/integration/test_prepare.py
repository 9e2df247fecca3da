"""The first step on the target project's real branches."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tasks._enrolment import Enrolment, Limits, PreviewStage
from tasks._errors import UnknownRevision
from tasks._git_credentials import Credentials
from tasks._settings import Settings
from tasks.image import image_builder
from tasks.plan import Build, Change
from tasks.prepare import Prepared, fetch_revision, prepare_revision
from tests.fixtures.target import Target, build_target
from tests.mounted import Mounted


@pytest.fixture(scope="module")
def target(tmp_path_factory: pytest.TempPathFactory) -> Target:
    return build_target(tmp_path_factory.mktemp("target") / "fraud.git")


def enrolment(target: Target, **limits: list[str]) -> Enrolment:
    wide = {"projects": ["*"], "domains": ["*"], "images": ["*"], "service_accounts": ["*"]}
    return Enrolment(
        name="fraud",
        repository=target.url,
        preview=PreviewStage(project="fraud-previews", domain="development"),
        limits=Limits.model_validate({**wide, **limits}),
    )


def prepare(folder: Path, enrolled: Enrolment, sha: str) -> Prepared:
    settings = Settings(allow_file_urls=True, image_root=folder / "images")
    source = fetch_revision(
        enrolled, sha, into=folder, settings=settings, credentials=Credentials(), environ=os.environ
    )
    with image_builder(settings, os.environ, Mounted()) as builder:
        return prepare_revision(source, enrolled, builder=builder, settings=settings, into=folder)


@pytest.mark.parametrize(
    ("branch", "change"),
    [
        ("code-only", Change.CODE),
        ("dependency", Change.DEPENDENCIES),
        ("breaking-interface", Change.POLICY),
    ],
)
def test_sound_branch_is_planned_and_bundled(
    target: Target, tmp_path: Path, branch: str, change: Change
) -> None:
    prepared = prepare(tmp_path, enrolment(target), target.branches[branch])
    assert prepared.verdict.passed
    assert prepared.protected == target.main
    assert prepared.plan is not None and prepared.plan.change is change
    assert isinstance(prepared.plan.decision, Build)
    assert prepared.bundle is not None and prepared.context is not None


def test_policy_error_is_a_verdict_with_every_finding(target: Target, tmp_path: Path) -> None:
    prepared = prepare(tmp_path, enrolment(target), target.branches["policy-error"])
    assert not prepared.verdict.passed
    assert len(prepared.verdict.findings) > 1
    assert all(finding.where.startswith("taxiway.toml") for finding in prepared.verdict.findings)
    assert prepared.plan is None and prepared.bundle is None


def test_policy_beyond_the_limits_is_a_verdict(target: Target, tmp_path: Path) -> None:
    prepared = prepare(tmp_path, enrolment(target, images=["elsewhere.example/x"]), target.main)
    assert not prepared.verdict.passed
    assert any("image.repository" in finding.where for finding in prepared.verdict.findings)


def test_revision_without_a_policy_is_a_verdict(target: Target, tmp_path: Path) -> None:
    sha = target.revise("no-policy", {"taxiway.toml": None})
    prepared = prepare(tmp_path, enrolment(target), sha)
    assert not prepared.verdict.passed
    assert [finding.where for finding in prepared.verdict.findings] == ["taxiway.toml"]


def test_listed_file_that_is_missing_is_a_verdict(target: Target, tmp_path: Path) -> None:
    sha = target.revise("no-lock", {"requirements.lock": None})
    prepared = prepare(tmp_path, enrolment(target), sha)
    assert not prepared.verdict.passed
    assert any("requirements.lock" in finding.problem for finding in prepared.verdict.findings)


@pytest.mark.parametrize("sha", ["main", "HEAD", "--upload-pack=x", "4f0c1d2", "0" * 40])
def test_what_is_no_commit_there_is_a_fault(target: Target, tmp_path: Path, sha: str) -> None:
    with pytest.raises(UnknownRevision):
        prepare(tmp_path, enrolment(target), sha)
