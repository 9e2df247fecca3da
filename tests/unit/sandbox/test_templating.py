from __future__ import annotations

import msgpack
import pytest
from flyteidl.core.literals_pb2 import Literal, LiteralMap
from google.protobuf.json_format import ParseDict

from scripts.sandbox.templating import TemplateError, Values, literal_text, render, retry_key


def literal(**fields: object) -> Literal:
    return ParseDict(fields, Literal())


def scalar(**fields: object) -> Literal:
    return literal(scalar={"primitive": fields})


def values(**literals: Literal) -> Values:
    def never() -> str:
        raise AssertionError("the task template was written though no word names it")

    return Values(
        input="s3://b/n0/data/inputs.pb",
        input_prefix="s3://b/n0/data",
        output_prefix="s3://b/n0/data/0",
        raw_output_prefix="s3://b/raw",
        checkpoint_prefix="s3://b/raw/_flytecheckpoints",
        generated_name="f9-n0-0",
        namespace="p-development",
        task_template=never,
        inputs=LiteralMap(literals=literals),
    )


@pytest.mark.parametrize(
    ("word", "expected"),
    [
        ("{{.input}}", "s3://b/n0/data/inputs.pb"),
        ("{{ .Input }}", "s3://b/n0/data/inputs.pb"),
        ("{{$INPUTPREFIX}}", "s3://b/n0/data"),
        ("--to={{.outputPrefix}}/x", "--to=s3://b/n0/data/0/x"),
        ("{{.rawOutputDataPrefix}}", "s3://b/raw"),
        ("{{.checkpointOutputPrefix}}", "s3://b/raw/_flytecheckpoints"),
        ("{{.prevCheckpointPrefix}}", '""'),
        ("{{.perRetryUniqueKey}}", "f9_n0_0"),
        ("{{.namespace}}", "p-development"),
        ("{{.unknown}} {{input}} { {.input}}", "{{.unknown}} {{input}} { {.input}}"),
        ("no template", "no template"),
    ],
)
def test_templates_are_replaced_and_everything_else_stays(word: str, expected: str) -> None:
    assert render([word], values()) == [expected]


def test_an_input_is_one_word_with_nothing_quoted() -> None:
    given = values(text=scalar(stringValue="a b; $(id) {{.input}}"), n=scalar(integer=7))
    assert render(["{{.inputs.text}}", "n={{ .Inputs.n }}"], given) == ["a b; $(id) {{.input}}", "n=7"]


def test_every_missing_input_is_named() -> None:
    with pytest.raises(TemplateError) as error:
        render(["{{.inputs.a}}{{.inputs.b}}"], values(n=scalar(integer=1)))
    assert str(error.value) == (
        "0: input template [{{.inputs.a}}]: requested input is not found [a]\r\n"
        "1: input template [{{.inputs.b}}]: requested input is not found [b]\r\n"
    )


def test_without_any_inputs_their_templates_stay() -> None:
    assert render(["{{.inputs.a}}"], values()) == ["{{.inputs.a}}"]


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (scalar(floatValue=1e21), "1e+21"),
        (scalar(boolean=True), "true"),
        (scalar(datetime="2026-01-02T03:04:05.500Z"), "2026-01-02T03:04:05.5Z"),
        (scalar(duration="60.5s"), "seconds:60 nanos:500000000"),
        (literal(scalar={"blob": {"uri": "s3://b/x"}}), "s3://b/x"),
        (
            literal(collection={"literals": [{"scalar": {"primitive": {"integer": i}}} for i in (1, 2)]}),
            "[1,2]",
        ),
    ],
)
def test_literals_as_text(value: Literal, text: str) -> None:
    assert literal_text(value) == text


def test_a_dataclass_is_shown_as_go_shows_a_map() -> None:
    value = Literal()
    value.scalar.binary.tag = "msgpack"
    value.scalar.binary.value = msgpack.packb({"b": 1, "a": "x"})
    assert literal_text(value) == "map[a:x b:1]"


@pytest.mark.parametrize("value", [literal(scalar={"noneType": {}}), literal(map={}), Literal()])
def test_what_has_no_text_is_refused(value: Literal) -> None:
    with pytest.raises(TemplateError, match="unexpected"):
        literal_text(value)


def test_a_retry_key_begins_with_a_letter() -> None:
    assert retry_key("0-f9-n0.x-0") == "af9_n0_x_0"
