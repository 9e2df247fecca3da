"""The templates in a container's words, `{{.input}}` and its like, put in as propeller does.

Source: flyteplugins `pluginmachinery/core/template`. Names are case-insensitive and begin with `.` or `$`;
what is no template stays as it is; a value becomes part of its word as it is, unquoted.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import msgpack
from flyteidl.core.literals_pb2 import Literal, LiteralMap, Primitive, Scalar

from scripts.sandbox.gotext import shown, shown_float, timestamp_text

_NOT_ALPHA_FIRST = re.compile(r"^[^a-zA-Z_]+")
_NOT_ALPHANUMERIC = re.compile(r"[^a-zA-Z0-9_]+")
_INPUTS = re.compile(r"{{\s*[.$]inputs\.([^}\s]+)\s*}}", re.IGNORECASE)


class TemplateError(ValueError):
    """A word names an input that is not there, or that has no text."""


@dataclass(frozen=True, kw_only=True)
class Values:
    """What the templates of one attempt stand for; paths are URIs.

    `generated_name` is the pod's name. `task_template` is asked only where a word names it, for it has to
    be written to storage first.
    """

    input: str
    input_prefix: str
    output_prefix: str
    raw_output_prefix: str
    checkpoint_prefix: str
    previous_checkpoint_prefix: str = ""
    generated_name: str
    namespace: str
    task_template: Callable[[], str]
    inputs: LiteralMap = field(default_factory=LiteralMap)


def render(words: Sequence[str], values: Values) -> list[str]:
    """Return `words` with every template replaced.

    Raises:
        TemplateError: an input is missing or has no text; without any inputs its template stays.
    """
    return [_render(word, values) for word in words]


def retry_key(generated_name: str) -> str:
    """The pod's name as an identifier: what `{{.perRetryUniqueKey}}` stands for."""
    return _NOT_ALPHANUMERIC.sub("_", _NOT_ALPHA_FIRST.sub("a", generated_name))


def _render(word: str, values: Values) -> str:
    if "{{" not in word:
        return word
    # In propeller's order, for a value may hold a template itself.
    replacements: list[tuple[str, Callable[[], str]]] = [
        ("input", lambda: values.input),
        ("outputPrefix", lambda: values.output_prefix),
        ("inputPrefix", lambda: values.input_prefix),
        ("rawOutputDataPrefix", lambda: values.raw_output_prefix),
        ("prevCheckpointPrefix", lambda: values.previous_checkpoint_prefix or '""'),
        ("checkpointOutputPrefix", lambda: values.checkpoint_prefix),
        ("perRetryUniqueKey", lambda: retry_key(values.generated_name)),
        ("taskTemplatePath", values.task_template),
        ("namespace", lambda: values.namespace),
    ]
    for name, value in replacements:
        pattern = rf"{{{{\s*[.$]{name}\s*}}}}"
        word = re.sub(pattern, lambda _, value=value: value(), word, flags=re.IGNORECASE)  # type: ignore[misc]
    return _render_inputs(word, values.inputs) if values.inputs.literals else word


def _render_inputs(word: str, inputs: LiteralMap) -> str:
    problems: list[str] = []

    def text(match: re.Match[str]) -> str:
        try:
            if match[1] not in inputs.literals:
                raise TemplateError(f"requested input is not found [{match[1]}]")
            return literal_text(inputs.literals[match[1]])
        except TemplateError as error:
            problems.append(f"{len(problems)}: input template [{match[0]}]: {error}\r\n")
            return ""

    word = _INPUTS.sub(text, word)
    if problems:
        raise TemplateError("".join(problems))
    return word


def literal_text(literal: Literal) -> str:
    """The text that stands for a literal in a word: a primitive, a URI, or `[a,b]`.

    Raises:
        TemplateError: Flyte has no text for this kind of literal.
    """
    if literal.WhichOneof("value") == "collection":
        return f"[{','.join(literal_text(item) for item in literal.collection.literals)}]"
    if literal.WhichOneof("value") == "scalar":
        return _scalar_text(literal.scalar)
    raise TemplateError(f"received an unexpected primitive type [{literal.WhichOneof('value')}]")


def _scalar_text(scalar: Scalar) -> str:
    kind = scalar.WhichOneof("value")
    if kind == "primitive":
        return _primitive_text(scalar.primitive)
    if kind in ("blob", "schema"):
        return str(getattr(scalar, kind).uri)
    if kind == "binary":
        if scalar.binary.tag != "msgpack":
            raise TemplateError(f"unsupported binary tag [{scalar.binary.tag}]")
        return shown(msgpack.unpackb(scalar.binary.value, strict_map_key=False))
    raise TemplateError(f"received an unexpected scalar type [{kind}]")


def _primitive_text(primitive: Primitive) -> str:
    kind = primitive.WhichOneof("value")
    if kind == "float_value":
        return shown_float(primitive.float_value)
    if kind == "datetime":
        return timestamp_text(primitive.datetime)
    if kind == "duration":
        # The text form of the message, as Go's protobuf prints it; not that of a Go duration.
        return " ".join(str(primitive.duration).split()).replace(": ", ":")
    if kind is None:
        raise TemplateError("received an unexpected primitive type [<nil>]")
    return shown(getattr(primitive, kind))
