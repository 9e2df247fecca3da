"""Between records and Flyte's literals, outside of a task: as flytekit passes them between tasks."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeVar

from flyteidl.core.literals_pb2 import Literal, LiteralMap
from flytekit.core.context_manager import FlyteContextManager
from flytekit.core.type_engine import TypeEngine
from flytekit.models.literals import Literal as LiteralModel

T = TypeVar("T")


class Unreadable(ValueError):
    """A literal is not there, or is not of the type that it is read as."""


def literal_of(value: Any, kind: type[Any] | None = None) -> Literal:
    """Return a value as the literal that a task with an input of type `kind`, else of its own, is given."""
    context = FlyteContextManager.current_context()
    kind = kind or type(value)
    model = TypeEngine.to_literal(context, value, kind, TypeEngine.to_literal_type(kind))
    literal: Literal = model.to_flyte_idl()
    return literal


def literals(values: Mapping[str, Any]) -> LiteralMap:
    """Return values by name, each as `literal_of` does."""
    return LiteralMap(literals={name: literal_of(value) for name, value in values.items()})


def value_of(found: LiteralMap, name: str, kind: type[T]) -> T:
    """Read what `literal_of` wrote for a value of type `kind`.

    Raises:
        Unreadable: there is no such literal, or it holds something else.
    """
    if name not in found.literals:
        raise Unreadable(f"there is no {name}")
    context = FlyteContextManager.current_context()
    try:
        model = LiteralModel.from_flyte_idl(found.literals[name])
        value: T = TypeEngine.to_python_value(context, model, kind)
    except Exception as error:  # flytekit wraps whatever pydantic and msgpack say in classes of many kinds
        raise Unreadable(f"{name} is no {kind.__name__}: {error}") from error
    return value
