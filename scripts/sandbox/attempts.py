"""One attempt of a task as it is handed to the runtime: words rendered, environment complete."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path

from flyteidl.admin.matchable_resource_pb2 import WorkflowExecutionConfig
from flyteidl.core.identifier_pb2 import Identifier, WorkflowExecutionIdentifier
from flyteidl.core.literals_pb2 import LiteralMap
from flyteidl.core.tasks_pb2 import TaskTemplate
from flyteidl.core.workflow_pb2 import TaskNodeOverrides

from scripts.sandbox.containers import Container, container_of
from scripts.sandbox.environment import task_environment
from scripts.sandbox.ids import ExecutionKey, attempt_name, unique_node_id
from scripts.sandbox.runtime import Attempt, Files
from scripts.sandbox.storage import INPUTS, Storage
from scripts.sandbox.templating import Values, render

# flytepropeller `nodes/array/execution_context.go`
_INDEX_NAME, _INDEX = "BATCH_JOB_ARRAY_INDEX_VAR_NAME", "FLYTE_K8S_ARRAY_INDEX"


@dataclass(frozen=True)
class ItemRef:
    """Which item of which attempt of an array node; `node_id` is the unique one."""

    node_id: str
    node_attempt: int
    index: int


@dataclass(frozen=True, kw_only=True)
class AttemptRef:
    """Which attempt of which node of which execution; of an array node the attempt of an `item`."""

    key: ExecutionKey
    node_id: str
    attempt: int
    item: ItemRef | None = None

    @classmethod
    def of_item(cls, key: ExecutionKey, item: ItemRef, attempt: int) -> AttemptRef:
        """Return an attempt of an item, which is named as a node inside the array node would be."""
        node_id = unique_node_id(item.node_id, item.node_attempt, f"n{item.index}")
        return cls(key=key, node_id=node_id, attempt=attempt, item=item)

    @property
    def name(self) -> str:
        """The name of its pod."""
        return attempt_name(self.key.name, self.node_id, self.attempt)

    @property
    def pod(self) -> str:
        """Its pod among those of all namespaces."""
        return f"{self.namespace}/{self.name}"

    @property
    def namespace(self) -> str:
        """The namespace of its pod."""
        return f"{self.key.project}-{self.key.domain}"


@dataclass(frozen=True, kw_only=True)
class Order:
    """What is to run, and with what; `data_dir` is the node's, relative to the storage's root.

    An item of an array node finds its inputs among those of the whole node.
    """

    ref: AttemptRef
    task: TaskTemplate
    overrides: TaskNodeOverrides
    workflow: Identifier
    config: WorkflowExecutionConfig
    inputs: LiteralMap
    data_dir: str

    @property
    def output_dir(self) -> str:
        """The folder of what the attempt writes, relative to the storage's root."""
        item = self.ref.item
        folder = self.data_dir if item is None else f"{self.data_dir}/{item.node_attempt}/{item.index}"
        return f"{folder}/{self.ref.attempt}"

    @property
    def envs(self) -> tuple[tuple[str, str], ...]:
        """The variables of the execution, and those that tell an item which one it is."""
        envs = tuple((pair.key, pair.value) for pair in self.config.envs.values)
        item = self.ref.item
        return envs if item is None else (*envs, (_INDEX_NAME, _INDEX), (_INDEX, str(item.index)))


class AttemptMaker:
    """Makes attempts; `defaults` are the variables that this installation gives to every task."""

    def __init__(
        self, storage: Storage, *, work: Path, logs: Path, defaults: Iterable[tuple[str, str]] = ()
    ) -> None:
        self._storage = storage
        self._work = work
        self._logs = logs
        self._defaults = tuple(defaults)

    def checkpoints(self, ref: AttemptRef, config: WorkflowExecutionConfig) -> str:
        """Return the URI under which an attempt keeps its checkpoints."""
        return f"{self._raw(ref, config)}/_flytecheckpoints"

    def make(self, order: Order) -> Attempt:
        """Return the attempt that `order` describes.

        Raises:
            NoContainer: the sandbox does not run tasks of this kind.
            TemplateError: a word names an input that is not there.
        """
        container = container_of(order.task, order.overrides)
        values = self._values(order)
        ref = order.ref
        return Attempt(
            name=ref.name,
            namespace=ref.namespace,
            image=container.image,
            command=tuple(render(container.command, values)),
            args=tuple(render(container.args, values)),
            environment=task_environment(
                template=container.environment,
                workflow=order.workflow,
                execution=WorkflowExecutionIdentifier(
                    project=ref.key.project, domain=ref.key.domain, name=ref.key.name
                ),
                attempt=ref.attempt,
                task=order.task.id,
                execution_envs=order.envs,
                defaults=self._defaults,
            ),
            folder=self._work / ref.namespace / ref.name,
            log=self.log_path(ref.namespace, ref.name),
            secrets=tuple(order.task.security_context.secrets),
            resources=container.resources,
            files=self._files(order, container),
            labels=_labels(order),
        )

    def log_path(self, namespace: str, name: str) -> Path:
        """Return the file that gets what an attempt prints."""
        return self._logs / namespace / f"{name}.log"

    def _values(self, order: Order) -> Values:
        ref = order.ref
        before = replace(ref, attempt=ref.attempt - 1)
        return Values(
            input=self._storage.uri(f"{order.data_dir}/{INPUTS}"),
            input_prefix=self._storage.uri(order.data_dir),
            output_prefix=self._storage.uri(order.output_dir),
            raw_output_prefix=self._raw(ref, order.config),
            checkpoint_prefix=self.checkpoints(ref, order.config),
            previous_checkpoint_prefix=self.checkpoints(before, order.config) if ref.attempt else "",
            generated_name=ref.name,
            namespace=ref.namespace,
            task_template=lambda: self._storage.write(f"{order.output_dir}/task.pb", order.task),
            inputs=order.inputs,
        )

    def _files(self, order: Order, container: Container) -> Files | None:
        if container.data is None:
            return None
        return Files(
            config=container.data,
            interface=order.task.interface,
            inputs=order.inputs,
            output_prefix=self._storage.uri(order.output_dir),
            raw_output_prefix=self._raw(order.ref, order.config),
        )

    def _raw(self, ref: AttemptRef, config: WorkflowExecutionConfig) -> str:
        return self._storage.raw_prefix(ref.name, config.raw_output_data_config.output_location_prefix)


def _labels(order: Order) -> tuple[tuple[str, str], ...]:
    """Return the labels that propeller gives a pod, and which attempt it is."""
    ref = order.ref
    return (
        ("project", ref.key.project),
        ("domain", ref.key.domain),
        ("execution-id", ref.key.name),
        ("node-id", ref.node_id),
        ("attempt", str(ref.attempt)),
        ("task-name", order.task.id.name),
        ("workflow-name", order.workflow.name),
    )
