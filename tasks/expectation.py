"""What a smoke test expects of one output: a small grammar, read and judged without any I/O.

    == 3       != "x"       equal or not, by value: 3 and 3.0 are equal, true and 1 are not
    >= 0.5     <=  >  <     numbers
    in [1, "a"]             one of the members of a JSON list
    in [0.4 .. 0.6]         a number between both bounds, these included
    ~ ^v[0-9]+              the regular expression is found in the text
    approx 0.5 ± 0.1        no farther away than that; `+-` is the same sign, `± 5 %` is of the middle

A value is what a Flyte output looks like as JSON: None, bool, int, float, str, list or dict.
"""

from __future__ import annotations

import json
import math
import operator
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeAlias, TypeGuard

Value: TypeAlias = "bool | int | float | str | list[Value] | dict[str, Value] | None"
Judge: TypeAlias = Callable[[Value], bool]

GRAMMAR = (
    "`== VALUE`, `!= VALUE`, `>= N`, `<= N`, `> N`, `< N`, `in [A, B]`, `in [LOW .. HIGH]`, `~ REGEX` "
    "or `approx N ± D`"
)
_FORM = re.compile(r"(==|!=|>=|<=|>|<|~|in\b|approx\b)\s*(.*)", re.DOTALL)
_NUMBER = r"[-+]?(?:[0-9]+(?:\.[0-9]*)?|\.[0-9]+)(?:[eE][-+]?[0-9]+)?"
_RANGE = re.compile(rf"\[\s*({_NUMBER})\s*\.\.\s*({_NUMBER})\s*\]")
_APPROX = re.compile(rf"({_NUMBER})\s*(?:±|\+/?-)\s*({_NUMBER})\s*(%?)")
_ORDER: dict[str, Callable[[float, float], bool]] = {
    ">=": operator.ge,
    "<=": operator.le,
    ">": operator.gt,
    "<": operator.lt,
}


@dataclass(frozen=True, kw_only=True)
class Expectation:
    """One expectation: `text` as it was written, and the judgement that it stands for."""

    text: str
    judge: Judge

    def holds(self, value: Value) -> bool:
        """Whether `value` is as expected; a value of a kind that cannot be compared is not."""
        return self.judge(value)


def parse(text: str) -> Expectation:
    """Read one expectation.

    Raises:
        ValueError: it is not in the grammar; the message says what is wrong with it.
    """
    form = _FORM.fullmatch(text.strip())
    if not form:
        raise ValueError(f"{text!r} is no expectation; write {GRAMMAR}")
    sign, operand = form[1], form[2].strip()
    if not operand:
        raise ValueError(f"{text!r} has nothing after `{sign}`")
    return Expectation(text=text, judge=_READERS[sign](operand))


def _equality(operand: str) -> Judge:
    wanted = _literal(operand)
    return lambda value: equal(value, wanted)


def _inequality(operand: str) -> Judge:
    unwanted = _literal(operand)
    return lambda value: not equal(value, unwanted)


def _comparison(sign: str) -> Callable[[str], Judge]:
    def read(operand: str) -> Judge:
        bound = _number(operand)
        return lambda value: is_number(value) and _ORDER[sign](value, bound)

    return read


def _membership(operand: str) -> Judge:
    if bounds := _RANGE.fullmatch(operand):
        low, high = _number(bounds[1]), _number(bounds[2])
        if low > high:
            raise ValueError(f"`in {operand}` holds for no number, for its bounds are the wrong way round")
        return lambda value: is_number(value) and low <= value <= high
    members = _literal(operand)
    if not isinstance(members, list):
        raise ValueError(f"`in {operand}` needs a list such as `[1, 2]` or a range such as `[0.4 .. 0.6]`")
    return lambda value: any(equal(value, member) for member in members)


def _search(operand: str) -> Judge:
    try:
        pattern = re.compile(operand)
    except re.error as error:
        raise ValueError(f"`~ {operand}` is not a regular expression: {error}") from error
    return lambda value: isinstance(value, str) and pattern.search(value) is not None


def _nearness(operand: str) -> Judge:
    form = _APPROX.fullmatch(operand)
    if not form:
        raise ValueError(f"`approx {operand}` needs a middle and a distance, such as `approx 0.5 ± 0.1`")
    middle, distance = _number(form[1]), _number(form[2])
    if distance < 0:
        raise ValueError(f"`approx {operand}` holds for no number, for its distance is negative")
    if form[3]:
        distance *= abs(middle) / 100
    # The slack is for decimal fractions: 0.6 counts as within 0.5 ± 0.1, as it reads.
    slack = 1e-9 * max(abs(middle), distance)
    return lambda value: is_number(value) and abs(value - middle) <= distance + slack


_READERS: dict[str, Callable[[str], Judge]] = {
    "==": _equality,
    "!=": _inequality,
    "in": _membership,
    "~": _search,
    "approx": _nearness,
    **{sign: _comparison(sign) for sign in _ORDER},
}


def _literal(text: str) -> Value:
    """Read a JSON value; a text that is none is taken as it stands, so that `== done` needs no quotes."""
    try:
        value: Value = json.loads(text)
    except ValueError as error:
        if text[0] in '"[{':
            raise ValueError(f"`{text}` is not valid JSON: {error}") from error
        return {"True": True, "False": False, "None": None}.get(text, text)
    return value


def _number(text: str) -> float:
    if not re.fullmatch(_NUMBER, text):
        raise ValueError(f"`{text}` is not a number")
    return float(text)


def is_number(value: Value) -> TypeGuard[float]:
    """Whether a value is a number that can be compared: no bool, and not NaN."""
    return isinstance(value, (int, float)) and not isinstance(value, bool) and not math.isnan(value)


def equal(value: Value, wanted: Value) -> bool:
    """Compare by value, with bool apart from int, all the way down."""
    if isinstance(value, bool) or isinstance(wanted, bool):
        return value is wanted
    if isinstance(value, dict) and isinstance(wanted, dict):
        return value.keys() == wanted.keys() and all(equal(value[key], wanted[key]) for key in wanted)
    if isinstance(value, list) and isinstance(wanted, list):
        return len(value) == len(wanted) and all(map(equal, value, wanted))
    return value == wanted
