"""The gate of time: verified in the stage before for long enough, and nothing of it failed there since."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta, timezone

from flyteidl.admin.common_pb2 import NamedEntityIdentifier, ResourceListRequest, Sort

from tasks import _values as v
from tasks._errors import BadUsage
from tasks._flyte import Flyte
from tasks.gates import Asked, GateState, GateVerdict
from tasks.policy import Stage
from tasks.verified import NotVerified, find_verified

_SHOWN = 5
"""How many failed executions are looked at: one is enough, the others are for people."""


class Soak:
    """Waits for the policy's `soak` after the verification in the stage before.

    An execution of the release's launch plans that failed there since then closes it until the release is
    promoted there once more, and its time begins anew.
    """

    name = "soak"

    def judge(self, asked: Asked) -> GateVerdict:
        """Read when the stage before was verified, and what failed there since: one list more."""
        soak_s = v.seconds(asked.stage.gates.soak)
        if not soak_s:
            return GateVerdict(gate=self.name, state=GateState.OPEN, because="no soak time is asked for")
        if asked.previous is not None and asked.lost:
            stage = asked.previous.name
            return _waiting(
                f"{stage} cannot be looked at",
                opens=f"once the Flyte of {stage} answers",
                evidence=[asked.lost],
            )
        if asked.before is None or asked.previous is None:
            return GateVerdict(gate=self.name, state=GateState.OPEN, because="it is the first stage")
        record, stage = asked.before.record, asked.previous.name
        if record is None or record.sha != asked.sha:
            return _waiting(f"it does not run in {stage}", opens=f"a promotion of it into {stage}")
        found = find_verified(asked.home, asked.before)
        if isinstance(found, NotVerified):
            return _waiting(f"it is not verified in {stage}: {found.because}", opens=found.opens)
        failed = failed_since(
            flyte_of_previous(asked), asked.previous, version=record.version, since=found.since
        )
        return judge_soak(stage=stage, soak_s=soak_s, since=found.since, now=asked.now, failed=failed)


def judge_soak(
    *, stage: str, soak_s: int, since: datetime, now: datetime, failed: Sequence[str]
) -> GateVerdict:
    """Return the verdict, `since` being when the release was verified, `failed` what failed after that."""
    began = f"verified in {stage} since {since:%Y-%m-%dT%H:%M:%SZ}"
    if failed:
        return _waiting(
            f"executions of it failed in {stage} since it was verified",
            opens=f"another promotion of it into {stage}, once the reason is known",
            evidence=[began, *(f"failed: {name}" for name in failed)],
        )
    opens = since.astimezone(timezone.utc) + timedelta(seconds=soak_s)
    if now < opens:
        return _waiting(
            f"it has to run in {stage} for {timedelta(seconds=soak_s)}",
            opens=opens.isoformat(timespec="seconds"),
            evidence=[began],
        )
    return GateVerdict(
        gate=Soak.name,
        state=GateState.OPEN,
        because=f"it has run in {stage} for {timedelta(seconds=soak_s)}, and nothing of it failed",
        evidence=[began],
    )


def failed_since(flyte: Flyte, stage: Stage, *, version: str, since: datetime) -> list[str]:
    """Return the newest failed executions of a version's launch plans in a stage; at most five, one call.

    Executions that were aborted by hand say nothing of the release, and are not among them.
    """
    request = ResourceListRequest(
        id=NamedEntityIdentifier(project=stage.project, domain=stage.domain),
        filters=f"eq(launch_plan.version,{version})+value_in(phase,FAILED;TIMED_OUT)"
        f"+gte(execution_created_at,{since.astimezone(timezone.utc):%Y-%m-%dT%H:%M:%SZ})",
        limit=_SHOWN,
        sort_by=Sort(key="execution_created_at", direction=Sort.DESCENDING),
    )
    found = flyte.call("ListExecutions", request).executions
    return [f"{one.id.name} ({one.spec.launch_plan.name})" for one in found]


def flyte_of_previous(asked: Asked) -> Flyte:
    """Return the Flyte of the stage before.

    Raises:
        BadUsage: it is another one than the stage's, and was not given.
    """
    if asked.flyte_before is not None:
        return asked.flyte_before
    if asked.previous is None or asked.previous.endpoint != asked.stage.endpoint:
        raise BadUsage(
            "The gates were not given the Flyte of the stage before.", remedy="Report this as a bug."
        )
    return asked.flyte


def _waiting(because: str, *, opens: str, evidence: list[str] | None = None) -> GateVerdict:
    return GateVerdict(
        gate=Soak.name, state=GateState.WAITING, because=because, evidence=evidence or [], opens=opens
    )
