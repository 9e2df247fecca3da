"""Which releases go on by themselves tonight: a pure choice over what every stage runs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from itertools import pairwise

from croniter import croniter


@dataclass(frozen=True, kw_only=True)
class Sight:
    """A stage as nightly sees it.

    `runs` is the release that is active there, all of it; empty where there is none. `verified` is since
    when it has been verified there, None where it is not; `unverified` says why. `held` is the reason of a
    hold. `left_alone` says of releases that did not work here why they are not tried again. `lost` is why
    the stage cannot be looked at; empty where it can.
    """

    stage: str
    soak_s: int = 0
    runs: str = ""
    verified: datetime | None = None
    unverified: str = ""
    held: str = ""
    left_alone: Mapping[str, str] = field(default_factory=dict)
    lost: str = ""


@dataclass(frozen=True, kw_only=True)
class Due:
    """What tonight has for one stage: the release that goes on into it, or why none does."""

    stage: str
    sha: str = ""
    because: str


def due(sights: Sequence[Sight], now: datetime) -> list[Due]:
    """Return what is due for each stage, the last one first, so that no release goes two stages in a night.

    `sights` are in the order of the policy. The first stage has none before it: releases come there by
    their own flow.
    """
    return [_due(before, into, now) for before, into in reversed(list(pairwise(sights)))]


def _due(before: Sight, into: Sight, now: datetime) -> Due:
    sha, ready = before.runs, before.verified
    short = sha[:12]

    def none(because: str) -> Due:
        return Due(stage=into.stage, because=because)

    for one in (before, into):
        if one.lost:
            return none(f"{one.stage} cannot be looked at: {one.lost}")
    if not sha:
        return none(f"{before.stage} runs no release, or not all of one")
    if sha == into.runs:
        return none(f"{into.stage} runs {short} already")
    if sha in into.left_alone:
        return none(f"{short} is left alone: {into.left_alone[sha]}")
    if ready is None:
        return none(f"{short} is not verified in {before.stage}: {before.unverified}")
    soaked = ready + timedelta(seconds=into.soak_s)
    if now < soaked:
        return none(f"{short} has to run in {before.stage} until {soaked:%Y-%m-%dT%H:%M:%SZ}")
    if into.held:
        return none(f"{into.stage} is held: {into.held}")
    return Due(stage=into.stage, sha=sha, because=f"{short} is verified in {before.stage}, and has soaked")


def night_of(kickoff: datetime) -> str:
    """Return what one night is known by: its scheduled minute, in UTC."""
    return f"{kickoff:%Y-%m-%dT%H:%MZ}"


def later_night(cron: str, kickoff: datetime, now: datetime) -> datetime | None:
    """Return the night after `kickoff` if it has begun already: of missed nights the last one is done.

    The scheduler fires every night that it missed, one after the other. None where there is no schedule.
    """
    if not cron:
        return None
    following: datetime = croniter(cron, kickoff).get_next(datetime)
    return following if following <= now else None
