"""What a release goes by, and which version it gets."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from tasks._enrolment import Limits
from tasks._errors import NotOnBranch
from tasks._toml import Invalid
from tasks._types import Finding, Revision
from tasks.policy import Policy
from tasks.prepare_release import check_on_branch, judge_release, version_of_release
from tests.unit.promotions import ENROLMENT, SHA
from tests.unit.samples import FINDING

LIMITS = Limits(projects=["fraud"], domains=["development"], images=["registry.example.com/fraud"])
ALLOWED = ENROLMENT.model_copy(update={"limits": LIMITS})
INVALID = Invalid(findings=[FINDING])


def policy(**changes: Any) -> Policy:
    base: dict[str, dict[str, Any]] = {
        "package": {"modules": ["fraud"], "version": "{sha}"},
        "image": {"repository": "registry.example.com/fraud"},
        "stage": {"name": "dev", "project": "fraud", "domain": "development", "labels": {}},
    }
    for path, value in changes.items():
        part, _, key = path.partition("__")
        base[part][key] = value
    return Policy.model_validate({**base, "stage": [base["stage"]]})


def test_a_revision_says_what_it_is_made_of_and_the_branch_where_it_goes() -> None:
    tests = [{"launch_plan": "fraud.train"}]
    protected = policy(stage__smoke=tests, stage__labels={"team": "risk"}, package__version="v-{short_sha}")
    own = policy(
        package__modules=["other"], image__dockerfile="docker/Dockerfile", stage__labels={"team": "mine"}
    )
    judged = judge_release(protected, own, ALLOWED)
    assert judged.findings == [] and judged.policy is not None
    found = judged.policy
    assert found.package.modules == ["other"]
    assert found.image.dockerfile == "docker/Dockerfile"
    assert found.package.version == "v-{short_sha}"
    assert found.stage == protected.stage


@pytest.mark.parametrize(
    ("protected", "own", "said"),
    [
        pytest.param(None, policy(), "the protected branch", id="the-branch-has-none"),
        pytest.param(policy(), None, "the revision", id="the-revision-has-none"),
        pytest.param(INVALID, policy(), FINDING.where, id="the-branch-has-an-invalid-one"),
        pytest.param(policy(), INVALID, FINDING.where, id="the-revision-has-an-invalid-one"),
        pytest.param(policy(stage__project="others"), policy(), "stage[0].project", id="another-project"),
        pytest.param(
            policy(image__repository="registry.example.com/others"),
            policy(),
            "image.repository",
            id="another-image",
        ),
    ],
)
def test_a_policy_that_cannot_be_used(
    protected: Policy | Invalid | None, own: Policy | Invalid | None, said: str
) -> None:
    judged = judge_release(protected, own, ALLOWED)
    assert judged.policy is None
    assert said in judged.findings[0].where


@pytest.mark.parametrize(
    ("template", "tags", "version"),
    [
        pytest.param("{sha}", [], SHA, id="sha"),
        pytest.param("fraud-{short_sha}", ["v1", "v2"], f"fraud-{SHA[:7]}", id="short-sha-whatever-the-tags"),
        pytest.param("{tag}", ["v1.2"], "v1.2", id="the-only-tag"),
        pytest.param("{tag}-{short_sha}", ["v1.2"], f"v1.2-{SHA[:7]}", id="both"),
    ],
)
def test_a_version_is_filled_in(template: str, tags: list[str], version: str) -> None:
    assert version_of_release(template, SHA, tags) == version


@pytest.mark.parametrize(
    ("tags", "said"), [([], "no tag"), (["v1", "v2"], "2 tags (v1, v2)")], ids=["none", "two"]
)
def test_a_version_of_a_tag_takes_exactly_one(tags: list[str], said: str) -> None:
    found = version_of_release("{tag}", SHA, tags)
    assert isinstance(found, Finding) and said in found.problem


def source(*, on_branch: bool) -> Any:
    revision = Revision(repository=ENROLMENT.repository, sha=SHA)
    return SimpleNamespace(on_branch=on_branch, revision=revision)


def test_a_revision_that_nobody_merged() -> None:
    check_on_branch(source(on_branch=True), "main")
    with pytest.raises(NotOnBranch, match=r"main of https://git\.example\.com/risk/fraud"):
        check_on_branch(source(on_branch=False), "main")
