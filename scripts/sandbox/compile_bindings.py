"""Bindings of a node's inputs: that each is bound, once, to something of a fitting type.

Source: propeller `compiler/validators/bindings.go`.
"""

from __future__ import annotations

import enum
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from flyteidl.core.interface_pb2 import Variable, VariableMap
from flyteidl.core.literals_pb2 import Binding, BindingData
from flyteidl.core.types_pb2 import NONE, STRUCT, LiteralType, OutputReference

from scripts.sandbox.compile_problems import Problems
from scripts.sandbox.compiled_graph import START, BuiltNode, Graph
from scripts.sandbox.errors import InvalidArgument
from scripts.sandbox.gotext import message_text
from scripts.sandbox.literals import castable, scalar_type

_VARIABLE = re.compile(r"(\[(?P<index>\d+)\]\.)?(?P<name>\w+)", re.ASCII)


class Edges(enum.Enum):
    """Which edges a binding adds."""

    BOTH = enum.auto()
    UPSTREAM = enum.auto()


@dataclass(frozen=True, kw_only=True)
class Resolved:
    """What a binding comes to: its type, and the nodes it waits for."""

    kind: LiteralType
    nodes: Sequence[str] = ()


@dataclass(frozen=True, kw_only=True)
class Checker:
    """Checks the bindings of one node. Without `typed` the types are found out, not compared."""

    graph: Graph
    node: BuiltNode
    typed: bool
    problems: Problems

    def check(
        self, bindings: Sequence[Binding], wanted: Mapping[str, Variable], edges: Edges
    ) -> VariableMap | None:
        """Check all bindings, add their edges, and return the types bound; None where something is wrong."""
        before = len(self.problems)
        resolved, bound = VariableMap(), set[str]()
        for binding in bindings:
            if self.typed and binding.var not in wanted:
                self.problems.variable_not_found(self.node.id, binding.var)
            elif not binding.HasField("binding"):
                self.problems.value_required(self.node.id, "Binding")
            elif binding.var in bound:
                text = f"Input [{binding.var}] is bound more than once."
                self.problems.add("ParameterBoundMoreThanOnce", self.node.id, text)
            else:
                bound.add(binding.var)
                expected = wanted[binding.var].type if binding.var in wanted else LiteralType(simple=NONE)
                found = self._resolve(binding.var, binding.binding, expected)
                if found is not None:
                    self._connect(found.nodes, edges)
                    resolved.variables[binding.var].type.CopyFrom(found.kind)
        for name in sorted(wanted):
            if name not in bound and not _is_optional(wanted[name].type):
                self.problems.not_bound(self.node.id, name)
        return resolved if len(self.problems) == before else None

    def _connect(self, providers: Sequence[str], edges: Edges) -> None:
        for provider in providers:
            self.graph.add_upstream(provider, self.node.id)
            if edges is Edges.BOTH:
                self.graph.add_downstream(provider, self.node.id)

    def _resolve(self, name: str, binding: BindingData, expected: LiteralType) -> Resolved | None:
        kind = binding.WhichOneof("value")
        if kind not in ("scalar", "promise") and expected.HasField("union_type"):
            return self._resolve_union(name, binding, expected)
        if kind == "collection":
            return self._resolve_elements(name, binding, expected, "collection_type")
        if kind == "map":
            return self._resolve_elements(name, binding, expected, "map_value_type")
        if kind == "promise":
            return self._resolve_promise(name, binding.promise, expected)
        if kind == "scalar":
            return self._resolve_scalar(name, binding, expected)
        self._bindings_differ(name, expected, "")
        return None

    def _resolve_union(self, name: str, binding: BindingData, expected: LiteralType) -> Resolved | None:
        """Exactly one variant must take the binding; trying the others must leave no complaint behind."""
        found: Resolved | None = None
        matching: LiteralType | None = None
        for variant in expected.union_type.variants:
            trial = Checker(graph=self.graph, node=self.node, typed=self.typed, problems=Problems())
            resolved = trial._resolve(name, binding, variant)
            if resolved is None or len(trial.problems):
                continue
            if matching is not None:
                text = (
                    f"{self._expects(name)} union type [{message_text(expected)}].  Received "
                    f"[{message_text(binding)}] which is ambiguous as both variants "
                    f"[{message_text(matching)}] and [{message_text(variant)}] match."
                )
                self.problems.add("AmbiguousBindingUnionValue", self.node.id, text)
                return None
            found, matching = resolved, variant
        if found is None:
            text = (
                f"{self._expects(name)} union type [{message_text(expected)}].  Received "
                f"[{message_text(binding)}] which does not match any of the variants."
            )
            self.problems.add("IncompatibleBindingUnionValue", self.node.id, text)
        return found

    def _resolve_elements(
        self, name: str, binding: BindingData, expected: LiteralType, field: str
    ) -> Resolved | None:
        group = binding.collection if field == "collection_type" else binding.map
        if not expected.HasField(field):
            self._bindings_differ(name, expected, message_text(group))
            return None
        inner: LiteralType = getattr(expected, field)
        elements = (
            group.bindings if field == "collection_type" else [v for _, v in sorted(group.bindings.items())]
        )
        before = len(self.problems)
        nodes: list[str] = []
        kind = LiteralType()
        getattr(kind, field).SetInParent()
        for element in elements:
            found = self._resolve(name, element, inner)
            if found is not None:
                nodes.extend(found.nodes)
                getattr(kind, field).CopyFrom(found.kind)
        return Resolved(kind=kind, nodes=nodes) if len(self.problems) == before else None

    def _resolve_scalar(self, name: str, binding: BindingData, expected: LiteralType) -> Resolved | None:
        before = len(self.problems)
        kind = LiteralType()
        try:
            kind = scalar_type(binding.scalar)
        except InvalidArgument:
            value = binding.scalar.WhichOneof("value")
            self.problems.add("UnrecognizedValue", self.node.id, f"Unrecognized value [{value}].")
        else:
            if self.typed and not castable(kind, expected):
                self.problems.types_differ(self.node.id, name, type_text(kind), type_text(expected))
        values = list(expected.enum_type.values)
        given = binding.scalar.primitive.string_value
        if expected.HasField("enum_type") and given not in values:
            text = (
                f"Input [{name}] on node [{self.node.id}] is an Enum and expects value to be one of "
                f"[[{' '.join(values)}]].  Received [{given}]"
            )
            self.problems.add("IllegalEnumValue", self.node.id, text)
        return Resolved(kind=kind) if len(self.problems) == before else None

    def _resolve_promise(self, name: str, promise: OutputReference, expected: LiteralType) -> Resolved | None:
        provider = self.graph.nodes.get(promise.node_id or START)
        if provider is None:
            text = f"Referenced node [{promise.node_id}] not found."
            self.problems.add("NodeReferenceNotFound", promise.node_id, text)
            self.problems.not_bound(self.node.id, name)
            return None
        matches = list(_VARIABLE.finditer(promise.var))
        if len(matches) != 1:
            self.problems.add("SyntaxError", self.node.id, f"Failed to parse element [{promise.var}].")
            return None
        output = output_variable(provider, matches[0]["name"], self.problems)
        if output is None:
            self.problems.not_bound(self.node.id, name)
            return None
        kind: LiteralType | None = output.type
        if matches[0]["index"] is not None:
            if not output.type.HasField("collection_type"):
                self._variables_differ(provider, promise, output.type, name, expected)
                return None
            kind = output.type.collection_type
        kind = self._attribute(promise, kind)
        if kind is None:
            return None
        if self.typed and not castable(kind, expected):
            self._variables_differ(provider, promise, kind, name, expected)
            return None
        promise.node_id = provider.id
        return Resolved(kind=output.type, nodes=[provider.id])

    def _attribute(self, promise: OutputReference, kind: LiteralType) -> LiteralType | None:
        """Follow the attributes of a promise down its type."""
        for attribute in promise.attr_path:
            if kind.HasField("collection_type"):
                kind = kind.collection_type
            elif kind.HasField("map_value_type"):
                kind = kind.map_value_type
            elif kind.structure.dataclass_type:
                if attribute.string_value not in kind.structure.dataclass_type:
                    text = (
                        f"Variable [{promise.var}] (type [{message_text(kind)}]) doesn't have field "
                        f"[{attribute.string_value}]."
                    )
                    self.problems.add("FieldNotFound", self.node.id, text)
                    return None
                kind = kind.structure.dataclass_type[attribute.string_value]
        return kind

    def _variables_differ(
        self,
        provider: BuiltNode,
        promise: OutputReference,
        kind: LiteralType,
        name: str,
        expected: LiteralType,
    ) -> None:
        given, wanted = _qualified(provider, promise.var), _qualified(self.node, name)
        text = (
            f"The output variable '{given}' has type [{type_text(kind)}], but it's assigned to the input "
            f"variable '{wanted}' which has type type [{type_text(expected)}]."
        )
        self.problems.add("MismatchingTypes", self.node.id, text)

    def _bindings_differ(self, name: str, expected: LiteralType, received: str) -> None:
        text = f"{self._expects(name)} type [{message_text(expected)}].  Received [{received}]"
        self.problems.add("MismatchingBindings", self.node.id, text)

    def _expects(self, name: str) -> str:
        return f"Input [{name}] on node [{self.node.id}] expects bindings of"


def output_variable(node: BuiltNode, name: str, problems: Problems) -> Variable | None:
    """Return an output of a node by its name or alias; complain where it has none."""
    aliases: dict[str, str] = {}
    before = len(problems)
    for alias in node.core.output_aliases:
        if alias.var in aliases:
            text = f"Duplicate alias [{alias.alias}] found."
            text += " An output alias can only be used once in the Workflow."
            problems.add("DuplicateAlias", node.id, text)
        aliases.setdefault(alias.var, alias.alias)
    outputs = {} if node.interface is None else node.interface.outputs.variables
    for missing in [alias for var, alias in aliases.items() if node.interface and var not in outputs]:
        problems.not_bound(node.id, missing)
    if len(problems) > before:
        return None
    known = {aliases.get(var, var): variable for var, variable in outputs.items()}
    if name not in known:
        problems.variable_not_found(node.id, name)
    return known.get(name)


def type_text(kind: LiteralType) -> str:
    """Return a type as the compiler prints it: of a structure only the fields are of interest."""
    if kind.simple != STRUCT:
        return message_text(kind)
    fields = kind.structure.dataclass_type
    parts = (f"dataclass_type:{{key:{name} value:{{{type_text(fields[name])}}}" for name in sorted(fields))
    return f"simple: STRUCT structure{{{', '.join(parts)}}}"


def _qualified(node: BuiltNode, variable: str) -> str:
    return f"{node.core.metadata.name}.{variable}" if node.core.HasField("metadata") else variable


def _is_optional(kind: LiteralType) -> bool:
    return any(v.simple == NONE for v in kind.union_type.variants)
