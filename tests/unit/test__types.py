"""The records that travel between the steps."""

from __future__ import annotations

import pytest
from pydantic import ValidationError

from tasks._types import Finding, Image, Record, Revision, Status, Verdict

SHA = "0123456789abcdef0123456789abcdef01234567"
DIGEST = "sha256:" + "ab" * 32


@pytest.mark.parametrize("sha", [SHA, SHA + "0123456789abcdef01234567"], ids=["sha1", "sha256"])
def test_a_revision_takes_a_full_sha(sha: str) -> None:
    assert Revision(repository="https://git.example.com/fraud", sha=sha).sha == sha


@pytest.mark.parametrize("sha", ["main", "0123456", SHA.upper(), SHA[:-1], "-" + SHA, SHA + "\n", ""])
def test_a_revision_refuses_what_is_not_a_full_sha(sha: str) -> None:
    with pytest.raises(ValidationError, match="is not a full commit SHA"):
        Revision(repository="https://git.example.com/fraud", sha=sha)


def test_an_image_is_known_by_its_digest() -> None:
    image = Image(reference=f"registry.example.com:5000/risk/fraud@{DIGEST}", fingerprint=DIGEST)
    assert image.digest == DIGEST


@pytest.mark.parametrize("reference", ["fraud:latest", f"@{DIGEST}", "fraud@sha256:12", f"fraud@{DIGEST} "])
def test_an_image_without_repository_or_digest_is_refused(reference: str) -> None:
    with pytest.raises(ValidationError):
        Image(reference=reference, fingerprint=DIGEST)


def test_a_record_is_frozen_and_closed_to_unknown_fields() -> None:
    finding = Finding(where="package.modules", problem="empty", remedy="Name one.")
    with pytest.raises(ValidationError, match="frozen"):
        setattr(finding, "where", "elsewhere")  # noqa: B010  mypy knows that it is frozen
    with pytest.raises(ValidationError, match="Extra inputs"):
        Finding.model_validate({"where": "", "problem": "", "remedy": "", "more": ""})


def test_records_of_a_list_default_do_not_share_it() -> None:
    one, other = (Verdict(status=Status.PASSED, summary="fine") for _ in range(2))
    assert one.findings is not other.findings


@pytest.mark.parametrize("status", list(Status))
def test_only_a_passed_verdict_lets_the_next_steps_go_on(status: Status) -> None:
    assert Verdict(status=status, summary="").passed is (status is Status.PASSED)


def test_a_record_survives_the_json_between_two_tasks() -> None:
    class Pair(Record):
        image: Image
        verdict: Verdict

    finding = Finding(where="w", problem="p", remedy="r")
    pair = Pair(
        image=Image(reference=f"fraud@{DIGEST}", fingerprint=DIGEST),
        verdict=Verdict(status=Status.FAILED, summary="s", findings=[finding]),
    )
    assert Pair.model_validate_json(pair.model_dump_json()) == pair
