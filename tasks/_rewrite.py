"""From a package's protos to what a stage registers: identity, bundle, stage settings; all pure."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from flyteidl.admin.common_pb2 import EmailNotification
from flyteidl.admin.launch_plan_pb2 import LaunchPlan, LaunchPlanSpec
from flyteidl.core.execution_pb2 import WorkflowExecution
from flyteidl.core.identifier_pb2 import Identifier
from flyteidl.core.tasks_pb2 import TaskTemplate
from google.protobuf.message import Message as Proto

from tasks._entities import Entity, Message, nodes, templates


@dataclass(frozen=True, kw_only=True)
class Placement:
    """Where and as what a package is registered.

    `bundle_uri` and `destination` are where its code is and where it is unpacked in the image.
    """

    project: str
    domain: str
    version: str
    bundle_uri: str
    destination: str


@dataclass(frozen=True, kw_only=True)
class LaunchSettings:
    """What a stage sets on every launch plan. Empty text, and 0, is: as the code has it.

    `notify` are addresses that Flyte sends an e-mail to when an execution does not succeed.
    """

    service_account: str = ""
    iam_role: str = ""
    data_prefix: str = ""
    labels: Mapping[str, str] = field(default_factory=dict)
    annotations: Mapping[str, str] = field(default_factory=dict)
    env: Mapping[str, str] = field(default_factory=dict)
    max_parallelism: int = 0
    notify: Sequence[str] = ()


NOTIFIED_PHASES = (WorkflowExecution.FAILED, WorkflowExecution.ABORTED, WorkflowExecution.TIMED_OUT)
"""What a stage's `notify` hears of: every end that is no success."""


def rewrite(entities: Iterable[Entity], placement: Placement, settings: LaunchSettings) -> list[Entity]:
    """Return copies of `entities` under their placement, with the stage's settings on launch plans.

    Every entity gets the placement as its own identity, whatever it says itself. References are filled
    where they are empty or hold flytekit's placeholders; one that names another project, domain or version
    keeps it.
    """
    return [
        Entity(kind=entity.kind, message=_rewritten(entity.message, placement, settings))
        for entity in entities
    ]


def apply_settings(spec: LaunchPlanSpec, settings: LaunchSettings) -> None:
    """Put a stage's settings on a launch plan's spec, in place. The stage wins, field by field.

    | field                        | where both the code and the stage set it                    |
    |------------------------------|-------------------------------------------------------------|
    | labels, annotations, envs    | merged by key; the stage's value where both have the key    |
    | service account, IAM role    | each the stage's; the code's secrets and tokens stay        |
    | auth_role (deprecated)       | dropped as soon as the stage sets an account or a role, for |
    |                              | Flyte reads it where there is no security context           |
    | raw output prefix            | the stage's                                                 |
    | max_parallelism              | the stage's                                                 |
    | notifications                | the code's, and the stage's one e-mail after them           |
    | everything else              | the code's: schedule, inputs, cache ...                     |

    Flyte itself takes labels, annotations and envs as whole fields (`flyteadmin`, `MergeIntoExecConfig`),
    so the merge has to happen here.
    """
    if settings.labels:
        spec.labels.values.update(settings.labels)
    if settings.annotations:
        spec.annotations.values.update(settings.annotations)
    if settings.env:
        envs = {pair.key: pair.value for pair in spec.envs.values} | dict(settings.env)
        del spec.envs.values[:]
        for key, value in sorted(envs.items()):
            spec.envs.values.add(key=key, value=value)
    if settings.service_account:
        spec.security_context.run_as.k8s_service_account = settings.service_account
    if settings.iam_role:
        spec.security_context.run_as.iam_role = settings.iam_role
    if settings.service_account or settings.iam_role:
        spec.ClearField("auth_role")
        spec.ClearField("auth")
    if settings.data_prefix:
        spec.raw_output_data_config.output_location_prefix = settings.data_prefix
    if settings.max_parallelism:
        spec.max_parallelism = settings.max_parallelism
    if settings.notify:
        email = EmailNotification(recipients_email=settings.notify)
        spec.entity_metadata.notifications.add(phases=NOTIFIED_PHASES, email=email)


def without_settings(spec: LaunchPlanSpec) -> LaunchPlanSpec:
    """Return a copy of a launch plan's spec without every field that a stage can set, whoever set it."""
    copy = LaunchPlanSpec()
    copy.CopyFrom(spec)
    for name in ("labels", "annotations", "envs", "auth_role", "auth", "raw_output_data_config"):
        copy.ClearField(name)
    copy.ClearField("max_parallelism")
    for name in ("k8s_service_account", "iam_role"):
        copy.security_context.run_as.ClearField(name)
    copy.entity_metadata.ClearField("notifications")
    return copy


def settings_of(spec: LaunchPlanSpec) -> LaunchPlanSpec:
    """Return a spec that holds nothing but what a stage can set, whoever set it."""
    copy = LaunchPlanSpec(
        labels=spec.labels,
        annotations=spec.annotations,
        envs=spec.envs,
        raw_output_data_config=spec.raw_output_data_config,
        max_parallelism=spec.max_parallelism,
    )
    copy.auth_role.CopyFrom(spec.auth_role)
    run_as, own = copy.security_context.run_as, spec.security_context.run_as
    run_as.k8s_service_account, run_as.iam_role = own.k8s_service_account, own.iam_role
    copy.entity_metadata.notifications.extend(spec.entity_metadata.notifications)
    return copy


def _rewritten(message: Message, placement: Placement, settings: LaunchSettings) -> Message:
    copy = type(message)()
    copy.CopyFrom(message)
    own, *references = identifiers(copy)
    own.project, own.domain, own.version = placement.project, placement.domain, placement.version
    for reference in references:
        _place(reference, placement)
    if isinstance(copy, LaunchPlan):
        apply_settings(copy.spec, settings)
    elif isinstance(copy.template, TaskTemplate):
        _fill(copy.template, placement)
    return copy


def identifiers(message: Message) -> list[Identifier]:
    """Return every identifier in an entity: first its own, then those that it refers to."""
    if isinstance(message, LaunchPlan):
        return [message.id, message.spec.workflow_id]
    if isinstance(message.template, TaskTemplate):
        return [message.template.id]
    found = []
    for template in templates(message):
        found.append(template.id)
        for node in nodes(template):
            if node.HasField("task_node"):
                found.append(node.task_node.reference_id)
            elif node.HasField("workflow_node"):
                kind = node.workflow_node.WhichOneof("reference")
                found.extend([getattr(node.workflow_node, kind)] if kind else [])
    return found


_OPEN = {
    "project": re.compile(r"\{\{\s*registration\.project\s*\}\}"),
    "domain": re.compile(r"\{\{\s*registration\.domain\s*\}\}"),
    "version": re.compile(r"\{\{\s*registration\.version\s*\}\}"),
    "bundle_uri": re.compile(r"\{\{\s*\.remote_package_path\s*\}\}"),
    "destination": re.compile(r"\{\{\s*\.dest_dir\s*\}\}"),
}
"""flytekit's placeholders (`flytekit.configuration`, `flytekit.tools.translator`), by field of Placement."""


def _place(identifier: Identifier, placement: Placement) -> None:
    for name in ("project", "domain", "version"):
        current = getattr(identifier, name)
        if not current or _OPEN[name].fullmatch(current):
            setattr(identifier, name, getattr(placement, name))


def _fill(template: TaskTemplate, placement: Placement) -> None:
    """Fill placeholders in what a task runs: its container, its pod, its plugin's own settings."""

    def filled(text: str) -> str:
        if "{{" not in text:
            return text
        for name, pattern in _OPEN.items():
            value = str(getattr(placement, name))
            text = pattern.sub(lambda _, value=value: value, text)  # type: ignore[misc]
        return text

    for part in (template.container, template.k8s_pod, template.custom):
        _map_texts(part, filled)
    for key, value in template.config.items():
        template.config[key] = filled(value)


def _map_texts(message: Proto, change: Callable[[str], str]) -> None:
    """Change every text inside `message`, in place, however deep."""
    for descriptor, value in message.ListFields():
        if isinstance(value, str):
            setattr(message, descriptor.name, change(value))
        elif isinstance(value, Proto):
            _map_texts(value, change)
        elif hasattr(value, "items"):
            _map_values(value, change)
        elif hasattr(value, "append") or hasattr(value, "extend"):
            _map_items(value, change)


def _map_values(table: Any, change: Callable[[str], str]) -> None:
    for key in list(table):
        if isinstance(table[key], Proto):
            _map_texts(table[key], change)
        elif isinstance(table[key], str):
            table[key] = change(table[key])


def _map_items(items: Any, change: Callable[[str], str]) -> None:
    for index, item in enumerate(items):
        if isinstance(item, Proto):
            _map_texts(item, change)
        elif isinstance(item, str):
            items[index] = change(item)
