"""Comparing protos as trees: two messages to the list of places where they differ, in words; all pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeAlias

from flyteidl.core.workflow_pb2 import WorkflowTemplate
from google.protobuf.json_format import MessageToDict
from google.protobuf.message import Message as Proto

Tree: TypeAlias = "dict[str, Tree] | str"

_WIDTH = 160
_IDENTIFIER = {"resource_type", "project", "domain", "name", "version"}
_NODES = {"task_node", "workflow_node", "branch_node", "gate_node", "array_node"}
_START = "start-node"
_COMPILERS = (_START, "end-node")
"""Nodes that Flyte's compiler adds to a workflow (`flytepropeller/pkg/compiler/common`)."""


@dataclass(frozen=True, kw_only=True)
class Difference:
    """One place where two trees differ; None is: nothing there."""

    path: str
    old: Tree | None
    new: Tree | None

    def __str__(self) -> str:
        if self.old is None:
            return f"{self.path}: added {_brief(self.new)}"
        if self.new is None:
            return f"{self.path}: removed {_brief(self.old)}"
        old, new = _focused(_text(self.old), _text(self.new))
        return f"{self.path}: {old} → {new}"


def tree(message: Proto) -> Tree:
    """Return a message as a tree of named places.

    Items of a list go by their id, variable, key or name, so that one inserted item moves no other.
    Identifiers and lists of plain values become one text. What is empty is left out, and so is what
    Flyte's compiler adds to a workflow, so that a specification and its compiled form are the same tree.
    For the same reason nodes of a branch go without the branch's own id, which the compiler puts before
    theirs.
    """
    return _tree(MessageToDict(message, preserving_proto_field_name=True))


def uncompile(template: WorkflowTemplate) -> None:
    """Take out of a workflow, in place, what Flyte's compiler adds to most; `tree` leaves it out of any.

    Then most workflows are equal to their compiled form as they are, and take no trees to compare.
    """
    for index in reversed(range(len(template.nodes))):
        if template.nodes[index].id in _COMPILERS:
            del template.nodes[index]
    for node in template.nodes:
        node.ClearField("upstream_node_ids")
        for one in node.inputs:
            if one.binding.promise.node_id == _START:
                one.binding.promise.ClearField("node_id")


def differences(old: Tree, new: Tree, path: str = "") -> Iterator[Difference]:
    """Yield every place where two trees differ, in the order of their paths."""
    if old == new:
        return
    if isinstance(old, str) or isinstance(new, str):
        yield Difference(path=path or "all of it", old=old, new=new)
        return
    for key in sorted(old.keys() | new.keys()):
        below = f"{path}{key}" if not path or key.startswith("[") else f"{path}.{key}"
        if key not in old:
            yield Difference(path=below, old=None, new=new[key])
        elif key not in new:
            yield Difference(path=below, old=old[key], new=None)
        else:
            yield from differences(old[key], new[key], below)


def sentences(found: Sequence[Difference], *, most: int) -> list[str]:
    """Return at most `most` lines for people, the last of which counts what is left out."""
    lines = [str(one) for one in found[:most]]
    left = len(found) - most
    return [*lines[:-1], f"... and {left + 1} more"] if left > 0 else lines


def _tree(value: object, within: str = "") -> Tree:
    """Return the tree of a JSON value; `within` is the id of the branch that it is the inside of."""
    if isinstance(value, dict):
        if len(value) <= len(_IDENTIFIER) and {"resource_type", "name"} <= value.keys() <= _IDENTIFIER:
            return _identifier(value)
        inside = f"{value['id']}-" if "branch_node" in value and "id" in value else within
        entries: dict[str, Tree] = {}
        for key, item in value.items():
            if key != "upstream_node_ids" and (below := _tree(item, inside)):
                entries[key] = below
        if within and isinstance(value.get("id"), str) and _NODES & value.keys():
            entries["id"] = str(value["id"]).removeprefix(within)
        if entries.get("node_id") == _START:
            del entries["node_id"]
        return entries
    if isinstance(value, list):
        return _list(value, within)
    return str(value).lower() if isinstance(value, bool) else str(value)


def _identifier(value: Mapping[str, object]) -> str:
    place = "/".join(str(value[key]) for key in ("project", "domain") if value.get(key))
    version = f" at {value['version']}" if value.get("version") else ""
    return f"{place}{'/' if place else ''}{value['name']}{version}"


def _list(items: Sequence[object], within: str) -> Tree:
    if not any(isinstance(item, (dict, list)) for item in items):
        return " ".join(map(str, items))
    for name in ("id", "var", "key", "name"):
        keys = [str(item[name]) for item in items if isinstance(item, dict) and name in item]
        if len(keys) == len(items) == len(set(keys)):
            named = zip(keys, items, strict=True)
            return {f"[{key}]": _tree(item, within) for key, item in named if key not in _COMPILERS}
    return {f"[{index}]": _tree(item, within) for index, item in enumerate(items)}


def _text(value: Tree) -> str:
    if isinstance(value, str):
        return value
    return "{" + ", ".join(f"{key}: {_text(item)}" for key, item in value.items()) + "}"


def _brief(value: Tree | None) -> str:
    return _cut(_text(value or ""), 0)


def _focused(old: str, new: str) -> tuple[str, str]:
    """Cut two long texts to the surroundings of their first difference."""
    if len(old) <= _WIDTH and len(new) <= _WIDTH:
        return old or '""', new or '""'
    pairs = enumerate(zip(old, new, strict=False))
    same = next((at for at, (one, other) in pairs if one != other), min(len(old), len(new)))
    return _cut(old, same), _cut(new, same)


def _cut(text: str, around: int) -> str:
    start = max(0, around - _WIDTH // 4)
    end = start + _WIDTH
    return f"{'...' if start else ''}{text[start:end]}{'...' if end < len(text) else ''}" or '""'
