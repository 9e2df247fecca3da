"""What a pull request may say for itself, and what it may not."""

from __future__ import annotations

from typing import Any

import pytest

from tasks._enrolment import PreviewStage
from tasks.effective import effective
from tasks.policy import Policy

PREVIEW = PreviewStage(project="previews", domain="development")


def policy(**changes: Any) -> Policy:
    base: dict[str, Any] = {
        "package": {"modules": ["fraud"], "version": "{sha}"},
        "image": {"repository": "registry.example.com/fraud", "secrets": ["pip"]},
        "stage": [
            {"name": "dev", "project": "fraud", "domain": "development", "smoke": [{"launch_plan": "a"}]},
            {"name": "prod", "project": "fraud", "domain": "production"},
        ],
    }
    for path, value in changes.items():
        *parents, key = [int(part) if part.isdigit() else part for part in path.split("__")]
        at: Any = base
        for parent in parents:
            at = at[parent]
        at[key] = value
    return Policy.model_validate(base)


def get(of: Policy, path: str) -> Any:
    at: Any = of.model_dump()
    for part in path.split("__"):
        at = at[int(part) if part.isdigit() else part]
    return at


OWN = {
    "package__modules": ["other"],
    "package__source": "src",
    "package__destination": "/app",
    "image__dockerfile": "docker/Dockerfile",
    "image__dependencies": ["uv.lock"],
    "image__platform": "linux/arm64",
    "image__build_args": {"BASE": "python:3.11"},
}


@pytest.mark.parametrize(("path", "value"), OWN.items(), ids=OWN)
def test_a_pull_request_says_what_it_is_made_of(path: str, value: object) -> None:
    joined = effective(policy(), policy(**{path: value}), PREVIEW)
    assert get(joined.policy, path) == value
    assert joined.notices == []


PROTECTED = {
    "package__version": "{tag}",
    "image__repository": "evil.example.com/x",
    "image__secrets": ["pip", "root"],
    "image__network": "host",
    "stage__0__project": "other",
    "stage__0__domain": "production",
    "stage__0__endpoint": "evil.example.com:81",
    "stage__0__service_account": "admin",
    "stage__0__iam_role": "admin",
    "stage__0__data_prefix": "s3://elsewhere",
    "stage__0__labels": {"a": "b"},
    "stage__0__annotations": {"a": "b"},
    "stage__0__env": {"A": "b"},
    "stage__0__max_parallelism": 7,
    "stage__0__non_root": True,
    "stage__0__activate": ["a"],
    "stage__0__gates": {"soak": "0s", "approval": {"required": 1, "by": ["me"]}},
}


@pytest.mark.parametrize(("path", "value"), PROTECTED.items(), ids=PROTECTED)
def test_the_rest_is_the_protected_branchs_and_said_to_be(path: str, value: object) -> None:
    joined = effective(policy(), policy(**{path: value}), PREVIEW)
    assert joined.policy == policy()
    [notice] = joined.notices
    assert notice.where == "taxiway.toml " + path.replace("__0__", "[0].").replace("__", ".")


def test_smoke_tests_are_the_pull_requests_by_the_name_of_the_stage() -> None:
    proposed = policy(
        stage=[
            {"name": "prod", "project": "x", "domain": "y", "smoke": [{"launch_plan": "p"}]},
            {"name": "dev", "project": "x", "domain": "y", "smoke": [{"launch_plan": "d"}]},
            {"name": "new", "project": "x", "domain": "z", "smoke": [{"launch_plan": "n"}]},
        ]
    )
    joined = effective(policy(), proposed, PREVIEW)
    assert [(stage.name, stage.project) for stage in joined.policy.stage] == [
        ("dev", "fraud"),
        ("prod", "fraud"),
    ]
    assert [stage.smoke[0].launch_plan for stage in joined.policy.stage] == ["d", "p"]
    assert "taxiway.toml stage[2]" in [notice.where for notice in joined.notices]


def test_smoke_tests_can_be_taken_away_but_not_with_their_stage() -> None:
    assert effective(policy(), policy(stage__0__smoke=[]), PREVIEW).policy.stage[0].smoke == []
    without = policy(stage=[{"name": "prod", "project": "fraud", "domain": "production"}])
    joined = effective(policy(), without, PREVIEW)
    assert joined.policy.stage[0].smoke == policy().stage[0].smoke
    assert [notice.where for notice in joined.notices] == ["taxiway.toml stage"]


def test_without_a_protected_policy_only_the_preview_stage_is_used() -> None:
    proposed = policy(stage__0__service_account="admin", stage__0__env={"A": "b"}, image__network="host")
    joined = effective(None, proposed, PREVIEW)
    [stage] = joined.policy.stage
    assert (stage.name, stage.project, stage.domain) == ("dev", "previews", "development")
    assert stage.smoke == proposed.stage[0].smoke
    assert stage.service_account == ""
    assert stage.env == {}
    assert joined.policy.image.secrets == []
    assert joined.policy.image.network == "default"
    assert len(joined.notices) == 1
