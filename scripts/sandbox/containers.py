"""The container that a task runs in: the template's own, or the primary one of its pod, with overrides."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from flyteidl.core.tasks_pb2 import DataLoadingConfig, Resources, TaskTemplate
from flyteidl.core.workflow_pb2 import TaskNodeOverrides
from google.protobuf.json_format import MessageToDict

# Task types that other plugins than "container" run; their container alone would not be the task.
_OTHER_PLUGINS = frozenset(
    {"pytorch", "mpi", "tensorflow", "spark", "ray", "dask", "container_array", "k8s-array", "presto", "hive"}
)
_PRIMARY = "primary_container_name"


class NoContainer(Exception):
    """A task has none that the sandbox could run; the message says so."""


@dataclass(frozen=True, kw_only=True)
class Container:
    """What is started for a task; words still have their templates in."""

    image: str
    command: tuple[str, ...] = ()
    args: tuple[str, ...] = ()
    environment: tuple[tuple[str, str], ...] = ()
    resources: Resources = field(default_factory=Resources)
    data: DataLoadingConfig | None = None


def container_of(task: TaskTemplate, overrides: TaskNodeOverrides) -> Container:
    """Return the container of a task, with what its node overrides.

    Raises:
        NoContainer: it is of a type, or has a pod, that the sandbox does not run.
    """
    if task.type in _OTHER_PLUGINS:
        raise NoContainer(f"The sandbox does not run tasks of type {task.type!r}; {task.id.name} is one.")
    if task.HasField("container"):
        made = _of_template(task)
    elif task.HasField("k8s_pod"):
        made = _of_pod(task)
    else:
        target = task.WhichOneof("target")
        raise NoContainer(f"The sandbox runs containers only; task {task.id.name} has {target or 'none'}.")
    if not overrides.container_image and not overrides.HasField("resources"):
        return made
    return Container(
        image=overrides.container_image or made.image,
        command=made.command,
        args=made.args,
        environment=made.environment,
        resources=overrides.resources if overrides.HasField("resources") else made.resources,
        data=made.data,
    )


def _of_template(task: TaskTemplate) -> Container:
    container = task.container
    return Container(
        image=container.image,
        command=tuple(container.command),
        args=tuple(container.args),
        environment=tuple((pair.key, pair.value) for pair in container.env),
        resources=container.resources,
        data=container.data_config if container.data_config.enabled else None,
    )


def _of_pod(task: TaskTemplate) -> Container:
    pod = task.k8s_pod
    name = pod.primary_container_name or task.config.get(_PRIMARY, "")
    containers: list[Mapping[str, Any]] = MessageToDict(pod.pod_spec).get("containers", [])
    for container in containers:
        if container.get("name") == name or (not name and len(containers) == 1):
            return Container(
                image=container.get("image", ""),
                command=tuple(container.get("command") or ()),
                args=tuple(container.get("args") or ()),
                environment=tuple(
                    (item["name"], str(item.get("value", ""))) for item in container.get("env") or ()
                ),
                data=pod.data_config if pod.data_config.enabled else None,
            )
    raise NoContainer(f"The pod of task {task.id.name} has no primary container {name!r}.")
