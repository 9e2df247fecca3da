"""Which RPC an HTTP request asks for, by the `google.api.http` annotations of Flyte's services.

Source: grpc-gateway `runtime/mux.go`, `runtime/pattern.go`. A path is compared decoded, so that a slash in a
value ends its segment, as in flyteadmin.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from google.api import annotations_pb2, http_pb2  # type: ignore[import-untyped]
from google.protobuf.descriptor import MethodDescriptor, ServiceDescriptor

_FIELD = re.compile(r"\{([a-zA-Z0-9_.]+)\}")


@dataclass(frozen=True, kw_only=True)
class Route:
    """One way to call one RPC. `pattern` has a group per field of the path, in the order of `fields`."""

    verb: str
    pattern: re.Pattern[str]
    fields: Sequence[str]
    takes_body: bool
    method: MethodDescriptor


@dataclass(frozen=True, kw_only=True)
class Match:
    """A route, and what the path of a request says about fields, by their dotted names."""

    route: Route
    values: Mapping[str, str]


@dataclass(frozen=True, kw_only=True)
class NoRoute:
    """There is no such path or, `known`, it is there for other verbs."""

    known: bool


def routes_of(services: Sequence[ServiceDescriptor]) -> list[Route]:
    """Return every route of `services`, those of additional bindings included."""
    return [
        _route(binding, method)
        for service in services
        for method in service.methods
        for binding in _bindings(method)
    ]


def find(routes: Sequence[Route], verb: str, path: str) -> Match | NoRoute:
    """Return the route of a request; `path` is decoded."""
    known = False
    for route in routes:
        found = route.pattern.fullmatch(path)
        if found is not None and route.verb == verb:
            return Match(route=route, values=dict(zip(route.fields, found.groups(), strict=True)))
        known = known or found is not None
    return NoRoute(known=known)


def _bindings(method: MethodDescriptor) -> Iterator[http_pb2.HttpRule]:
    rule = method.GetOptions().Extensions[annotations_pb2.http]
    for binding in (rule, *rule.additional_bindings):
        if binding.WhichOneof("pattern") is not None:
            yield binding


def _route(rule: http_pb2.HttpRule, method: MethodDescriptor) -> Route:
    verb = rule.WhichOneof("pattern")
    template: str = getattr(rule, verb)
    words = _FIELD.split(template)
    # The words at even places are literal text, those at odd places names of fields.
    pattern = "".join("([^/]*)" if place % 2 else re.escape(word) for place, word in enumerate(words))
    return Route(
        verb=verb.upper(),
        pattern=re.compile(pattern),
        fields=words[1::2],
        takes_body=_takes_body(rule, method),
        method=method,
    )


def _takes_body(rule: http_pb2.HttpRule, method: MethodDescriptor) -> bool:
    """Say whether the whole request is the body; Flyte's services have no other kind of body."""
    if rule.body not in ("", "*"):
        raise NotImplementedError(f"{method.full_name} takes the field {rule.body} as its body")
    return bool(rule.body)
