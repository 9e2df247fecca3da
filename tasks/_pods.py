"""What a Kubernetes pod spec inside a task asks for, and what of it goes beyond an ordinary pod.

Pod specs come as JSON in Kubernetes' own names. What is allowed is listed, and the rest is refused: a field
that did not exist when this was written must not slip through.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from flyteidl.core.tasks_pb2 import TaskTemplate
from google.protobuf.json_format import MessageToDict

_POD = {
    "containers", "initContainers", "volumes", "securityContext", "automountServiceAccountToken",
    "nodeSelector", "tolerations", "affinity", "topologySpreadConstraints", "schedulerName",
    "restartPolicy", "terminationGracePeriodSeconds", "activeDeadlineSeconds", "enableServiceLinks",
}  # fmt: skip
_CONTAINER = {
    "name", "image", "imagePullPolicy", "command", "args", "workingDir", "env", "resources", "ports",
    "volumeMounts", "securityContext", "terminationMessagePath", "terminationMessagePolicy", "stdin", "tty",
}  # fmt: skip
_SECURITY = {
    "runAsNonRoot", "runAsUser", "runAsGroup", "fsGroup", "fsGroupChangePolicy", "supplementalGroups",
    "readOnlyRootFilesystem", "seccompProfile", "capabilities", "allowPrivilegeEscalation", "privileged",
}  # fmt: skip
_VOLUME = {"name", "emptyDir", "downwardAPI"}
_FIELD_SOURCES = {"fieldRef", "resourceFieldRef"}


@dataclass(frozen=True, kw_only=True)
class Excess:
    """One field of a pod that goes beyond an ordinary one. `field` is its path in the pod spec."""

    field: str
    asks_for: str


@dataclass(frozen=True, kw_only=True)
class ImageUse:
    """One container's image. `field` is its path in the pod spec."""

    field: str
    image: str


def pod_spec(pod: Any) -> dict[str, Any]:
    """Return the pod spec of a `K8sPod` message as JSON."""
    spec: dict[str, Any] = MessageToDict(pod.pod_spec)
    return spec


def command_lines(template: TaskTemplate) -> list[list[str]]:
    """Return the words that each of a task's containers runs."""
    if template.HasField("container"):
        return [[*template.container.command, *template.container.args]]
    if template.HasField("k8s_pod"):
        return [
            [str(word) for word in [*_list(container, "command"), *_list(container, "args")]]
            for _, container in _containers(pod_spec(template.k8s_pod))
        ]
    return []


def images(spec: Mapping[str, Any]) -> Iterator[ImageUse]:
    """Yield the image of every container that names one."""
    for path, container in _containers(spec):
        if container.get("image"):
            yield ImageUse(field=f"{path}.image", image=str(container["image"]))


def environment(spec: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """Yield the path and the name of every environment variable."""
    for path, container in _containers(spec):
        for index, variable in enumerate(_tables(container, "env")):
            yield f"{path}.env[{index}]", str(variable.get("name", ""))


def excesses(spec: Mapping[str, Any]) -> Iterator[Excess]:
    """Yield everything that a pod asks for beyond an ordinary one."""
    yield from _unknown("", spec, _POD)
    if spec.get("automountServiceAccountToken"):
        yield Excess(field="automountServiceAccountToken", asks_for="a Kubernetes token")
    yield from _security("securityContext", spec.get("securityContext"))
    for index, volume in enumerate(_tables(spec, "volumes")):
        yield from _unknown(f"volumes[{index}]", volume, _VOLUME)
    for path, container in _containers(spec):
        yield from _unknown(path, container, _CONTAINER)
        yield from _security(f"{path}.securityContext", container.get("securityContext"))
        for index, variable in enumerate(_tables(container, "env")):
            source = variable.get("valueFrom")
            if isinstance(source, Mapping):
                yield from _unknown(f"{path}.env[{index}].valueFrom", source, _FIELD_SOURCES)
        for index, port in enumerate(_tables(container, "ports")):
            if port.get("hostPort"):
                yield Excess(field=f"{path}.ports[{index}].hostPort", asks_for="a port of the node")


def _security(path: str, context: Any) -> Iterator[Excess]:
    if not isinstance(context, Mapping):
        return
    yield from _unknown(path, context, _SECURITY)
    for key in ("privileged", "allowPrivilegeEscalation"):
        if context.get(key):
            yield Excess(field=f"{path}.{key}", asks_for="privilege")
    if context.get("runAsUser") == 0 or context.get("runAsNonRoot") is False:
        yield Excess(field=f"{path}.runAsUser", asks_for="to run as root")
    added = context.get("capabilities")
    if isinstance(added, Mapping) and added.get("add"):
        yield Excess(field=f"{path}.capabilities.add", asks_for="capabilities")
    profile = context.get("seccompProfile")
    if isinstance(profile, Mapping) and profile.get("type") != "RuntimeDefault":
        yield Excess(field=f"{path}.seccompProfile", asks_for="another seccomp profile")


def _unknown(path: str, table: Mapping[str, Any], known: set[str]) -> Iterator[Excess]:
    """Yield the fields of `table` that are not in `known`; empty ones ask for nothing."""
    for key, value in table.items():
        if key not in known and value not in (None, False, "", [], {}):
            field = f"{path}.{key}" if path else key
            yield Excess(field=field, asks_for=_MEANING.get(key, f"`{key}`"))


_MEANING = {
    "hostPath": "a path of the node",
    "hostNetwork": "the node's network",
    "hostPID": "the node's processes",
    "hostIPC": "the node's shared memory",
    "serviceAccountName": "a service account",
    "serviceAccount": "a service account",
    "imagePullSecrets": "secrets",
    "envFrom": "secrets or config maps",
    "secretKeyRef": "a secret",
    "secret": "a secret",
    "projected": "tokens or secrets",
    "shareProcessNamespace": "to see the other containers' processes",
}


def _containers(spec: Mapping[str, Any]) -> Iterator[tuple[str, Mapping[str, Any]]]:
    for key in ("containers", "initContainers"):
        for index, container in enumerate(_tables(spec, key)):
            yield f"{key}[{index}]", container


def _tables(table: Mapping[str, Any], key: str) -> list[Mapping[str, Any]]:
    return [item for item in _list(table, key) if isinstance(item, Mapping)]


def _list(table: Mapping[str, Any], key: str) -> list[Any]:
    value = table.get(key)
    return value if isinstance(value, list) else []
