"""Flyte's API over REST, as a client with nothing but HTTP sees it.

Field names of answers are read in either form: which one comes depends on the headers, and on the version.
"""

from __future__ import annotations

import base64
import hashlib
import uuid
from collections.abc import Callable
from typing import Any

import pytest
import requests
from flyteidl.core.identifier_pb2 import WorkflowExecutionIdentifier

from tests.conformance.flyte import DOMAIN, VERSION, Flyte

pytestmark = pytest.mark.rest
Runs = Callable[..., WorkflowExecutionIdentifier]


@pytest.fixture(scope="module")
def rest(registered: Flyte, rest_url: str) -> Rest:
    return Rest(rest_url, registered)


class Rest:
    """The REST API of the Flyte under test."""

    def __init__(self, url: str, flyte: Flyte) -> None:
        self._url = url
        self.flyte = flyte
        self.place = f"{flyte.project}/{DOMAIN}"

    def call(self, verb: str, path: str, *, expect: int = 200, **options: Any) -> Any:
        answer = requests.request(
            verb, f"{self._url}/api/v1/{path}", timeout=30, allow_redirects=False, **options
        )
        assert answer.status_code == expect, answer.text
        return answer.json()

    def get(self, path: str, *, expect: int = 200, **query: Any) -> Any:
        return self.call("GET", path, expect=expect, params=query)

    def plan(self, name: str) -> dict[str, str]:
        return {
            "resource_type": "LAUNCH_PLAN",
            "project": self.flyte.project,
            "domain": DOMAIN,
            "name": name,
            "version": VERSION,
        }

    def launch(self, plan: str, name: str, *, expect: int = 200, **more: Any) -> Any:
        body: dict[str, Any] = {"project": self.flyte.project, "domain": DOMAIN, "name": name}
        body["spec"] = {"launch_plan": self.plan(plan)}
        return self.call("POST", "executions", expect=expect, json={**body, **more})

    def phase(self, name: str) -> str:
        return str(self.get(f"executions/{self.place}/{name}")["closure"]["phase"])


def fresh() -> str:
    return f"r{uuid.uuid4().hex[:12]}"


def test_an_execution_is_launched_watched_and_read(rest: Rest) -> None:
    name = fresh()
    assert rest.launch("more.secret", name)["id"]["name"] == name
    ends = ("SUCCEEDED", "FAILED")
    assert rest.flyte.until(lambda: rest.phase(name), lambda seen: seen in ends)
    data = rest.get(f"data/executions/{rest.place}/{name}")
    assert "fullOutputs" in data
    nodes = rest.get(f"node_executions/{rest.place}/{name}", limit=10)["nodeExecutions"]
    assert "n0" in [node["id"]["nodeId"] for node in nodes]
    node = rest.get(f"node_executions/{rest.place}/{name}/n0")
    assert node["id"]["executionId"]["name"] == name


def test_a_name_that_is_taken_answers_409(rest: Rest) -> None:
    name = fresh()
    rest.launch("more.secret", name)
    refused = rest.launch("more.secret", name, expect=409)
    assert (refused["code"], refused["details"]) == (6, [])


def test_what_is_not_there_answers_404(rest: Rest) -> None:
    refused = rest.get(f"executions/{rest.place}/absent", expect=404)
    assert refused["code"] == 5
    assert "missing entity of type execution" in refused["message"]
    assert rest.get("no_such_thing", expect=404)["code"] == 5


@pytest.mark.parametrize(
    "more",
    [{"zz": 1}, {"project": 1}, {"name": "1st"}, {"inputs": {"literals": {"zz": {"scalar": {}}}}}],
    ids=["unknown field", "wrong type", "name", "unknown input"],
)
def test_what_does_not_fit_answers_400(rest: Rest, more: dict[str, Any]) -> None:
    name = more.get("name", fresh())
    rest_of_it = {key: value for key, value in more.items() if key != "name"}
    assert rest.launch("more.secret", name, expect=400, **rest_of_it)["code"] == 3


def test_the_kind_of_what_is_launched_has_to_be_said(rest: Rest) -> None:
    plan = rest.plan("more.secret")
    del plan["resource_type"]
    body = {"project": rest.flyte.project, "domain": DOMAIN, "spec": {"launch_plan": plan}}
    # Left out, it is UNSPECIFIED, which cannot be launched.
    assert rest.call("POST", "executions", expect=400, json=body)["code"] == 3


def test_requests_have_names_in_either_form(rest: Rest) -> None:
    plan = rest.plan("more.secret")
    plan["resourceType"] = plan.pop("resource_type")
    body = {"project": rest.flyte.project, "domain": DOMAIN, "name": fresh(), "spec": {"launchPlan": plan}}
    rest.call("POST", "executions", json=body)


def test_a_body_that_is_no_json_answers_400(rest: Rest) -> None:
    headers = {"Content-Type": "application/json"}
    assert rest.call("POST", "executions", expect=400, data="{", headers=headers)["code"] == 3


def test_lists_take_their_fields_from_the_query(rest: Rest) -> None:
    query: dict[str, Any] = {"limit": 1, "sort_by.key": "created_at", "sort_by.direction": "ASCENDING"}
    first = rest.get(f"launch_plans/{rest.place}", **query)
    assert len(first["launchPlans"]) == 1
    second = rest.get(f"launch_plans/{rest.place}", **query, token=first["token"])
    assert second["launchPlans"] != first["launchPlans"]
    found = rest.get(f"launch_plans/{rest.place}", limit=5, filters="eq(name,more.secret)")
    assert [plan["id"]["name"] for plan in found["launchPlans"]] == ["more.secret"]
    assert rest.get(f"launch_plans/{rest.place}", expect=400, limit="many")["code"] == 3


def test_an_enum_in_a_path_goes_by_its_name(rest: Rest) -> None:
    found = rest.get(f"named_entities/LAUNCH_PLAN/{rest.place}", limit=100)
    assert "more.secret" in [entity["id"]["name"] for entity in found["entities"]]
    assert rest.get(f"named_entities/THING/{rest.place}", expect=400)["code"] == 3


def test_a_version_is_read_and_activated(rest: Rest) -> None:
    place = f"{rest.place}/more.secret"
    body: dict[str, Any] = {"id": {"resource_type": "LAUNCH_PLAN"}}
    rest.call("PUT", f"launch_plans/{place}/{VERSION}", json={**body, "state": "ACTIVE"})
    active = rest.get(f"active_launch_plans/{place}")
    assert (active["id"]["version"], active["closure"]["state"]) == (VERSION, "ACTIVE")
    rest.call("PUT", f"launch_plans/{place}/{VERSION}", json={**body, "state": "INACTIVE"})
    assert rest.get(f"active_launch_plans/{place}", expect=404)["code"] == 5


def test_an_execution_is_terminated_with_a_cause(rest: Rest) -> None:
    name = fresh()
    rest.launch("more.aborted", name)
    rest.flyte.until(lambda: rest.phase(name), lambda seen: seen == "RUNNING")
    rest.call("DELETE", f"executions/{rest.place}/{name}", json={"cause": "enough seen"})
    rest.flyte.until(lambda: rest.phase(name), lambda seen: seen == "ABORTED")
    closure = rest.get(f"executions/{rest.place}/{name}")["closure"]
    assert closure["abortMetadata"]["cause"] == "enough seen"
    again = rest.call("DELETE", f"executions/{rest.place}/{name}", expect=400, json={})
    assert again["code"] == 9


def test_bytes_travel_as_base64(rest: Rest) -> None:
    digest = base64.b64encode(hashlib.md5(b"x", usedforsecurity=False).digest()).decode()
    body = {"project": rest.flyte.project, "domain": DOMAIN, "filename": fresh(), "content_md5": digest}
    given = rest.call("POST", "dataproxy/artifact_urn", json=body)
    assert given.get("native_url") or given.get("nativeUrl")


def test_a_deck_has_a_link(rest: Rest, runs: Runs) -> None:
    name = runs("more.deck", seconds=8).name
    rest.flyte.until(lambda: rest.phase(name), lambda seen: seen == "FAILED")
    execution = {"project": rest.flyte.project, "domain": DOMAIN, "name": name}
    body = {
        "artifact_type": "ARTIFACT_TYPE_DECK",
        "node_execution_id": {"node_id": "n0", "execution_id": execution},
    }
    given = rest.call("POST", "dataproxy/artifact_link", json=body)
    assert given.get("signed_url") or given.get("signedUrl")


def test_whole_numbers_of_64_bits_are_texts(rest: Rest, runs: Runs) -> None:
    name = runs("more.deck", seconds=8).name
    inputs = rest.get(f"data/executions/{rest.place}/{name}")["fullInputs"]["literals"]
    assert inputs["seconds"]["scalar"]["primitive"]["integer"] == "8"


@pytest.mark.sandbox_only
@pytest.mark.parametrize("header", [{"Origin": "https://example.com"}, {"Host": "example.com"}])
def test_a_web_page_is_refused(rest: Rest, header: dict[str, str]) -> None:
    assert rest.call("GET", "projects", expect=403, headers=header)["code"] == 7
