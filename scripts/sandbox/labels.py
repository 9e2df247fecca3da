"""Labels as Kubernetes takes them, which is what flyteadmin checks.

Source: flyteadmin `validation.go` (validateLabels), Kubernetes `util/validation` (IsQualifiedName,
IsValidLabelValue).
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from flyteidl.admin.common_pb2 import Labels

from scripts.sandbox.errors import InvalidArgument

MOST = 16
_NAME = re.compile(r"([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]")
_SUBDOMAIN = re.compile(r"[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*")
_NAME_RULE = (
    "must consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric "
    "character (e.g. 'MyName',  or 'my.name',  or '123-abc', regex used for validation is "
    "'([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]')"
)
_SUBDOMAIN_RULE = (
    "a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', and must "
    "start and end with an alphanumeric character (e.g. 'example.com', regex used for validation is "
    "'[a-z0-9]([-a-z0-9]*[a-z0-9])?(\\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*')"
)
_VALUE_RULE = (
    "a valid label must be an empty string or consist of alphanumeric characters, '-', '_' or '.', and must "
    "start and end with an alphanumeric character (e.g. 'MyValue',  or 'my_value',  or '12345', regex used "
    "for validation is '(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])?')"
)
_QUALIFIED_RULE = (
    "a qualified name must consist of alphanumeric characters, '-', '_' or '.', and must start and end with "
    "an alphanumeric character (e.g. 'MyName',  or 'my.name',  or '123-abc', regex used for validation is "
    "'([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]') with an optional DNS subdomain prefix and '/' "
    "(e.g. 'example.com/MyName')"
)


def check_labels(labels: Labels) -> None:
    """Check the number of labels, their keys and their values.

    Raises:
        InvalidArgument: there are too many, or Kubernetes would refuse one.
    """
    if len(labels.values) > MOST:
        raise InvalidArgument(f"labels map cannot exceed {MOST} entries")
    for key, value in sorted(labels.values.items()):
        if problems := list(_key_problems(key)):
            raise InvalidArgument(f"invalid label key [{key}]: [{' '.join(problems)}]")
        if problems := list(_value_problems(value)):
            raise InvalidArgument(f"invalid label value [{value}]: [{' '.join(problems)}]")


def _key_problems(key: str) -> Iterator[str]:
    parts = key.split("/")
    if len(parts) > 2:
        yield _QUALIFIED_RULE
        return
    if len(parts) == 2:
        if not parts[0]:
            yield "prefix part must be non-empty"
        elif len(parts[0]) > 253:
            yield "prefix part must be no more than 253 characters"
        elif not _SUBDOMAIN.fullmatch(parts[0]):
            yield f"prefix part {_SUBDOMAIN_RULE}"
    name = parts[-1]
    if not name:
        yield "name part must be non-empty"
    elif len(name) > 63:
        yield "name part must be no more than 63 characters"
    if not _NAME.fullmatch(name):
        yield f"name part {_NAME_RULE}"


def _value_problems(value: str) -> Iterator[str]:
    if len(value) > 63:
        yield "must be no more than 63 characters"
    if value and not _NAME.fullmatch(value):
        yield _VALUE_RULE
