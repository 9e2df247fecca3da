from __future__ import annotations

from pathlib import Path

import pytest
from flyteidl.admin.launch_plan_pb2 import LaunchPlan

from scripts.commands.enroll import values_of
from scripts.enrolments import enrolled_of, read_enrolment_file, validated
from scripts.trial import is_url
from tasks._errors import BadUsage, NotInstalled
from tasks._launch import differences
from tasks._typed import literal_of, literals

GIVEN = {"url": "https://git.example/fraud", "name": "fraud"}


def test_enrolment_comes_back_from_flyte_as_it_went_there() -> None:
    values = {"limits": {"images": ["registry.example/fraud"]}, "identities": {"0": {"name": "lead"}}}
    enrolment = validated({**values_of(GIVEN), **values})
    plan = LaunchPlan()
    plan.spec.fixed_inputs.literals["enrolment"].CopyFrom(literal_of(enrolment))
    assert enrolled_of(plan).enrolment == enrolment


def test_same_enrolment_is_the_same_literal() -> None:
    assert literal_of(validated(values_of(GIVEN))) == literal_of(validated(values_of(GIVEN)))


def test_plan_without_an_enrolment_is_not_ours() -> None:
    with pytest.raises(NotInstalled, match="cannot be read"):
        enrolled_of(LaunchPlan())


def test_previews_go_to_a_project_of_their_own_by_default() -> None:
    preview = validated(values_of(GIVEN)).preview
    assert (preview.project, preview.domain) == ("fraud-previews", "development")


def test_flags_come_on_top_of_the_file(tmp_path: Path) -> None:
    file = tmp_path / "enrolment.toml"
    file.write_text(
        'repository = "https://git.example/old"\nname = "fraud"\n'
        'preview = { project = "p", domain = "staging" }\n[limits]\nprojects = ["a"]\n'
    )
    enrolment = validated(
        values_of({**GIVEN, "file": file, "preview_domain": "production", "limit_projects": ("b", "a")})
    )
    assert enrolment.repository == "https://git.example/fraud"
    assert (enrolment.preview.project, enrolment.preview.domain) == ("p", "production")
    assert enrolment.limits.projects == ["a", "b"]


def test_rights_of_previews_are_given_by_name() -> None:
    given = {**GIVEN, "preview_service_account": "previews", "preview_secret_groups": ("fraud",)}
    preview = validated(values_of(given)).preview
    assert (preview.service_account, preview.secret_groups) == ("previews", ["fraud"])


def test_file_that_is_no_toml_is_refused_with_its_name(tmp_path: Path) -> None:
    file = tmp_path / "enrolment.toml"
    file.write_text("repository = ")
    with pytest.raises(BadUsage, match=r"enrolment\.toml: It is not TOML"):
        read_enrolment_file(file)


@pytest.mark.parametrize(
    ("wrong", "named"),
    [({"name": "Fraud!"}, "name:"), ({"colour": "red"}, "colour:"), ({"limits": {"x": []}}, r"limits\.x:")],
)
def test_everything_wrong_is_named(wrong: dict[str, object], named: str) -> None:
    with pytest.raises(BadUsage, match=named):
        validated({**values_of(GIVEN), **wrong})


def test_enrolment_needs_a_url_and_a_name() -> None:
    with pytest.raises(BadUsage, match="URL and a name"):
        values_of({"url": "https://git.example/fraud"})


@pytest.mark.parametrize(
    ("target", "url"),
    [("fraud", False), ("https://git.example/x", True), ("git@git.example:x", True), ("file:///x", True)],
)
def test_target_or_url(target: str, url: bool) -> None:
    assert is_url(target) is url


def test_inputs_are_compared_by_name() -> None:
    asked = literals({"sha": "a", "attempt": 1})
    assert differences(asked, asked) == []
    assert differences(asked, literals({"sha": "b", "attempt": 1, "more": 1})) == ["more", "sha"]
