"""How a server asks who we are: the challenges of its `WWW-Authenticate`, and which one to answer."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field

_NAME = r"[!#$%&'*+.^_`|~0-9A-Za-z-]+"
_WORD = re.compile(
    rf"""[\s,]*(?:
        (?P<key>{_NAME})\s*=\s*(?:"(?P<quoted>(?:[^"\\]|\\.)*)"|(?P<bare>[^\s,"=]+)(?=\s*(?:,|$)))
        |(?P<scheme>{_NAME})(?=[\s,]|$)
        |(?P<blob>[^\s,"]+)
    )""",
    re.VERBOSE,
)


@dataclass(frozen=True, kw_only=True)
class Challenge:
    """One way to authenticate that a server offers; `scheme` and the parameters' names in lower case."""

    scheme: str
    parameters: Mapping[str, str] = field(default_factory=dict)


def parse_challenges(header: str) -> tuple[Challenge, ...]:
    """Read `WWW-Authenticate`, of which several may have been joined by commas."""
    found: list[tuple[str, dict[str, str]]] = []
    for word in _WORD.finditer(header):
        if word["scheme"]:
            found.append((word["scheme"].lower(), {}))
        elif word["key"] and found:
            quoted = word["quoted"]
            value = word["bare"] if quoted is None else re.sub(r"\\(.)", r"\1", quoted)
            found[-1][1].setdefault(word["key"].lower(), value)
    return tuple(Challenge(scheme=scheme, parameters=parameters) for scheme, parameters in found)


def chosen(challenges: tuple[Challenge, ...]) -> Challenge | None:
    """Return the challenge to answer: bearer before basic; None where it is neither."""
    for scheme in ("bearer", "basic"):
        for challenge in challenges:
            if challenge.scheme == scheme and (scheme == "basic" or challenge.parameters.get("realm")):
                return challenge
    return None
