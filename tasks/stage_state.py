"""What a stage runs: what Flyte says is ACTIVE, and what the record of its last generation says."""

from __future__ import annotations

import enum
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from flyteidl.admin.common_pb2 import Sort
from flyteidl.admin.execution_pb2 import Execution
from flyteidl.admin.launch_plan_pb2 import ActiveLaunchPlanListRequest
from pydantic import field_validator

from tasks._errors import ActivationRefused
from tasks._executions import ENDED, phase_of
from tasks._flyte import Flyte
from tasks._home import Home
from tasks._names import generation_name, release_tag, stage_tag, target_tag
from tasks._typed import value_of
from tasks._types import Record
from tasks.policy import Stage


class Cause(str, enum.Enum):
    """Why a stage came to a generation."""

    PROMOTION = "promotion"
    ROLLBACK = "rollback"
    ADOPTION = "adoption"


class Activation(Record):
    """One generation of a stage: which launch plan versions were ACTIVE before, and which are after it.

    Both sets map names to versions and hold what Taxiway manages in the stage. `sha`, `version` and
    `manifest` (a digest) are those of the release; empty where there is none. `asked_by` is the execution
    that asked for it. `back_to` is, for a rollback, the
    generation that it goes back to, else -1.
    """

    target: str
    stage: str
    project: str
    domain: str
    endpoint: str = ""
    generation: int
    cause: Cause
    sha: str = ""
    version: str = ""
    manifest: str = ""
    before: dict[str, str] = {}
    after: dict[str, str] = {}
    asked_by: str = ""
    back_to: int = -1
    reason: str = ""

    @field_validator("before", "after")
    @classmethod
    def _sorted(cls, names: dict[str, str]) -> dict[str, str]:
        """Sets are compared as Flyte stores them, in one order."""
        return dict(sorted(names.items()))


UNASKED = Activation(target="", stage="", project="", domain="", generation=-1, cause=Cause.ROLLBACK)
"""Stands for no activation where a launch plan's input has to be one."""
GENERATION_FLOWS = ("activate", "rollback")
"""The flows whose executions are named by generation, each with an input `activation`."""
NOTES = ("generation", "cause", "stage", "sha", "version", "manifest", "asked_by", "back_to", "reason")
"""What annotations say of a generation's execution, for a list has no inputs."""

_LONGEST_NOTE = 200
WHOLE_NOTE = "taxiway/activation"
"""The annotation that holds all of an activation, where it is not too long; else its inputs alone do."""
_LONGEST_WHOLE = 4000
REFUSED = ActivationRefused.error_code
"""How a generation ends that changed nothing, for nobody vouched for what it asked."""


def notes_of(activation: Activation) -> dict[str, str]:
    """Return the annotations of a generation's execution."""
    values = activation.model_dump(mode="json")
    notes = {f"taxiway/{name}": str(values[name])[:_LONGEST_NOTE] for name in NOTES}
    whole = activation.model_dump_json(exclude_defaults=True)
    return {**notes, WHOLE_NOTE: whole} if len(whole) <= _LONGEST_WHOLE else notes


def tags_of(activation: Activation) -> list[str]:
    """Return the tags of a generation's execution: its target, its stage, and its release if there is one."""
    target, sha = activation.target, activation.sha
    release = [release_tag(target, sha)] if sha else []
    return [target_tag(target), stage_tag(target, activation.stage), *release]


@dataclass(frozen=True, kw_only=True)
class Generation:
    """One generation as a list of executions shows it; `at` is in seconds since the epoch.

    `record` is what its annotations say that it was launched with; None where they do not say.
    """

    execution: str
    number: int
    cause: Cause
    stage: str
    sha: str
    version: str
    manifest: str
    phase: str
    at: float
    principal: str
    asked_by: str = ""
    back_to: int = -1
    reason: str = ""
    error_code: str = ""
    record: Activation | None = None

    @property
    def ended(self) -> bool:
        """Whether its execution can change nothing any more."""
        return self.phase in ENDED

    @property
    def refused(self) -> bool:
        """Whether it changed nothing, since nobody vouched for it; what it says of the stage is not so."""
        return self.error_code == REFUSED


@dataclass(frozen=True, kw_only=True)
class StageState:
    """A stage as it is. `active` maps launch plans to all their ACTIVE versions: more than one is wrong.

    `last` is its newest generation that was not refused, `record` what that one says; None where there is
    none. `next` is the number of the generation to come.
    """

    stage: Stage
    active: Mapping[str, list[str]]
    last: Generation | None = None
    record: Activation | None = None
    next: int = 0

    @property
    def managed(self) -> set[str]:
        """The launch plans that Taxiway answers for here: those of the last generation, and the policy's."""
        recorded = {*self.record.before, *self.record.after} if self.record else set()
        return recorded | set(self.stage.activate)

    @property
    def partial(self) -> bool:
        """Whether the last generation's activation ended before all of it was done."""
        ended = self.last is not None and self.last.phase in {"FAILED", "ABORTED", "TIMED_OUT"}
        return ended and bool(self.drift)

    @property
    def drift(self) -> list[str]:
        """What is ACTIVE otherwise than the last record says, one sentence each; none where there is none."""
        if self.record is None:
            return []
        return list(differences(self.active, self.record.after, self.managed))


def differences(
    active: Mapping[str, list[str]], wanted: Mapping[str, str], managed: set[str]
) -> Iterator[str]:
    """Yield a sentence for each managed launch plan that is not ACTIVE at exactly the version wanted."""
    for name in sorted(managed | set(wanted)):
        there, one = active.get(name, []), wanted.get(name)
        if there == ([one] if one else []):
            continue
        found = " and ".join(there) or "no version"
        yield f"{name}: {found} is ACTIVE, and {one or 'none'} should be"


def generations(home: Home, stage: str, *, limit: int = 0) -> Iterator[Generation]:
    """Yield the generations of a stage, the newest first, out of at most `limit` executions; 0 is all.

    An execution that is not named by its generation is none, whatever it says of itself.
    """
    for execution in home.executions(GENERATION_FLOWS, tag=stage_tag(home.target, stage), limit=limit):
        found = generation_of(execution)
        if found is not None and found.execution == generation_name(home.target, stage, found.number):
            yield found


def generation_of(execution: Execution) -> Generation | None:
    """Read a generation off its execution's annotations; None where it has none of ours."""
    notes = execution.spec.annotations.values
    try:
        return Generation(
            execution=execution.id.name,
            number=int(notes["taxiway/generation"]),
            cause=Cause(notes["taxiway/cause"]),
            stage=notes["taxiway/stage"],
            sha=notes["taxiway/sha"],
            version=notes["taxiway/version"],
            manifest=notes["taxiway/manifest"],
            phase=phase_of(execution),
            at=execution.closure.created_at.ToMilliseconds() / 1000,
            principal=execution.spec.metadata.principal,
            asked_by=notes["taxiway/asked_by"],
            back_to=int(notes["taxiway/back_to"]),
            reason=notes["taxiway/reason"],
            error_code=execution.closure.error.code,
            record=_whole(notes.get(WHOLE_NOTE, "")),
        )
    except (KeyError, ValueError):
        return None


def _whole(note: str) -> Activation | None:
    try:
        return Activation.model_validate_json(note) if note else None
    except ValueError:  # of another version of Taxiway
        return None


def record_of(home: Home, generation: Generation) -> Activation:
    """Read what a generation's execution was launched with.

    Raises:
        Unreadable: it was not launched by this version of Taxiway.
    """
    return value_of(home.data(generation.execution).full_inputs, "activation", Activation)


def active_plans(flyte: Flyte, project: str, domain: str) -> dict[str, list[str]]:
    """Return every ACTIVE launch plan of a project and domain, with all of its ACTIVE versions, sorted."""
    request = ActiveLaunchPlanListRequest(
        project=project, domain=domain, sort_by=Sort(key="name", direction=Sort.ASCENDING)
    )
    found: dict[str, list[str]] = {}
    for plan in flyte.pages("ListActiveLaunchPlans", request, "launch_plans"):
        found.setdefault(plan.id.name, []).append(plan.id.version)
    return {name: sorted(versions) for name, versions in found.items()}


def read_stage(home: Home, flyte: Flyte, stage: Stage) -> StageState:
    """Read a stage's state: one list of what is ACTIVE there, one of generations, and one record."""
    last, following = newest(home, stage.name)
    return StageState(
        stage=stage,
        active=active_plans(flyte, stage.project, stage.domain),
        last=last,
        record=record_of(home, last) if last is not None else None,
        next=following,
    )


def newest(home: Home, stage: str) -> tuple[Generation | None, int]:
    """Return the newest generation of a stage that was not refused, and the number of the one to come."""
    following = 0
    for generation in generations(home, stage):
        following = max(following, generation.number + 1)
        if not generation.refused:
            return generation, following
    return None, following
