"""Other executions about the same thing: a pull request's older previews, a stage's older promotions."""

from __future__ import annotations

import logging
from collections.abc import Sequence

from flyteidl.admin.execution_pb2 import Execution, ExecutionTerminateRequest

from tasks._errors import FlyteNotFound, FlyteRefused, WaitTimedOut
from tasks._executions import phase_of
from tasks._home import Home
from tasks._names import stage_tag
from tasks._typed import Unreadable, value_of
from tasks.gates import GateState, GateVerdict

log = logging.getLogger(__name__)

RUNNING = ("QUEUED", "RUNNING", "UNDEFINED")
ENDING = ("SUCCEEDING", "FAILING", "ABORTING")
"""An execution's tasks can still do something in these, though nothing can be asked of it any more."""
QUEUE = "queue"
WAIT_S = 3600
"""How long a promotion waits in its own pod for another one; after that it ends as waiting."""


def older(executions: Sequence[Execution], own: str) -> list[Execution]:
    """Return the executions that began before `own`, which is among them; none where it is not.

    Of two that began in the same moment the one with the lesser name is older, so that of any two exactly
    one is the older one, whoever asks.
    """
    ordered = sorted(executions, key=lambda one: (one.closure.created_at.ToNanoseconds(), one.id.name))
    names = [one.id.name for one in ordered]
    return ordered[: names.index(own)] if own in names else []


def supersede_previews(home: Home, own: str, *, sha: str, pull_request: int) -> list[str]:
    """Terminate the older previews of a pull request that are of other revisions; return their names.

    One list of what runs, and one read for each of those. Nothing is superseded where there is no pull
    request.
    """
    if not pull_request:
        return []
    done = []
    for execution in older(list(home.executions(("preview",), phases=RUNNING)), own):
        inputs = home.data(execution.id.name).full_inputs
        try:
            same = value_of(inputs, "pull_request", int) == pull_request
            other = value_of(inputs, "sha", str) != sha
        except Unreadable:
            continue
        if same and other:
            terminate(home, execution.id.name, f"A newer push, {sha[:12]}, supersedes it.")
            done.append(execution.id.name)
    return done


def make_way(
    home: Home, own: str, *, sha: str, stage: str, supersede: bool, wait_s: float = WAIT_S
) -> GateVerdict:
    """See that no older promotion into a stage runs, and return that as a gate.

    It is waited for, or superseded where `supersede` says so and it is of another release.
    """
    evidence = []
    tag = stage_tag(home.target, stage)
    there = home.executions(("promote",), tag=tag, phases=(*RUNNING, *ENDING))
    for execution in older(list(there), own):
        name = execution.id.name
        if supersede and phase_of(execution) in RUNNING and _sha_of(home, name) != sha:
            terminate(home, name, f"The promotion of {sha[:12]} supersedes it.")
            evidence.append(f"superseded {name}")
        try:
            home.end_of(name, timeout_s=wait_s, what=f"the promotion {name}")
        except WaitTimedOut:
            return GateVerdict(
                gate=QUEUE,
                state=GateState.WAITING,
                because=f"another promotion into {stage} runs",
                evidence=[name],
                opens=f"the end of {name}",
            )
        evidence.append(f"waited for {name}")
    because = "its turn has come" if evidence else "no other promotion into the stage runs"
    return GateVerdict(gate=QUEUE, state=GateState.OPEN, because=because, evidence=evidence)


def terminate(home: Home, name: str, cause: str) -> None:
    """Terminate an execution; one that has ended by itself is left as it is."""
    try:
        home.flyte.call(
            "TerminateExecution", ExecutionTerminateRequest(id=home.identifier(name), cause=cause)
        )
    except FlyteNotFound:
        raise
    except FlyteRefused:
        log.info("execution %s had ended before it could be terminated", name)


def _sha_of(home: Home, name: str) -> str:
    try:
        return value_of(home.data(name).full_inputs, "sha", str)
    except Unreadable:
        return ""
