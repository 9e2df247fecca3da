"""Which generation of a stage a rollback goes back to: a pure choice over the stage's history."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence

from tasks._errors import NothingToRollBackTo
from tasks.stage_state import Cause, Generation

PREVIOUS = "previous"
_NUMBER = re.compile(r"g(0|[1-9][0-9]{0,8})")
_SHA = re.compile(r"[0-9a-f]{7,64}")


def destination(history: Sequence[Generation], to: str, verified: Callable[[Generation], bool]) -> Generation:
    """Return the generation that `to` means: `previous`, a SHA or its beginning, a version, or `g<number>`.

    `history` are the generations that were not refused, the newest first. A generation that did not succeed
    is never gone back to, nor is a rollback: what that one went back to is meant.

    Raises:
        NothingToRollBackTo: there is none, or a beginning means several releases.
    """
    found = next(_previous(history, verified), None) if to == PREVIOUS else _named(history, to)
    if found is None:
        known = dict.fromkeys(one.version for one in history if _own(one) and one.version)
        raise NothingToRollBackTo(
            f"No earlier generation of the stage is {to!r}.",
            remedy=f"It has had the versions {', '.join(list(known)[:5])}." if known else "It has had none.",
        )
    return found


def effective(history: Sequence[Generation], generation: Generation) -> Generation:
    """Return the generation whose set a generation made ACTIVE: itself, or what a rollback went back to."""
    by_number = {one.number: one for one in history}
    while generation.cause is Cause.ROLLBACK and generation.back_to < generation.number:
        earlier = by_number.get(generation.back_to)
        if earlier is None:
            break
        generation = earlier
    return generation


def left_behind(history: Sequence[Generation]) -> set[int]:
    """Return the numbers of the generations that a rollback went away from, which nobody wants back."""
    left: set[int] = set()
    for at, one in reversed(list(enumerate(history))):
        if one.cause is Cause.ROLLBACK:
            before = next((each for each in history[at + 1 :] if each.phase == "SUCCEEDED"), None)
            if before is not None:
                left.add(effective(history, before).number)
            left.discard(one.back_to)
    return left


def _previous(history: Sequence[Generation], verified: Callable[[Generation], bool]) -> Iterator[Generation]:
    """Yield what ran in the stage before what runs now, the latest first."""
    done = [one for one in history if one.phase == "SUCCEEDED"]
    if not done:
        return
    last, now = history[0], effective(history, done[0])
    broken_off = last is not done[0]
    if broken_off and last.cause is Cause.ROLLBACK:
        # Asked again, a rollback that broke off is finished.
        yield from (one for one in done if one.number == last.back_to)
    left = left_behind(history)
    for one in done:
        found = effective(history, one)
        same = found.number == now.number or (now.version != "" and found.version == now.version)
        if found.number in left or (same and not broken_off) or not _own(found):
            continue
        if verified(found):
            yield found


def _named(history: Sequence[Generation], to: str) -> Generation | None:
    own = [one for one in history if _own(one) and one.phase == "SUCCEEDED"]
    if numbered := _NUMBER.fullmatch(to):
        same = [one for one in history if one.number == int(numbered[1]) and one.phase == "SUCCEEDED"]
        return effective(history, same[0]) if same else None
    exact = next((one for one in own if to and to in (one.sha, one.version)), None)
    if exact is not None or not _SHA.fullmatch(to):
        return exact
    shas = dict.fromkeys(one.sha for one in own if one.sha.startswith(to))
    if len(shas) > 1:
        raise NothingToRollBackTo(f"{to} is the beginning of {', '.join(shas)}.", remedy="Give all of it.")
    return next((one for one in own if one.sha in shas), None)


def _own(generation: Generation) -> bool:
    return generation.cause is not Cause.ROLLBACK
