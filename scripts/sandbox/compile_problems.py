"""What is wrong with a workflow, collected and told as propeller's compiler tells it.

Source: propeller `compiler/errors`.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class Problem:
    """One error of compilation: its code, the node where it is, and a sentence."""

    code: str
    node: str
    description: str

    def __str__(self) -> str:
        return f"Code: {self.code}, Node Id: {self.node}, Description: {self.description}"


class Problems:
    """Every error that one compilation meets."""

    def __init__(self) -> None:
        self._found: list[Problem] = []

    def __len__(self) -> int:
        return len(self._found)

    def __str__(self) -> str:
        ordered = sorted(set(self._found), key=lambda problem: (problem.code, str(problem)))
        lines = [f"Collected Errors: {len(ordered)}\n"]
        lines += [f"\tError {number}: {problem}\n" for number, problem in enumerate(ordered)]
        return "".join(lines)

    def add(self, code: str, node: str, description: str) -> None:
        """Collect one."""
        self._found.append(Problem(code=code, node=node, description=description))

    def value_required(self, node: str, what: str) -> None:
        """Something that must be there is not."""
        self.add("ValueRequired", node, f"Value required [{what}].")

    def not_bound(self, node: str, parameter: str) -> None:
        """Nothing is bound to a parameter."""
        self.add("ParameterNotBound", node, f"Parameter not bound [{parameter}].")

    def task_not_found(self, node: str, reference: str) -> None:
        """No task is registered under a reference."""
        self.add("TaskReferenceNotFound", node, f"Referenced Task [{reference}] not found.")

    def workflow_not_found(self, node: str, reference: str) -> None:
        """No workflow or launch plan is known under a reference."""
        self.add("WorkflowReferenceNotFound", node, f"Referenced Workflow [{reference}] not found.")

    def variable_not_found(self, node: str, variable: str) -> None:
        """A node has no such input or output."""
        self.add("VariableNameNotFound", node, f"Variable [{variable}] not found on node [{node}].")

    def types_differ(self, node: str, variable: str, given: str, expected: str) -> None:
        """A variable has another type than is expected."""
        text = f"Variable [{variable}] (type [{given}]) doesn't match expected type [{expected}]."
        self.add("MismatchingTypes", node, text)
