"""Activation: the only step that changes what runs in a stage. Its execution is a generation of the stage."""

import os

from flytekit import Resources, current_context, task
from flytekit.configuration import Config

from tasks._enrolment import Enrolment
from tasks._executions import get_execution
from tasks._flyte import Flyte, connect
from tasks._home import Home
from tasks._own import home_of, own_execution
from tasks._settings import read_settings
from tasks._stage_flyte import STAGE_SECRETS, open_stage, read_stage_credentials
from tasks.activation_trust import check_asked
from tasks.converge import Activated, converge, plan_activation
from tasks.generations import ACTIVATION_TIMEOUT_S, follow_activation, launch_activation
from tasks.stage_state import Activation, active_plans

__all__ = [
    "ACTIVATION_TIMEOUT_S",
    "Activated",
    "activate_generation",
    "carry_out",
    "converge",
    "follow_activation",
    "launch_activation",
    "plan_activation",
]


def carry_out(
    home: Home, flyte: Flyte, activation: Activation, enrolment: Enrolment, execution: str
) -> Activated:
    """Do what the generation's `execution` was launched for, once it is known that somebody vouches for it.

    `flyte` is the stage's own.

    Raises:
        ActivationBroken, ActivationRefused, GenerationTaken: see `tasks.activation_trust.check_asked`.
        StageDisturbed, FlyteUnavailable: see `tasks.converge.converge`.
    """
    own = get_execution(home.flyte, home.identifier(execution))
    active = active_plans(flyte, activation.project, activation.domain)
    last = check_asked(home, activation, own, enrolment, active)
    managed = {*last.before, *last.after} if last is not None else set()
    return converge(flyte, activation, managed)


@task(
    requests=Resources(cpu="100m", mem="300Mi"),
    limits=Resources(cpu="1", mem="600Mi"),
    secret_requests=STAGE_SECRETS,
    retries=3,
)
def activate_generation(enrolment: Enrolment, activation: Activation) -> Activated:
    """Bring the stage to its next generation, or finish what an earlier try began."""
    settings = read_settings(os.environ)
    credentials = read_stage_credentials(current_context().secrets)
    with (
        connect(Config.auto(), timeout_s=settings.rpc_timeout_s, patience_s=settings.rpc_patience_s) as own,
        open_stage(activation.endpoint, own, credentials) as flyte,
    ):
        home = home_of(own, enrolment.name)
        return carry_out(home, flyte, activation, enrolment, own_execution().name)
