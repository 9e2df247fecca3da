"""Whether a stage has the very entities of a package, and which of them are otherwise; all pure.

A promotion may change an entity's identity, the location of its code and what a stage sets on launch
plans. Everything else has to be the same in every stage; that is compared here, whole, and said.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

from flyteidl.admin.launch_plan_pb2 import LaunchPlan
from flyteidl.admin.task_pb2 import TaskSpec
from flyteidl.admin.workflow_pb2 import WorkflowSpec

from tasks import _structure
from tasks._entities import Entity, Message, templates
from tasks._rewrite import identifiers, without_settings
from tasks._types import Record

_LOCATION = re.compile(r"--additional-distribution (\S+)")
_DESTINATION = re.compile(r"--dest-dir \S+")
_SHOWN = 5


class SameBytes(Record):
    """How what is registered compares with what was packaged, by kind and name.

    `different` is there with other content, `missing` is not there, `foreign` is there and not of the
    package.
    """

    total: int
    different: list[str] = []
    missing: list[str] = []
    foreign: list[str] = []

    @property
    def same(self) -> int:
        """How many entities of the package are there with exactly their content."""
        return self.total - len(self.different) - len(self.missing)

    @property
    def passed(self) -> bool:
        """Whether all of it is the same, and nothing else is there."""
        return not (self.different or self.missing or self.foreign)

    def __str__(self) -> str:
        parts = [f"same bytes: {self.same} of {self.total}"]
        for word, names in (
            ("different", self.different),
            ("missing", self.missing),
            ("not of the package", self.foreign),
        ):
            if names:
                more = f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else ""
                parts.append(f"{word}: {', '.join(names[:_SHOWN])}{more}")
        return "; ".join(parts)


def compare(package: Iterable[Entity], there: Iterable[Entity]) -> SameBytes:
    """Compare the content of a package with that of what is registered, or the contents of two stages.

    All are as `rewrite` placed them, wherever. Left out are identity, also in references to entities of the
    same placement, the location of the code bundle, the folder that it is unpacked in, and all that a stage
    can set on a launch plan. So an entity of a package is the same in whatever stage it is registered.
    """
    ours = {str(entity): entity for entity in package}
    theirs = {str(entity): entity for entity in there}
    both = ours.keys() & theirs.keys()
    return SameBytes(
        total=len(ours),
        different=sorted(name for name in both if not _same(ours[name], theirs[name])),
        missing=sorted(ours.keys() - theirs.keys()),
        foreign=sorted(theirs.keys() - ours.keys()),
    )


def code_locations(entities: Iterable[Entity]) -> set[str]:
    """Return where tasks fetch their code from: in a stage, one place that is the stage's own."""
    tasks = (one.message for one in entities if isinstance(one.message, TaskSpec))
    return {found for task in tasks for found in _LOCATION.findall(_text(_structure.tree(task.template)))}


def strangers(entities: Sequence[Entity], *, project: str, domain: str) -> list[str]:
    """Return the references that leave a stage, one sentence each: none, if it stands by itself."""
    return [
        f"{entity} refers to {one.project}/{one.domain}/{one.name} at {one.version}"
        for entity in entities
        for one in identifiers(entity.message)
        if (one.project, one.domain) != (project, domain)
    ]


def _same(one: Entity, other: Entity) -> bool:
    """Whether two entities have the same content; only where their bytes differ does it take trees to say."""
    ours, theirs = _bare_message(one), _bare_message(other)
    return ours == theirs or _tree(ours) == _tree(theirs)


def bare(entity: Entity) -> _structure.Tree:
    """Return an entity's content as `compare` takes it."""
    return _tree(_bare_message(entity))


def _bare_message(entity: Entity) -> Message:
    """Return a copy of an entity's message without its place; what a container runs is one text in it."""
    message = type(entity.message)()
    message.CopyFrom(entity.message)
    own = (entity.id.project, entity.id.domain, entity.id.version)
    for identifier in identifiers(message):
        if (identifier.project, identifier.domain, identifier.version) == own:
            identifier.project = identifier.domain = identifier.version = ""
    if isinstance(message, LaunchPlan):
        return LaunchPlan(spec=without_settings(message.spec))
    message.ClearField("description")
    if isinstance(message, WorkflowSpec):
        for template in templates(message):
            _structure.uncompile(template)
    elif args := message.template.container.args:
        args[:] = [str(_placeless(" ".join(args)))]
    return message


def _tree(message: Message) -> _structure.Tree:
    if isinstance(message, LaunchPlan):
        return _structure.tree(message.spec)
    if isinstance(message, TaskSpec):
        return _placeless(_structure.tree(message.template))
    inner = {f"[{one.id.name}]": _structure.tree(one) for one in message.sub_workflows}
    return {"template": _structure.tree(message.template), "sub_workflows": inner}


def _placeless(tree: _structure.Tree) -> _structure.Tree:
    if isinstance(tree, str):
        text = _LOCATION.sub("--additional-distribution CODE", tree)
        return _DESTINATION.sub("--dest-dir FOLDER", text)
    return {key: _placeless(value) for key, value in tree.items()}


def _text(tree: _structure.Tree) -> str:
    return tree if isinstance(tree, str) else "\n".join(map(_text, tree.values()))
