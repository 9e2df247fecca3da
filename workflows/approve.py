"""One person's approval of one release for one stage under one policy, or its withdrawal.

    record_approval  check what is approved, and record who approves it

What always holds: nothing else happens here. Whether an approval counts is decided by the gate of the
promotion, each time anew; it counts only if this execution SUCCEEDED, at the version of its launch plan that
is ACTIVE.
"""

from flytekit import workflow

from tasks._enrolment import Enrolment
from tasks.approval import Approval, record_approval


@workflow
def approve(
    enrolment: Enrolment, sha: str, stage: str, policy: str, approve: bool = True, comment: str = ""
) -> Approval:
    """Approve `sha` for `stage` under the policy of this digest, or withdraw that with `approve=False`."""
    recorded: Approval = record_approval(
        enrolment=enrolment, sha=sha, stage=stage, policy=policy, approve=approve, comment=comment
    ).with_overrides(node_name="record-approval")
    return recorded
