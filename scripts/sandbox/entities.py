"""Tasks, workflows and launch plans: registered once, never changed, but for a launch plan's state.

Source: flyteadmin `task_manager.go`, `workflow_manager.go`, `launch_plan_manager.go`.
"""

from __future__ import annotations

import hashlib
import sqlite3
from collections.abc import Callable
from typing import TypeVar

from flyteidl.admin.launch_plan_pb2 import ACTIVE, INACTIVE, LaunchPlan, LaunchPlanCreateRequest
from flyteidl.admin.task_pb2 import Task, TaskCreateRequest
from flyteidl.admin.workflow_pb2 import (
    CreateWorkflowFailureReason,
    Workflow,
    WorkflowCreateRequest,
    WorkflowErrorExistsDifferentStructure,
    WorkflowErrorExistsIdenticalStructure,
)
from flyteidl.core.compiler_pb2 import CompiledWorkflowClosure
from flyteidl.core.identifier_pb2 import LAUNCH_PLAN, TASK, WORKFLOW, Identifier, ResourceType
from google.protobuf.message import Message

from scripts.sandbox.attributes import Attributes
from scripts.sandbox.clock import now, to_text
from scripts.sandbox.compile_requirements import requirements
from scripts.sandbox.compiler import compile_task, compile_workflow
from scripts.sandbox.database import Database
from scripts.sandbox.differences import differences
from scripts.sandbox.entity_rows import to_launch_plan, to_task, to_workflow, without_closure
from scripts.sandbox.errors import AlreadyExists, FlyteError, InvalidArgument, NotFound
from scripts.sandbox.gotext import message_text
from scripts.sandbox.identifiers import check_identifier
from scripts.sandbox.limits import MAX_NODES
from scripts.sandbox.plan_checks import check_can_tick, check_plan
from scripts.sandbox.projects import Projects
from scripts.sandbox.schedule_table import ScheduleTable
from scripts.sandbox.task_checks import check_template, platform_limits

_KINDS = {TASK: "task", WORKFLOW: "workflow", LAUNCH_PLAN: "launch plan"}

M = TypeVar("M", Task, Workflow, LaunchPlan)


class Entities:
    """What is registered in one sandbox. `wake` is called whenever a launch plan's state has changed."""

    def __init__(self, db: Database, projects: Projects, attributes: Attributes) -> None:
        self._db = db
        self._projects = projects
        self._attributes = attributes
        self._schedules = ScheduleTable(db)
        self.wake: Callable[[], None] = lambda: None

    def register_task(self, request: TaskCreateRequest) -> None:
        """Add a version of a task.

        Raises:
            InvalidArgument: it is not valid, or exists with another structure.
            AlreadyExists: exactly this is registered.
        """
        check_identifier(request.id, TASK)
        self._projects.check(request.id.project, request.id.domain)
        if not request.spec.HasField("template"):
            raise InvalidArgument("missing spec")
        template = request.spec.template
        check_template(request.id, template, platform_limits(self._attributes, request.id))
        template.id.CopyFrom(request.id)
        compiled = compile_task(template)
        task = Task(id=request.id, short_description=request.spec.description.short_description)
        task.closure.compiled_task.CopyFrom(compiled)
        self._add(task, compiled, kind=template.type)

    def register_workflow(self, request: WorkflowCreateRequest) -> None:
        """Compile and add a version of a workflow.

        Raises:
            InvalidArgument: it is not valid, does not compile, or exists with another structure.
            AlreadyExists: exactly this is registered.
        """
        check_identifier(request.id, WORKFLOW)
        self._projects.check(request.id.project, request.id.domain)
        if not request.spec.HasField("template"):
            raise InvalidArgument("missing spec")
        request.spec.template.id.CopyFrom(request.id)
        closure = self._compile(request)
        nodes = len(closure.primary.template.nodes) - 2
        if nodes > MAX_NODES:
            raise InvalidArgument(
                f"number of nodes in workflow [{message_text(request.id)}] exceeds limit "
                f"({nodes} > {MAX_NODES})"
            )
        workflow = Workflow(id=request.id, short_description=request.spec.description.short_description)
        workflow.closure.compiled_workflow.CopyFrom(closure)
        self._add(workflow, closure)

    def register_launch_plan(self, request: LaunchPlanCreateRequest) -> None:
        """Add a version of a launch plan; it is inactive.

        Raises:
            NotFound: its workflow is not registered.
            InvalidArgument: it is not valid, or exists with another structure.
            AlreadyExists: exactly this is registered.
        """
        check_identifier(request.spec.workflow_id, WORKFLOW)
        row = self._row(request.spec.workflow_id, WORKFLOW)
        check_identifier(request.id, LAUNCH_PLAN)
        self._projects.check(request.id.project, request.id.domain)
        workflow = Workflow.FromString(row["message"])
        interface = workflow.closure.compiled_workflow.primary.template.interface
        expected = check_plan(request.spec, interface.inputs)
        plan = LaunchPlan(id=request.id, spec=request.spec)
        plan.spec.default_inputs.CopyFrom(expected)
        plan.closure.expected_inputs.CopyFrom(expected)
        plan.closure.expected_outputs.CopyFrom(interface.outputs)
        self._add(plan, plan, kind=_schedule_type(plan), workflow=row["rowid"])

    def task(self, id_: Identifier) -> Task:
        """Return a task.

        Raises:
            NotFound: there is none of this id.
        """
        return to_task(self._row(id_, TASK))

    def workflow(self, id_: Identifier) -> Workflow:
        """Return a workflow with its compiled closure.

        Raises:
            NotFound: there is none of this id.
        """
        return to_workflow(self._row(id_, WORKFLOW))

    def launch_plan(self, id_: Identifier) -> LaunchPlan:
        """Return a launch plan with its state.

        Raises:
            NotFound: there is none of this id.
        """
        return to_launch_plan(self._row(id_, LAUNCH_PLAN))

    def active_launch_plan(self, project: str, domain: str, name: str) -> LaunchPlan:
        """Return the active version of a launch plan.

        Raises:
            NotFound: none is active.
        """
        row = self._db.row("active_launch_plan", project=project, domain=domain, name=name)
        if row is None:
            raise NotFound(f"No active launch plan could be found: {project}:{domain}:{name}")
        return to_launch_plan(row)

    def update_launch_plan(self, id_: Identifier, state: int) -> None:
        """Make a version the active one of its name, or inactive, in one transaction.

        As in flyteadmin an empty field does not count for activation: the first row that fits is meant.

        Raises:
            NotFound: there is none of this id.
            InvalidArgument: no such state, an incomplete id to deactivate, or a schedule that cannot tick.
        """
        if state not in (ACTIVE, INACTIVE):
            raise InvalidArgument(
                f"Unrecognized launch plan state {state} for update for launch plan [{message_text(id_)}]"
            )
        if state == INACTIVE:
            check_identifier(id_, LAUNCH_PLAN)
        with self._db.transaction():
            self._set_state(self.launch_plan(id_), state)
        self.wake()

    def _set_state(self, plan: LaunchPlan, state: int) -> None:
        fields = {field: getattr(plan.id, field) for field in ("project", "domain", "name", "version")}
        at = now()
        if state == ACTIVE:
            check_can_tick(plan.spec.entity_metadata.schedule)
            self._db.write("deactivate_launch_plans", updated_at=to_text(at), **fields)
            self._schedules.activated(plan, at)
        else:
            self._schedules.deactivated(plan.id, at)
        self._db.write("set_launch_plan_state", state=state, updated_at=to_text(at), **fields)

    def _row(self, id_: Identifier, kind: ResourceType.ValueType) -> sqlite3.Row:
        fields = {field: getattr(id_, field) for field in ("project", "domain", "name", "version")}
        statement = "entity" if all(fields.values()) else "first_entity"
        row = self._db.row(statement, resource_type=kind, **fields)
        if row is None:
            raise NotFound(
                f"missing entity of type {ResourceType.Name(kind)} with identifier "
                f"{message_text(Identifier(**fields))}"
            )
        return row

    def _compile(self, request: WorkflowCreateRequest) -> CompiledWorkflowClosure:
        template, subs = request.spec.template, request.spec.sub_workflows
        try:
            needed = requirements(template, subs)
            tasks = [self.task(id_).closure.compiled_task for id_ in needed.tasks]
            plans = [self._plan_as_named(id_) for id_ in needed.launch_plans]
            return compile_workflow(template, subs, tasks, plans)
        except FlyteError as error:
            raise InvalidArgument(
                f"failed to compile workflow for [{message_text(request.id)}] with err: {error.message}"
            ) from error

    def _plan_as_named(self, id_: Identifier) -> LaunchPlan:
        plan = self.launch_plan(id_)
        plan.id.CopyFrom(id_)
        return plan

    def _add(self, entity: M, structure: Message, kind: str = "", workflow: int | None = None) -> None:
        """Add a row, or say how what is there compares. `structure` is what has to be identical."""
        digest = hashlib.sha256(structure.SerializeToString(deterministic=True)).digest()
        id_: Identifier = entity.id
        fields = {
            "resource_type": id_.resource_type,
            "project": id_.project,
            "domain": id_.domain,
            "name": id_.name,
            "version": id_.version,
        }
        message = entity.SerializeToString(deterministic=True)
        with self._db.transaction():
            row = self._db.row("entity", **fields)
            if row is None:
                self._db.write(
                    "add_entity",
                    digest=digest,
                    message=message,
                    kind=kind,
                    workflow=workflow,
                    created_at=to_text(now()),
                    **fields,
                )
                return
        raise _exists(row, digest, entity)


def _exists(row: sqlite3.Row, digest: bytes, entity: M) -> FlyteError:
    id_: Identifier = entity.id
    kind = _KINDS[id_.resource_type]
    if row["digest"] == digest:
        identical = WorkflowErrorExistsIdenticalStructure(id=id_)
        reason = CreateWorkflowFailureReason(exists_identical_structure=identical)
        return AlreadyExists(
            f"{kind} with identical structure already exists", detail=reason if kind == "workflow" else None
        )
    old, new = _compared(type(entity).FromString(row["message"]), entity)
    text = (
        f"{id_.name} {kind} with different structure already exists. "
        f"(Please register a new version of the {kind}):\n"
    )
    different = WorkflowErrorExistsDifferentStructure(id=id_)
    reason = CreateWorkflowFailureReason(exists_different_structure=different)
    return InvalidArgument(text + differences(old, new), detail=reason if kind == "workflow" else None)


def _compared(old: M, new: M) -> tuple[Message, Message]:
    """Return what flyteadmin shows the differences of.

    Of the workflow that is there it has no more than the interface at hand, so that the text holds all of
    the new one.
    """
    if isinstance(new, Task):
        return old.closure.compiled_task, new.closure.compiled_task
    if isinstance(new, Workflow):
        return without_closure(old).closure.compiled_workflow, new.closure.compiled_workflow
    return old.spec, new.spec


def _schedule_type(plan: LaunchPlan) -> str:
    kind = plan.spec.entity_metadata.schedule.WhichOneof("ScheduleExpression")
    return {None: "NONE", "rate": "RATE"}.get(kind, "CRON")
