"""What a registry's status and error body mean: what passes by waiting, and what to do about the rest."""

from __future__ import annotations

import json
import re
from email.utils import parsedate_to_datetime

from tasks._errors import (
    RegistryDenied,
    RegistryNotFound,
    RegistryRefused,
    RegistryUnavailable,
)
from tasks._registry_http import Answer
from tasks._run import masked

_SHOWN = 1000
# 425 and the rest of 4xx are about the request; these two are about the moment.
_PASSING = frozenset({408, 429})
_NOT_IMPLEMENTED = 501
_FULL = 507
# docker-registry says it in the detail of an error, in words or as the system's number.
_NO_ROOM = re.compile(rb'no space left on device|disk quota exceeded|"Err":\s*28\b', re.IGNORECASE)


def refusal(
    answer: Answer, doing: str, *, secrets: tuple[str, ...] = ()
) -> RegistryUnavailable | RegistryRefused:
    """Return our error for an answer that is none; `doing` is what failed with it, `secrets` are masked."""
    codes, said = read_errors(answer.body)
    words = masked(said, secrets)[:_SHOWN]
    problem = f"{doing} failed: HTTP {answer.status}{f': {words}' if words else ''}."
    if answer.status in _PASSING or (answer.status >= 500 and answer.status != _NOT_IMPLEMENTED):
        return _busy(answer, problem)
    kind, remedy = RegistryRefused, "See the registry's own log for the reason."
    if answer.status in (401, 403):
        kind, remedy = RegistryDenied, "Have the login allowed to do this, or use another one."
    elif answer.status == 404:
        kind, remedy = RegistryNotFound, "Check the name; some registries say so where access is denied."
    elif answer.status == 405 or "UNSUPPORTED" in codes:
        remedy = "Allow it in the registry's configuration (deletion is off unless it is turned on)."
    return kind(problem, remedy=remedy, status=answer.status, codes=codes)


def _busy(answer: Answer, problem: str) -> RegistryUnavailable:
    after_s = retry_after_s(answer)
    asks = f" It asks to wait for {after_s:g} s." if after_s else ""
    if answer.status == _FULL or _NO_ROOM.search(answer.body):
        problem, remedy = f"{problem} The registry has no room left.", "Make room there; it is tried again."
    else:
        remedy = "Check that the registry is well; it is tried again."
    return RegistryUnavailable(problem + asks, remedy=remedy, after_s=after_s)


def read_errors(body: bytes) -> tuple[tuple[str, ...], str]:
    """Return the spec's error codes and, for people, what the body says in one line."""
    try:
        listed = json.loads(body)["errors"]
        found = [(str(error["code"]), str(error.get("message") or "")) for error in listed]
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError):
        text = " ".join(body.decode(errors="replace").split())
        return (), "".join(letter for letter in text if letter.isprintable())
    codes = tuple(code for code, _ in found)
    return codes, "; ".join(f"{code}: {message}" if message else code for code, message in found)


def retry_after_s(answer: Answer) -> float:
    """Return how long a server asks to be left alone, in seconds; 0 where it does not say.

    A date is compared with the server's own, so that neither clock has to be right.
    """
    text = answer.headers.get("Retry-After", "").strip()
    if text.isascii() and text.isdigit():
        return float(text)
    try:
        wait = parsedate_to_datetime(text) - parsedate_to_datetime(answer.headers.get("Date", ""))
    except (ValueError, TypeError):
        return 0.0
    return max(0.0, wait.total_seconds())
