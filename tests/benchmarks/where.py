"""`where` over 10,000 past executions: how many calls it makes, and how long they take.

The executions are promotions, approvals and nights of one target in three stages, each of which was released
to before all of them. The goal is 3 calls, and one for each stage. There is no peer.

Figures: `calls` is how often Flyte was asked, with the one call that finds the enrolment; `where_s` is what
reading it took, without the start of a command.
"""

from __future__ import annotations

import statistics
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from tasks._enrolment import Enrolment, PreviewStage
from tasks._home import Home
from tasks._names import generation_name
from tasks.stage_state import Activation, Cause
from tasks.where import read_where
from tests import running
from tests.integration.packaged import flyte_of
from tests.integration.past import Past, write_past
from tests.integration.staged import counted

EXECUTIONS = 10_000
_STAGES = ("development", "staging", "production")
_START = 1_760_000_000
_SHA = "a" * 40
_REPOSITORY = "https://git.example.com/bench"


def run(rounds: int) -> dict[str, float]:
    """Ask so many times; return the medians."""
    with tempfile.TemporaryDirectory() as folder, running.sandbox(Path(folder) / "state") as sandbox:
        sandbox.taxiway("install")
        sandbox.taxiway("doctor", "--run", expect=(0, 1))  # the execution that all the others are copies of
        sandbox.taxiway("enroll", _REPOSITORY, "--name", "bench", "--create-projects")
        write_past(sandbox, "bench", _past(), Path(folder))
        enrolment = Enrolment(
            name="bench", repository=_REPOSITORY, preview=PreviewStage(project="p", domain="development")
        )
        calls: list[str] = []
        seconds, made = [], []
        with flyte_of(sandbox) as flyte:
            home = Home(flyte=counted(flyte, calls), project="taxiway", domain="production", target="bench")
            for _ in range(rounds):
                calls.clear()
                began = time.monotonic()
                found = read_where(home, enrolment)
                seconds.append(time.monotonic() - began)
                made.append(len(calls) + 1)
                assert {one.stage: one.sha for one in found.stages} == dict.fromkeys(_STAGES, _SHA), found
    return {
        "calls": statistics.median(made),
        "where_s": statistics.median(seconds),
        "executions": EXECUTIONS,
    }


def _past() -> Iterator[Past]:
    for at, stage in enumerate(_STAGES):
        activation = Activation(
            target="bench",
            stage=stage,
            project="taxiway",
            domain=stage,
            generation=0,
            cause=Cause.PROMOTION,
            sha=_SHA,
            version=_SHA,
            before={},
            after={},
        )
        name = generation_name("bench", stage, 0)
        yield Past(flow="activate", name=name, at=_START + at, activation=activation)
    for number in range(EXECUTIONS - len(_STAGES)):
        yield Past(
            flow=("promote", "approve", "nightly")[number % 3],
            name=f"past-{number}",
            at=_START + 100 + number,
            stage=_STAGES[number % 2],
            sha=f"{number:040x}",
            phase="FAILED" if number % 3 == 0 else "SUCCEEDED",
        )
