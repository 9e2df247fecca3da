"""Rollback: the activation of an earlier generation's set. Its launcher plans it, its task checks that."""

import os
from collections.abc import Mapping

from flytekit import Resources, current_context, task
from flytekit.configuration import Config

from tasks._enrolment import Enrolment
from tasks._errors import ActivationRefused, BadUsage, FlyteNotFound, NothingToRollBackTo
from tasks._executions import phase_of
from tasks._flyte import connect
from tasks._home import Home
from tasks._launch import Launched
from tasks._own import home_of, own_execution
from tasks._settings import read_settings
from tasks._stage_flyte import STAGE_SECRETS, open_stage, read_stage_credentials
from tasks.activation import carry_out
from tasks.converge import Activated
from tasks.generations import follow_activation, launch_generation
from tasks.going_back import destination
from tasks.stage_state import (
    Activation,
    Cause,
    Generation,
    active_plans,
    generations,
    newest,
    record_of,
)

_LOOKED_AT = 500
"""How many executions of a stage's history are looked through: five lists."""
_LONGEST_REASON = 1000


def history_of(home: Home, stage: str, *, before: int | None = None) -> list[Generation]:
    """Return the generations of a stage that were not refused, the newest first, at most 500."""
    return [
        one
        for one in generations(home, stage, limit=_LOOKED_AT)
        if not one.refused and (before is None or one.number < before)
    ]


def was_verified(home: Home, generation: Generation) -> bool:
    """Whether a generation was found to work: its promotion succeeded, which ends with the verification.

    What was adopted ran before Taxiway came, and counts.
    """
    if generation.cause is Cause.ADOPTION:
        return True
    try:
        return bool(generation.asked_by) and phase_of(home.execution(generation.asked_by)) == "SUCCEEDED"
    except FlyteNotFound:
        return False


def plan_rollback(
    home: Home,
    stage: str,
    *,
    to: str,
    reason: str,
    asked_by: str = "",
    credentials: Mapping[str, Mapping[str, str]] | None = None,
) -> Activation:
    """Return the generation that brings a stage back to `to`, as the records and what is ACTIVE are now.

    `asked_by` is the execution that asks for it; empty for a person. `credentials` are those for other
    Flytes, by endpoint.

    Raises:
        BadUsage: there is no reason.
        NothingToRollBackTo: see `tasks.going_back.destination`.
    """
    check_reason(reason)
    history = history_of(home, stage)
    if not history:
        raise NothingToRollBackTo(
            f"Nothing was ever activated in stage {stage} of {home.target}.",
            remedy="Check the stage's name; `taxiway init` adopts what is ACTIVE.",
        )
    goal = destination(history, to, lambda one: was_verified(home, one))
    wanted, last = record_of(home, goal), record_of(home, history[0])
    _, following = newest(home, stage)
    with open_stage(wanted.endpoint, home.flyte, credentials or {}) as flyte:
        active = active_plans(flyte, wanted.project, wanted.domain)
    return rollback_of(wanted, last, active, generation=following, reason=reason.strip(), asked_by=asked_by)


def rollback_of(
    wanted: Activation,
    last: Activation,
    active: Mapping[str, list[str]],
    *,
    generation: int,
    reason: str,
    asked_by: str,
) -> Activation:
    """Return the generation that goes back from the record `last` to the record `wanted`."""
    names = {*last.before, *last.after, *wanted.after}
    return wanted.model_copy(
        update={
            "generation": generation,
            "cause": Cause.ROLLBACK,
            "before": {name: active[name][-1] for name in sorted(names) if active.get(name)},
            "asked_by": asked_by,
            "back_to": wanted.generation,
            "reason": reason,
        }
    )


def check_reason(reason: str) -> None:
    """Check that there is a reason.

    Raises:
        BadUsage: there is none, or one that is too long.
    """
    if not 0 < len(reason.strip()) <= _LONGEST_REASON:
        raise BadUsage(
            "A rollback needs a reason that can be kept.",
            remedy=f"Say why, in 1 to {_LONGEST_REASON} characters.",
        )


def launch_rollback(home: Home, activation: Activation, to: str) -> Launched:
    """Launch a planned rollback as its stage's next generation, or attach to it.

    Raises:
        GenerationTaken: another activation has this generation, or the one before it still runs.
        NotInstalled: the target's launch plan is not there.
    """
    inputs = {"stage": activation.stage, "to": to, "reason": activation.reason, "activation": activation}
    return launch_generation(home, activation, home.plan("rollback"), inputs)


def launch_or_find(
    home: Home,
    stage: str,
    *,
    to: str,
    reason: str,
    asked_by: str,
    credentials: Mapping[str, Mapping[str, str]] | None = None,
) -> Launched:
    """Launch a rollback for the execution `asked_by`, or find the one that an earlier try of it launched.

    Raises:
        GenerationTaken, NothingToRollBackTo, BadUsage: see `plan_rollback` and `launch_rollback`.
    """
    last, _ = newest(home, stage)
    if last is not None and last.cause is Cause.ROLLBACK and last.asked_by == asked_by:
        return Launched(id=home.identifier(last.execution), attached=True)
    planned = plan_rollback(home, stage, to=to, reason=reason, asked_by=asked_by, credentials=credentials)
    return launch_rollback(home, planned, to)


def check_inputs(home: Home, activation: Activation, *, stage: str, to: str, reason: str) -> None:
    """Check that a rollback's activation is what its other inputs say, by choosing once more.

    Raises:
        ActivationRefused: it is another one.
    """
    check_reason(reason)
    history = history_of(home, activation.stage, before=activation.generation)
    try:
        goal = destination(history, to, lambda one: was_verified(home, one))
    except NothingToRollBackTo as error:
        raise ActivationRefused(error.problem, remedy=error.remedy) from error
    said = (activation.cause, activation.stage, activation.reason, activation.back_to)
    if said != (Cause.ROLLBACK, stage, reason, goal.number):
        raise ActivationRefused(
            f"The activation goes back to generation {activation.back_to} of {activation.stage}, and {to} "
            f"of {stage} is {goal.number}.",
            remedy="Launch it by `taxiway rollback`.",
        )


@task(
    requests=Resources(cpu="100m", mem="300Mi"),
    limits=Resources(cpu="1", mem="600Mi"),
    secret_requests=STAGE_SECRETS,
    retries=3,
)
def roll_back(enrolment: Enrolment, stage: str, to: str, reason: str, activation: Activation) -> Activated:
    """Bring the stage back, or launch and follow the generation that does, where this is none."""
    settings = read_settings(os.environ)
    credentials = read_stage_credentials(current_context().secrets)
    with connect(
        Config.auto(), timeout_s=settings.rpc_timeout_s, patience_s=settings.rpc_patience_s
    ) as flyte:
        home, own = home_of(flyte, enrolment.name), own_execution().name
        if activation.generation < 0:
            launched = launch_or_find(
                home, stage, to=to, reason=reason, asked_by=own, credentials=credentials
            )
            return follow_activation(home, launched.id.name)
        check_inputs(home, activation, stage=stage, to=to, reason=reason)
        with open_stage(activation.endpoint, flyte, credentials) as there:
            return carry_out(home, there, activation, enrolment, own)
