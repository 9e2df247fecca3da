"""The gate of the stage before: it runs this release, all of it, and was verified with it."""

from __future__ import annotations

from tasks.gates import Asked, GateState, GateVerdict
from tasks.stage_state import StageState
from tasks.verified import NotVerified, Verified, find_verified

_SHOWN = 5


class PreviousStage:
    """Open for the first stage, and for a release that the stage before runs and was verified with."""

    name = "previous"

    def judge(self, asked: Asked) -> GateVerdict:
        """Compare the stage before with the release, and find the promotion that brought it there."""
        if asked.previous is not None and asked.lost:
            return judge_lost(asked.previous.name, asked.lost)
        if asked.before is None:
            return GateVerdict(gate=self.name, state=GateState.OPEN, because="it is the first stage")
        waiting = judge_running(asked.before, sha=asked.sha, manifest=asked.manifest.digest)
        return waiting or judge_verified(asked.before, find_verified(asked.home, asked.before))


def judge_running(before: StageState, *, sha: str, manifest: str) -> GateVerdict | None:
    """Return why the stage before does not run just this release; None where it does."""
    stage, record, last = before.stage.name, before.record, before.last
    promote = f"a promotion of it into {stage}"
    if record is None or last is None:
        return _waiting(f"nothing was promoted into {stage} yet", opens=promote)
    if record.sha != sha:
        return _waiting(f"{stage} runs {record.sha[:12] or 'what was there before Taxiway'}", opens=promote)
    if record.manifest != manifest:
        made = [f"{stage} has manifest {record.manifest or 'none'}", f"this release is manifest {manifest}"]
        return _waiting(f"{stage} runs another release of this commit", opens=promote, evidence=made)
    if last.phase != "SUCCEEDED":
        because = f"activation {last.execution} is {last.phase.lower()}"
        running = last.phase not in {"FAILED", "ABORTED", "TIMED_OUT"}
        return _waiting(because, opens=f"the end of {last.execution}" if running else promote)
    if before.drift:
        return _waiting(f"{stage} does not run all of it", opens=promote, evidence=before.drift[:_SHOWN])
    return None


def judge_lost(stage: str, lost: str) -> GateVerdict:
    """Return the verdict where nobody knows what the stage before runs."""
    return _waiting(
        f"{stage} cannot be looked at", opens=f"once the Flyte of {stage} answers", evidence=[lost]
    )


def judge_verified(before: StageState, found: Verified | NotVerified) -> GateVerdict:
    """Return the verdict on a stage that runs the release, by whether it was verified there."""
    stage = before.stage.name
    if isinstance(found, NotVerified):
        return _waiting(f"it is not verified in {stage}: {found.because}", opens=found.opens)
    evidence = [f"{stage} runs it since {found.since:%Y-%m-%dT%H:%M:%SZ}, by promotion {found.promotion}"]
    return GateVerdict(
        gate=PreviousStage.name,
        state=GateState.OPEN,
        because=f"it is verified in {stage}, same digests",
        evidence=evidence,
    )


def _waiting(because: str, *, opens: str, evidence: list[str] | None = None) -> GateVerdict:
    return GateVerdict(
        gate=PreviousStage.name,
        state=GateState.WAITING,
        because=because,
        evidence=evidence or [],
        opens=opens,
    )
