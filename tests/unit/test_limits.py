"""A policy within the limits of its enrolment, and every way of being beyond them."""

from __future__ import annotations

from typing import Any

import pytest

from tasks._enrolment import ANY, Enrolment
from tasks._permits import permits_image
from tasks.limits import permits_prefix, within
from tasks.policy import Policy

LIMITS = {
    "endpoints": ["flyte.example.com"],
    "projects": ["fraud"],
    "domains": ["production"],
    "service_accounts": ["fraud-prod"],
    "iam_roles": ["role"],
    "data_prefixes": ["s3://fraud"],
    "images": ["registry.example.com/fraud"],
    "secret_groups": ["pip"],
}


def enrolment(limits: dict[str, Any]) -> Enrolment:
    preview = {"project": "previews", "domain": "development"}
    return Enrolment.model_validate(
        {"name": "fraud", "repository": "https://git.example.com", "preview": preview, "limits": limits}
    )


def policy(repository: str = "registry.example.com/fraud", mounted: str = "pip", **stage: str) -> Policy:
    settings = {
        "name": "prod",
        "project": "fraud",
        "domain": "production",
        "endpoint": "flyte.example.com",
        "service_account": "fraud-prod",
        "iam_role": "role",
        "data_prefix": "s3://fraud/prod",
    }
    return Policy.model_validate(
        {
            "package": {"modules": ["fraud"]},
            "image": {"repository": repository, "secrets": [mounted]},
            "stage": [{**settings, **stage}],
        }
    )


def test_what_the_limits_list_is_within_them() -> None:
    assert within(policy(), enrolment(LIMITS)) == []


def test_nothing_is_within_empty_limits() -> None:
    found = within(policy(), enrolment({}))
    assert len(found) == 8
    assert found[0].remedy == "Have an administrator add it to `limits.images`, which allows nothing yet."


def test_remedy_names_once_what_is_allowed() -> None:
    domains = {**LIMITS, "domains": ["production", "development"]}
    [found] = within(policy(domain="staging"), enrolment(domains))
    assert found.remedy.startswith("Name one of 'production', 'development', or have an administrator")


def test_anything_is_within_limits_that_say_so() -> None:
    assert within(policy(), enrolment({key: [ANY] for key in LIMITS})) == []


def test_settings_left_out_and_the_preview_stage_need_no_limits() -> None:
    bare = policy(
        project="previews",
        domain="development",
        endpoint="",
        service_account="",
        iam_role="",
        data_prefix="",
    )
    only = {"images": ["registry.example.com"], "secret_groups": ["pip"]}
    assert within(bare, enrolment(only)) == []


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("endpoint", "evil.example.com"),
        ("project", "payments"),
        ("domain", "staging"),
        ("service_account", "admin"),
        ("iam_role", "admin"),
        ("data_prefix", "s3://fraud-other"),
        ("data_prefix", "s3://fraud/../other"),
    ],
)
def test_a_setting_beyond_its_limit_is_named(field: str, value: str) -> None:
    [finding] = within(policy(**{field: value}), enrolment(LIMITS))
    assert finding.where == f"taxiway.toml stage[0].{field}"
    assert value in finding.problem


def test_a_repository_and_a_secret_beyond_their_limits_are_named() -> None:
    found = within(
        policy(repository="registry.example.com/fraudulent", mounted="root/key"), enrolment(LIMITS)
    )
    assert [finding.where for finding in found] == [
        "taxiway.toml image.repository",
        "taxiway.toml image.secrets[0]",
    ]


@pytest.mark.parametrize(
    ("repository", "permitted"),
    [
        ("r/fraud", True),
        ("r/fraud/previews", True),
        ("r/fraud-x", False),
        ("r", False),
        ("other/fraud", False),
    ],
)
def test_an_image_is_permitted_at_or_below_an_entry(repository: str, permitted: bool) -> None:
    assert permits_image(["r/fraud"], repository) is permitted


def test_no_storage_named_is_permitted() -> None:
    assert permits_prefix([], "")


def test_network_of_the_engines_machine_is_allowed_by_name() -> None:
    image = policy().image.model_copy(update={"network": "host"})
    asking = policy().model_copy(update={"image": image})
    [finding] = within(asking, enrolment(LIMITS))
    assert finding.where == "taxiway.toml image.network"
    assert "`limits.build_networks`" in finding.remedy
    assert within(asking, enrolment({**LIMITS, "build_networks": ["host"]})) == []
