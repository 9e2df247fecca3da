"""What flyteadmin checks in a request for an execution, in its order and words, before it looks anything up.

Source: flyteadmin `manager/impl/validation/execution_validator.go`, `validation.go`.
"""

from __future__ import annotations

import re
from typing import Protocol

from flyteidl.admin.execution_pb2 import ExecutionCreateRequest
from flyteidl.core.identifier_pb2 import LAUNCH_PLAN, TASK, Identifier, ResourceType
from flyteidl.core.literals_pb2 import LiteralMap

from scripts.sandbox.errors import InvalidArgument
from scripts.sandbox.identifiers import check_complete, check_present
from scripts.sandbox.labels import check_labels

MAX_NAME = 63
_NAME = re.compile(r"[a-z][a-z\-0-9]*")


class KnowsProjects(Protocol):
    """Says whether a project and a domain may be used."""

    def check(self, project: str, domain: str) -> None:
        """Raise InvalidArgument where they may not."""


def check_request(request: ExecutionCreateRequest, projects: KnowsProjects) -> None:
    """Check all that the request says by itself.

    Raises:
        InvalidArgument: the first thing that flyteadmin would complain about.
    """
    check_present(project=request.project, domain=request.domain)
    if request.name:
        _check_name(request)
    projects.check(request.project, request.domain)
    if not request.HasField("spec"):
        raise InvalidArgument("missing spec")
    _check_launched(request.spec.launch_plan if request.spec.HasField("launch_plan") else None)
    _check_literals(request.inputs)
    check_labels(request.spec.labels)


def _check_name(request: ExecutionCreateRequest) -> None:
    name = request.name.lower()
    if len(name) > MAX_NAME:
        raise InvalidArgument(f"size of name exceeded length {MAX_NAME} : {name}")
    if not _NAME.fullmatch(name):
        raise InvalidArgument(f"invalid name format: {name}, does not match regex '^[a-z][a-z\\-0-9]*$'")


def _check_launched(launched: Identifier | None) -> None:
    if launched is None:
        raise InvalidArgument("missing id")
    check_complete(launched)
    if launched.resource_type not in (LAUNCH_PLAN, TASK):
        raise InvalidArgument(
            f"Invalid reference entity resource type [{ResourceType.Name(launched.resource_type)}], "
            "only [map[LAUNCH_PLAN:<nil> TASK:<nil>]] allowed"
        )


def _check_literals(inputs: LiteralMap) -> None:
    for name, literal in inputs.literals.items():
        if not name:
            raise InvalidArgument("missing key in inputs")
        if literal.WhichOneof("value") is None:
            raise InvalidArgument(f"missing valid literal in inputs {name}")
