"""An approval: somebody's word that one release may go into one stage under one policy, or its withdrawal.

Each is an execution of `taxiway.approve.<target>`, for Flyte records an execution's caller and lets nobody
else set it; its own approve signal records nobody. An approval is evidence, which the gate of the promotion
weighs. Who may launch anything at all is Flyte's access control, and not decided here.
"""

from __future__ import annotations

import os
from datetime import timezone

from flyteidl.admin.execution_pb2 import Execution
from flytekit import Resources, task
from flytekit.configuration import Config
from pydantic import TypeAdapter, ValidationError

from tasks import _values as v
from tasks._enrolment import Enrolment
from tasks._errors import BadUsage
from tasks._executions import get_execution
from tasks._flyte import connect
from tasks._own import own_execution
from tasks._settings import read_settings
from tasks._types import Record, digest, full_sha

_STAGE = TypeAdapter(v.TargetName)
_LONGEST = 1000


class Approval(Record):
    """An approval as it was given, or where `approve` is false its withdrawal.

    `principal` is the subject of the caller's token, empty where Flyte knows none; `person` is the name that
    the identity map has for it, empty where it has none. `at` is ISO 8601.
    """

    target: str
    sha: str
    stage: str
    policy: str
    approve: bool
    comment: str
    principal: str
    person: str
    at: str
    execution: str


def checked(*, sha: str, stage: str, policy: str, comment: str) -> None:
    """Check that what is approved can be a release, a stage and a policy.

    Raises:
        BadUsage: one of them cannot be.
    """
    try:
        full_sha(sha)
        digest(policy)
        _STAGE.validate_python(stage)
    except ValidationError as error:
        raise BadUsage(
            f"{stage!r} cannot be the name of a stage.", remedy="Give the name that the policy has."
        ) from error
    except ValueError as error:
        raise BadUsage(
            f"{error}.", remedy="Approve what a waiting promotion names: its commit, its stage, its policy."
        ) from error
    if len(comment) > _LONGEST:
        raise BadUsage(
            f"The comment has {len(comment)} characters; {_LONGEST} are kept.", remedy="Say it in fewer."
        )


def approval_of(
    execution: Execution,
    enrolment: Enrolment,
    *,
    sha: str,
    stage: str,
    policy: str,
    approve: bool,
    comment: str,
) -> Approval:
    """Return the record of an approval, by what Flyte knows of the execution that gives it."""
    principal = execution.spec.metadata.principal
    known = enrolment.identities.get(principal)
    created = execution.closure.created_at.ToDatetime(tzinfo=timezone.utc)
    return Approval(
        target=enrolment.name,
        sha=sha,
        stage=stage,
        policy=policy,
        approve=approve,
        comment=comment,
        principal=principal,
        person=known.name if known else "",
        at=created.isoformat(timespec="seconds"),
        execution=execution.id.name,
    )


@task(requests=Resources(cpu="100m", mem="250Mi"), limits=Resources(cpu="1", mem="500Mi"), retries=2)
def record_approval(
    enrolment: Enrolment, sha: str, stage: str, policy: str, approve: bool, comment: str
) -> Approval:
    """Record who approves what; fails where that cannot be approved."""
    checked(sha=sha, stage=stage, policy=policy, comment=comment)
    settings = read_settings(os.environ)
    with connect(
        Config.auto(), timeout_s=settings.rpc_timeout_s, patience_s=settings.rpc_patience_s
    ) as flyte:
        execution = get_execution(flyte, own_execution())
    return approval_of(
        execution, enrolment, sha=sha, stage=stage, policy=policy, approve=approve, comment=comment
    )
