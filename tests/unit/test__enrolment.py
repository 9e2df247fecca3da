"""The record of an enrolment."""

from __future__ import annotations

import pytest
from pydantic import ValidationError

from tasks._enrolment import Enrolment, Limits, PreviewStage

PREVIEW = PreviewStage(project="previews", domain="development")


def test_the_digest_is_of_the_content() -> None:
    one = Enrolment(name="a", repository="https://x", preview=PREVIEW, limits=Limits(projects=["p"]))
    same = Enrolment.model_validate_json(one.model_dump_json())
    other = one.model_copy(update={"limits": Limits(projects=["q"])})
    assert one.digest == same.digest
    assert one.digest != other.digest
    assert one.digest.startswith("sha256:")


@pytest.mark.parametrize(
    "wrong",
    [
        {"name": "Fraud"},
        {"repository": ""},
        {"protected_branch": ""},
        {"preview": {"project": "p"}},
        {"limit": {}},
        {"limits": {"image": []}},
        {"identities": {"subject": {}}},
    ],
    ids=lambda wrong: next(iter(wrong)),
)
def test_what_is_no_enrolment_is_refused(wrong: dict[str, object]) -> None:
    sound = {"name": "fraud", "repository": "https://x", "preview": PREVIEW.model_dump()}
    Enrolment.model_validate(sound)
    with pytest.raises(ValidationError):
        Enrolment.model_validate({**sound, **wrong})
