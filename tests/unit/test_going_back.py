from __future__ import annotations

import pytest

from tasks._errors import NothingToRollBackTo
from tasks.going_back import destination, effective, left_behind
from tasks.stage_state import Cause, Generation


def generation(number: int, name: str, *, phase: str = "SUCCEEDED", back_to: int = -1) -> Generation:
    """Return one of a release called `name`; an empty one is an adoption."""
    cause = Cause.ROLLBACK if back_to >= 0 else Cause.PROMOTION if name else Cause.ADOPTION
    return Generation(
        execution=f"fraud-production-g{number}",
        number=number,
        cause=cause,
        stage="production",
        sha=name * 40 if len(name) == 1 else name,
        version=f"v-{name}" if name else "",
        manifest="",
        phase=phase,
        at=number,
        principal="",
        back_to=back_to,
    )


def history(*generations: Generation) -> list[Generation]:
    return list(reversed(generations))


ADOPTED, A, B = generation(0, ""), generation(1, "a"), generation(2, "b")
BACK_TO_A = generation(3, "a", back_to=1)
FAILED_C = generation(3, "c", phase="FAILED")


@pytest.mark.parametrize(
    ("past", "expected"),
    [
        pytest.param(history(A, B), 1, id="one-before"),
        pytest.param(history(ADOPTED, A), 0, id="what-was-adopted"),
        pytest.param(history(ADOPTED, A, B, BACK_TO_A), 0, id="before-what-was-gone-back-to"),
        pytest.param(
            history(A, B, BACK_TO_A, generation(4, "c")), 1, id="what-ran-and-not-what-was-left-behind"
        ),
        pytest.param(history(A, B, FAILED_C), 2, id="a-promotion-that-broke-off-is-reverted"),
        pytest.param(
            history(A, B, generation(3, "a", phase="ABORTED", back_to=1)),
            1,
            id="a-rollback-that-broke-off-is-finished",
        ),
        pytest.param(history(A, generation(2, "b"), generation(3, "b")), 1, id="promoted-twice"),
    ],
)
def test_previous_is_what_ran_before(past: list[Generation], expected: int) -> None:
    assert destination(past, "previous", lambda one: True).number == expected


def test_previous_was_verified() -> None:
    past = history(ADOPTED, A, B)
    assert destination(past, "previous", lambda one: one.number != 1).number == 0


@pytest.mark.parametrize(
    ("to", "expected"),
    [
        pytest.param("a" * 40, 1, id="sha"),
        pytest.param("a" * 7, 1, id="beginning-of-a-sha"),
        pytest.param("v-b", 2, id="version"),
        pytest.param("g0", 0, id="number"),
        pytest.param("g3", 1, id="number-of-a-rollback"),
    ],
)
def test_release_version_or_number(to: str, expected: int) -> None:
    assert destination(history(ADOPTED, A, B, BACK_TO_A), to, lambda one: False).number == expected


@pytest.mark.parametrize(
    ("past", "to"),
    [
        pytest.param(history(A), "previous", id="the-first"),
        pytest.param(history(A, B, BACK_TO_A), "previous", id="only-what-was-left-behind"),
        pytest.param(history(A, B), "c" * 40, id="never-there"),
        pytest.param(history(A, FAILED_C), "c" * 40, id="broke-off"),
        pytest.param(history(A, FAILED_C), "g3", id="broke-off-by-number"),
        pytest.param(history(A), "", id="nothing"),
        pytest.param([], "previous", id="no-history"),
        pytest.param(
            history(generation(0, "aaaaaaaa1"), generation(1, "aaaaaaaa2")),
            "aaaaaaaa",
            id="two-of-a-beginning",
        ),
    ],
)
def test_nothing_to_go_back_to(past: list[Generation], to: str) -> None:
    with pytest.raises(NothingToRollBackTo):
        destination(past, to, lambda one: True)


def test_what_a_rollback_made_active_is_what_it_went_back_to() -> None:
    again = generation(4, "a", back_to=3)
    assert effective(history(A, B, BACK_TO_A, again), again) == A


def test_gone_forward_again_is_not_left_behind() -> None:
    forward = generation(4, "b", back_to=2)
    assert left_behind(history(A, B, BACK_TO_A)) == {2}
    assert left_behind(history(A, B, BACK_TO_A, forward)) == {1}
