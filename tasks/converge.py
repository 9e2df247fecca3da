"""Bring what is ACTIVE in a stage to what an activation wants, one launch plan at a time, and read it back.

Flyte activates no two launch plans at once, and what runs can be killed between any two. So this converges:
it does what is missing, whoever began it, and doing it again changes nothing. Flyte's own activation can
leave two versions of a name ACTIVE, so each name is read back and a surplus set INACTIVE.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field

from flyteidl.admin.common_pb2 import NamedEntityIdentifier, ObjectGetRequest, ResourceListRequest, Sort
from flyteidl.admin.launch_plan_pb2 import ACTIVE, INACTIVE, LaunchPlanUpdateRequest
from flyteidl.core.identifier_pb2 import LAUNCH_PLAN, Identifier

from tasks._errors import ActivationRefused, FlyteNotFound, StageDisturbed
from tasks._flyte import Flyte
from tasks._types import Record
from tasks.stage_state import Activation, active_plans

_TRIES = 5
_READERS = 8


@dataclass(frozen=True, kw_only=True)
class Step:
    """One launch plan whose ACTIVE versions, `there`, are not the one `wanted`; an empty one is none."""

    name: str
    wanted: str
    there: Sequence[str] = ()

    @property
    def starts(self) -> bool:
        """Whether a version has to be activated that is not ACTIVE."""
        return bool(self.wanted) and self.wanted not in self.there


class Activated(Record):
    """What an activation left behind.

    `changed` maps the launch plans that were not as wanted to the version that is ACTIVE now, empty for
    none. `repaired` are versions, as `name version`, that were ACTIVE beside another one of their name.
    `active` is what is ACTIVE of all that the activation answers for. `calls` counts changes alone.
    """

    changed: dict[str, str] = {}
    repaired: list[str] = []
    calls: int = 0
    seconds: float = 0
    active: dict[str, str] = {}


def plan_activation(
    active: Mapping[str, Sequence[str]], activation: Activation, managed: Iterable[str] = ()
) -> list[Step]:
    """Return what is to be done, by name: first what has to run, then what must not run any more."""
    names = {*activation.before, *activation.after, *managed}
    steps = [
        Step(name=name, wanted=activation.after.get(name, ""), there=tuple(active.get(name, ())))
        for name in sorted(names)
    ]
    missing = [step for step in steps if list(step.there) != ([step.wanted] if step.wanted else [])]
    return sorted(missing, key=lambda step: not step.wanted)


def converge(flyte: Flyte, activation: Activation, managed: Iterable[str] = ()) -> Activated:
    """Make exactly `activation.after` ACTIVE in its stage, of all that is managed there; safe to repeat.

    `flyte` is the stage's own. Launch plans outside of the activation's sets and `managed` are left alone.

    Raises:
        ActivationRefused: a version is not registered; nothing was changed.
        StageDisturbed: somebody else changes the same launch plans.
        FlyteUnavailable: Flyte does not answer; what was done stays, and the next try goes on.
    """
    began = flyte.clock()
    managed = {*managed, *activation.before, *activation.after}
    steps = plan_activation(active_plans(flyte, activation.project, activation.domain), activation, managed)
    _check_registered(flyte, activation, [step for step in steps if step.starts])
    door = _Door(flyte=flyte, project=activation.project, domain=activation.domain)
    for step in steps:
        door.settle(step)
    active = active_plans(flyte, activation.project, activation.domain) if steps else None
    if active is not None and (left := plan_activation(active, activation, managed)):
        raise _disturbed(left[0].name, left[0].there)
    return Activated(
        changed={step.name: step.wanted for step in steps},
        repaired=door.repaired,
        calls=door.calls,
        seconds=round(flyte.clock() - began, 3),
        active=dict(activation.after),
    )


def _check_registered(flyte: Flyte, activation: Activation, steps: Sequence[Step]) -> None:
    """Check before the first change that every version is there, so that a wrong one changes nothing."""

    def is_there(step: Step) -> bool:
        identifier = _identifier(activation.project, activation.domain, step.name, step.wanted)
        try:
            flyte.call("GetLaunchPlan", ObjectGetRequest(id=identifier))
        except FlyteNotFound:
            return False
        return True

    with ThreadPoolExecutor(_READERS) as readers:
        found = list(readers.map(is_there, steps))
    missing = [f"{step.name} {step.wanted}" for step, there in zip(steps, found, strict=True) if not there]
    if missing:
        more = f" (and {len(missing) - 5} more)" if len(missing) > 5 else ""
        raise ActivationRefused(
            f"Not registered in {activation.project}/{activation.domain}: {', '.join(missing[:5])}{more}.",
            remedy="Promote the release again, which registers it.",
        )


@dataclass(kw_only=True)
class _Door:
    """The calls that change what is ACTIVE, never without a version, and what they did."""

    flyte: Flyte
    project: str
    domain: str
    calls: int = 0
    repaired: list[str] = field(default_factory=list)

    def settle(self, step: Step) -> None:
        """Bring one launch plan to the version wanted, reading back what each call left."""
        there = list(step.there)
        wanted = [step.wanted] if step.wanted else []
        for _ in range(_TRIES):
            if step.wanted and step.wanted not in there:
                self._update(step.name, step.wanted, active=True)
                there = self._read(step.name)
            surplus = [version for version in there if version != step.wanted]
            if len(there) > 1:
                self.repaired += [f"{step.name} {version}" for version in surplus]
            for version in surplus:
                self._update(step.name, version, active=False)
            there = self._read(step.name) if surplus else there
            if there == wanted:
                return
        raise _disturbed(step.name, there)

    def _update(self, name: str, version: str, *, active: bool) -> None:
        if not (name and version):
            # Flyte would take the first version that it finds.
            raise ActivationRefused(
                f"No version of {name or 'a launch plan'} is named.", remedy="Name exactly one version."
            )
        state = ACTIVE if active else INACTIVE
        identifier = _identifier(self.project, self.domain, name, version)
        self.flyte.call("UpdateLaunchPlan", LaunchPlanUpdateRequest(id=identifier, state=state))
        self.calls += 1

    def _read(self, name: str) -> list[str]:
        """Return all ACTIVE versions of one launch plan, which ListActiveLaunchPlans cannot be asked for."""
        request = ResourceListRequest(
            id=NamedEntityIdentifier(project=self.project, domain=self.domain, name=name),
            filters=f"eq(state,{ACTIVE})",
            sort_by=Sort(key="version", direction=Sort.ASCENDING),
        )
        plans = self.flyte.pages("ListLaunchPlans", request, "launch_plans")
        return sorted(plan.id.version for plan in plans)


def _identifier(project: str, domain: str, name: str, version: str) -> Identifier:
    return Identifier(resource_type=LAUNCH_PLAN, project=project, domain=domain, name=name, version=version)


def _disturbed(name: str, there: Sequence[str]) -> StageDisturbed:
    return StageDisturbed(
        f"{name} does not stay as it is set: {' and '.join(there) or 'no version'} is ACTIVE.",
        remedy="See who else activates it; Taxiway goes on with the next try.",
    )
