"""Taxiway's own tasks and workflows as protos, its version, and the code that they run."""

from __future__ import annotations

import hashlib
import importlib
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.metadata import version as distribution_version
from pathlib import Path
from typing import Any

from flyteidl.admin.workflow_pb2 import WorkflowSpec
from flyteidl.core.tasks_pb2 import Resources
from flytekit.configuration import FastSerializationSettings, Image, ImageConfig, SerializationSettings
from flytekit.tools.translator import get_serializable

import tasks
from tasks._entities import Entity, Kind, nodes, parse, templates
from tasks._errors import CommandFailed, CommandMissing
from tasks._quantities import quantity
from tasks._run import run
from workflows.launch_plans import FLOWS, SELF_CHECK_WORKFLOW

PACKAGES = ("tasks", "workflows")
"""The packages that Taxiway's tasks need; `scripts` stays where people are."""
WORKFLOWS = (*(flow.workflow for flow in FLOWS), SELF_CHECK_WORKFLOW)
ROOT = Path(tasks.__file__).resolve().parent.parent


@dataclass(frozen=True, kw_only=True)
class Placement:
    """What is the same for all of Taxiway's entities at one installation.

    `bundle_uri` is where their code is fetched from; empty where the image holds it. `cpu` and `memory`
    are Kubernetes quantities that replace every task's own limit; empty keeps it.
    """

    project: str
    domain: str
    image: str
    bundle_uri: str = ""
    cpu: str = ""
    memory: str = ""


def serialise(placement: Placement, version: str) -> list[Entity]:
    """Return Taxiway's tasks and workflows as protos: tasks first, each once, no launch plans."""
    settings = SerializationSettings(
        project=placement.project,
        domain=placement.domain,
        version=version,
        image_config=ImageConfig(default_image=Image.look_up_image_info("default", placement.image)),
        fast_serialization_settings=FastSerializationSettings(
            enabled=bool(placement.bundle_uri),
            destination_dir=".",
            distribution_location=placement.bundle_uri or None,
        ),
    )
    models: OrderedDict[Any, Any] = OrderedDict()
    for name in WORKFLOWS:
        module, _, attribute = name.rpartition(".")
        get_serializable(models, settings, getattr(importlib.import_module(module), attribute))
    entities = [
        parse(kind, model.to_flyte_idl().SerializeToString(deterministic=True))
        for kind, class_name in ((Kind.TASK, "TaskSpec"), (Kind.WORKFLOW, "WorkflowSpec"))
        for model in models.values()
        if type(model).__name__ == class_name
    ]
    return [resized(ordered(entity), cpu=placement.cpu, memory=placement.memory) for entity in entities]


def ordered(entity: Entity) -> Entity:
    """Return a workflow whose nodes list what comes before them in one order.

    flytekit collects these in sets (`flytekit.core.node`), so that every process has an order of its own,
    and Flyte takes another order for another workflow.
    """
    if not isinstance(entity.message, WorkflowSpec):
        return entity
    copy = WorkflowSpec()
    copy.CopyFrom(entity.message)
    for template in templates(copy):
        for node in nodes(template):
            node.upstream_node_ids.sort()
    return Entity(kind=entity.kind, message=copy)


def resized(entity: Entity, *, cpu: str, memory: str) -> Entity:
    """Return a task with its CPU and memory limits replaced; requests stay, for they are small.

    A request above the new limit would never be scheduled, so it becomes the limit.
    """
    if entity.kind is not Kind.TASK or not entity.message.template.HasField("container"):
        return entity
    copy = parse(entity.kind, entity.message.SerializeToString())
    resources = copy.message.template.container.resources
    for entry in resources.limits:
        value = {Resources.CPU: cpu, Resources.MEMORY: memory}.get(entry.name, "")
        entry.value = value or entry.value
    limits = {entry.name: entry.value for entry in resources.limits}
    for entry in resources.requests:
        if entry.name in limits and quantity(entry.value) > quantity(limits[entry.name]):
            entry.value = limits[entry.name]
    return copy


def source_files(root: Path = ROOT, packages: Sequence[str] = PACKAGES) -> list[Path]:
    """Return the files of Taxiway's packages, sorted; what Python compiled is left out."""
    found = (path for name in packages for path in (root / name).rglob("*") if path.is_file())
    return sorted(path for path in found if "__pycache__" not in path.parts and path.suffix != ".pyc")


def own_version(entities: Sequence[Entity], root: Path = ROOT) -> str:
    """Return the version that `entities` are registered under.

    It is made of the commit, if `root` is a clean checkout, or else of the distribution's version; and of
    a digest of the entities themselves, which differ with the image, the resources and the code.
    """
    content = hashlib.sha256()
    for entity in entities:
        content.update(entity.message.SerializeToString(deterministic=True))
    return f"{commit_of(root)[:12] or distribution_version('taxiway')}-{content.hexdigest()[:8]}"


def commit_of(root: Path) -> str:
    """Return the commit of a clean checkout at `root`, or an empty text."""
    if not (root / ".git").exists():
        return ""
    try:
        state = run(["git", "-C", root, "status", "--porcelain"], timeout_s=30).stdout
        if state.strip():
            return ""
        return run(["git", "-C", root, "rev-parse", "HEAD"], timeout_s=30).stdout.strip()
    except (CommandFailed, CommandMissing):
        return ""
