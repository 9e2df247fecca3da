"""What differs between two stages of a target: the releases, the entities, and the settings by themselves."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager

from flyteidl.admin.launch_plan_pb2 import LaunchPlan

from tasks import _structure
from tasks._entities import Entity, Kind
from tasks._errors import BadUsage, TaxiwayError
from tasks._flyte import Flyte
from tasks._home import Home
from tasks._registered import fetch_registered
from tasks._rewrite import settings_of, without_settings
from tasks._types import Record
from tasks.diff import EntityChange, entity_changes
from tasks.history import iso
from tasks.policy import Stage
from tasks.same_bytes import SameBytes, compare
from tasks.stage_state import Activation, Generation, StageState, active_plans, generations, record_of

_DETAILS = 12
_LOOKED_AT = 100


class Side(Record):
    """One of the two stages: the release of its newest generation, and whether it runs what that says.

    `note` says why its Flyte could not be asked, `fault` is the code of that error; both empty where it was.
    """

    stage: str
    project: str
    domain: str
    endpoint: str = ""
    sha: str
    version: str
    generation: int
    since: str
    drift: list[str] = []
    note: str = ""
    fault: str = ""


class SettingsChange(Record):
    """What the second stage sets otherwise than the first, on these launch plans alike."""

    launch_plans: list[str]
    details: list[str]


class StageDiff(Record):
    """The second stage against the first. `releases_apart` is None where Flyte's records do not tell.

    `changes` leaves out identity, location of the code, and whatever a stage can set: that is `settings`.
    Where the Flyte of either could not be asked, nothing is compared, and `bytes` is None.
    """

    target: str
    first: Side
    second: Side
    releases_apart: int | None
    changes: list[EntityChange]
    unchanged: int
    settings: list[SettingsChange]
    bytes: SameBytes | None


Open = Callable[[Activation], AbstractContextManager[Flyte]]
"""Opens the Flyte of a stage."""


def read_diff(home: Home, first: str, second: str, *, open_flyte: Open) -> StageDiff:
    """Compare what is registered at the versions that two stages run, by their newest generations.

    Calls: for each stage one list of generations, its record, one list of what is ACTIVE and three of the
    version; and one for each of its workflows, since Flyte lists them without their nodes.

    A stage at another Flyte that does not answer, or does not let us in, is said so.

    Raises:
        BadUsage: a stage was never released to.
        Unreadable: a record was not written by this version of Taxiway.
        FlyteUnavailable, FlyteUnauthenticated: Taxiway's own Flyte cannot be asked.
    """
    with ThreadPoolExecutor(max_workers=2) as pool:
        sides = list(pool.map(lambda stage: _read(home, stage, open_flyte), (first, second)))
    (one, entities, shas), (other, others, other_shas) = sides
    found = StageDiff(
        target=home.target,
        first=one,
        second=other,
        releases_apart=releases_apart(one.sha, other.sha, shas, other_shas),
        changes=[],
        unchanged=0,
        settings=[],
        bytes=None,
    )
    if entities is None or others is None:
        return found
    changes, unchanged = entity_changes(_bare(entities), _bare(others))
    compared = {
        "changes": changes,
        "unchanged": unchanged,
        "settings": settings_changes(entities, others),
        "bytes": compare(entities, others),
    }
    return found.model_copy(update=compared)


def releases_apart(one: str, other: str, shas: Sequence[str], others: Sequence[str]) -> int | None:
    """Return how many releases lie between two, by the stage that had both; None where none had.

    `shas` and `others` are the releases of either stage, the newest first.
    """
    if one == other:
        return 0
    for history in (shas, others):
        distinct = list(dict.fromkeys(sha for sha in history if sha))
        if one in distinct and other in distinct:
            return abs(distinct.index(one) - distinct.index(other))
    return None


def settings_changes(old: Sequence[Entity], new: Sequence[Entity]) -> list[SettingsChange]:
    """Return what differs in the settings of the launch plans that both have; equal differences together."""
    before, after = _settings(old), _settings(new)
    found: dict[tuple[str, ...], list[str]] = {}
    for name in sorted(before.keys() & after.keys()):
        differences = list(_structure.differences(before[name], after[name]))
        if differences:
            key = tuple(_structure.sentences(differences, most=_DETAILS))
            found.setdefault(key, []).append(name)
    return [SettingsChange(launch_plans=names, details=list(details)) for details, names in found.items()]


def _read(home: Home, stage: str, open_flyte: Open) -> tuple[Side, list[Entity] | None, list[str]]:
    known = list(generations(home, stage, limit=_LOOKED_AT))
    if not known:
        raise BadUsage(
            f"The stage {stage} of {home.target} was never released to.",
            remedy=f"See its stages with `taxiway where {home.target}`.",
        )
    last = known[0]
    record, shas = record_of(home, last), [one.sha for one in known]
    try:
        with open_flyte(record) as flyte:
            entities = fetch_registered(flyte, record.project, record.domain, last.version)
            active = active_plans(flyte, record.project, record.domain)
    except TaxiwayError as error:
        if not record.endpoint:
            raise
        lost = {"note": f"{record.endpoint} could not be asked. {error}", "fault": error.error_code}
        return _side(last, record, []).model_copy(update=lost), None, shas
    place = Stage(name=stage, project=record.project, domain=record.domain)
    state = StageState(stage=place, active=active, last=last, record=record)
    return _side(last, record, state.drift), entities, shas


def _side(last: Generation, record: Activation, drift: list[str]) -> Side:
    return Side(
        stage=last.stage,
        project=record.project,
        domain=record.domain,
        endpoint=record.endpoint,
        sha=last.sha,
        version=last.version,
        generation=last.number,
        since=iso(last.at),
        drift=drift,
    )


def _bare(entities: Sequence[Entity]) -> list[Entity]:
    return [
        Entity(kind=one.kind, message=LaunchPlan(id=one.id, spec=without_settings(one.message.spec)))
        if isinstance(one.message, LaunchPlan)
        else one
        for one in entities
    ]


def _settings(entities: Sequence[Entity]) -> dict[str, _structure.Tree]:
    plans = [one for one in entities if one.kind is Kind.LAUNCH_PLAN]
    return {one.name: _structure.tree(settings_of(one.message.spec)) for one in plans}
