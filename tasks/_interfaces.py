"""Comparing typed interfaces as their callers feel it: what breaks a caller, and what does not; all pure."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field

from flyteidl.core.interface_pb2 import ParameterMap, TypedInterface
from flyteidl.core.types_pb2 import LiteralType

from tasks._literal_types import same, type_name, widened


@dataclass(frozen=True, kw_only=True)
class Interface:
    """What a caller gives and gets. `optional` are the inputs that need not be given."""

    inputs: Mapping[str, LiteralType]
    outputs: Mapping[str, LiteralType] = field(default_factory=dict)
    optional: Collection[str] = ()


@dataclass(frozen=True, kw_only=True)
class Changes:
    """What differs between two interfaces, one sentence each."""

    breaking: list[str]
    harmless: list[str]


def of_typed(interface: TypedInterface, *, optional: Collection[str] = ()) -> Interface:
    """Return a task's or workflow's interface; Flyte keeps no defaults in it, so these are told."""
    return Interface(
        inputs={name: variable.type for name, variable in interface.inputs.variables.items()},
        outputs={name: variable.type for name, variable in interface.outputs.variables.items()},
        optional=optional,
    )


def of_parameters(parameters: ParameterMap) -> Interface:
    """Return a launch plan's interface from its parameters; fixed inputs are not among them."""
    entries = parameters.parameters
    return Interface(
        inputs={name: parameter.var.type for name, parameter in entries.items()},
        optional=optional_of(parameters),
    )


def optional_of(parameters: ParameterMap) -> set[str]:
    """Return the names of the parameters that have a default."""
    return {name for name, one in parameters.parameters.items() if not one.required}


def compare(old: Interface, new: Interface) -> Changes:
    """Compare two interfaces from the side of somebody who calls the old one."""
    changes = Changes(breaking=[], harmless=[])
    _compare_inputs(old, new, changes)
    for name in sorted(old.outputs.keys() | new.outputs.keys()):
        before, after = old.outputs.get(name), new.outputs.get(name)
        if before is None:
            changes.harmless.append(f"output {name} is new ({type_name(new.outputs[name])})")
        elif after is None:
            changes.breaking.append(f"output {name} is gone")
        elif not same(before, after):
            kind = changes.harmless if widened(after, before) else changes.breaking
            kind.append(f"output {name} was {type_name(before)} and is {type_name(after)}")
    return changes


def _compare_inputs(old: Interface, new: Interface, changes: Changes) -> None:
    gone, added = sorted(old.inputs.keys() - new.inputs), sorted(new.inputs.keys() - old.inputs)
    if len(gone) == len(added) == 1 and same(old.inputs[gone[0]], new.inputs[added[0]]):
        changes.breaking.append(f"input {gone[0]} seems to be renamed to {added[0]}")
        gone, added = [], []
    changes.breaking.extend(f"input {name} is gone" for name in gone)
    for name in added:
        kind = type_name(new.inputs[name])
        if name in new.optional:
            changes.harmless.append(f"input {name} is new ({kind}, with a default)")
        else:
            changes.breaking.append(f"input {name} is new ({kind}) and required")
    for name in sorted(old.inputs.keys() & new.inputs):
        before, after = old.inputs[name], new.inputs[name]
        if not same(before, after):
            fine = changes.harmless if widened(before, after) else changes.breaking
            fine.append(f"input {name} was {type_name(before)} and is {type_name(after)}")
        elif name in old.optional and name not in new.optional:
            changes.breaking.append(f"input {name} has no default any more")
        elif name in new.optional and name not in old.optional:
            changes.harmless.append(f"input {name} has a default now")
