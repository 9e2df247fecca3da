"""Identifiers of requests, checked as flyteadmin checks them.

Source: flyteadmin `manager/impl/validation/validation.go`.
"""

from __future__ import annotations

from flyteidl.admin.common_pb2 import NamedEntityIdentifier
from flyteidl.core.identifier_pb2 import UNSPECIFIED, Identifier, ResourceType

from scripts.sandbox.errors import InvalidArgument
from scripts.sandbox.gotext import message_text


def check_present(**fields: str) -> None:
    """Check, in the order given, that no field is empty.

    Raises:
        InvalidArgument: one is; it is named.
    """
    for name, value in fields.items():
        if not value:
            raise InvalidArgument(f"missing {name}")


def check_identifier(id_: Identifier, expected: ResourceType.ValueType) -> None:
    """Check that an identifier is complete and of the expected type.

    Raises:
        InvalidArgument: it is not.
    """
    if id_ == Identifier():
        raise InvalidArgument("missing id")
    if id_.resource_type != expected:
        raise InvalidArgument(
            f"unexpected resource type {_name(id_.resource_type)} for identifier [{message_text(id_)}], "
            f"expected {_name(expected)} instead"
        )
    check_complete(id_)


def check_complete(id_: Identifier) -> None:
    """Check that an identifier of any type names a project, a domain, a name and a version.

    Raises:
        InvalidArgument: it does not.
    """
    check_present(project=id_.project, domain=id_.domain, name=id_.name, version=id_.version)


def check_named(id_: NamedEntityIdentifier) -> None:
    """Check that the identifier of a named entity is complete.

    Raises:
        InvalidArgument: it is not.
    """
    check_present(project=id_.project, domain=id_.domain, name=id_.name)


def check_resource_type(kind: ResourceType.ValueType) -> None:
    """Check that a resource type is given, and one that there is.

    Raises:
        InvalidArgument: it is not.
    """
    if kind == UNSPECIFIED or kind not in ResourceType.values():
        raise InvalidArgument("invalid value for resource_type")


def _name(kind: ResourceType.ValueType) -> str:
    return ResourceType.Name(kind).lower() if kind in ResourceType.values() else str(kind)
