from __future__ import annotations

import json

import pytest
from flyteidl.admin.execution_pb2 import ExecutionCreateRequest, ExecutionTerminateRequest
from flyteidl.admin.launch_plan_pb2 import LaunchPlan
from flyteidl.core.literals_pb2 import Binary, Literal, LiteralMap, Primitive, Scalar

from scripts.sandbox.errors import InvalidArgument
from scripts.sandbox.rest_bodies import Form, Forms, forms_of, read, write


@pytest.mark.parametrize(
    ("content_type", "accepts", "forms"),
    [
        (None, ["*/*"], (Form.CAMEL_CASE, Form.CAMEL_CASE)),
        ("application/json; charset=utf-8", ["*/*"], (Form.SNAKE_CASE, Form.SNAKE_CASE)),
        (None, ["application/json"], (Form.CAMEL_CASE, Form.SNAKE_CASE)),
        ("text/plain", [], (Form.CAMEL_CASE, Form.CAMEL_CASE)),
        ("application/octet-stream", ["application/json"], (Form.BINARY, Form.SNAKE_CASE)),
        ("nonsense", [], (Form.CAMEL_CASE, Form.CAMEL_CASE)),
    ],
)
def test_headers_choose_the_forms(
    content_type: str | None, accepts: list[str], forms: tuple[Form, Form]
) -> None:
    assert forms_of(content_type, accepts) == Forms(given=forms[0], wanted=forms[1])


@pytest.mark.parametrize("name", ["launch_plan", "launchPlan"])
def test_json_comes_with_either_kind_of_names(name: str) -> None:
    body = json.dumps({"spec": {name: {"resource_type": "LAUNCH_PLAN", "name": "x"}}}).encode()
    assert read(body, ExecutionCreateRequest(), Form.SNAKE_CASE).spec.launch_plan.name == "x"


def test_unknown_fields_are_refused_in_what_says_that_it_is_json_and_passed_over_elsewhere() -> None:
    body = b'{"cause": "x", "zz": 1}'
    assert read(body, ExecutionTerminateRequest(), Form.CAMEL_CASE).cause == "x"
    with pytest.raises(InvalidArgument, match="zz"):
        read(body, ExecutionTerminateRequest(), Form.SNAKE_CASE)


@pytest.mark.parametrize(
    "body",
    [
        b"[]",
        b"null",
        b"{",
        b"\xff",
        b"[" * 100_000,
        b'{"cause": 1}',
        b'{"id": {"id": 1}}',
        b'{"id": "x"}',
        b'{"id": [1]}',
        b'{"id": 1}',
    ],
)
def test_a_body_that_is_no_such_message_is_refused(body: bytes) -> None:
    with pytest.raises(InvalidArgument):
        read(body, ExecutionTerminateRequest(), Form.SNAKE_CASE)


def test_no_body_is_an_empty_message() -> None:
    assert read(b"", ExecutionTerminateRequest(), Form.SNAKE_CASE) == ExecutionTerminateRequest()


def test_answers_write_out_what_is_not_set_but_no_member_of_a_choice() -> None:
    literals = {
        "n": Literal(scalar=Scalar(primitive=Primitive(integer=2**40))),
        "b": Literal(scalar=Scalar(binary=Binary(value=b"\x01\xff"))),
    }
    body, media_type = write(LiteralMap(literals=literals), Form.CAMEL_CASE)
    written = json.loads(body)["literals"]
    assert media_type == "application/json"
    assert written["n"]["scalar"] == {"primitive": {"integer": str(2**40)}}
    assert written["b"]["scalar"]["binary"] == {"value": "Af8=", "tag": ""}
    assert (written["n"]["hash"], written["n"]["metadata"]) == ("", {})
    assert "offloadedMetadata" not in written["n"]


def test_answers_have_the_names_of_their_form() -> None:
    plan = LaunchPlan()
    plan.spec.workflow_id.name = "w"
    camel, snake = (json.loads(write(plan, form)[0]) for form in (Form.CAMEL_CASE, Form.SNAKE_CASE))
    assert camel["spec"]["workflowId"]["name"] == snake["spec"]["workflow_id"]["name"] == "w"
    assert camel["spec"]["fixedInputs"] is snake["spec"]["fixed_inputs"] is None
    assert camel["closure"] is None


def test_binary_is_the_message_itself() -> None:
    request = ExecutionTerminateRequest(cause="x")
    body, media_type = write(request, Form.BINARY)
    assert media_type == "application/octet-stream"
    assert read(body, ExecutionTerminateRequest(), Form.BINARY) == request
    with pytest.raises(InvalidArgument):
        read(b"\xff\xff", ExecutionTerminateRequest(), Form.BINARY)
