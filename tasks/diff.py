"""What registering a package would change, against what a stage runs now: the entity diff."""

from __future__ import annotations

import enum
import re
from collections.abc import Sequence

from flyteidl.admin.launch_plan_pb2 import LaunchPlan
from flyteidl.admin.workflow_pb2 import WorkflowSpec
from pydantic import Field

from tasks import _interfaces, _structure
from tasks._baseline import Baseline, fetch_baseline
from tasks._entities import Entity, Kind, Message
from tasks._errors import FlyteInvalid, FlyteNotFound
from tasks._flyte import Flyte
from tasks._rewrite import Placement, identifiers, rewrite
from tasks._types import Record
from tasks.policy import Stage
from tasks.preview_order import stage_settings


class Change(str, enum.Enum):
    """What happened to one entity."""

    ADDED = "added"
    REMOVED = "removed"
    CHANGED = "changed"


class EntityChange(Record):
    """One entity that is not as it was."""

    kind: Kind
    name: str
    change: Change
    against: str = ""
    """The version compared with; empty for an added entity."""
    details: list[str] = Field(default_factory=list)
    """What changed, one short sentence each; at most a screenful."""
    breaking: list[str] = Field(default_factory=list)
    """Those changes of the interface that break a caller; empty where none does."""


class EntityDiff(Record):
    """Everything that changes in a stage, by kind and name."""

    project: str
    domain: str
    changes: list[EntityChange]
    unchanged: int
    note: str = ""
    """Why there was nothing to compare with, where that is so: the stage's project does not exist yet."""

    @property
    def breaking(self) -> list[EntityChange]:
        """The changes that break a caller."""
        return [change for change in self.changes if change.breaking]


_DETAILS = 8
_AT_LENGTH = 200
_ORDER = list(Kind)
_NOISE = [
    (re.compile(r"--additional-distribution \S+"), "--additional-distribution CODE"),
    (re.compile(r"--dest-dir \S+ "), ""),
]
"""Where the code is, and where it is unpacked: different in every version, and no change of an entity."""
_FACE = re.compile(r"interface\b.*|default_inputs(\.parameters(\.\w+(\.(var|required)\b.*)?)?)?")
"""Places that the comparison of interfaces speaks of; a default's value is not among them."""
_NOISY_KEYS = {"[_F_SS_C]"}
"""flytekit's own settings in a dynamic task's environment (`SERIALIZED_CONTEXT_ENV_VAR`)."""


def compare_with_stage(package: Sequence[Entity], flyte: Flyte, stage: Stage, *, version: str) -> EntityDiff:
    """Compare a package with what a stage runs now, as if it were registered there.

    `version` is what the package is or will be registered as; it is not compared with itself. Where there
    is nothing to compare with, everything is added and the note says why: the stage's project does not
    exist yet, or the stage is at another Flyte, which a preview is not let into. Cost: see `fetch_baseline`.

    Raises:
        FlyteUnavailable, FlyteUnauthenticated, FlyteRefused: Flyte cannot be asked.
    """
    place = f"{stage.project}/{stage.domain}"
    baseline = Baseline(version="", active=False, entities=[])
    note = f"Nothing of this is registered in {place} yet."
    if stage.endpoint:
        note = f"The stage is at another Flyte, {stage.endpoint}, which a preview does not ask."
    else:
        try:
            baseline = fetch_baseline(
                flyte, package, project=stage.project, domain=stage.domain, version=version
            )
        except (FlyteInvalid, FlyteNotFound) as error:
            note = f"There is nothing to compare with in {place}: {error.details[:300]}"
    if baseline.version:
        newest = f"Nothing of this is ACTIVE there; compared with the newest version, {baseline.version}."
        note = "" if baseline.active else newest
    changes, unchanged = entity_changes(baseline.entities, placed_in(stage, package))
    return EntityDiff(
        project=stage.project, domain=stage.domain, changes=changes, unchanged=unchanged, note=note
    )


def placed_in(stage: Stage, package: Sequence[Entity]) -> list[Entity]:
    """Return a package as it is registered in a stage, but for its version and its code's location."""
    place = Placement(
        project=stage.project, domain=stage.domain, version="-", bundle_uri="-", destination="-"
    )
    return rewrite(package, place, stage_settings(stage))


def entity_changes(old: Sequence[Entity], new: Sequence[Entity]) -> tuple[list[EntityChange], int]:
    """Compare two sets of entities, each under identifiers of its own; count what is the same."""
    before = {(one.kind, one.name): one for one in old}
    after = {(one.kind, one.name): one for one in new}
    changes: list[EntityChange] = []
    for key in sorted(before.keys() | after.keys(), key=lambda key: (_ORDER.index(key[0]), key[1])):
        at_length = _DETAILS if len(changes) < _AT_LENGTH else 1
        changes.extend(_change(key[0], key[1], before, after, at_length))
    return changes, len(before.keys() & after.keys()) - sum(one.change is Change.CHANGED for one in changes)


Entities = dict[tuple[Kind, str], Entity]


def _change(kind: Kind, name: str, before: Entities, after: Entities, most: int) -> list[EntityChange]:
    old, new = before.get((kind, name)), after.get((kind, name))
    if old is None:
        return [EntityChange(kind=kind, name=name, change=Change.ADDED)]
    version = str(old.id.version)
    if new is None:
        gone = [] if kind is Kind.TASK else [f"the {kind.value} is gone"]
        return [EntityChange(kind=kind, name=name, change=Change.REMOVED, against=version, breaking=gone)]
    was, becomes = _quiet_message(old), _quiet_message(new)
    # Equal messages need no trees; a workflow's interface depends on its launch plan, too.
    equal = was == becomes
    if equal and kind is not Kind.WORKFLOW:
        return []
    found = [] if equal else list(_structure.differences(_quiet_tree(was), _quiet_tree(becomes)))
    faced = _interfaces.compare(_interface(old, before), _interface(new, after))
    if not found and not faced.breaking and not faced.harmless:
        return []
    rest = [one for one in found if not _FACE.fullmatch(one.path)]
    details = [*faced.harmless, *_structure.sentences(rest, most=most)]
    return [
        EntityChange(
            kind=kind,
            name=name,
            change=Change.CHANGED,
            against=version,
            details=details or ([] if faced.breaking else ["the wording of its interface"]),
            breaking=faced.breaking,
        )
    ]


def _interface(entity: Entity, among: Entities) -> _interfaces.Interface:
    """Return an entity's interface; a workflow's defaults are those of its launch plan of the same name."""
    if isinstance(entity.message, LaunchPlan):
        return _interfaces.of_parameters(entity.message.spec.default_inputs)
    default = among.get((Kind.LAUNCH_PLAN, entity.name)) if entity.kind is Kind.WORKFLOW else None
    optional = _interfaces.optional_of(default.message.spec.default_inputs) if default else set()
    return _interfaces.of_typed(entity.message.template.interface, optional=optional)


def _quiet_message(entity: Entity) -> Message:
    """Return an entity's message without what differs in any two versions: identity, code, flytekit, notes.

    What a container runs is one text in it.
    """
    message = type(entity.message)()
    message.CopyFrom(entity.message)
    own = (entity.id.project, entity.id.domain, entity.id.version)
    for identifier in identifiers(message):
        if (identifier.project, identifier.domain, identifier.version) == own:
            identifier.project = identifier.domain = identifier.version = ""
    if isinstance(message, LaunchPlan):
        message.ClearField("closure")
        return message
    message.ClearField("description")
    if isinstance(message, WorkflowSpec):
        _structure.uncompile(message.template)
        return message
    message.template.metadata.runtime.version = ""
    if args := message.template.container.args:
        args[:] = [str(_quiet(" ".join(args)))]
    return message


def _quiet_tree(message: Message) -> _structure.Tree:
    return _quiet(_structure.tree(message.spec if isinstance(message, LaunchPlan) else message.template))


def _quiet(tree: _structure.Tree) -> _structure.Tree:
    if isinstance(tree, str):
        for pattern, instead in _NOISE:
            tree = pattern.sub(instead, tree)
        return tree
    kept: dict[str, _structure.Tree] = {}
    for key, value in tree.items():
        if key not in _NOISY_KEYS and (quiet := _quiet(value)):
            kept[key] = quiet
    return kept
