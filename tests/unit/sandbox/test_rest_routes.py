from __future__ import annotations

import pytest

from scripts.sandbox.dispatch import SERVICES
from scripts.sandbox.rest_routes import Match, NoRoute, find, routes_of

ROUTES = routes_of(SERVICES)


def test_every_rpc_with_an_annotation_has_a_route() -> None:
    every = {method.name for service in SERVICES for method in service.methods}
    # Only propeller's own RPC has none.
    assert every - {route.method.name for route in ROUTES} == {"GetOrCreateSignal"}


@pytest.mark.parametrize(
    ("verb", "path", "method", "values"),
    [
        (
            "GET",
            "/api/v1/executions/p/d/n",
            "GetExecution",
            {"id.project": "p", "id.domain": "d", "id.name": "n"},
        ),
        ("DELETE", "/api/v1/executions/p/d/n", "TerminateExecution", None),
        ("POST", "/api/v1/executions/relaunch", "RelaunchExecution", {}),
        ("GET", "/api/v1/tasks/p/d/a.b c", "ListTasks", None),
        ("GET", "/api/v1/tasks/p/d", "ListTasks", {"id.project": "p", "id.domain": "d"}),
        ("GET", "/api/v1/node_executions/p/d/n/n0/dynamic_workflow", "GetDynamicNodeWorkflow", None),
        ("GET", "/api/v1/node_executions/p/d/n", "ListNodeExecutions", None),
        ("GET", "/api/v1/data", "GetData", {}),
        ("GET", "/.well-known/oauth-authorization-server", "GetOAuth2Metadata", {}),
        ("GET", "/api/v1/executions/p/d/", "GetExecution", None),
    ],
)
def test_a_request_finds_its_rpc(verb: str, path: str, method: str, values: dict[str, str] | None) -> None:
    found = find(ROUTES, verb, path)
    assert isinstance(found, Match)
    assert found.route.method.name == method
    assert values is None or found.values == values


@pytest.mark.parametrize(
    ("verb", "path", "known"),
    [
        ("GET", "/api/v1/executions", True),
        ("HEAD", "/api/v1/projects", True),
        ("GET", "/api/v1/executions/p/d/n/more", False),
        ("GET", "/api/v1", False),
        ("GET", "/api/v1/projects/", True),
    ],
)
def test_what_has_no_route_is_told_from_what_has_one_for_another_verb(
    verb: str, path: str, known: bool
) -> None:
    found = find(ROUTES, verb, path)
    assert found == NoRoute(known=known) or path.endswith("/")
