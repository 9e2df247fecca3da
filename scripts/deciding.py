"""What people decide about releases: launch approvals and holds, and read back how they were recorded."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, TypeVar

import click

from scripts import follow
from scripts.enrolments import Enrolled
from tasks._errors import BadUsage, NotRecorded
from tasks._flyte import Flyte
from tasks._home import Home
from tasks._launch import Launched, launch
from tasks._literals import to_value
from tasks._names import execution_name, release_tag, stage_tag, target_tag
from tasks._typed import literals, value_of
from tasks._types import Record
from tasks.gate_approval import POLICY_LINE, ApprovalGate
from tasks.promotion_records import PromotionStatus, flow_notes
from tasks.verified import OUTPUT

_LOOKED_AT = 20
_PATIENCE_S = 120
R = TypeVar("R", bound=Record)


@dataclass(frozen=True, kw_only=True)
class Decision:
    """One thing that somebody decides: the flow that records it, its inputs, and what it is about.

    `act` tells the two sides of a flow apart: `approve` and `withdraw`, `hold` and `unhold`. `sha` is empty
    where it is about a stage alone.
    """

    flow: str
    act: str
    stage: str
    inputs: Mapping[str, Any]
    reason: str
    sha: str = ""


def decide(home: Home, enrolled: Enrolled, decision: Decision, *, nonce: str = "") -> Launched:
    """Launch a decision, and return its execution.

    Every call is an act of its own, for somebody may approve, withdraw and approve again; so its name holds
    a `nonce`, made anew unless it is given. A launch that is tried again, for Flyte did not answer, has the
    same name, and finds the first one.

    Raises:
        NotInstalled: the target's enrolment has no such launch plan.
        FlyteInvalid: Flyte refuses the inputs.
    """
    nonce = nonce or secrets.token_hex(20)
    name = execution_name(
        decision.act,
        target=home.target,
        repository=enrolled.enrolment.repository,
        sha=decision.sha or nonce,
        more=(decision.stage, nonce),
    )
    tags = [target_tag(home.target), stage_tag(home.target, decision.stage)]
    if decision.sha:
        tags.append(release_tag(home.target, decision.sha))
    return launch(
        home.flyte,
        home.plan(decision.flow),
        name=name,
        inputs=literals(decision.inputs),
        tags=tags,
        annotations=flow_notes(
            stage=decision.stage, sha=decision.sha, act=decision.act, reason=decision.reason
        ),
    )


def recorded(flyte: Flyte, home: Home, launched: Launched, kind: type[R]) -> R:
    """Follow a decision to its end, and return how it was recorded.

    Raises:
        NotRecorded: its execution did not succeed.
    """
    with follow.display() as show:
        state = follow.follow(flyte.hurried(timeout_s=30, patience_s=_PATIENCE_S), launched.id, show)
    if state.phase != "SUCCEEDED":
        last = state.error_message.strip().rpartition("\n")[2] or state.abort_cause
        raise NotRecorded(
            f"{launched.id.name} ended {state.phase}: {last}.",
            remedy="Nothing was recorded; mend what it says, and do it again.",
        )
    return value_of(home.data(launched.id.name).full_outputs, OUTPUT, kind)


def waiting_policy(home: Home, sha: str, stage: str) -> str:
    """Return the digest of the policy that the newest waiting promotion of a release asks approval for.

    Raises:
        BadUsage: no promotion of this release into this stage waits.
    """
    wanted = stage_tag(home.target, stage)
    promotions = home.executions(
        ("promote",), tag=release_tag(home.target, sha), phases=("SUCCEEDED",), limit=_LOOKED_AT
    )
    for execution in promotions:
        if wanted not in execution.spec.tags:
            continue
        outputs = home.data(execution.id.name).full_outputs
        digest = policy_asked_for(to_value(outputs.literals[OUTPUT]) if OUTPUT in outputs.literals else None)
        if digest:
            return digest
        break
    raise BadUsage(
        f"No promotion of {home.target} {sha} into {stage} waits for an approval.",
        remedy="Start one, or say with --policy which policy it is approved under.",
    )


def policy_asked_for(report: object) -> str:
    """Return the policy's digest that a waiting promotion's report names; empty where it waits for none."""
    if not isinstance(report, dict) or report.get("status") != PromotionStatus.WAITING.value:
        return ""
    for gate in report.get("gates", []):
        if gate.get("gate") == ApprovalGate.name:
            lines = [line for line in gate.get("evidence", []) if line.startswith(POLICY_LINE)]
            return lines[0].removeprefix(POLICY_LINE) if lines else ""
    return ""


def say(record: Record, text: Callable[[], str], *, as_json: bool) -> None:
    """Print a record for machines, or what `text` makes of it for people."""
    click.echo(record.model_dump_json() if as_json else text())
