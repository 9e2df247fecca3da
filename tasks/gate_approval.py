"""The gate of approvals: enough of those whom the policy names said yes to this release, stage and policy.

An approval is an execution of `taxiway.approve.<target>`. It counts if it SUCCEEDED at the version of that
launch plan that is ACTIVE, was launched by somebody (and not by another execution), is for just this commit,
stage and policy, and if the identity map knows its caller as one of the named. Of several by one person the
newest counts. Flyte's access control decides who may launch one; the gate weighs what Flyte recorded.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone

from flyteidl.admin.execution_pb2 import Execution, ExecutionMetadata
from flyteidl.core.identifier_pb2 import Identifier

from tasks._enrolment import Enrolment, Identity
from tasks._home import Home
from tasks._names import release_tag
from tasks._people import authors
from tasks._typed import Unreadable, value_of
from tasks.gates import Asked, GateState, GateVerdict
from tasks.policy import Approval

POLICY_LINE = "policy in force: "
"""Begins the line of the evidence that names the policy's digest, for whoever is to approve."""
_LOOKED_AT = 1000
"""How many executions are looked through: ten lists."""
_SHOWN = 20
_SKEW = timedelta(hours=1)
"""How far the clocks of Taxiway's tasks and of Flyte may be apart."""
_BY_SOMEBODY = frozenset({ExecutionMetadata.MANUAL, ExecutionMetadata.RELAUNCH})


@dataclass(frozen=True, kw_only=True)
class Given:
    """One approval or withdrawal as Flyte has it. `flaw` says why it cannot count, whoever gave it."""

    execution: str
    principal: str
    at: float
    sha: str
    stage: str
    policy: str
    approve: bool
    flaw: str = ""


@dataclass(frozen=True, kw_only=True)
class Needed:
    """What has to be approved by whom: `policy` is a digest, `author` the addresses of the commit."""

    wanted: Approval
    enrolment: Enrolment
    sha: str
    stage: str
    policy: str
    author: Sequence[str] = ()


class ApprovalGate:
    """Waits until enough of the named have approved; a withdrawal takes an approval back."""

    name = "approval"

    def judge(self, asked: Asked) -> GateVerdict:
        """Read the approvals since the release was made: one list, and one read for each of this release."""
        wanted = asked.stage.gates.approval
        needed = Needed(
            wanted=wanted,
            enrolment=asked.enrolment,
            sha=asked.sha,
            stage=asked.stage.name,
            policy=asked.policy_digest,
            author=asked.manifest.author,
        )
        if not wanted.required:
            return judge_approvals(needed, [])
        since = _moment(asked.manifest.created) - _SKEW
        return judge_approvals(needed, list(read_given(asked.home, asked.sha, since=since)))


def read_given(home: Home, sha: str, *, since: datetime) -> Iterator[Given]:
    """Yield the approvals that SUCCEEDED and are for this release, the newest first.

    One that was launched without tags counts as well as any, so it is told by its inputs.

    Raises:
        NotInstalled: the target's enrolment has no approvals.
    """
    installed = home.plan("approve").id
    found = home.executions(
        ("approve",), since=since.astimezone(timezone.utc), phases=("SUCCEEDED",), limit=_LOOKED_AT
    )
    for execution in found:
        releases = [tag for tag in execution.spec.tags if tag.startswith(release_tag(home.target, ""))]
        if releases and release_tag(home.target, sha) not in releases:
            continue
        given = _given(home, execution, installed)
        if given is not None and given.sha == sha:
            yield given


def _given(home: Home, execution: Execution, installed: Identifier) -> Given | None:
    inputs = home.data(execution.id.name).full_inputs
    try:
        return Given(
            execution=execution.id.name,
            principal=execution.spec.metadata.principal,
            at=execution.closure.created_at.ToMilliseconds() / 1000,
            sha=value_of(inputs, "sha", str),
            stage=value_of(inputs, "stage", str),
            policy=value_of(inputs, "policy", str),
            approve=value_of(inputs, "approve", bool),
            flaw=flaw_of(execution, installed),
        )
    except Unreadable:
        return None


def flaw_of(execution: Execution, installed: Identifier) -> str:
    """Return why an execution is no approval, whoever launched it; empty where it is one."""
    plan, metadata = execution.spec.launch_plan, execution.spec.metadata
    if (plan.project, plan.domain, plan.name) != (installed.project, installed.domain, installed.name):
        return f"it ran {plan.project}/{plan.domain} {plan.name}, which is not the installed launch plan"
    if plan.version != installed.version:
        return f"it ran version {plan.version} of {plan.name}, and {installed.version} is installed"
    if metadata.HasField("parent_node_execution") or metadata.mode not in _BY_SOMEBODY:
        return "another execution or a schedule launched it, and not a person"
    return ""


@dataclass(frozen=True, kw_only=True)
class Weighed:
    """One approval, weighed. `person` is whom it counts for; empty where it does not count."""

    given: Given
    person: str
    said: str


def judge_approvals(needed: Needed, given: Sequence[Given]) -> GateVerdict:
    """Return the verdict on everything that was given for this release, in any order."""
    wanted = needed.wanted
    if not wanted.required:
        return GateVerdict(gate=ApprovalGate.name, state=GateState.OPEN, because="nobody has to approve")
    weighed = [weigh(needed, one) for one in _latest(needed, given)]
    people = sorted({one.person for one in weighed if one.person})
    evidence = [f"{POLICY_LINE}{needed.policy}", *(one.said for one in weighed[:_SHOWN])]
    count = f"{len(people)} of {wanted.required} approved"
    if len(people) >= wanted.required:
        because = f"{count}: {', '.join(people)}"
        return GateVerdict(gate=ApprovalGate.name, state=GateState.OPEN, because=because, evidence=evidence)
    names = " or ".join(wanted.by)
    return GateVerdict(
        gate=ApprovalGate.name,
        state=GateState.WAITING,
        because=f"{count}; it takes {names}",
        evidence=evidence,
        opens=f"`taxiway approve {needed.enrolment.name} {needed.sha} {needed.stage}` by {names}",
    )


def _latest(needed: Needed, given: Sequence[Given]) -> list[Given]:
    """Return the newest word of each person on this release and stage, and all that cannot count.

    A withdrawal takes back what was said under any policy; an approval holds for one policy alone.
    """
    latest: dict[str, Given] = {}
    flawed = []
    for one in sorted(given, key=lambda one: (one.at, one.execution), reverse=True):
        if (one.sha, one.stage) != (needed.sha, needed.stage):
            continue
        if one.flaw or (one.approve and one.policy != needed.policy):
            flawed.append(one)
            continue
        known = needed.enrolment.identities.get(one.principal)
        latest.setdefault(f"person {known.name}" if known else f"principal {one.principal}", one)
    return [*latest.values(), *flawed]


def weigh(needed: Needed, given: Given) -> Weighed:
    """Say whether one word counts, for whom, and why not."""
    known = needed.enrolment.identities.get(given.principal)
    who = known.name if known else given.principal or "nobody whom Flyte could name"
    flaw = given.flaw or _other_policy(needed, given) or _not_one_of_them(needed, given, known)
    if not given.approve and not given.flaw:
        return Weighed(
            given=given, person="", said=f"{who} does not approve, or not any more ({given.execution})"
        )
    if flaw:
        said = f"does not count: approval by {who} ({given.execution}): {flaw}"
        return Weighed(given=given, person="", said=said)
    if known is None:
        said = f"approved by {who} ({given.execution}); the enrolment lets that count, once"
        return Weighed(given=given, person="somebody without a name", said=said)
    return Weighed(given=given, person=known.name, said=f"approved by {who} ({given.execution})")


def _other_policy(needed: Needed, given: Given) -> str:
    return "" if given.policy == needed.policy else f"it was given under another policy, {given.policy}"


def _not_one_of_them(needed: Needed, given: Given, known: Identity | None) -> str:
    """Return why an approver is none of those whose approval counts; empty where it counts."""
    if not given.principal:
        allowed = needed.enrolment.anonymous_approvals
        return "" if allowed else "the enrolment does not take approvals of which Flyte knows no principal"
    if known is None:
        return "the enrolment's identity map does not know this principal"
    if not {known.name, *known.groups} & set(needed.wanted.by):
        return f"{known.name} is none of {', '.join(needed.wanted.by)}"
    if needed.wanted.not_author and known.name in authors(needed.author, needed.enrolment):
        return f"{known.name} is the commit's author or committer"
    return ""


def _moment(text: str) -> datetime:
    """Read a time of ours; Python 3.10 does not know `Z`."""
    found = datetime.fromisoformat(text.replace("Z", "+00:00"))
    return found if found.tzinfo else found.replace(tzinfo=timezone.utc)
