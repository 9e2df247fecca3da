"""The first step of a promotion: the release, the policy as it is now, the stage as it is, the entry gates.

What rules a promotion is the policy on the tip of the protected branch; what is promoted is the release's
own bytes, by digest.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import asdict, dataclass
from datetime import datetime, timezone
from pathlib import Path

from flyteidl.admin.common_pb2 import NamedEntityIdentifier, ResourceListRequest, Sort
from flytekit import Resources, current_context, task
from flytekit.configuration import Config

from tasks._enrolment import Enrolment
from tasks._entities import Entity, Kind
from tasks._errors import PolicyInvalid, UnknownStage
from tasks._flyte import Flyte, connect
from tasks._git_credentials import GIT_SECRETS, read_credentials
from tasks._own import home_of, own_execution
from tasks._rewrite import LaunchSettings, Placement, rewrite, settings_of
from tasks._settings import read_settings
from tasks._stage_flyte import STAGE_SECRETS, open_stage, read_stage_credentials
from tasks._toml import Invalid
from tasks._types import Record, Status, Verdict
from tasks.entry_gates import ENTRY_GATES, judge_all
from tasks.gates import Asked, GateState, GateVerdict, standing
from tasks.limits import within
from tasks.manifest import Manifest, StoredManifest
from tasks.policy import Policy, Stage
from tasks.prepare import fetch_revision, read_policy_at
from tasks.releases import find_release, read_manifest
from tasks.rivals import make_way
from tasks.source import Source
from tasks.stage_state import StageState, read_stage


class Entered(Record):
    """A promotion as its entry gates left it. Its verdict is SKIPPED where it has to wait.

    `stage` is the stage as the policy has it now, `policy` that policy's digest. `active` is what was ACTIVE
    in the stage, by launch plan.
    """

    verdict: Verdict
    sha: str
    attempt: int
    manifest: Manifest
    stored: StoredManifest
    policy: str
    stage: Stage
    gates: list[GateVerdict]
    active: dict[str, list[str]] = {}
    drift: list[str] = []
    stages: list[str] = []
    """The names of all stages, in their order."""


@dataclass(frozen=True, kw_only=True)
class Entering:
    """A promotion that is looked at: what gates are asked about, and where the manifest is."""

    asked: Asked
    stored: StoredManifest


def stages_of(policy: Policy, name: str) -> tuple[Stage, Stage | None]:
    """Return the stage of that name, and the one before it, None where it is the first.

    Raises:
        UnknownStage: the policy has none.
    """
    for at, stage in enumerate(policy.stage):
        if stage.name == name:
            return stage, policy.stage[at - 1] if at else None
    raise UnknownStage(
        f"The policy of the protected branch has no stage {name!r}.",
        remedy=f"It has {', '.join(stage.name for stage in policy.stage)}.",
    )


def policy_in_force(source: Source, enrolment: Enrolment) -> Policy:
    """Return the policy on the tip of the protected branch.

    Raises:
        PolicyInvalid: there is none, it is not valid, or it is beyond the enrolment's limits.
    """
    found = read_policy_at(source, source.protected)
    wrong = found.findings if isinstance(found, Invalid) else within(found, enrolment) if found else []
    if found is None or isinstance(found, Invalid) or wrong:
        said = "; ".join(f"{one.where}: {one.problem} {one.remedy}" for one in wrong[:5])
        raise PolicyInvalid(
            f"The policy on {enrolment.protected_branch} cannot be used: {said or 'there is none'}",
            remedy="Mend it there; promotions go by it.",
        )
    return found


@contextmanager
def entering(
    enrolment: Enrolment, sha: str, stage_name: str, *, into: Path, environ: Mapping[str, str]
) -> Iterator[Entering]:
    """Find everything that a promotion rests on, as it is now.

    Raises:
        NotReleased, ManifestChanged: there is no such release, or it is not what was made.
        UnknownStage, PolicyInvalid: the policy in force does not have the stage, or cannot be used.
    """
    settings = read_settings(environ)
    secrets = current_context().secrets
    source = fetch_revision(
        enrolment, sha, into=into, settings=settings, credentials=read_credentials(secrets), environ=environ
    )
    policy = policy_in_force(source, enrolment)
    stage, previous = stages_of(policy, stage_name)
    with ExitStack() as stack:
        own = stack.enter_context(
            connect(Config.auto(), timeout_s=settings.rpc_timeout_s, patience_s=settings.rpc_patience_s)
        )
        home = home_of(own, enrolment.name)
        stored = find_release(home, sha)
        credentials = read_stage_credentials(secrets)
        flyte = stack.enter_context(open_stage(stage.endpoint, own, credentials))
        before = there = None
        if previous is not None:
            there = stack.enter_context(open_stage(previous.endpoint, own, credentials))
            before = read_stage(home, there, previous)
        yield Entering(
            asked=Asked(
                enrolment=enrolment,
                policy=policy,
                policy_digest=policy.digest,
                manifest=read_manifest(home, stored, sha=sha),
                stage=stage,
                previous=previous,
                state=read_stage(home, flyte, stage),
                before=before,
                home=home,
                flyte=flyte,
                flyte_before=there,
                source=source,
                now=datetime.now(timezone.utc),
            ),
            stored=stored,
        )


def verdict_of(gates: Sequence[GateVerdict]) -> Verdict:
    """Return what gates say together: passed, skipped where something has to be waited for, failed."""
    closed = [gate for gate in gates if gate.state is not GateState.OPEN]
    said = "; ".join(
        f"{gate.gate}: {gate.because}{f' (opens: {gate.opens})' if gate.opens else ''}" for gate in closed
    )
    return {
        GateState.OPEN: Verdict(status=Status.PASSED, summary="every entry gate is open"),
        GateState.WAITING: Verdict(status=Status.SKIPPED, summary=f"waits for {said}"),
        GateState.CLOSED: Verdict(status=Status.FAILED, summary=f"refused by {said}"),
    }[standing(gates)]


def version_in_stage(
    flyte: Flyte, entities: Sequence[Entity], placement: Placement, settings: LaunchSettings
) -> str:
    """Return the version that a release has in a stage: its own, or `{version}-{settings8}`.

    The second where its own is registered there with other settings, which a version cannot change. One
    list of launch plans, for nothing else of an entity depends on settings. What else of them is otherwise
    there is left to their registration, which refuses it.
    """
    plans = [one for one in entities if one.kind is Kind.LAUNCH_PLAN]
    wanted = {one.name: settings_of(one.message.spec) for one in rewrite(plans, placement, settings)}
    request = ResourceListRequest(
        id=NamedEntityIdentifier(project=placement.project, domain=placement.domain),
        filters=f"eq(version,{placement.version})",
        sort_by=Sort(key="created_at", direction=Sort.ASCENDING),
    )
    for plan in flyte.pages("ListLaunchPlans", request, "launch_plans"):
        if plan.id.name in wanted and settings_of(plan.spec) != wanted[plan.id.name]:
            unique = hashlib.sha256(json.dumps(asdict(settings), sort_keys=True).encode()).hexdigest()[:8]
            return f"{placement.version}-{unique}"
    return placement.version


def placement_of(stage: Stage, manifest: Manifest, *, version: str, bundle_uri: str) -> Placement:
    """Return where and as what a release is registered in a stage."""
    return Placement(
        project=stage.project,
        domain=stage.domain,
        version=version,
        bundle_uri=bundle_uri,
        destination=manifest.destination,
    )


def wanted_set(stage: Stage, version: str) -> dict[str, str]:
    """Return what is ACTIVE in a stage once a release is promoted into it."""
    return dict.fromkeys(sorted(stage.activate), version)


def runs_already(state: StageState, manifest: Manifest, version: str) -> bool:
    """Say whether a stage's last generation is this release, as this version, and all of it.

    With other settings the same release has another version, so it has to be activated anew.
    """
    record = state.record
    if record is None or state.drift or record.manifest != manifest.digest:
        return False
    return record.version == version and record.after == wanted_set(state.stage, version)


def entered_of(found: Entering, attempt: int, turn: GateVerdict) -> Entered:
    """Judge the entry gates, of which `turn` is the first, and return the promotion as they leave it."""
    asked = found.asked
    gates = [turn, *judge_all(ENTRY_GATES, asked)]
    state = asked.state
    return Entered(
        verdict=verdict_of(gates),
        sha=asked.manifest.revision.sha,
        attempt=attempt,
        manifest=asked.manifest,
        stored=found.stored,
        policy=asked.policy_digest,
        stage=asked.stage,
        gates=gates,
        active={name: list(versions) for name, versions in state.active.items()},
        drift=state.drift,
        stages=[stage.name for stage in asked.policy.stage],
    )


@task(
    requests=Resources(cpu="250m", mem="400Mi"),
    limits=Resources(cpu="1", mem="1Gi"),
    secret_requests=[*GIT_SECRETS, *STAGE_SECRETS],
    retries=2,
)
def enter(enrolment: Enrolment, sha: str, stage: str, attempt: int) -> Entered:
    """Find the release and the stage as they are now, and ask the entry gates."""
    into = Path(current_context().working_directory)
    arguments = (enrolment, sha, stage)
    with entering(*arguments, into=into / "before", environ=os.environ) as found:
        home, supersede = found.asked.home, found.asked.stage.on_conflict == "supersede"
        turn = make_way(home, own_execution().name, sha=sha, stage=stage, supersede=supersede)
        if not turn.evidence:
            return entered_of(found, attempt, turn)
    # What was waited for has changed the stage, perhaps also the policy.
    with entering(*arguments, into=into / "after", environ=os.environ) as found:
        return entered_of(found, attempt, turn)
