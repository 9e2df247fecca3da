"""Activation: the only step that changes what runs in a stage. Its execution is a generation of the stage."""

import os
from collections.abc import Iterator
from contextlib import contextmanager

from flytekit import Resources, task
from flytekit.configuration import Config

from tasks._enrolment import Enrolment
from tasks._errors import ActivationRefused
from tasks._executions import get_execution
from tasks._flyte import Flyte, connect
from tasks._home import Home
from tasks._own import home_of, own_execution
from tasks._settings import read_settings
from tasks.activation_trust import check_asked
from tasks.converge import Activated, converge, plan_activation
from tasks.generations import follow_activation, launch_activation
from tasks.stage_state import Activation, active_plans

__all__ = [
    "Activated",
    "activate_generation",
    "carry_out",
    "converge",
    "follow_activation",
    "launch_activation",
    "plan_activation",
    "stage_flyte",
]


@contextmanager
def stage_flyte(home: Home, endpoint: str) -> Iterator[Flyte]:
    """Yield the Flyte that a stage is in: Taxiway's own, where the stage names no other.

    Raises:
        ActivationRefused: it names another one, which nothing here can reach yet.
    """
    if endpoint:
        raise ActivationRefused(
            f"The stage is in another Flyte, {endpoint}, and cannot be reached.",
            remedy="Let the stage name no endpoint.",
        )
    yield home.flyte


def carry_out(home: Home, activation: Activation, enrolment: Enrolment, execution: str) -> Activated:
    """Do what the generation's `execution` was launched for, once it is known that somebody vouches for it.

    Raises:
        ActivationRefused, GenerationTaken: see `tasks.activation_trust.check_asked`.
        StageDisturbed, FlyteUnavailable: see `tasks.converge.converge`.
    """
    own = get_execution(home.flyte, home.identifier(execution))
    with stage_flyte(home, activation.endpoint) as flyte:
        active = active_plans(flyte, activation.project, activation.domain)
        last = check_asked(home, activation, own, enrolment, active)
        managed = {*last.before, *last.after} if last is not None else set()
        return converge(flyte, activation, managed)


@task(requests=Resources(cpu="100m", mem="300Mi"), limits=Resources(cpu="1", mem="600Mi"), retries=3)
def activate_generation(enrolment: Enrolment, activation: Activation) -> Activated:
    """Bring the stage to its next generation, or finish what an earlier try began."""
    settings = read_settings(os.environ)
    with connect(Config.auto(), timeout_s=settings.rpc_timeout_s) as flyte:
        home = home_of(flyte, enrolment.name)
        return carry_out(home, activation, enrolment, own_execution().name)
