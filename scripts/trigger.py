#!/usr/bin/env python3
"""Start a preview or a release from a CI job: follow it, print its report, end with its verdict.

One file that needs Python 3.9 and `requests` alone, to be copied into an image that has no Taxiway:

    trigger.py preview fraud "$SHA" --pull-request 12 --endpoint https://flyte.example.com
    trigger.py release fraud "$SHA"

Ends with 0 where it passed, 1 where its verdict is anything else, 2 on a fault or bad usage. The report goes
to stdout as Markdown (and to the job's summary on GitHub), progress to stderr. The same question finds the
same execution, so a job that runs again attaches to what the first one started.

From the environment: FLYTE_ENDPOINT; FLYTE_TOKEN, or FLYTE_CLIENT_ID and FLYTE_CLIENT_SECRET (with
FLYTE_SCOPE, `all` if left out); REQUESTS_CA_BUNDLE for an own certificate.
"""

from __future__ import annotations

import argparse
import email.utils
import hashlib
import ipaddress
import json
import os
import re
import secrets
import shlex
import signal
import sys
import time
import traceback
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import FrameType
from typing import Any
from urllib.parse import quote, quote_plus, urlsplit

try:
    import requests
    from requests.auth import AuthBase, HTTPBasicAuth
except ImportError as error:
    # Left alone, it would end with 1, which says that a verdict is not passed.
    sys.stderr.write(f"taxiway: {error}. Install it: pip install requests\n")
    sys.exit(2)

PASSED, FAILED, FAULT = 0, 1, 2
VERDICT_FAILED = "TAXI:VerdictFailed"
"""The error code of an execution that ran to its end and whose verdict is not passed."""
ENDED = ("SUCCEEDED", "FAILED", "ABORTED", "TIMED_OUT")
INPUTS = {"preview": ("sha", "pull_request", "attempt"), "release": ("sha", "attempt")}
"""The flows that can be started, and what their launch plans take."""

_TIMEOUT_S = (10, 60)
_CANCEL_S = 5.0
"""A CI system kills a cancelled job a few seconds after it has told it so."""
_LONGEST_PAUSE_S = 15.0
_NAME_LENGTH = 47
_PAGE = 100
_DECK_BYTES = 64 * 1024 * 1024
_ALREADY_EXISTS, _NOT_FOUND = 6, 5
_MARKDOWN = re.compile(r'<script type="application/json" id="taxiway-markdown">(.*?)</script>', re.DOTALL)
_ACTING = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069]")
_TARGET = re.compile(r"[a-z0-9]([-a-z0-9]*[a-z0-9])?")
_SHA = re.compile(r"[0-9a-f]{40}|[0-9a-f]{64}")
_LOOK = "Look at it in Flyte's console."
_CREDENTIALS = "Set FLYTE_TOKEN, or FLYTE_CLIENT_ID and FLYTE_CLIENT_SECRET, in the job's environment."


class Fault(Exception):
    """What could not be found out, and what to do about it."""

    def __init__(self, problem: str, remedy: str) -> None:
        super().__init__(f"{problem}\n{remedy}")


class Refused(Fault):
    """An answer of Flyte's other than success: its HTTP status and its own code, 0 where it has none."""

    def __init__(self, status: int, code: int, message: str, remedy: str) -> None:
        super().__init__(message, remedy)
        self.status = status
        self.code = code


class Cancelled(BaseException):
    """The job was told to end. Not an Exception: no call may take it for its own failure."""

    def __init__(self, signum: int) -> None:
        super().__init__(signum)
        self.signum = signum


# What is asked, and the name that follows from it.


@dataclass(frozen=True)
class Asked:
    """What a job asks for. A `pull_request` of 0 is none."""

    flow: str
    target: str
    sha: str
    pull_request: int
    attempt: int

    @property
    def plan(self) -> str:
        """The name of the launch plan."""
        return f"taxiway.{self.flow}.{self.target}"

    @property
    def literals(self) -> dict[str, dict[str, Any]]:
        """The inputs of the launch, as Flyte's literals."""
        return {name: _literal(getattr(self, name)) for name in INPUTS[self.flow]}

    @property
    def tags(self) -> list[str]:
        """The tags that Taxiway finds executions by."""
        return [f"taxiway.{self.target}", f"taxiway.{self.target}.release.{self.sha}"]


@dataclass(frozen=True)
class Execution:
    """The identifier of an execution."""

    project: str
    domain: str
    name: str

    @property
    def path(self) -> str:
        """Its place in the URLs that are about it."""
        return _path(self.project, self.domain, self.name)


@dataclass(frozen=True)
class Plan:
    """The version of a launch plan that is ACTIVE, and the inputs that it fixes or has defaults for."""

    version: str
    repository: str
    inputs: Mapping[str, Any]


@dataclass(frozen=True)
class Step:
    """One step of an execution as it is now."""

    node: str
    id: str
    phase: str
    time: str
    started: str
    has_deck: bool


@dataclass(frozen=True)
class State:
    """An execution as it is now."""

    phase: str
    code: str
    message: str


def execution_name(asked: Asked, repository: str) -> str:
    """Return the one name of the execution that does exactly this, as every client of Taxiway derives it."""
    words = [asked.flow, asked.target, repository, asked.sha, str(asked.pull_request), str(asked.attempt)]
    unique = hashlib.sha256("\0".join(words).encode()).hexdigest()[:10]
    return f"{_readable(asked)}-{unique}"


def _readable(asked: Asked) -> str:
    """Return the part of the name that needs no repository."""
    short = asked.sha[:7]
    readable = f"{asked.flow}-{asked.target}"[: _NAME_LENGTH - len(f"-{short}-0123456789")]
    return f"{readable.rstrip('-')}-{short}"


def _literal(value: str | int) -> dict[str, Any]:
    # Whole numbers travel as text in the JSON of protobuf, for they may have 64 bits.
    primitive = {"integer": str(value)} if isinstance(value, int) else {"stringValue": value}
    return {"scalar": {"primitive": primitive}}


def create_request(asked: Asked, execution: Execution, version: str) -> dict[str, Any]:
    """Return the body of the launch."""
    plan = {
        "resourceType": "LAUNCH_PLAN",
        "project": execution.project,
        "domain": execution.domain,
        "name": asked.plan,
        "version": version,
    }
    return {
        "project": execution.project,
        "domain": execution.domain,
        "name": execution.name,
        "spec": {"launchPlan": plan, "metadata": {"mode": "MANUAL"}, "tags": asked.tags},
        "inputs": {"literals": asked.literals},
    }


def link_request(execution: Execution, node: str) -> dict[str, Any]:
    """Return the body that asks where a step's deck can be downloaded."""
    identifier = {"project": execution.project, "domain": execution.domain, "name": execution.name}
    return {
        "artifactType": "ARTIFACT_TYPE_DECK",
        "nodeExecutionId": {"nodeId": node, "executionId": identifier},
    }


def differences(there: Mapping[str, Any], asked: Asked, plan: Plan) -> list[str]:
    """Return the names of inputs that an execution has otherwise than a launch by `asked` would."""
    wanted = {**plan.inputs, **asked.literals}

    def same(name: str) -> bool:
        mine, its = wanted.get(name), there.get(name)
        # What Flyte adds to a literal (an empty hash, no metadata) is not in what was sent.
        return _primitive(mine) == _primitive(its) if name in asked.literals else bool(mine == its)

    return sorted(name for name in {*wanted, *there} if not same(name))


def _primitive(literal: Any) -> tuple[Any, Any]:
    found = _get(_get(literal, "scalar"), "primitive")
    return _get(found, "string_value"), _get(found, "integer")


# Talking to Flyte.


class Bearer(AuthBase):
    """Puts the token into a request, or nothing; in either case `.netrc` is not asked."""

    def __init__(self, token: str = "") -> None:
        self._token = token

    def __call__(self, r: requests.PreparedRequest) -> requests.PreparedRequest:
        """Add the header."""
        if self._token:
            r.headers["Authorization"] = f"Bearer {self._token}"
        return r


class Basic(AuthBase):
    """A client's own credentials, encoded as OAuth asks for."""

    def __init__(self, client: str, secret: str) -> None:
        self._pair = (quote_plus(client), quote_plus(secret))

    def __call__(self, r: requests.PreparedRequest) -> requests.PreparedRequest:
        """Add the header."""
        HTTPBasicAuth(*self._pair)(r)
        return r


@dataclass(frozen=True)
class Credentials:
    """What the environment says about who calls: a token, a client and its secret, or nothing."""

    token: str = ""
    client: str = ""
    secret: str = ""
    scope: str = "all"

    @classmethod
    def of(cls, environ: Mapping[str, str]) -> Credentials:
        """Read them; a variable that is empty is none, as CI systems set what they withhold.

        Raises:
            Fault: they are not whole, or hold what no header can.
        """
        found = cls(
            token=environ.get("FLYTE_TOKEN", "").strip(),
            client=environ.get("FLYTE_CLIENT_ID", "").strip(),
            secret=environ.get("FLYTE_CLIENT_SECRET", "").strip(),
            scope=environ.get("FLYTE_SCOPE", "").strip() or "all",
        )
        if found.token and not re.fullmatch(r"[\x21-\x7e]+", found.token):
            raise Fault("FLYTE_TOKEN is not one line without blanks.", "Set it to the token alone.")
        if bool(found.client) != bool(found.secret):
            raise Fault("Of FLYTE_CLIENT_ID and FLYTE_CLIENT_SECRET only one is set.", _CREDENTIALS)
        return found


class Flyte:
    """Flyte's REST API at one endpoint. Calls are tried again for `patience_s` seconds of trouble."""

    def __init__(self, endpoint: str, credentials: Credentials, *, patience_s: float) -> None:
        self._endpoint = endpoint
        self._credentials = credentials
        self._patience_s = patience_s
        self._session = requests.Session()
        self._token = credentials.token

    def get(self, path: str, **query: str) -> Any:
        """Return the answer to a GET.

        Raises:
            Refused: Flyte answers with an error.
            Fault: there is no answer of Flyte's.
        """
        return self._call("GET", path, params=query)

    def send(self, verb: str, path: str, body: Any) -> Any:
        """Return the answer to a request with a body; raises as `get` does."""
        return self._call(verb, path, json=body)

    def hurried(self) -> Flyte:
        """Return the same with no more patience than a cancelled job has."""
        other = Flyte(self._endpoint, self._credentials, patience_s=_CANCEL_S)
        other._token = self._token
        return other

    def download(self, url: str) -> str:
        """Return a page of the object store's. No credentials of Flyte's go there.

        Raises:
            Fault: it cannot be had.
        """
        address = checked_url(url, "The report")
        response = self._answered("GET", url, address, Bearer(), stream=True)
        if response.status_code != 200:
            raise Fault(f"{address} answers {response.status_code}.", _LOOK)
        body = b""
        try:
            for chunk in response.iter_content(1 << 16):
                body += chunk
                if len(body) > _DECK_BYTES:
                    raise Fault("It is too long.", _LOOK)
        except requests.RequestException as error:
            raise Fault(f"{address} broke off: {_reason(error)}.", _LOOK) from None
        return body.decode("utf-8", "replace")

    def _call(self, verb: str, path: str, **options: Any) -> Any:
        if self._credentials.client and not self._token:
            self._token = self._new_token()
        url = self._endpoint + path
        response = self._answered(verb, url, self._endpoint, Bearer(self._token), **options)
        if response.status_code == 401 and self._credentials.client:
            self._token = self._new_token()
            response = self._answered(verb, url, self._endpoint, Bearer(self._token), **options)
        return self._read(response)

    def _read(self, response: requests.Response) -> Any:
        if response.is_redirect or 300 <= response.status_code < 400:
            there = urlsplit(response.headers.get("Location", ""))
            raise Fault(
                f"{self._endpoint} redirects to {there.scheme}://{there.netloc}; no token goes there.",
                "Is it Flyte's HTTP endpoint? If so and it has moved, give the new one to --endpoint.",
            )
        try:
            document = response.json()
        except ValueError:
            document = None
        if response.status_code == 200 and isinstance(document, dict):
            return document
        raise _refused(response.status_code, document, self._endpoint, token=self._token)

    def _answered(
        self, verb: str, url: str, address: str, auth: AuthBase, **options: Any
    ) -> requests.Response:
        """Send a request until there is an answer that waiting would not change."""
        give_up = time.monotonic() + self._patience_s
        for failures in _count():
            response, problem = None, ""
            try:
                response = self._session.request(
                    verb,
                    url,
                    auth=auth,
                    timeout=_TIMEOUT_S,
                    allow_redirects=False,
                    proxies={"http": ""},  # plain HTTP is for this machine alone
                    **options,
                )
            except requests.exceptions.SSLError as error:
                raise Fault(
                    f"The certificate of {address} is not trusted: {_reason(error)}.",
                    "Set REQUESTS_CA_BUNDLE to the file with your authority's certificate.",
                ) from None
            except requests.RequestException as error:
                problem = f"{address} cannot be reached: {_reason(error)}."
            if response is not None and not is_passing(response.status_code):
                return response
            after = response.headers.get("Retry-After", "") if response is not None else ""
            wait = pause(failures, after, now=time.time())
            if time.monotonic() + wait > give_up:
                if response is not None:
                    return response
                raise Fault(problem, "Check --endpoint and the network; the same command takes it up again.")
            time.sleep(wait)
        raise AssertionError("_count() never ends")

    def _new_token(self) -> str:
        """Get a token for the client: where, Flyte itself says."""
        known = self._endpoint + "/.well-known/oauth-authorization-server"
        metadata = self._read(self._answered("GET", known, self._endpoint, Bearer()))
        url = str(_get(metadata, "token_endpoint") or "")
        address = checked_url(url, "The token endpoint that Flyte names")
        form = {"grant_type": "client_credentials", "scope": self._credentials.scope}
        client = Basic(self._credentials.client, self._credentials.secret)
        response = self._answered("POST", url, address, client, data=form)
        token = ""
        if response.status_code == 200:
            try:
                token = str(response.json()["access_token"])
            except (ValueError, KeyError, TypeError):
                token = ""
        if not re.fullmatch(r"[\x21-\x7e]+", token):
            raise Fault(
                f"{address} gives no token to the client {self._credentials.client} "
                f"(HTTP {response.status_code}).",
                "Check FLYTE_CLIENT_ID, FLYTE_CLIENT_SECRET and FLYTE_SCOPE.",
            )
        return token


def is_passing(status: int) -> bool:
    """Say whether an HTTP status can pass by waiting; 501 never does."""
    return status in (408, 429) or (status >= 500 and status != 501)


def pause(failures: int, retry_after: str, *, now: float) -> float:
    """Return the seconds to wait after so many failures in a row: as told, or twice as long each time."""
    if retry_after.isdigit():
        return float(retry_after)
    moment = email.utils.parsedate_tz(retry_after) if retry_after else None
    if moment is not None:
        return max(0.0, email.utils.mktime_tz(moment) - now)
    return min(0.5 * 2.0 ** min(failures, 10), _LONGEST_PAUSE_S)


def checked_url(url: str, what: str) -> str:
    """Return the part of a URL that may be shown.

    Raises:
        Fault: it is none, or is plain HTTP to another machine than this one.
    """
    try:
        parts = urlsplit(url)
        host, netloc = parts.hostname or "", parts.netloc.rpartition("@")[2]
        _ = parts.port
    except ValueError:
        raise Fault(f"{what} is no URL.", "Give it as https://HOST.") from None
    if parts.scheme not in ("http", "https") or not host or "@" in parts.netloc:
        raise Fault(f"{what} is not of the form https://HOST.", "Give it without a user's name, too.")
    if parts.scheme == "http" and not _is_loopback(host):
        raise Fault(
            f"{what} is plain HTTP: http://{netloc}.",
            "Use https; tokens and reports are not sent in the clear, except on this machine itself.",
        )
    return f"{parts.scheme}://{netloc}"


def _is_loopback(host: str) -> bool:
    try:
        return host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _refused(status: int, document: Any, endpoint: str, *, token: str) -> Refused:
    """Return the error that an answer other than success is; it never shows the token."""
    body = document if isinstance(document, dict) else {}
    text, code = str(body.get("message") or "")[:2000], body.get("code")
    text = text.replace(token, "***") if token else text
    what = f"{endpoint} answers {status}: {text}" if text else f"{endpoint} answers {status}."
    if status == 401:
        remedy = "The credentials are not, or no longer, accepted; renew them." if token else _CREDENTIALS
    elif status == 403:
        remedy = "Whoever administers Flyte has to allow this to the credentials of this job."
    elif text:
        remedy = "Compare what was asked with `taxiway enroll --list`, then run this again."
    else:
        remedy = "That is no answer of Flyte's API; check that --endpoint is its HTTP endpoint."
    return Refused(status, code if isinstance(code, int) else 0, what, remedy)


def _reason(error: Exception) -> str:
    """Return an error's cause in a few words, without the URL, which may be signed."""
    cause: BaseException = error
    while cause.__cause__ or cause.__context__:
        cause = cause.__cause__ or cause.__context__ or cause
    return str(getattr(cause, "strerror", "") or type(cause).__name__)


def _count() -> Iterator[int]:
    number = 0
    while True:
        yield number
        number += 1


def _path(*words: str) -> str:
    return "/".join(quote(word, safe="") for word in words)


def _get(document: Any, name: str) -> Any:
    """Return a field by its name in the protocol; Flyte writes it so, or in camelCase."""
    if not isinstance(document, dict):
        return None
    first, *rest = name.split("_")
    camel = first + "".join(word.capitalize() for word in rest)
    return document.get(camel, document.get(name))


# The steps of a run.


def find_plan(flyte: Flyte, asked: Asked, project: str, domain: str) -> Plan:
    """Return the ACTIVE launch plan of the target.

    Raises:
        Fault: there is none, or it does not say for which repository.
    """
    try:
        plan = flyte.get(f"/api/v1/active_launch_plans/{_path(project, domain, asked.plan)}")
    except Refused as error:
        if error.code != _NOT_FOUND:
            raise
        raise Fault(
            f"There is no ACTIVE launch plan {asked.plan} in {project}/{domain}.",
            f"See `taxiway enroll --list`, or enrol it: `taxiway enroll URL --name {asked.target}`.",
        ) from None
    spec = _get(plan, "spec")
    values = _get(_get(spec, "annotations"), "values") or {}
    repository = str(values.get("taxiway/repository", ""))
    if not repository:
        raise Fault(
            f"The launch plan {asked.plan} names no repository.", "Enrol the target again, with this Taxiway."
        )
    parameters = _get(_get(spec, "default_inputs"), "parameters") or {}
    defaults = {name: one["default"] for name, one in parameters.items() if one.get("default")}
    fixed = _get(_get(spec, "fixed_inputs"), "literals") or {}
    return Plan(
        version=str(_get(_get(plan, "id"), "version")), repository=repository, inputs={**defaults, **fixed}
    )


def launch(flyte: Flyte, asked: Asked, plan: Plan, execution: Execution) -> bool:
    """Launch it, and return True; or find that it was launched before, as asked for now, and return False.

    Raises:
        Fault: what has this name was launched with other inputs.
    """
    try:
        flyte.send("POST", "/api/v1/executions", create_request(asked, execution, plan.version))
    except Refused as error:
        if error.code != _ALREADY_EXISTS:
            raise
    else:
        return True
    there = flyte.get(f"/api/v1/executions/{execution.path}")
    data = flyte.get(f"/api/v1/data/executions/{execution.path}")
    wrong = differences(_get(_get(data, "full_inputs"), "literals") or {}, asked, plan)
    if _get(_get(_get(there, "spec"), "launch_plan"), "name") != asked.plan:
        wrong.append("launch plan")
    if wrong:
        raise Fault(
            f"{execution.name} was launched before, with another {', another '.join(wrong)}.",
            f"Ask for another run of the same: --attempt {asked.attempt + 1}.",
        )
    return False


def state_of(flyte: Flyte, execution: Execution) -> State:
    """Return an execution as it is now."""
    closure = _get(flyte.get(f"/api/v1/executions/{execution.path}"), "closure")
    error, abort = _get(closure, "error"), _get(closure, "abort_metadata")
    return State(
        phase=str(_get(closure, "phase") or "UNDEFINED"),
        code=str(_get(error, "code") or ""),
        message=str(_get(error, "message") or _get(abort, "cause") or ""),
    )


def steps_of(flyte: Flyte, execution: Execution) -> list[Step]:
    """Return the steps of an execution, in the order in which they began."""
    found: list[Any] = []
    token = ""
    while True:
        page = flyte.get(f"/api/v1/node_executions/{execution.path}", limit=str(_PAGE), token=token)
        nodes = _get(page, "node_executions") or []
        found += nodes
        token = str(_get(page, "token") or "")
        if not token or not nodes:
            break
    steps = [step for step in map(_step, found) if step.node not in ("start-node", "end-node")]
    return sorted(steps, key=lambda step: step.started)


def _step(node: Any) -> Step:
    closure, metadata = _get(node, "closure"), _get(node, "metadata")
    identifier = str(_get(_get(node, "id"), "node_id"))
    seconds = str(_get(closure, "duration") or "").rstrip("s")
    return Step(
        node=str(_get(metadata, "spec_node_id") or identifier),
        id=identifier,
        phase=str(_get(closure, "phase") or "UNDEFINED"),
        # Flyte gives durations below zero, too.
        time=f"{float(seconds):.1f} s" if re.fullmatch(r"[0-9]+(\.[0-9]+)?", seconds) else "",
        started=str(_get(closure, "started_at") or _get(closure, "created_at") or ""),
        has_deck=bool(_get(closure, "deck_uri")) and not _get(metadata, "is_parent_node"),
    )


def news(before: Mapping[str, str], steps: Sequence[Step]) -> list[str]:
    """Return a line for each step that is in another phase than before, and has begun."""
    return [
        f"  {one.node:<28} {one.phase.lower():<12} {one.time}".rstrip()
        for one in steps
        if one.phase not in ("UNDEFINED", "QUEUED") and before.get(one.id) != one.phase
    ]


def follow(flyte: Flyte, execution: Execution, console: Console, *, timeout_s: float) -> State:
    """Show the progress of an execution until it has ended. `timeout_s` of 0 waits without limit.

    Raises:
        Fault: it still runs after `timeout_s` seconds.
    """
    deadline = time.monotonic() + timeout_s if timeout_s else float("inf")
    shown: dict[str, str] = {}
    for round_ in _count():
        state = state_of(flyte, execution)
        steps = steps_of(flyte, execution)
        for line in news(shown, steps):
            console.say(line)
        shown = {one.id: one.phase for one in steps}
        if state.phase in ENDED:
            return state
        if time.monotonic() >= deadline:
            raise Fault(
                f"{execution.name} is {state.phase.lower()} after {timeout_s:g} s.",
                "It goes on running; the same command follows it again.",
            )
        time.sleep(min(0.5 * 1.3 ** min(round_, 10), max(0.0, deadline - time.monotonic())))
    raise AssertionError("_count() never ends")


def read_report(flyte: Flyte, execution: Execution) -> str | None:
    """Return the report's Markdown out of the deck that carries it; None where there is none to be had."""
    decks = [step for step in steps_of(flyte, execution) if step.has_deck]
    latest = sorted(decks, key=lambda step: step.started, reverse=True)
    for step in sorted(latest, key=lambda step: step.node != "report"):
        try:
            link = flyte.send("POST", "/api/v1/dataproxy/artifact_link", link_request(execution, step.id))
        except Refused:
            continue
        urls = _get(_get(link, "pre_signed_urls"), "signed_url") or _get(link, "signed_url") or []
        page = flyte.download(str(urls[0])) if urls else ""
        found = markdown_of(page)
        if found is not None:
            return found
    return None


def markdown_of(page: str) -> str | None:
    """Return the Markdown that a deck carries; None where it carries none."""
    found = _MARKDOWN.search(page)
    if found is None:
        return None
    try:
        return printable(str(json.loads(found.group(1))))
    except ValueError:
        return None


def substitute(asked: Asked, execution: Execution, state: State) -> str:
    """Return what is said in place of a report that is not there."""
    lines = [f"# {asked.plan}: {state.phase.lower()}", "", f"Execution `{execution.name}` left no report."]
    if state.message or state.code:
        error = printable(f"{state.code}\n{state.message.strip()[-4000:]}".strip())
        runs = [len(run) for run in re.findall("`+", error)]
        fence = "`" * max([3, *(run + 1 for run in runs)])
        lines += ["", f"{fence}text", error, fence]
    return "\n".join(lines) + "\n"


def exit_code(state: State) -> int:
    """Return how the job ends: an execution succeeds if, and only if, its verdict is passed."""
    if state.phase == "SUCCEEDED":
        return PASSED
    return FAILED if state.phase == "FAILED" and VERDICT_FAILED in state.code else FAULT


def conclusion(asked: Asked, execution: Execution, state: State) -> str:
    """Return how it ended in one line, and after a fault what to do."""
    word = {PASSED: "passed", FAILED: "did not pass"}.get(exit_code(state))
    if word:
        return f"{execution.name}: {word}."
    again = f"Once that is mended, run it again: --attempt {asked.attempt + 1}."
    code = state.code or "no error code"
    return f"{execution.name}: {state.phase.lower()} without a verdict ({code}).\n{again}"


# Output.


def printable(text: str) -> str:
    """Return text without what a terminal acts on: control characters and changes of direction."""
    return _ACTING.sub("", text)


class Console:
    """Where people read. No secret is ever shown, nor anything that a CI system would act on."""

    def __init__(self, environ: Mapping[str, str]) -> None:
        self._secrets = [environ.get(name, "").strip() for name in ("FLYTE_TOKEN", "FLYTE_CLIENT_SECRET")]
        self._summary = environ.get("GITHUB_STEP_SUMMARY", "")
        self._on_github = environ.get("GITHUB_ACTIONS", "") == "true"

    def say(self, text: str) -> None:
        """Write to stderr, each line after a word of ours, for a line that begins with `::` is a command."""
        for line in self._masked(printable(text)).splitlines():
            sys.stderr.write(f"taxiway: {line}\n")
        sys.stderr.flush()

    def report(self, markdown: str) -> None:
        """Write a report to stdout, and to the summary of the job where there is one."""
        text = self._masked(markdown)
        # What a pull request's author wrote is in it, and GitHub takes commands from any line.
        stop = secrets.token_hex(16) if self._on_github else ""
        framed = f"::stop-commands::{stop}\n{text}\n::{stop}::\n" if stop else text
        sys.stdout.buffer.write(framed.encode("utf-8", "replace"))
        sys.stdout.buffer.flush()
        if not self._summary:
            return
        try:
            with Path(self._summary).open("a", encoding="utf-8") as stream:
                stream.write(f"{text}\n")
        except OSError as error:
            self.say(f"The job's summary cannot be written: {error.strerror}.")

    def _masked(self, text: str) -> str:
        for secret in filter(None, self._secrets):
            text = text.replace(secret, "***")
        return text


def curl_script(asked: Asked, endpoint: str, project: str, domain: str, credentials: Credentials) -> str:
    """Return the same as a script of curl and jq; secrets are variables of the shell that runs it."""
    token = bool(credentials.token or credentials.client)
    curl = "curl -sS --fail --max-time 60" + (' -H "Authorization: Bearer $FLYTE_TOKEN"' if token else "")
    post = f"{curl} -H 'Content-Type: application/json' --data-binary @-"
    words = [asked.flow, asked.target, "%s", asked.sha, str(asked.pull_request), str(asked.attempt)]
    hashed = shlex.quote("\\000".join(words))
    execution = Execution(project, domain, "$name")
    place = f"{_path(project, domain)}/"

    def url(path: str, variable: str = "") -> str:
        return shlex.quote(endpoint + path) + variable

    def body(document: Any, **variables: str) -> str:
        given = "".join(f' --arg {name} "{value}"' for name, value in variables.items())
        text = json.dumps(document)
        for name in variables:
            text = text.replace(f'"${name}"', f"${name}")
        return f"jq -n{given} {shlex.quote(text)}"

    lines = ["#!/usr/bin/env bash", "set -euo pipefail"]
    if credentials.client:
        known = url("/.well-known/oauth-authorization-server")
        lines += [
            "# A token for the client; Flyte says where.",
            f"TOKENS=$(curl -sS --fail --max-time 60 {known} | jq -r '.tokenEndpoint // .token_endpoint')",
            'FLYTE_TOKEN=$(curl -sS --fail --max-time 60 -u "$FLYTE_CLIENT_ID:$FLYTE_CLIENT_SECRET" '
            f"-d grant_type=client_credentials -d scope={shlex.quote(quote_plus(credentials.scope))} "
            '"$TOKENS" | jq -r .access_token)',
        ]
    lines += [
        "# The ACTIVE launch plan says what to launch, and for which repository.",
        f"PLAN=$({curl} {url(f'/api/v1/active_launch_plans/{place}{asked.plan}')})",
        'VERSION=$(jq -r .id.version <<<"$PLAN")',
        'REPOSITORY=$(jq -r \'.spec.annotations.values["taxiway/repository"]\' <<<"$PLAN")',
        "# The name follows from what is asked, so that the same question finds the same execution.",
        f'NAME={_readable(asked)}-$(printf {hashed} "$REPOSITORY" | sha256sum | cut -c1-10)',
        "# Launch it; HTTP 409 says that it was launched before.",
        f"{body(create_request(asked, execution, '$version'), name='$NAME', version='$VERSION')} |",
        f"  {post} {url('/api/v1/executions')} || true",
        "# Follow it.",
        "while :; do",
        f"  PHASE=$({curl} {url(f'/api/v1/executions/{place}', '$NAME')} | jq -r .closure.phase)",
        f'  case "$PHASE" in {"|".join(ENDED)}) break ;; esac',
        "  sleep 5",
        "done",
        "# Its report is the deck of its step `report`.",
        f"DECK=$({body(link_request(execution, 'report'), name='$NAME')} |",
        f"  {post} {url('/api/v1/dataproxy/artifact_link')} | jq -r '(.signedUrl // .signed_url)[0]') &&",
        '  curl -sS --fail --max-time 60 -o "$NAME.html" "$DECK" || echo "It left no report." >&2',
        'echo "$NAME: $PHASE" && test "$PHASE" = SUCCEEDED',
    ]
    return "\n".join(lines) + "\n"


# The command.


def parser() -> argparse.ArgumentParser:
    """Return the command line."""
    common = argparse.ArgumentParser(add_help=False)
    common.add_argument("target", type=_target, metavar="TARGET", help="the name that it was enrolled by")
    common.add_argument("sha", type=_sha, metavar="SHA", help="the full SHA of the revision")
    common.add_argument("--attempt", type=_number(1), default=1, metavar="N", help="another run of the same")
    common.add_argument("--endpoint", metavar="URL", help="Flyte over HTTP; else FLYTE_ENDPOINT")
    common.add_argument("--project", default="taxiway", help="where Taxiway is installed (taxiway)")
    common.add_argument("--domain", default="production", help="and in which domain (production)")
    common.add_argument(
        "--timeout", type=_number(0), default=0, metavar="SECONDS", help="the longest to follow; 0: no limit"
    )
    common.add_argument(
        "--patience", type=_number(0), default=120, metavar="SECONDS", help="how long Flyte may be away (120)"
    )
    common.add_argument(
        "--terminate-on-cancel", action="store_true", help="end the execution if this job is cancelled"
    )
    common.add_argument(
        "--print-curl", action="store_true", help="print a script of curl and jq that does this; call nothing"
    )
    whole = argparse.ArgumentParser(
        prog="trigger.py", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    flows = whole.add_subparsers(dest="flow", required=True, metavar="preview|release")
    preview = flows.add_parser("preview", parents=[common], help="preview a pull request's revision")
    preview.add_argument("--pull-request", type=_number(0), default=0, metavar="N", help="its number")
    flows.add_parser("release", parents=[common], help="release a revision of the protected branch")
    return whole


def _target(text: str) -> str:
    if not _TARGET.fullmatch(text):
        raise argparse.ArgumentTypeError("a target's name has small letters, digits and hyphens")
    return text


def _sha(text: str) -> str:
    if not _SHA.fullmatch(text):
        raise argparse.ArgumentTypeError("give the commit's full SHA, as `git rev-parse HEAD` prints it")
    return text


def _number(least: int) -> Any:
    def number(text: str) -> int:
        if not re.fullmatch("[0-9]{1,9}", text) or int(text) < least:
            raise argparse.ArgumentTypeError(f"a whole number from {least} on is wanted")
        return int(text)

    return number


def run(options: argparse.Namespace, environ: Mapping[str, str], console: Console) -> int:
    """Do what is asked, and return the exit code.

    Raises:
        Fault: it could not be found out whether it passed.
    """
    asked = Asked(
        flow=options.flow,
        target=options.target,
        sha=options.sha,
        pull_request=getattr(options, "pull_request", 0),
        attempt=options.attempt,
    )
    given = options.endpoint or environ.get("FLYTE_ENDPOINT", "")
    if not given:
        raise Fault("No endpoint is given.", "Give --endpoint https://HOST, or set FLYTE_ENDPOINT.")
    checked_url(given, "The endpoint")
    if set(given) & set("?#"):
        raise Fault("The endpoint has a query.", "Give it as https://HOST.")
    endpoint = given.rstrip("/")
    credentials = Credentials.of(environ)
    if options.print_curl:
        sys.stdout.write(curl_script(asked, endpoint, options.project, options.domain, credentials))
        return PASSED
    flyte = Flyte(endpoint, credentials, patience_s=options.patience)
    plan = find_plan(flyte, asked, options.project, options.domain)
    execution = Execution(options.project, options.domain, execution_name(asked, plan.repository))
    try:
        return _run(flyte, asked, plan, execution, console, timeout_s=options.timeout)
    except Cancelled as cancelled:
        _cancel(flyte, execution, console, cancelled, terminate=options.terminate_on_cancel)
        raise


def _run(
    flyte: Flyte, asked: Asked, plan: Plan, execution: Execution, console: Console, *, timeout_s: float
) -> int:
    launched = launch(flyte, asked, plan, execution)
    console.say(f"{execution.name}: {'launched' if launched else 'was launched before; attached to it'}")
    state = follow(flyte, execution, console, timeout_s=timeout_s)
    try:
        markdown = read_report(flyte, execution)
    except Fault as error:
        # The verdict is known without it.
        console.say(f"The report cannot be read. {error}")
        markdown = None
    console.report(substitute(asked, execution, state) if markdown is None else markdown)
    console.say(conclusion(asked, execution, state))
    return exit_code(state)


def _cancel(
    flyte: Flyte, execution: Execution, console: Console, cancelled: Cancelled, *, terminate: bool
) -> None:
    """Terminate the execution if that was asked for; the job has a few seconds for it."""
    for signum in (signal.SIGINT, signal.SIGTERM):
        signal.signal(signum, signal.SIG_IGN)
    name = signal.Signals(cancelled.signum).name
    if not terminate:
        console.say(f"{name}: {execution.name} goes on running; the same command follows it again.")
        return
    try:
        cause = {"cause": f"The CI job that waited for it was cancelled ({name})."}
        flyte.hurried().send("DELETE", f"/api/v1/executions/{execution.path}", cause)
        console.say(f"{name}: {execution.name} is being terminated.")
    except Fault as error:
        console.say(f"{name}: {execution.name} was not terminated. {error}")


def _raise_cancelled(signum: int, frame: FrameType | None) -> None:
    raise Cancelled(signum)


def main() -> int:
    """Run the command line and return the exit code; 128 and the signal's number for a cancelled job."""
    options = parser().parse_args()
    console = Console(os.environ)
    for signum in (signal.SIGINT, signal.SIGTERM):
        signal.signal(signum, _raise_cancelled)
    try:
        return run(options, os.environ, console)
    except Fault as error:
        console.say(str(error))
        return FAULT
    except Cancelled as cancelled:
        return 128 + cancelled.signum
    except Exception:
        # Left alone, it would end with 1, which says that a verdict is not passed.
        console.say(traceback.format_exc())
        console.say("Flyte's answer was not understood. Does this file fit the Taxiway that is installed?")
        return FAULT


if __name__ == "__main__":
    sys.exit(main())
