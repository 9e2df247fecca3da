"""The order of registration: what refers to an entity comes in a later wave than the entity; all pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence

from flyteidl.admin.launch_plan_pb2 import LaunchPlan
from flyteidl.core.identifier_pb2 import Identifier, ResourceType

from tasks._entities import Entity, Kind, nodes, templates
from tasks._errors import ReferenceCycle, RegistrationRefused
from tasks._rewrite import identifiers


def waves(entities: Sequence[Entity]) -> list[list[Entity]]:
    """Sort rewritten entities into waves; those of one wave do not need each other.

    First all tasks; then, level by level along launch-plan references, workflows and after them their
    launch plans, for Flyte compiles a workflow only when the launch plans of its nodes are there.
    Sub-workflows are inside the workflows that use them, so they order nothing.

    Raises:
        ReferenceCycle: workflows refer to each other's launch plans in a circle.
        RegistrationRefused: two entities have one name; registered side by side they would corrupt each
            other in Flyte's storage.
    """
    _check_names(entities)
    tasks = [entity for entity in entities if entity.kind is Kind.TASK]
    workflows = [entity for entity in entities if entity.kind is Kind.WORKFLOW]
    plans = [entity for entity in entities if entity.kind is Kind.LAUNCH_PLAN]
    levels = _levels(workflows, plans)
    ordered = [tasks]
    for level in range(max(levels.values(), default=-1) + 1):
        names = {name for name, at in levels.items() if at == level}
        ordered.append([workflow for workflow in workflows if _key(workflow.id) in names])
        ordered.append([plan for plan in plans if _workflow_key(plan) in names])
    known = set(levels)
    ordered.append([plan for plan in plans if _workflow_key(plan) not in known])
    return [wave for wave in ordered if wave]


def needs(entities: Sequence[Entity]) -> list[set[int]]:
    """Return, for each entity, the places of those that Flyte has to have before it.

    A workflow needs the tasks and launch plans of its nodes, a launch plan its workflow. What a package
    refers to and does not hold is not for it to register.
    """
    place = {(entity.id.resource_type, _key(entity.id)): at for at, entity in enumerate(entities)}
    return [
        {
            place[one.resource_type, _key(one)]
            for one in identifiers(entity.message)
            if one.resource_type not in (entity.id.resource_type, ResourceType.UNSPECIFIED)
            and (one.resource_type, _key(one)) in place
        }
        for entity in entities
    ]


Key = tuple[str, str, str, str]


def _key(identifier: Identifier) -> Key:
    return (identifier.project, identifier.domain, identifier.name, identifier.version)


def _workflow_key(plan: Entity) -> Key:
    return _key(plan.message.spec.workflow_id if isinstance(plan.message, LaunchPlan) else plan.id)


def _check_names(entities: Iterable[Entity]) -> None:
    count = Counter(str(entity) for entity in entities)
    twice = sorted(name for name, times in count.items() if times > 1)
    if twice:
        raise RegistrationRefused(
            f"The package holds more than one {', more than one '.join(twice)}.",
            remedy="Give every task, workflow and launch plan a name of its own.",
            refusals=dict.fromkeys(twice, "it is there more than once"),
        )


def _levels(workflows: Sequence[Entity], plans: Sequence[Entity]) -> dict[Key, int]:
    """Return each workflow's level: 0, or one above the highest of those whose launch plans it uses."""
    owner = {_key(plan.id): _workflow_key(plan) for plan in plans}
    known = {_key(workflow.id) for workflow in workflows}
    needs = {
        _key(workflow.id): {owner[used] for used in _uses(workflow) if owner.get(used) in known}
        for workflow in workflows
    }
    levels: dict[Key, int] = {}
    while len(levels) < len(needs):
        ready = [key for key, wanted in needs.items() if key not in levels and wanted <= levels.keys()]
        if not ready:
            raise _cycle(sorted(key[2] for key in needs if key not in levels))
        levels.update({key: 1 + max((levels[one] for one in needs[key]), default=-1) for key in ready})
    return levels


def _uses(workflow: Entity) -> set[Key]:
    """Return the launch plans that a workflow's nodes start, those of its sub-workflows included."""
    return {
        _key(node.workflow_node.launchplan_ref)
        for template in templates(workflow.message)
        for node in nodes(template)
        if node.HasField("workflow_node") and node.workflow_node.HasField("launchplan_ref")
    }


def _cycle(names: Sequence[str]) -> ReferenceCycle:
    return ReferenceCycle(
        f"These workflows start each other's launch plans in a circle, or need one that does: "
        f"{', '.join(names)}.",
        remedy="Break the circle: call one of them as a sub-workflow, or start it from a task.",
    )
