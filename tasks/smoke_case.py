"""One smoke test: what is launched for it, how its end is judged, and the words for it; all pure."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from flyteidl.admin.common_pb2 import Labels
from flyteidl.admin.execution_pb2 import ExecutionCreateRequest, ExecutionMetadata, ExecutionSpec
from flyteidl.admin.launch_plan_pb2 import LaunchPlan
from flyteidl.core.literals_pb2 import Literal, LiteralMap

from tasks import expectation
from tasks._literals import Mismatch, Value, to_literal, to_value
from tasks.policy import SmokeTest

_SHOWN = 200
_KEPT = 2000


@dataclass(frozen=True, kw_only=True)
class SmokePlace:
    """Where and as what smoke tests run: exactly one version, in one project and domain.

    `attempt` tells one preview's tests from those of the next attempt at it, `round` several runs in one.
    `labels` come on top of the launch plan's own, and are for finding the executions again.
    """

    project: str
    domain: str
    version: str
    attempt: int = 1
    round: str = ""
    service_account: str = ""
    labels: Mapping[str, str] = field(default_factory=dict)


def names_of(tests: Sequence[SmokeTest]) -> list[str]:
    """Return a name for each test: its launch plan's, numbered from the second one of the same plan on."""
    names: list[str] = []
    for at, test in enumerate(tests):
        before = sum(one.launch_plan == test.launch_plan for one in tests[:at])
        names.append(f"{test.launch_plan} #{before + 1}" if before else test.launch_plan)
    return names


def execution_name(name: str, test: SmokeTest, place: SmokePlace) -> str:
    """Return the one name of this test's execution: asked for again, Flyte has it already."""
    asked = json.dumps(
        [name, test.inputs, place.project, place.domain, place.version, place.attempt, place.round],
        sort_keys=True,
    )
    last = "".join(letter if letter.isalnum() and letter.isascii() else "-" for letter in test.launch_plan)
    readable = last.rpartition("-")[2].lower()[:20]
    unique = hashlib.sha256(asked.encode()).hexdigest()[:12]
    return "-".join(part for part in ("smoke", readable, unique) if part)


def inputs_of(test: SmokeTest, plan: LaunchPlan) -> LiteralMap:
    """Return a test's inputs as literals of exactly the types that the launch plan asks for.

    Raises:
        Mismatch: an input is unknown, fixed, missing or of another type.
    """
    wanted = plan.closure.expected_inputs.parameters or plan.spec.default_inputs.parameters
    fixed = plan.spec.fixed_inputs.literals
    for name in sorted(test.inputs):
        if name in fixed:
            raise Mismatch(f"{name} is fixed by the launch plan.")
        if name not in wanted:
            raise Mismatch(f"{name} is no input of it; it has {', '.join(sorted(wanted)) or 'none'}.")
    missing = sorted(name for name, one in wanted.items() if one.required and name not in test.inputs)
    if missing:
        raise Mismatch(f"{', '.join(missing)} must be given, for there is no default.")
    literals = {name: to_literal(value, wanted[name].var.type, name) for name, value in test.inputs.items()}
    return LiteralMap(literals=literals)


def request_of(name: str, test: SmokeTest, plan: LaunchPlan, place: SmokePlace) -> ExecutionCreateRequest:
    """Return the launch of one test.

    Nobody is notified of it. Labels are the launch plan's and ours together, since Flyte would take ours
    instead of the plan's.

    Raises:
        Mismatch: see `inputs_of`.
    """
    spec = ExecutionSpec(
        launch_plan=plan.id,
        metadata=ExecutionMetadata(mode=ExecutionMetadata.MANUAL),
        labels=Labels(values={**plan.spec.labels.values, **place.labels}),
        disable_all=True,
    )
    if place.service_account:
        spec.security_context.CopyFrom(plan.spec.security_context)
        spec.security_context.run_as.k8s_service_account = place.service_account
    return ExecutionCreateRequest(
        project=place.project,
        domain=place.domain,
        name=execution_name(name, test, place),
        spec=spec,
        inputs=inputs_of(test, plan),
    )


@dataclass(frozen=True, kw_only=True)
class Judged:
    """One output against one expectation, both as a person reads them."""

    output: str
    expected: str
    actual: str
    passed: bool


def judge(expected: Mapping[str, str], outputs: LiteralMap) -> list[Judged]:
    """Compare outputs with what is expected of them; an output that is not there fails."""
    there = ", ".join(sorted(outputs.literals)) or "none"
    judged = []
    for name, text in expected.items():
        if name not in outputs.literals:
            actual = f"(there is no such output; there are: {there})"
            judged.append(Judged(output=name, expected=text, actual=actual, passed=False))
            continue
        value = to_value(outputs.literals[name])
        passed = expectation.parse(text).holds(value)
        judged.append(Judged(output=name, expected=text, actual=shown(value), passed=passed))
    return judged


def kept_values(names: Iterable[str], outputs: LiteralMap) -> dict[str, str]:
    """Return outputs as JSON, to be compared with those of another version; a long one as its digest.

    What is not there, and what is a file or a table, and so has another place each time, is left out.
    """
    kept = {}
    for name in names:
        if name in outputs.literals and _has_a_value(outputs.literals[name]):
            text = json.dumps(to_value(outputs.literals[name]), sort_keys=True, default=str)
            long = len(text) > _KEPT
            kept[name] = json.dumps(f"sha256:{hashlib.sha256(text.encode()).hexdigest()}") if long else text
    return kept


def _has_a_value(literal: Literal) -> bool:
    """Whether a literal says all of itself; a list or map does where all of its members do."""
    chosen = literal.WhichOneof("value")
    if chosen == "collection":
        return all(map(_has_a_value, literal.collection.literals))
    if chosen == "map":
        return all(map(_has_a_value, literal.map.literals.values()))
    if chosen != "scalar":
        return False
    if literal.scalar.WhichOneof("value") == "union":
        return _has_a_value(literal.scalar.union.value)
    return literal.scalar.WhichOneof("value") not in {"blob", "structured_dataset", "schema"}


def shown(value: Value) -> str:
    """Return a value as JSON, cut short."""
    text = json.dumps(value, ensure_ascii=False, default=str)
    return text if len(text) <= _SHOWN else f"{text[:_SHOWN]}... ({len(text)} characters)"
