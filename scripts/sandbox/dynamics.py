"""Dynamic tasks: the workflow that an attempt wrote as `futures.pb`, compiled.

Source: flytepropeller `nodes/dynamic/dynamic_workflow.go`.
"""

from __future__ import annotations

from flyteidl.admin.launch_plan_pb2 import LaunchPlan
from flyteidl.core.compiler_pb2 import CompiledTask, CompiledWorkflowClosure
from flyteidl.core.dynamic_job_pb2 import DynamicJobSpec
from flyteidl.core.identifier_pb2 import WORKFLOW
from flyteidl.core.tasks_pb2 import TaskTemplate
from flyteidl.core.workflow_pb2 import WorkflowTemplate
from google.protobuf.message import DecodeError

from scripts.sandbox.compile_requirements import requirements
from scripts.sandbox.compiler import compile_task, compile_workflow
from scripts.sandbox.entities import Entities
from scripts.sandbox.errors import FlyteError, InvalidArgument
from scripts.sandbox.ids import ExecutionKey, random_version
from scripts.sandbox.nodes import Place
from scripts.sandbox.storage import FUTURES, Storage


class DynamicBroken(Exception):
    """What a dynamic task wrote is no workflow that could run."""


class Dynamics:
    """Compiles what dynamic tasks write."""

    def __init__(self, entities: Entities, storage: Storage) -> None:
        self._entities = entities
        self._storage = storage

    def compile(
        self, place: Place, folder: str, task: TaskTemplate, key: ExecutionKey
    ) -> CompiledWorkflowClosure:
        """Return the workflow that an attempt of `task` left in `folder`.

        Raises:
            DynamicBroken: it does not compile, or names a launch plan that does not exist.
        """
        try:
            spec = self._storage.read(f"{folder}/{FUTURES}", DynamicJobSpec)
        except DecodeError as error:
            raise DynamicBroken(f"unable to read futures file, maybe corrupted: {error}") from error
        template = _template(spec, place, task, key)
        try:
            tasks = [self._compiled(one, task) for one in spec.tasks]
            return compile_workflow(template, list(spec.subworkflows), tasks, self._plans(template, spec))
        except InvalidArgument as error:
            raise DynamicBroken(f"malformed dynamic workflow, caused by: {error.message}") from error

    def _compiled(self, template: TaskTemplate, parent: TaskTemplate) -> CompiledTask:
        """Compile a task; its container inherits the settings of the dynamic's own."""
        copy = TaskTemplate()
        copy.CopyFrom(template)
        if copy.HasField("container") and parent.HasField("container"):
            copy.container.config.extend(parent.container.config)
        return compile_task(copy)

    def _plans(self, template: WorkflowTemplate, spec: DynamicJobSpec) -> list[LaunchPlan]:
        plans = []
        for wanted in requirements(template, list(spec.subworkflows)).launch_plans:
            try:
                plan = self._entities.launch_plan(wanted)
            except FlyteError as error:
                raise DynamicBroken(
                    f"No launch plan retrieved from Admin, caused by: {error.message}"
                ) from error
            plan.id.CopyFrom(wanted)  # a reference may leave the resource type out
            plans.append(plan)
        return plans


def _template(spec: DynamicJobSpec, place: Place, task: TaskTemplate, key: ExecutionKey) -> WorkflowTemplate:
    template = WorkflowTemplate(nodes=spec.nodes, outputs=spec.outputs)
    id_ = template.id
    id_.resource_type, id_.project, id_.domain = WORKFLOW, key.project, key.domain
    id_.name, id_.version = f"dynamic_{place.node.id}", random_version()
    template.interface.inputs.SetInParent()
    template.interface.outputs.CopyFrom(task.interface.outputs)
    return template
