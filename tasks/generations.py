"""The one way to change what is ACTIVE in a stage: launch its next generation, whose name is the lock."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from flyteidl.admin.launch_plan_pb2 import LaunchPlan

from tasks._errors import ActivationBroken, GenerationTaken, OtherInputs
from tasks._executions import phase_of
from tasks._home import Home
from tasks._launch import Launched, launch
from tasks._names import generation_name
from tasks._typed import literals, value_of
from tasks.converge import Activated
from tasks.stage_state import Activation, newest, notes_of, tags_of

OUTPUT = "o0"
ACTIVATION_TIMEOUT_S = 1800.0
"""How long a generation may take; one that takes longer goes on, and is no longer waited for."""


def launch_activation(home: Home, activation: Activation, plan: LaunchPlan | None = None) -> Launched:
    """Launch an activation as its stage's next generation, or attach to the one that is this very activation.

    `plan` is the version of `taxiway.activate.<target>` to launch; None is the ACTIVE one.

    Raises:
        GenerationTaken: another activation has this generation, or the one before it still runs.
        NotInstalled: the target's launch plan is not there.
    """
    return launch_generation(home, activation, plan or home.plan("activate"), {"activation": activation})


def launch_generation(
    home: Home, activation: Activation, plan: LaunchPlan, inputs: Mapping[str, Any]
) -> Launched:
    """Launch an execution of `plan` under a generation's name, with its tags and annotations.

    Raises:
        GenerationTaken: see `launch_activation`.
    """
    last, _ = newest(home, activation.stage)
    if last is not None and last.number < activation.generation and not last.ended:
        raise _taken(activation, f"{last.execution} is {last.phase}")
    name = generation_name(activation.target, activation.stage, activation.generation)
    try:
        return launch(
            home.flyte,
            plan,
            name=name,
            inputs=literals(inputs),
            tags=tags_of(activation),
            annotations=notes_of(activation),
        )
    except OtherInputs as error:
        raise _taken(activation, f"{name} was launched for something else") from error


def follow_activation(home: Home, name: str, *, timeout_s: float = ACTIVATION_TIMEOUT_S) -> Activated:
    """Wait for the end of a generation's execution, and return what it did.

    Raises:
        ActivationBroken: it did not succeed; the text ends with its own error.
        WaitTimedOut: it still runs; it goes on.
    """
    ended = home.end_of(name, timeout_s=timeout_s)
    if phase_of(ended) != "SUCCEEDED":
        cause = ended.closure.error.message or ended.closure.abort_metadata.cause or "no reason given"
        raise ActivationBroken(
            f"{name} is {phase_of(ended)}: {cause.strip()[-1000:]}",
            remedy="The next promotion or rollback of the stage goes on from there.",
        )
    return value_of(home.data(name).full_outputs, OUTPUT, Activated)


def _taken(activation: Activation, how: str) -> GenerationTaken:
    return GenerationTaken(
        f"Stage {activation.stage} of {activation.target} is being changed by another: {how}.",
        remedy="Wait for its end, or abort it; then try again.",
    )
