"""The gate against going back: what a stage runs is not replaced by what it was made from.

Going back is a rollback. A release is stale if its commit is an ancestor of the one that the stage runs. The
same commit may be promoted again, for its settings may have changed. Where it cannot be found out, since
history was rewritten, the gate waits: somebody has to say by a rollback which release counts from then on.
"""

from __future__ import annotations

from tasks._ancestry import Ancestry, ancestry
from tasks.gates import Asked, GateState, GateVerdict


class StaleGuard:
    """Closed for a release whose commit is an ancestor of the one that the stage runs."""

    name = "stale"

    def judge(self, asked: Asked) -> GateVerdict:
        """Compare with the stage's last generation; asks the git server for what is missing of history."""
        active = asked.state.record.sha if asked.state.record else ""
        if not active:
            because = "no release is on record in this stage"
            return GateVerdict(gate=self.name, state=GateState.OPEN, because=because)
        if active == asked.sha:
            found = Ancestry.SAME
        elif asked.source is None:
            found = Ancestry.UNKNOWN
        else:
            found = ancestry(asked.source.repository, asked.sha, active)
        return judge_stale(found, stage=asked.stage.name, active=active)


def judge_stale(found: Ancestry, *, stage: str, active: str) -> GateVerdict:
    """Return the verdict on a release, by how its commit stands to the one that is active."""
    state, because = {
        Ancestry.SAME: (GateState.OPEN, "the stage runs this release"),
        Ancestry.DESCENDANT: (GateState.OPEN, "it was made on top of what the stage runs"),
        Ancestry.APART: (GateState.OPEN, "neither it nor what the stage runs was made on top of the other"),
        Ancestry.ANCESTOR: (GateState.CLOSED, "the stage runs what was made on top of it; roll back instead"),
        Ancestry.UNKNOWN: (
            GateState.WAITING,
            "whether it is older than what the stage runs cannot be found out, for that is not in the "
            "repository's history",
        ),
    }[found]
    return GateVerdict(
        gate=StaleGuard.name,
        state=state,
        because=because,
        evidence=[f"{stage} runs {active}"],
        opens=f"a rollback of {stage}" if state is GateState.WAITING else "",
    )
