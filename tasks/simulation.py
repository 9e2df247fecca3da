"""Simulation: what a promotion of a package would do in every stage. It reads, and writes nothing."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager
from dataclasses import dataclass, field

from flyteidl.admin.common_pb2 import Sort
from flyteidl.admin.launch_plan_pb2 import ActiveLaunchPlanListRequest, LaunchPlan

from tasks import _structure
from tasks._baseline import fetch_baseline
from tasks._entities import Entity, Kind
from tasks._errors import TaxiwayError
from tasks._flyte import Flyte
from tasks._registered import fetch_registered
from tasks._schedules import schedule_effects, schedule_of
from tasks._types import Finding, Status, Verdict
from tasks.diff import Change, EntityChange, EntityDiff, entity_changes, placed_in
from tasks.gates import GateVerdict
from tasks.policy import Stage
from tasks.registration import EntityName
from tasks.same_bytes import bare
from tasks.simulation_records import Simulation, StageSimulation
from tasks.stage_missing import missing_place, missing_plans, over_limits, task_limits
from tasks.stage_state import StageState

_DETAILS = 5


@dataclass(frozen=True, kw_only=True)
class Registering:
    """What registering a package under one version would meet."""

    new: list[EntityName] = field(default_factory=list)
    existing: list[EntityName] = field(default_factory=list)
    different: list[EntityChange] = field(default_factory=list)


@dataclass(frozen=True, kw_only=True)
class Activating:
    """What activating a stage's launch plans would change; see `StageSimulation`."""

    activated: dict[str, str]
    deactivated: dict[str, str]
    kept: list[str]


def plan_registering(placed: Sequence[Entity], there: Sequence[Entity]) -> Registering:
    """Compare a package, as it is placed in a stage, with what is registered there under its version.

    Launch plans are compared with the stage's settings on them, for Flyte refuses other settings under
    the same version as it refuses other content.
    """
    found = {(one.kind, one.name): one for one in there}
    plan = Registering()
    for entity in placed:
        name = EntityName(kind=entity.kind, name=entity.name)
        old = found.get((entity.kind, entity.name))
        if old is None:
            plan.new.append(name)
            continue
        differences = list(_structure.differences(_content(old), _content(entity)))
        if not differences:
            plan.existing.append(name)
            continue
        details = _structure.sentences(differences, most=_DETAILS)
        plan.different.append(
            EntityChange(
                kind=entity.kind,
                name=entity.name,
                change=Change.CHANGED,
                against=str(old.id.version),
                details=details,
            )
        )
    return plan


def plan_activating(stage: Stage, state: StageState, version: str) -> Activating:
    """Return what would be ACTIVE otherwise: the policy's launch plans, and no other managed one."""
    wanted = set(stage.activate)
    active = {name: " and ".join(versions) for name, versions in state.active.items()}
    return Activating(
        activated={name: active.get(name, "") for name in sorted(wanted) if active.get(name) != version},
        deactivated={name: active[name] for name in sorted(state.managed - wanted) if name in active},
        kept=sorted(name for name in wanted if active.get(name) == version),
    )


def simulate(
    stages: Sequence[Stage],
    package: Sequence[Entity],
    *,
    version: Callable[[Stage, Flyte], str],
    open_flyte: Callable[[Stage], AbstractContextManager[Flyte]],
    state: Callable[[Stage, Flyte], StageState],
    gates: Callable[[Stage, Flyte, StageState], list[GateVerdict]],
) -> Simulation:
    """Find out what a promotion of `package` would do in each stage, side by side. Only reads are sent.

    `version` is what the package would be registered as; `open_flyte` gives a stage's own Flyte, `state`
    what it runs, `gates` how they stand. A stage at another Flyte that does not answer, or does not let us
    in, is a finding. Calls for one stage, besides those of `state` and `gates`: three about the place and
    what is ACTIVE, three lists of the version, and what `fetch_baseline` makes; one more for each workflow
    that is registered under the version already.

    Raises:
        FlyteUnavailable, FlyteUnauthenticated: Taxiway's own Flyte cannot be asked.
    """
    began = time.monotonic()

    def one(stage: Stage) -> StageSimulation:
        started = time.monotonic()
        try:
            with open_flyte(stage) as flyte:
                found = _simulate(stage, package, version(stage, flyte), flyte, state=state, gates=gates)
        except TaxiwayError as error:
            if not stage.endpoint:
                raise
            where = f"stage {stage.name}: endpoint"
            lost = Finding(where=where, problem=error.problem, remedy=error.remedy)
            found = _outline(stage, "", [lost])  # which version it would be is asked of that Flyte
        return found.model_copy(update={"seconds": round(time.monotonic() - started, 3)})

    with ThreadPoolExecutor(max_workers=max(len(stages), 1)) as pool:
        done = list(pool.map(one, stages))
    return Simulation(verdict=_overall(done), stages=done, seconds=round(time.monotonic() - began, 3))


def _simulate(
    stage: Stage,
    package: Sequence[Entity],
    version: str,
    flyte: Flyte,
    *,
    state: Callable[[Stage, Flyte], StageState],
    gates: Callable[[Stage, Flyte, StageState], list[GateVerdict]],
) -> StageSimulation:
    if missing := missing_place(flyte, stage):
        return _outline(stage, version, [*missing, *missing_plans(package, stage)])
    now = state(stage, flyte)
    workflows = {one.name for one in package if one.kind is Kind.WORKFLOW}
    there = fetch_registered(flyte, stage.project, stage.domain, version, workflows=workflows)
    placed = placed_in(stage, package)
    registering = plan_registering(placed, there)
    activating = plan_activating(stage, now, version)
    findings = [
        *over_limits(package, task_limits(flyte, stage), stage),
        *missing_plans(package, stage),
        *(_conflict(stage, version, one) for one in registering.different),
    ]
    touched = now.managed | set(stage.activate)
    after = {
        one.name: schedule_of(one.message.spec)
        for one in package
        if isinstance(one.message, LaunchPlan) and one.name in stage.activate
    }
    return StageSimulation(
        stage=stage.name,
        project=stage.project,
        domain=stage.domain,
        endpoint=stage.endpoint,
        version=version,
        verdict=_verdict(registering, activating, findings),
        running=now.last.version if now.last else "",
        new=registering.new,
        existing=registering.existing,
        different=registering.different,
        activated=activating.activated,
        deactivated=activating.deactivated,
        kept=activating.kept,
        schedules=list(schedule_effects(_schedules(flyte, stage, touched), after)),
        diff=_diff(flyte, stage, placed, now, version),
        gates=gates(stage, flyte, now),
        drift=now.drift,
        partial=now.partial,
    )


def _outline(stage: Stage, version: str, findings: Sequence[Finding]) -> StageSimulation:
    """Return what can be said of a stage that cannot be looked into."""
    summary = findings[0].problem
    return StageSimulation(
        stage=stage.name,
        project=stage.project,
        domain=stage.domain,
        endpoint=stage.endpoint,
        version=version,
        verdict=Verdict(status=Status.FAILED, summary=summary, findings=list(findings)),
    )


def _content(entity: Entity) -> _structure.Tree:
    if not isinstance(entity.message, LaunchPlan):
        return bare(entity)
    message = LaunchPlan()
    message.CopyFrom(entity.message)
    own, workflow = message.id, message.spec.workflow_id
    if (workflow.project, workflow.domain, workflow.version) == (own.project, own.domain, own.version):
        workflow.project = workflow.domain = workflow.version = ""
    return _structure.tree(message.spec)


def _schedules(flyte: Flyte, stage: Stage, names: set[str]) -> Mapping[str, str]:
    """Return the schedules that run now, of the launch plans that a promotion would touch."""
    request = ActiveLaunchPlanListRequest(
        project=stage.project, domain=stage.domain, sort_by=Sort(key="name", direction=Sort.ASCENDING)
    )
    found: dict[str, list[str]] = {}
    for plan in flyte.pages("ListActiveLaunchPlans", request, "launch_plans"):
        words = schedule_of(plan.spec)
        if plan.id.name in names and words:
            found.setdefault(plan.id.name, []).append(words)
    return {name: " and ".join(sorted(words)) for name, words in found.items()}


def _diff(
    flyte: Flyte, stage: Stage, placed: Sequence[Entity], state: StageState, version: str
) -> EntityDiff:
    """Compare the package, as it is placed in the stage, with what the stage runs now."""
    plans = {one.name for one in placed if one.kind is Kind.LAUNCH_PLAN}
    running = {found for name, versions in state.active.items() if name in plans for found in versions}
    changes: list[EntityChange] = []
    note, unchanged = "The stage runs this version already.", len(placed)
    if running != {version}:
        baseline = fetch_baseline(flyte, placed, project=stage.project, domain=stage.domain, version=version)
        note = "" if baseline.active else f"Nothing of this is ACTIVE; against {baseline.version}."
        note = note if baseline.version else "Nothing of this is registered here yet."
        changes, unchanged = entity_changes(baseline.entities, placed)
    return EntityDiff(
        project=stage.project, domain=stage.domain, changes=changes, unchanged=unchanged, note=note
    )


def _conflict(stage: Stage, version: str, one: EntityChange) -> Finding:
    return Finding(
        where=f"stage {stage.name}: {one.kind.value} {one.name}",
        problem=f"It is registered already at version {version}, with other content: "
        f"{'; '.join(one.details)}.",
        remedy="Release under a new version, or find what makes the package differ from run to run.",
    )


def _verdict(registering: Registering, activating: Activating, findings: list[Finding]) -> Verdict:
    if findings:
        more = f", and {len(findings) - 1} more" if len(findings) > 1 else ""
        summary = f"{findings[0].where}: {findings[0].problem}{more}"
        return Verdict(status=Status.FAILED, summary=summary[:500], findings=findings)
    summary = (
        f"{len(registering.new)} to register, {len(registering.existing)} there already; "
        f"{len(activating.activated)} to activate, {len(activating.deactivated)} to deactivate."
    )
    return Verdict(status=Status.PASSED, summary=summary)


def _overall(stages: Sequence[StageSimulation]) -> Verdict:
    findings = [finding for one in stages for finding in one.verdict.findings]
    failed = [one.stage for one in stages if not one.verdict.passed]
    if failed:
        summary = f"A promotion would break off in {', '.join(failed)}."
        return Verdict(status=Status.FAILED, summary=summary, findings=findings)
    summary = "; ".join(f"{one.stage}: {one.verdict.summary.rstrip('.')}" for one in stages)
    return Verdict(status=Status.PASSED, summary=f"{summary}." if summary else "There is no stage.")
