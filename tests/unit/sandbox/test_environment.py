from __future__ import annotations

import pytest
from flyteidl.core.identifier_pb2 import Identifier, WorkflowExecutionIdentifier

from scripts.sandbox.environment import expand, machine_environment, resolve, task_environment


def test_the_order_is_that_of_a_pod() -> None:
    entity = {"project": "p", "domain": "d", "version": "v1"}
    variables = task_environment(
        template=[("A", "template")],
        workflow=Identifier(name="m.wf", **entity),
        execution=WorkflowExecutionIdentifier(project="p", domain="d", name="f9"),
        attempt=2,
        task=Identifier(name="m.t", **entity),
        execution_envs=[("A", "execution")],
        defaults=[("TAXIWAY_IMAGE_ROOT", "/images")],
    )
    assert variables == (
        ("A", "template"),
        ("FLYTE_INTERNAL_EXECUTION_WORKFLOW", "p:d:m.wf"),
        ("FLYTE_INTERNAL_EXECUTION_ID", "f9"),
        ("FLYTE_INTERNAL_EXECUTION_PROJECT", "p"),
        ("FLYTE_INTERNAL_EXECUTION_DOMAIN", "d"),
        ("FLYTE_ATTEMPT_NUMBER", "2"),
        ("FLYTE_INTERNAL_TASK_PROJECT", "p"),
        ("FLYTE_INTERNAL_TASK_DOMAIN", "d"),
        ("FLYTE_INTERNAL_TASK_NAME", "m.t"),
        ("FLYTE_INTERNAL_TASK_VERSION", "v1"),
        ("_F_L_MIN_SIZE_MB", "10"),
        ("_F_L_MAX_SIZE_MB", "1000"),
        ("A", "execution"),
        ("TAXIWAY_IMAGE_ROOT", "/images"),
    )
    assert resolve(variables)["A"] == "execution"


def test_of_the_machine_a_task_sees_network_and_language_alone() -> None:
    machine = {
        "PATH": "/usr/bin",
        "LANG": "C.UTF-8",
        "https_proxy": "http://proxy",
        "SSL_CERT_FILE": "/ca",
        "UV_INDEX_URL": "u",
        "HOME": "/home/me",
        "PYTHONPATH": "/x",
        "FLYTE_PLATFORM_URL": "elsewhere",
        "_F_SS_C": "context",
        "GITHUB_TOKEN": "secret",
    }
    assert set(machine_environment(machine)) == {
        "PATH", "LANG", "https_proxy", "SSL_CERT_FILE", "UV_INDEX_URL",
    }  # fmt: skip


def test_a_machine_without_a_path_still_has_one() -> None:
    assert "/usr/bin" in machine_environment({})["PATH"].split(":")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("$(A)/$(B)", "1/$(B)"),
        ("$$(A) $$", "$(A) $"),
        ("$A ${A} $(id -u)", "$A ${A} $(id -u)"),
    ],
)
def test_references_are_expanded_as_kubernetes_does(text: str, expected: str) -> None:
    assert expand(text, {"A": "1"}) == expected


def test_a_value_refers_only_to_those_before_it() -> None:
    assert resolve([("A", "$(B)"), ("B", "1"), ("C", "$(B)2")]) == {"A": "$(B)", "B": "1", "C": "12"}
