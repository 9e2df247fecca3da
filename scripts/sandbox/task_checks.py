"""What flyteadmin checks in a task before it compiles it, in its order and words.

Source: flyteadmin `manager/impl/validation/task_validator.go`, `manager/impl/util/resources.go`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from fractions import Fraction

from flyteidl.admin.matchable_resource_pb2 import MatchableResource
from flyteidl.core.identifier_pb2 import Identifier
from flyteidl.core.tasks_pb2 import Resources, TaskTemplate
from google.protobuf.json_format import MessageToDict

from scripts.sandbox.attributes import Attributes, Scope
from scripts.sandbox.errors import InvalidArgument, NotFound
from scripts.sandbox.gotext import message_text
from scripts.sandbox.limits import LIMITS
from scripts.sandbox.quantities import BadQuantity, parse_quantity, rounded_up

Amounts = Mapping[int, str]
_CHECKED = (Resources.CPU, Resources.GPU, Resources.MEMORY, Resources.EPHEMERAL_STORAGE)
_ADVICE = "Please contact Flyte Admins to change these limits or consult the configuration"
_CONVENTIONS = (
    "Please follow K8s conventions for resources "
    "https://kubernetes.io/docs/concepts/configuration/manage-resources-containers/"
)


def platform_limits(attributes: Attributes, id_: Identifier) -> Amounts:
    """Return what a task of this project and domain may ask for at most; what is not in it is unlimited."""
    try:
        found = attributes.nearest(
            MatchableResource.TASK_RESOURCE, Scope(project=id_.project, domain=id_.domain)
        )
    except NotFound:
        return LIMITS
    limits = found.attributes.task_resource_attributes.limits
    given = {
        Resources.CPU: limits.cpu,
        Resources.MEMORY: limits.memory,
        Resources.GPU: limits.gpu,
        Resources.EPHEMERAL_STORAGE: limits.ephemeral_storage,
    }
    return {name: amount for name, amount in given.items() if amount and rounded_up(_parse(name, amount))}


def check_template(id_: Identifier, template: TaskTemplate, limits: Amounts) -> None:
    """Check a task's template against itself and against the platform's limits.

    Raises:
        InvalidArgument: the first thing that flyteadmin would complain about.
    """
    for present, name in (
        (template.type, "type"),
        (template.HasField("metadata"), "metadata"),
        (not template.metadata.HasField("runtime") or template.metadata.runtime.version, "runtime version"),
        (template.HasField("interface"), "typed interface"),
    ):
        if not present:
            raise InvalidArgument(f"missing {name}")
    target = template.WhichOneof("target")
    if target == "container":
        if not template.container.image:
            raise InvalidArgument("missing image")
        resources = template.container.resources
        requests, granted = _amounts(id_, resources.requests), _amounts(id_, resources.limits)
        _check_resources(id_, requests, granted, limits)
    elif target == "k8s_pod":
        _check_pod(id_, template, limits)


def _check_pod(id_: Identifier, template: TaskTemplate, limits: Amounts) -> None:
    if not template.k8s_pod.HasField("pod_spec"):
        raise InvalidArgument(
            "invalid TaskSpecification, pod tasks should specify their target as a K8sPod "
            "with a defined pod spec"
        )
    for container in MessageToDict(template.k8s_pod.pod_spec).get("containers", []):
        resources = container.get("resources") or {}
        requests, granted = (_of_kubernetes(resources.get(side)) for side in ("requests", "limits"))
        _check_resources(id_, requests, granted, limits)


def _of_kubernetes(amounts: Mapping[str, object] | None) -> Amounts:
    names = {"cpu": Resources.CPU, "memory": Resources.MEMORY, "gpu": Resources.GPU}
    names["ephemeral-storage"] = Resources.EPHEMERAL_STORAGE
    return {names[name]: str(amount) for name, amount in (amounts or {}).items() if name in names}


def _amounts(id_: Identifier, entries: Iterable[Resources.ResourceEntry]) -> Amounts:
    amounts: dict[int, str] = {}
    for entry in entries:
        if entry.name not in _CHECKED:
            continue
        if entry.name in amounts:
            raise InvalidArgument(
                f"can't specify {_name(entry.name)} limit for task [{message_text(id_)}] multiple times"
            )
        quantity = _parse(entry.name, entry.value)
        if entry.name == Resources.GPU and quantity.denominator != 1:
            raise InvalidArgument(
                f"gpu for [{message_text(id_)}] must be a whole number, got: {entry.value} instead"
            )
        amounts[entry.name] = entry.value
    return amounts


def _check_resources(id_: Identifier, requests: Amounts, granted: Amounts, limits: Amounts) -> None:
    """Check what is requested; a limit without a request goes unchecked, as in flyteadmin."""
    for name, request in sorted(requests.items()):
        limit, most = granted.get(name), limits.get(name)
        if name == Resources.GPU:
            if limit is not None and _whole(name, request) != _whole(name, limit):
                raise InvalidArgument(
                    "For extended resource 'gpu' the default value must equal the limit value for task "
                    f"[{message_text(id_)}]"
                )
        elif limit is not None:
            if _whole(name, limit) < _whole(name, request):
                raise InvalidArgument(
                    f"Requested {_name(name)} default [{request}] is greater than the limit [{limit}]. "
                    "Please fix your configuration"
                )
            _check_most(name, "limit", limit, most)
        _check_most(name, "default", request, most)


def _check_most(name: int, side: str, amount: str, most: str | None) -> None:
    if most is not None and _whole(name, amount) > _whole(name, most):
        raise InvalidArgument(
            f"Requested {_name(name)} {side} [{amount}] is greater than current limit set in the platform "
            f"configuration [{most}]. {_ADVICE}"
        )


def _whole(name: int, amount: str) -> int:
    return rounded_up(_parse(name, amount))


def _parse(name: int, amount: str) -> Fraction:
    try:
        return parse_quantity(amount)
    except BadQuantity as error:
        raise InvalidArgument(
            f"Parsing of {_name(name)} request failed for value {amount} - reason  {error}. {_CONVENTIONS}"
        ) from error


def _name(name: int) -> str:
    return str(Resources.ResourceName.Name(name))
