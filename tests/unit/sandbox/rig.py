"""An engine with everything real but the runtime, which plays a script: what each task's attempts do."""

from __future__ import annotations

import contextlib
import re
import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

from flyteidl.admin.execution_pb2 import Execution, ExecutionCreateRequest
from flyteidl.admin.launch_plan_pb2 import LaunchPlanCreateRequest
from flyteidl.admin.node_execution_pb2 import NodeExecution, NodeExecutionListRequest
from flyteidl.admin.task_execution_pb2 import TaskExecution, TaskExecutionListRequest
from flyteidl.admin.task_pb2 import TaskCreateRequest
from flyteidl.admin.workflow_pb2 import WorkflowCreateRequest
from flyteidl.core.dynamic_job_pb2 import DynamicJobSpec
from flyteidl.core.errors_pb2 import ContainerError, ErrorDocument
from flyteidl.core.execution_pb2 import ExecutionError, WorkflowExecution
from flyteidl.core.identifier_pb2 import LAUNCH_PLAN, Identifier, WorkflowExecutionIdentifier
from flyteidl.core.literals_pb2 import Literal, LiteralMap
from flytekit import LaunchPlan
from flytekit.configuration import Image, ImageConfig, SerializationSettings
from flytekit.core.base_task import PythonTask
from flytekit.core.context_manager import ExecutionState, FlyteContextManager
from flytekit.core.workflow import WorkflowBase
from flytekit.models.admin.workflow import WorkflowSpec
from flytekit.models.launch_plan import LaunchPlan as LaunchPlanModel
from flytekit.models.task import TaskSpec
from flytekit.tools.translator import get_serializable

from scripts.sandbox.attributes import Attributes
from scripts.sandbox.database import Database
from scripts.sandbox.engine import Engine
from scripts.sandbox.engine_parts import build_engine
from scripts.sandbox.entities import Entities
from scripts.sandbox.errors import AlreadyExists
from scripts.sandbox.execution_lists import list_attempts, list_nodes
from scripts.sandbox.executions import TERMINAL, Executions
from scripts.sandbox.node_reads import NodeReads
from scripts.sandbox.projects import Projects
from scripts.sandbox.runtime import Attempt, Exit, Reason
from scripts.sandbox.storage import Storage

PROJECT, DOMAIN, VERSION = "flytesnacks", "development", "v1"
SETTINGS = SerializationSettings(
    project=PROJECT,
    domain=DOMAIN,
    version=VERSION,
    image_config=ImageConfig(Image(name="default", fqn="localhost:30000/x", tag="1")),
)
_MAP_TASK = re.compile(r"map_(\w+)_[0-9a-f]{32}-arraynode")


@dataclass
class Call:
    """One attempt of a task, as its script sees it."""

    attempt: Attempt
    number: int
    inputs: LiteralMap
    folder: Path
    stopped: threading.Event

    def value(self, name: str) -> object:
        """The value of a primitive input."""
        primitive = self.inputs.literals[name].scalar.primitive
        return getattr(primitive, str(primitive.WhichOneof("value")))

    @property
    def index(self) -> int:
        """Which item of an array node it is."""
        return int(dict(self.attempt.environment)["FLYTE_K8S_ARRAY_INDEX"])

    def item(self, name: str) -> object:
        """The value of its element of a list of primitives."""
        return plain(self.inputs.literals[name].collection.literals[self.index])

    def write(self, name: str, message: object) -> None:
        """Leave a result file."""
        self.folder.mkdir(parents=True, exist_ok=True)
        (self.folder / name).write_bytes(message.SerializeToString())  # type: ignore[attr-defined]


Step = Callable[[Call], Exit]


def literal(value: object) -> Literal:
    """Make a literal of a plain value."""
    made = Literal()
    primitive = made.scalar.primitive
    if isinstance(value, list):
        made = Literal()
        made.collection.SetInParent()
        made.collection.literals.extend(literal(item) for item in value)
    elif isinstance(value, bool):
        primitive.boolean = value
    elif isinstance(value, int):
        primitive.integer = value
    elif isinstance(value, float):
        primitive.float_value = value
    else:
        primitive.string_value = str(value)
    return made


def _exit(reason: Reason = Reason.COMPLETED, code: int | None = 0, message: str = "") -> Exit:
    now = datetime.now(timezone.utc)
    return Exit(reason=reason, code=code, message=message, started_at=now, ended_at=now)


def succeed(**outputs: object) -> Step:
    """An attempt that returns these values; a function is called with the attempt to get its value."""

    def step(call: Call) -> Exit:
        values = {name: v(call) if callable(v) else v for name, v in outputs.items()}
        call.write("outputs.pb", LiteralMap(literals={name: literal(v) for name, v in values.items()}))
        return _exit()

    return step


def raises(code: str = "USER:ValueError", message: str = "boom", *, recoverable: bool = False) -> Step:
    """An attempt whose task raises."""
    kind = ContainerError.RECOVERABLE if recoverable else ContainerError.NON_RECOVERABLE

    def step(call: Call) -> Exit:
        error = ContainerError(code=code, message=message, kind=kind, origin=ExecutionError.USER)
        call.write("error.pb", ErrorDocument(error=error))
        return _exit()

    return step


def exits(code: int, message: str = "") -> Step:
    """An attempt whose process ends with this code."""
    reason = Reason.KILLED if code > 128 else Reason.ERROR
    return lambda call: _exit(reason, code, message)


def ends(reason: Reason, message: str = "") -> Step:
    """An attempt that ends otherwise."""
    return lambda call: _exit(reason, None, message)


def hangs(call: Call) -> Exit:
    """An attempt that goes on until it is ended."""
    assert call.stopped.wait(30), "nobody ended it"
    return _exit(Reason.STOPPED, None)


def makes(spec: DynamicJobSpec | Callable[[Call], DynamicJobSpec]) -> Step:
    """An attempt of a dynamic task that leaves this."""

    def step(call: Call) -> Exit:
        call.write("futures.pb", spec(call) if callable(spec) else spec)
        return _exit()

    return step


@dataclass
class ScriptedRuntime:
    """Plays for each task its steps, one for each attempt; a task or an attempt without one is an error."""

    script: Mapping[str, list[Step]]
    ran: list[str] = field(default_factory=list)
    most_at_once: int = 0
    _stops: dict[str, threading.Event] = field(default_factory=dict)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def run(self, attempt: Attempt) -> Exit:
        env = dict(attempt.environment)
        number = int(env["FLYTE_ATTEMPT_NUMBER"])
        stopped = threading.Event()
        with self._lock:
            self.ran.append(attempt.name)
            self._stops[attempt.pod] = stopped
            self.most_at_once = max(self.most_at_once, len(self._stops))
        words = list(attempt.args)
        path = words[words.index("--inputs") + 1].removeprefix("file://")
        folder = words[words.index("--output-prefix") + 1].removeprefix("file://")
        call = Call(attempt, number, LiteralMap.FromString(Path(path).read_bytes()), Path(folder), stopped)
        # A map task has its script under the name of the task that it maps.
        steps = self.script[_MAP_TASK.sub(r"\1", env["FLYTE_INTERNAL_TASK_NAME"].rpartition(".")[2])]
        try:
            return steps[min(number, len(steps) - 1)](call)
        finally:
            with self._lock:
                self._stops.pop(attempt.pod, None)

    def kill(self, pod: str) -> None:
        with self._lock:
            if pod in self._stops:
                self._stops[pod].set()

    def clean(self) -> None:
        self._stops.clear()


Make = Callable[..., "Rig"]
"""Makes a rig whose tasks do what is scripted."""


class Rig:
    """A sandbox without a server."""

    def __init__(self, folder: Path, script: Mapping[str, list[Step]]) -> None:
        self.folder = folder
        self.runtime = ScriptedRuntime(script)
        self.db = Database(folder / "flyte.db")
        self.storage = Storage(folder / "storage")
        self.projects = Projects(self.db)
        self.projects.ensure(PROJECT)
        self.attributes = Attributes(self.db)
        self.entities = Entities(self.db, self.projects, self.attributes)
        self.executions = Executions(self.db, self.entities, self.projects, self.attributes, self.storage)
        self.reads = NodeReads(self.db, self.storage)
        self.engine = self._engine()
        self.engine.start()

    def _engine(self) -> Engine:
        return build_engine(
            db=self.db,
            entities=self.entities,
            executions=self.executions,
            storage=self.storage,
            runtime=self.runtime,
            work=self.folder / "work",
            logs=self.folder / "logs",
            log_uri=lambda namespace, name: f"http://logs/{namespace}/{name}",
        )

    def close(self) -> None:
        self.engine.stop()

    def register(self, *wanted: WorkflowBase | LaunchPlan | PythonTask) -> None:
        """Register entities with all that they refer to."""
        made: OrderedDict[Any, Any] = OrderedDict()
        for entity in wanted:
            get_serializable(made, SETTINGS, entity)
            if isinstance(entity, WorkflowBase):
                get_serializable(made, SETTINGS, LaunchPlan.get_default_launch_plan(None, entity))
        models = list(made.values())
        for model in models:
            if isinstance(model, TaskSpec):
                request = TaskCreateRequest(id=model.template.id.to_flyte_idl(), spec=model.to_flyte_idl())
                self._quietly(self.entities.register_task, request)
        for model in models:
            if isinstance(model, WorkflowSpec):
                workflow = WorkflowCreateRequest(
                    id=model.template.id.to_flyte_idl(), spec=model.to_flyte_idl()
                )
                self._quietly(self.entities.register_workflow, workflow)
            elif isinstance(model, LaunchPlanModel):
                plan = LaunchPlanCreateRequest(id=model.id.to_flyte_idl(), spec=model.spec.to_flyte_idl())
                self._quietly(self.entities.register_launch_plan, plan)

    def _quietly(self, register: Callable[[Any], None], request: object) -> None:
        with contextlib.suppress(AlreadyExists):
            register(request)

    def launch(self, entity: WorkflowBase | LaunchPlan, name: str = "", **inputs: object) -> str:
        """Launch an entity's plan and return the execution's name."""
        return str(self.executions.create(self.request(entity, name, **inputs)).name)

    def request(
        self, entity: WorkflowBase | LaunchPlan, name: str = "", **inputs: object
    ) -> ExecutionCreateRequest:
        """The request that launches an entity's plan."""
        request = ExecutionCreateRequest(project=PROJECT, domain=DOMAIN, name=name)
        request.spec.launch_plan.CopyFrom(
            Identifier(
                resource_type=LAUNCH_PLAN, project=PROJECT, domain=DOMAIN, name=entity.name, version=VERSION
            )
        )
        for key, value in inputs.items():
            request.inputs.literals[key].CopyFrom(literal(value))
        return request

    def id(self, name: str) -> WorkflowExecutionIdentifier:
        return WorkflowExecutionIdentifier(project=PROJECT, domain=DOMAIN, name=name)

    def get(self, name: str) -> Execution:
        return self.executions.get(self.id(name))

    def wait(self, name: str, *, seconds: float = 10) -> Execution:
        """Wait for an execution's end."""
        self.until(lambda: self.get(name).closure.phase in TERMINAL, seconds)
        return self.get(name)

    def until(self, holds: Callable[[], bool], seconds: float = 10) -> None:
        end = time.monotonic() + seconds
        while not holds():
            assert time.monotonic() < end, "it never came to be"
            time.sleep(0.005)

    def run(self, entity: WorkflowBase | LaunchPlan, **inputs: object) -> Execution:
        """Register, launch and wait."""
        self.register(entity)
        return self.wait(self.launch(entity, "", **inputs))

    def outputs(self, execution: Execution) -> dict[str, object]:
        """The outputs of an execution as plain values."""
        return {k: plain(v) for k, v in self.executions.data(execution.id).full_outputs.literals.items()}

    def nodes(self, execution: Execution, parent: str = "") -> dict[str, NodeExecution]:
        """The nodes of an execution, or inside one of its nodes, by their unique ids."""
        request = NodeExecutionListRequest(
            workflow_execution_id=execution.id, limit=100, unique_parent_id=parent
        )
        return {node.id.node_id: node for node in list_nodes(self.db, request).node_executions}

    def attempts(self, execution: Execution, node_id: str) -> list[TaskExecution]:
        """The attempts of a node."""
        request = TaskExecutionListRequest(limit=100)
        request.node_execution_id.execution_id.CopyFrom(execution.id)
        request.node_execution_id.node_id = node_id
        return list(list_attempts(self.db, request).task_executions)


def futures(made: Any, **inputs: object) -> DynamicJobSpec:
    """What flytekit writes when the dynamic task runs."""
    context = FlyteContextManager.current_context()
    state = context.new_execution_state().with_params(mode=ExecutionState.Mode.TASK_EXECUTION)
    with FlyteContextManager.with_context(
        context.with_serialization_settings(SETTINGS).with_execution_state(state)
    ) as inner:
        spec = made.compile_into_workflow(inner, made._task_function, **inputs)
        return DynamicJobSpec.FromString(spec.to_flyte_idl().SerializeToString())


def plain(value: Literal) -> object:
    """The plain value of a literal."""
    if value.WhichOneof("value") == "collection":
        return [plain(item) for item in value.collection.literals]
    primitive = value.scalar.primitive
    kind = primitive.WhichOneof("value")
    return getattr(primitive, kind) if kind else None


def phase(execution: Execution) -> str:
    """The name of an execution's phase."""
    return str(WorkflowExecution.Phase.Name(execution.closure.phase))
