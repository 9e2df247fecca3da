from __future__ import annotations

import pytest

from tasks._enrolment import Enrolment, PreviewStage
from tasks.policy import ImagePolicy, PackagePolicy, Policy, Stage
from tasks.preview_order import Order, plan_preview, stage_settings

SHA = "a" * 40
STAGE = Stage(
    name="development",
    project="fraud",
    domain="development",
    service_account="fraud-dev",
    iam_role="arn:aws:iam::1:role/fraud",
    data_prefix="s3://fraud",
    labels={"team": "risk"},
    env={"MODE": "test"},
    max_parallelism=5,
)
PREVIEW = PreviewStage(
    project="fraud-previews", domain="development", service_account="previews", data_prefix="s3://previews"
)


def _order(
    stage: Stage = STAGE,
    *,
    preview: PreviewStage = PREVIEW,
    package: str = "sha256:1",
    bundle: str = "sha256:2",
    pull_request: int = 7,
) -> Order:
    policy = Policy(
        package=PackagePolicy(modules=["fraud"], destination="/app"),
        image=ImagePolicy(repository="registry.example.com/fraud"),
        stage=[stage],
    )
    enrolment = Enrolment(name="fraud", repository="https://git.example.com/fraud", preview=preview)
    return plan_preview(enrolment, policy, sha=SHA, pull_request=pull_request, package=package, bundle=bundle)


def test_a_preview_goes_where_the_enrolment_says_with_harmless_settings_of_the_stage() -> None:
    order = _order()
    assert (order.project, order.domain, order.destination) == ("fraud-previews", "development", "/app")
    assert order.settings.service_account == "previews"
    assert order.settings.data_prefix == "s3://previews"
    assert order.settings.iam_role == ""
    assert order.settings.labels == {"team": "risk"}
    assert order.settings.env == {"MODE": "test"}
    assert order.settings.max_parallelism == 5


def test_the_same_content_has_the_same_version() -> None:
    version = _order().version
    assert version == _order().version
    assert version.startswith(f"{SHA}-pr7-")
    assert len(version) == len(f"{SHA}-pr7-") + 8


@pytest.mark.parametrize(
    "other",
    [
        _order(package="sha256:3"),
        _order(bundle="sha256:3"),
        _order(pull_request=8),
        _order(STAGE.model_copy(update={"env": {"MODE": "live"}})),
        _order(preview=PREVIEW.model_copy(update={"service_account": "others"})),
    ],
    ids=["package", "bundle", "pull request", "stage's setting", "preview's account"],
)
def test_other_content_has_another_version(other: Order) -> None:
    assert other.version != _order().version


def test_what_a_preview_does_not_take_from_the_stage_gives_no_new_version() -> None:
    assert _order(STAGE.model_copy(update={"iam_role": "other"})).version == _order().version


def test_a_stages_own_settings_are_all_of_it() -> None:
    settings = stage_settings(STAGE)
    assert (settings.service_account, settings.iam_role) == ("fraud-dev", "arn:aws:iam::1:role/fraud")
    assert settings.data_prefix == "s3://fraud"
