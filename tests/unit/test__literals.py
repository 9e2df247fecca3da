from __future__ import annotations

import enum
import json
from collections import OrderedDict
from dataclasses import dataclass, field
from datetime import datetime, timedelta, timezone
from typing import Any, Dict, List, Optional, Union  # noqa: UP035 - flytekit's guesses differ by spelling

import pytest
from flyteidl.core.literals_pb2 import Literal
from flyteidl.core.types_pb2 import LiteralType
from flytekit.core.context_manager import FlyteContextManager
from flytekit.core.type_engine import TypeEngine
from flytekit.models.literals import Literal as LiteralModel
from flytekit.types.directory import FlyteDirectory
from flytekit.types.file import FlyteFile

from tasks._literals import Mismatch, Value, to_literal, to_value


class Color(enum.Enum):
    RED = "red"
    BLUE = "blue"


@dataclass
class Inner:
    weight: Optional[float] = None  # noqa: UP045


@dataclass
class Options:
    rows: int
    rate: float = 0.5
    tags: List[str] = field(default_factory=list)  # noqa: UP006
    inner: Inner = field(default_factory=Inner)


def _type(python: Any) -> LiteralType:
    return TypeEngine.to_literal_type(python).to_flyte_idl()


def _received(literal: Literal, python: Any) -> Any:
    """Return what flytekit gives to the task for a literal: the judge of whether it is right."""
    context = FlyteContextManager.current_context()
    return TypeEngine.to_python_value(context, LiteralModel.from_flyte_idl(literal), python)


NOON = datetime(2026, 1, 31, 12, tzinfo=timezone.utc)


@pytest.mark.parametrize(
    ("value", "python", "wanted"),
    [
        (3, int, 3),
        (3, float, 3.0),
        (0.5, float, 0.5),
        ("x", str, "x"),
        (True, bool, True),
        ("red", Color, Color.RED),
        ("2026-01-31T12:00:00Z", datetime, NOON),
        ("2026-01-31T12:00:00", datetime, NOON),
        ("2026-01-31T14:00:00+02:00", datetime, NOON),
        ("1h30m", timedelta, timedelta(minutes=90)),
        (2.5, timedelta, timedelta(seconds=2.5)),
        ([1, 2], List[float], [1.0, 2.0]),  # noqa: UP006
        ([], List[int], []),  # noqa: UP006
        ({"a": [1]}, Dict[str, List[int]], {"a": [1]}),  # noqa: UP006
        ({}, Dict[str, int], {}),  # noqa: UP006
        ({"a": {"b": [1, "x"]}}, dict, {"a": {"b": [1, "x"]}}),
        (None, Optional[int], None),  # noqa: UP045
        (3, Optional[int], 3),  # noqa: UP045
        (3, Union[float, int], 3),  # noqa: UP007
        ("7", Union[int, str], "7"),  # noqa: UP007
        ({"rows": 3}, Options, Options(rows=3)),
        (
            {"rows": 3, "rate": 1, "tags": ["a"], "inner": {"weight": 2}},
            Options,
            Options(rows=3, rate=1.0, tags=["a"], inner=Inner(weight=2.0)),
        ),
        ([{"rows": 1}], List[Options], [Options(rows=1)]),  # noqa: UP006
    ],
    ids=str,
)
def test_flytekit_receives_what_the_policy_says(value: Value, python: Any, wanted: Any) -> None:
    received = _received(to_literal(value, _type(python), "x"), python)
    assert received == wanted
    assert type(received) is type(wanted)


@pytest.mark.parametrize("python", [FlyteFile, FlyteDirectory], ids=["file", "folder"])
def test_a_file_is_given_by_its_uri(python: Any) -> None:
    literal = to_literal("s3://bucket/data.csv", _type(python), "x")
    assert literal.scalar.blob.uri == "s3://bucket/data.csv"
    assert literal.scalar.blob.metadata.type == _type(python).blob


def test_an_older_flytekits_dataclass_is_sent_as_a_struct() -> None:
    kind = _type(Options)
    kind.ClearField("annotation")
    literal = to_literal({"rows": 3}, kind, "x")
    assert literal.scalar.generic["rows"] == 3


@pytest.mark.parametrize(
    ("value", "python", "said"),
    [
        (0.5, int, "x has to be int, and is 0.5."),
        (True, int, "x has to be int, and is True."),
        (True, float, "x has to be float, and is True."),
        (1, str, "x has to be str, and is 1."),
        (1, bool, "x has to be bool, and is 1."),
        ("green", Color, "x has to be enum(red, blue), and is 'green'."),
        ("soon", datetime, "x has to be datetime, such as 2026-01-31T08:00:00Z, and is 'soon'."),
        ("soon", timedelta, "x has to be timedelta, such as 1h30m, or a number of seconds, and is 'soon'."),
        ([1, "a"], List[int], "x[1] has to be int, and is 'a'."),  # noqa: UP006
        (1, List[int], "x has to be list[int], and is 1."),  # noqa: UP006
        ({"k": "a"}, Dict[str, int], "x.k has to be int, and is 'a'."),  # noqa: UP006
        (
            "data.csv",
            FlyteFile,
            "x has to be file, by its URI, such as s3://bucket/data.csv, and is 'data.csv'.",
        ),
        ("a", Optional[int], "x has to be int | none, and is 'a'."),  # noqa: UP045
        ({"rows": "3"}, Options, "x.rows has to be int, and is '3'."),
        ({"rate": 1.0}, Options, "x lacks its required field rows."),
        ({"rows": 1, "row": 2}, Options, "x has no field row; it has inner, rate, rows, tags."),
    ],
    ids=str,
)
def test_a_value_of_another_type_is_named_with_its_place(value: Value, python: Any, said: str) -> None:
    with pytest.raises(Mismatch) as caught:
        to_literal(value, _type(python), "x")
    assert str(caught.value) == said


@pytest.mark.parametrize(
    ("output", "python", "value"),
    [
        (3, int, 3),
        (0.5, float, 0.5),
        ("x", str, "x"),
        (True, bool, True),
        (Color.BLUE, Color, "blue"),
        (NOON, datetime, "2026-01-31T12:00:00+00:00"),
        (timedelta(minutes=1), timedelta, 60.0),
        ([1, 2], List[int], [1, 2]),  # noqa: UP006
        ({"b": 1.5}, Dict[str, float], {"b": 1.5}),  # noqa: UP006
        (None, Optional[int], None),  # noqa: UP045
        (Options(rows=3), Options, {"rows": 3, "rate": 0.5, "tags": [], "inner": {"weight": None}}),
    ],
    ids=str,
)
def test_an_output_reads_as_json(output: Any, python: Any, value: Value) -> None:
    context = FlyteContextManager.current_context()
    literal = TypeEngine.to_literal(context, output, python, TypeEngine.to_literal_type(python))
    assert to_value(literal.to_flyte_idl()) == value
    assert json.dumps(OrderedDict(v=to_value(literal.to_flyte_idl())))
