"""Nightly promotion: what is verified in a stage, has soaked and is not held in the next one goes on."""

import os
from collections.abc import Mapping
from datetime import datetime, timedelta, timezone
from pathlib import Path

from flyteidl.admin.execution_pb2 import Execution
from flytekit import Resources, current_context, task
from flytekit.configuration import Config

from tasks import _values as v
from tasks._enrolment import Enrolment
from tasks._errors import TaxiwayError, VerdictFailed
from tasks._executions import phase_of
from tasks._flyte import connect
from tasks._git_credentials import GIT_SECRETS
from tasks._home import Home
from tasks._names import stage_tag, target_tag
from tasks._own import home_of, own_execution
from tasks._settings import read_settings
from tasks._stage_flyte import STAGE_SECRETS
from tasks._typed import Unreadable, value_of
from tasks._types import Record
from tasks.carrying import StageOutcome, promote_and_wait
from tasks.due import Due, Sight, due, later_night, night_of
from tasks.going_back import left_behind
from tasks.hold import find_hold
from tasks.looking import Look, looking
from tasks.policy import Stage
from tasks.rollback import history_of
from tasks.stage_state import GENERATION_FLOWS, Generation, generation_of
from tasks.verified import NotVerified, find_verified

_LOOKED_AT = 100
_GAVE_UP = frozenset({"FAILED", "ABORTED", "TIMED_OUT"})


class NightlyStage(Record):
    """What a night did for one stage: the release that went on and how that ended, or why none did."""

    stage: str
    because: str
    sha: str = ""
    outcome: StageOutcome | None = None


class NightlyReport(Record):
    """One night. `skipped` says why it did nothing at all; empty where it looked at the stages."""

    night: str
    skipped: str = ""
    stages: list[NightlyStage] = []


def sight_of(look: Look, stage: Stage) -> Sight:
    """Look at one stage: what it runs, whether that is verified, holds, and what did not work there.

    One at another Flyte that does not answer, or does not let us in, is lost for tonight, and no other is.
    """
    try:
        with look.open(stage) as flyte:
            state = look.state(stage, flyte)
    except TaxiwayError as error:
        if not stage.endpoint:
            raise
        return Sight(stage=stage.name, lost=error.problem)
    hold = find_hold(look.home, stage.name)
    record, last = state.record, state.last
    whole = record is not None and last is not None and last.phase == "SUCCEEDED" and not state.drift
    found = find_verified(look.home, state) if whole else None
    return Sight(
        stage=stage.name,
        soak_s=v.seconds(stage.gates.soak),
        runs=record.sha if record is not None and whole else "",
        verified=None if found is None or isinstance(found, NotVerified) else found.since,
        unverified=found.because if isinstance(found, NotVerified) else "",
        held=hold.reason if hold is not None and hold.held else "",
        left_alone=left_alone(history_of(look.home, stage.name), failed_promotions(look.home, stage.name)),
    )


def left_alone(history: list[Generation], failed: Mapping[str, str]) -> dict[str, str]:
    """Return the releases that are not tried again in a stage, each with the reason.

    `failed` maps releases to a promotion of theirs whose verdict was not passed.
    """
    gone = left_behind(history)
    rolled_back = {one.sha: f"it was rolled back from generation {one.number}" for one in history
                   if one.number in gone and one.sha}  # fmt: skip
    return {**{sha: f"promotion {name} failed" for sha, name in failed.items()}, **rolled_back}


def failed_promotions(home: Home, stage: str) -> dict[str, str]:
    """Return the releases whose promotions into a stage failed by their verdict, of the newest hundred."""
    found: dict[str, str] = {}
    for execution in home.executions(
        ("promote",), tag=stage_tag(home.target, stage), phases=("FAILED",), limit=_LOOKED_AT
    ):
        sha = execution.spec.annotations.values.get("taxiway/sha", "")
        if sha and execution.closure.error.code == VerdictFailed.error_code:
            found.setdefault(sha, execution.id.name)
    return found


def some_release(home: Home) -> str:
    """Return a release that was promoted, by which the repository is fetched; empty where none was."""
    tag = target_tag(home.target)
    found = map(generation_of, home.executions(GENERATION_FLOWS, tag=tag, limit=_LOOKED_AT))
    return next((one.sha for one in found if one is not None and one.sha), "")


def done_by(home: Home, kickoff: datetime, own: Execution) -> str:
    """Return the execution that had this night before `own`; empty where there is none."""
    others = home.executions(("nightly",), since=kickoff - timedelta(minutes=1), limit=_LOOKED_AT)
    for other in others:
        older = (other.closure.created_at.ToNanoseconds(), other.id.name) < (
            own.closure.created_at.ToNanoseconds(),
            own.id.name,
        )
        if not older or phase_of(other) in _GAVE_UP:
            continue
        try:
            theirs = value_of(home.data(other.id.name).full_inputs, "kickoff", datetime)
        except Unreadable:
            continue
        if night_of(_utc(theirs)) == night_of(kickoff):
            return str(other.id.name)
    return ""


def promote_due(look: Look, found: list[Due], night: str) -> list[NightlyStage]:
    """Launch what is due, one promotion after the other, each followed to its end."""
    done = []
    for one in found:
        outcome = None
        if one.sha:
            outcome = promote_and_wait(
                look.home,
                look.enrolment,
                sha=one.sha,
                stage=one.stage,
                attempt=1,
                more=("nightly", night),
            )
        done.append(NightlyStage(stage=one.stage, sha=one.sha, because=one.because, outcome=outcome))
    return done


def _utc(moment: datetime) -> datetime:
    return moment.replace(tzinfo=timezone.utc) if moment.tzinfo is None else moment.astimezone(timezone.utc)


@task(
    requests=Resources(cpu="100m", mem="400Mi"),
    limits=Resources(cpu="1", mem="1Gi"),
    secret_requests=[*GIT_SECRETS, *STAGE_SECRETS],
    retries=2,
)
def promote_overnight(enrolment: Enrolment, kickoff: datetime) -> NightlyReport:
    """Promote what is due, unless another execution has this night, or a later night has begun."""
    kickoff, now = _utc(kickoff), datetime.now(timezone.utc)
    night = night_of(kickoff)
    later = later_night(enrolment.nightly, kickoff, now)
    if later is not None:
        return NightlyReport(night=night, skipped=f"it was missed, and {night_of(later)} has begun")
    settings = read_settings(os.environ)
    with connect(
        Config.auto(), timeout_s=settings.rpc_timeout_s, patience_s=settings.rpc_patience_s
    ) as flyte:
        home = home_of(flyte, enrolment.name)
        other = done_by(home, kickoff, home.execution(own_execution().name))
        sha = some_release(home)
    if other or not sha:
        return NightlyReport(
            night=night, skipped=f"{other} does it" if other else "nothing was ever promoted"
        )
    into = Path(current_context().working_directory)
    with looking(enrolment, sha, into=into, environ=os.environ) as look:
        sights = [sight_of(look, stage) for stage in look.policy.stage]
        return NightlyReport(night=night, stages=promote_due(look, due(sights, now), night))
