"""Previews that do not pass, as a CI job starts them: with nothing of Taxiway on its side but one file."""

from __future__ import annotations

import pytest

from tests.ci_job import CiImage
from tests.fixtures.target import Target
from tests.running import Cluster

pytestmark = pytest.mark.rest


@pytest.mark.parametrize(
    ("branch", "code", "says"),
    [("policy-error", 1, "package.source"), ("", 2, "broke off")],
    ids=["a verdict", "a fault"],
)
def test_a_preview_that_does_not_pass_says_why(
    cluster: Cluster, target: Target, enrolled: str, ci_image: CiImage, branch: str, code: int, says: str
) -> None:
    sha = target.branches[branch] if branch else "0" * 40
    words = ("preview", enrolled, sha, "--pull-request", "82", "--endpoint", cluster.http)
    done = ci_image.job(*words, expect=[code])
    assert says in done.stdout


@pytest.mark.usefixtures("enrolled")
def test_what_a_person_started_with_another_enrolment_is_not_taken_for_the_same(
    cluster: Cluster, target: Target, ci_image: CiImage
) -> None:
    enrol = ("enroll", target.url, "--name", "twice", "--create-projects", "--limit-project", "fraud")
    words = ("preview", "twice", "0" * 40, "--pull-request", "83", "--endpoint", cluster.http)
    cluster.taxiway(*enrol, "--limit-domain", "production")
    ci_image.job(*words, expect=[2])
    cluster.taxiway(*enrol, "--limit-domain", "development")
    assert "with another enrolment" in ci_image.job(*words, expect=[2]).stderr
