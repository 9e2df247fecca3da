"""Entities for tests: small protos, written by hand, as a package holds them."""

from __future__ import annotations

import io
import tarfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TypeAlias

from flyteidl.admin.launch_plan_pb2 import LaunchPlan
from flyteidl.admin.task_pb2 import TaskSpec
from flyteidl.admin.workflow_pb2 import WorkflowSpec
from flyteidl.core.identifier_pb2 import ResourceType
from flyteidl.core.types_pb2 import LiteralType, SimpleType
from google.protobuf.text_format import Parse

from tasks._entities import Entity, Kind
from tasks._rewrite import Placement

INT = LiteralType(simple=SimpleType.INTEGER)
FLOAT = LiteralType(simple=SimpleType.FLOAT)
STR = LiteralType(simple=SimpleType.STRING)
PLACEMENT = Placement(
    project="fraud-previews",
    domain="development",
    version="v1",
    bundle_uri="s3://b/code.tar.gz",
    destination=".",
)
Types: TypeAlias = Mapping[str, LiteralType]


def a_task(
    name: str,
    *,
    inputs: Types | None = None,
    outputs: Types | None = None,
) -> Entity:
    spec = Parse(
        """template {
            type: "python-task"
            metadata { runtime { version: "1.16.31" } }
            container {
                image: "registry.example.com/fraud@sha256:00"
                args: ["pyflyte-fast-execute", "--additional-distribution", "{{ .remote_package_path }}",
                       "--dest-dir", "{{ .dest_dir }}", "--", "pyflyte-execute", "{{.input}}"]
            }
        }""",
        TaskSpec(),
    )
    spec.template.id.name, spec.template.id.resource_type = name, ResourceType.TASK
    _face(spec.template.interface, inputs, outputs)
    return Entity(kind=Kind.TASK, message=spec)


def a_workflow(
    name: str,
    *,
    tasks: Sequence[str] = (),
    plans: Sequence[str] = (),
    inputs: Types | None = None,
    outputs: Types | None = None,
) -> Entity:
    spec = WorkflowSpec()
    spec.template.id.name, spec.template.id.resource_type = name, ResourceType.WORKFLOW
    for at, task in enumerate(tasks):
        reference = spec.template.nodes.add(id=f"n{at}").task_node.reference_id
        reference.name, reference.resource_type = task, ResourceType.TASK
    for at, plan in enumerate(plans):
        reference = spec.template.nodes.add(id=f"p{at}").workflow_node.launchplan_ref
        reference.name, reference.resource_type = plan, ResourceType.LAUNCH_PLAN
    _face(spec.template.interface, inputs, outputs)
    return Entity(kind=Kind.WORKFLOW, message=spec)


def a_plan(name: str, workflow: str = "", *, inputs: Types | None = None) -> Entity:
    plan = LaunchPlan()
    plan.id.name, plan.id.resource_type = name, ResourceType.LAUNCH_PLAN
    plan.spec.workflow_id.name = workflow or name
    plan.spec.workflow_id.resource_type = ResourceType.WORKFLOW
    for key, kind in (inputs or {}).items():
        parameter = plan.spec.default_inputs.parameters[key]
        parameter.var.type.CopyFrom(kind)
        parameter.required = True
    return Entity(kind=Kind.LAUNCH_PLAN, message=plan)


def write_package(path: Path, entities: Sequence[Entity]) -> None:
    """Write entities to a file as `pyflyte package` does."""
    kinds = {kind: number for number, kind in enumerate(Kind, 1)}
    with tarfile.open(path, "w:gz") as tar:
        for at, entity in enumerate(entities):
            content = entity.message.SerializeToString()
            member = tarfile.TarInfo(f"{at}_{entity.name}_{kinds[entity.kind]}.pb")
            member.size = len(content)
            tar.addfile(member, io.BytesIO(content))


def _face(interface: object, inputs: Types | None, outputs: Types | None) -> None:
    for side, given in (("inputs", inputs), ("outputs", outputs)):
        for name, kind in (given or {}).items():
            getattr(interface, side).variables[name].type.CopyFrom(kind)
