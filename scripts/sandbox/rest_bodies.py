"""Messages as HTTP bodies, in the forms that flyteadmin's gateway knows.

Source: flyteadmin `pkg/server/service.go`, grpc-gateway `runtime/marshaler_registry.go`,
`protobuf-go/encoding/protojson`. What comes as `application/json` may have no unknown fields, and is answered
with the protocol's own names; whatever says nothing about its form gets camelCase. All write out fields that
are not set.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from email.message import EmailMessage
from enum import Enum
from typing import Any, TypeAlias, TypeVar

from google.protobuf import json_format
from google.protobuf.message import DecodeError, Message

from scripts.sandbox.errors import InvalidArgument

M = TypeVar("M", bound=Message)
Kind: TypeAlias = Any
"""A descriptor of a message, of which protobuf's types know two classes."""


class Form(Enum):
    """A form of messages."""

    CAMEL_CASE = "*"
    SNAKE_CASE = "application/json"
    BINARY = "application/octet-stream"


@dataclass(frozen=True, kw_only=True)
class Forms:
    """The form of a request, and that of its answer."""

    given: Form
    wanted: Form


def forms_of(content_type: str | None, accepts: Sequence[str]) -> Forms:
    """Return the forms that the headers ask for; an answer has its request's if nothing else is said."""
    given = _form(_media_type(content_type)) or Form.CAMEL_CASE
    wanted = next(filter(None, map(_form, accepts)), given)
    return Forms(given=given, wanted=wanted)


def read(body: bytes, message: M, form: Form) -> M:
    """Fill `message` from a body; an empty body leaves it empty.

    Raises:
        InvalidArgument: it is not such a message.
    """
    try:
        if form is Form.BINARY:
            message.ParseFromString(body)
        elif body.strip():
            _from_json(body, message, strict=form is Form.SNAKE_CASE)
    except (DecodeError, json_format.ParseError, ValueError, TypeError, RecursionError) as error:
        raise InvalidArgument(f"proto: {str(error) or type(error).__name__}") from error
    return message


def write(message: Message, form: Form) -> tuple[bytes, str]:
    """Return a body, and its media type."""
    if form is Form.BINARY:
        return message.SerializeToString(), Form.BINARY.value
    by_protocol = form is Form.SNAKE_CASE
    document = json_format.MessageToDict(
        message, always_print_fields_with_no_presence=True, preserving_proto_field_name=by_protocol
    )
    _add_nulls(message, document, by_protocol=by_protocol)
    return json.dumps(document, ensure_ascii=False).encode(), Form.SNAKE_CASE.value


def _form(media_type: str) -> Form | None:
    return next((form for form in Form if form.value == media_type), None)


def _media_type(header: str | None) -> str:
    if header is None:
        return ""
    parsed = EmailMessage()
    parsed["Content-Type"] = header
    return parsed.get_content_type()


def _from_json(body: bytes, message: Message, *, strict: bool) -> None:
    document = json.loads(body)
    if not isinstance(document, dict):
        raise ValueError(f"syntax error: a {type(document).__name__} where an object is wanted")
    json_format.ParseDict(document, message, ignore_unknown_fields=not strict)


def _add_nulls(message: Message, document: dict[str, Any], *, by_protocol: bool) -> None:
    """Add null for messages that are not set, as Go's protobuf writes them out; Python's leaves them out."""
    for field in message.DESCRIPTOR.fields:
        kind = field.message_type
        if kind is None:
            continue
        key = field.name if by_protocol else field.json_name
        if field.is_repeated:
            _add_to_items(getattr(message, field.name), kind, document[key], by_protocol=by_protocol)
        elif message.HasField(field.name):
            if not _is_well_known(kind):
                _add_nulls(getattr(message, field.name), document[key], by_protocol=by_protocol)
        elif field.containing_oneof is None:
            document[key] = None


def _add_to_items(items: Any, kind: Kind, documents: Any, *, by_protocol: bool) -> None:
    if not kind.GetOptions().map_entry:
        pairs = list(zip(items, documents, strict=True))
    elif kind.fields_by_name["value"].message_type is None:
        return
    else:
        pairs = [(items[key], documents[_key(key)]) for key in items]
    for item, document in pairs:
        if not _is_well_known(item.DESCRIPTOR):
            _add_nulls(item, document, by_protocol=by_protocol)


def _is_well_known(kind: Kind) -> bool:
    """Say whether JSON has a form of its own for these, without fields."""
    return bool(kind.full_name.startswith("google.protobuf."))


def _key(key: object) -> str:
    return str(key).lower() if isinstance(key, bool) else str(key)
