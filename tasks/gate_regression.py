"""The result gate of regressions: what the smoke tests give now, against what the active version gives.

    accuracy = ">= -0.02"   the new value may be lower by 0.02 at most; any higher one is fine
    latency = "<= 5%"       it may be higher by five percent of the old value at most
    label = "same"          it is the same value of the same type: 3 and 3.0 are, true and 1 are not

Where the active version gives nothing to compare with (the test failed there, the output is new or was no
number), there is nothing to fall behind: the evidence says so, and the output counts as fine.
"""

from __future__ import annotations

import json
import math
import operator
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import TypeGuard

from tasks import expectation
from tasks.expectation import Value
from tasks.gates import GateState, GateVerdict
from tasks.policy import SmokeTest
from tasks.smoke import SmokeReport, SmokeResult
from tasks.smoke_case import names_of, shown

_FORM = re.compile(r"(>=|<=) ?([+-]?[0-9]+(?:\.[0-9]+)?)(%?)")
_ORDER: dict[str, Callable[[float, float], bool]] = {">=": operator.ge, "<=": operator.le}
_NAME = "regression"


@dataclass(frozen=True, kw_only=True)
class Compared:
    """One output of one test, then and now. `passed` is None where there is nothing to compare with."""

    passed: bool | None
    said: str


def compared_tests(tests: Sequence[SmokeTest]) -> list[SmokeTest]:
    """Return those tests of which outputs are compared, and which the active version has to run, too."""
    return [test for test in tests if test.no_regression]


def judge_regression(
    tests: Sequence[SmokeTest], ours: SmokeReport, theirs: SmokeReport | None
) -> GateVerdict:
    """Compare the outputs of `tests` now with those of the version that is active, for which None is none.

    `ours` has the results of all tests, in their order; `theirs` those of all, or of `compared_tests`.
    """
    if not compared_tests(tests):
        return GateVerdict(gate=_NAME, state=GateState.OPEN, because="no output is compared")
    if theirs is None:
        because = "nothing is active in the stage that could be compared with"
        return GateVerdict(gate=_NAME, state=GateState.OPEN, because=because)
    found = list(_compare_all(tests, ours, theirs))
    worse = [one for one in found if one.passed is False]
    same = sum(one.passed is True for one in found)
    evidence = [*(one.said for one in worse), *(one.said for one in found if one.passed is not False)]
    if worse:
        because = f"{len(worse)} of {len(found)} compared outputs fell behind the active version"
        return GateVerdict(gate=_NAME, state=GateState.CLOSED, because=because, evidence=evidence)
    because = f"{same} of {len(found)} compared outputs are within their tolerance"
    if same < len(found):
        because += ", the others have nothing to be compared with"
    return GateVerdict(gate=_NAME, state=GateState.OPEN, because=because, evidence=evidence)


def _compare_all(tests: Sequence[SmokeTest], ours: SmokeReport, theirs: SmokeReport) -> Iterator[Compared]:
    all_theirs = len(theirs.results) == len(tests)
    compared = list(tests) if all_theirs else compared_tests(tests)
    old_of = {id(test): result for test, result in zip(compared, theirs.results, strict=False)}
    new_of = {id(test): result for test, result in zip(tests, ours.results, strict=False)}
    for name, test in zip(names_of(tests), tests, strict=True):
        new, old = new_of.get(id(test)), old_of.get(id(test))
        for output, tolerance in test.no_regression.items():
            one = compare(tolerance, value_in(new, output), value_in(old, output))
            yield Compared(passed=one.passed, said=f"{name}: {output} {one.said}")


@dataclass(frozen=True, kw_only=True)
class Missing:
    """There is no value, and why."""

    because: str


def value_in(result: SmokeResult | None, output: str) -> Value | Missing:
    """Return an output's value as a test's result keeps it."""
    if result is None or result.phase != "SUCCEEDED":
        return Missing(because=f"the test ended {result.phase or 'before it began'}" if result else "not run")
    if output not in result.values:
        return Missing(because="there is no such output, or it is a file or a table")
    value: Value = json.loads(result.values[output])
    return value


def compare(tolerance: str, new: Value | Missing, old: Value | Missing) -> Compared:
    """Say whether `new` is within a tolerance of `old`."""
    if isinstance(new, Missing):
        return Compared(passed=False, said=f"has no value now: {new.because}")
    if isinstance(old, Missing):
        return Compared(passed=None, said=f"is {shown(new)}; the active version has none: {old.because}")
    pair = f"was {shown(old)}, is {shown(new)}; allowed is {tolerance}"
    if tolerance == "same":
        return Compared(passed=expectation.equal(new, old), said=pair)
    if not _is_finite(new):
        return Compared(passed=False, said=f"{pair}, and this is no number")
    if not _is_finite(old):
        return Compared(passed=None, said=f"{pair}, and the active version has no number")
    return Compared(passed=within(tolerance, new - old, old), said=f"{pair}, by {new - old:+.6g}")


def _is_finite(value: Value) -> TypeGuard[float]:
    return expectation.is_number(value) and math.isfinite(value)


def within(tolerance: str, difference: float, old: float) -> bool:
    """Whether a difference from `old` is allowed; a tolerance in percent is of the old value's size.

    Raises:
        ValueError: the tolerance is none.
    """
    form = _FORM.fullmatch(tolerance)
    if form is None:
        raise ValueError(f"{tolerance!r} is no tolerance such as `>= -0.02`, `<= 5%` or `same`")
    bound = float(form[2]) * (abs(old) / 100 if form[3] else 1)
    # The slack is for decimal fractions: 0.88 counts as within 0.02 of 0.9, as it reads.
    slack = 1e-9 * max(abs(old), abs(bound), abs(difference))
    return _ORDER[form[1]](difference, bound + (slack if form[1] == "<=" else -slack))
