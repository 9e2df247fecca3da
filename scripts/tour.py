"""The second part of the demo, `./scripts/demo --full`: from merge to production, by night and back again.

Two merges of the target project go through three stages. Production asks for an approval, staging for a soak
time, which the nightly run waits for; then staging is rolled back. Everything is a launch plan of Flyte's.
"""

from __future__ import annotations

import json
import time
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any, Protocol

import click

from tests.fixtures.target import Target

PROJECT = "fraud"
SOAK_S = 30
_NIGHT_S = 240
_RUNNING = ("undefined", "queued", "running", "succeeding")

STAGES = f"""
[[stage]]
name = "development"
project = "{PROJECT}"
domain = "development"
labels = {{ team = "risk" }}

[[stage.smoke]]
launch_plan = "fraud.workflows.assess"
inputs = {{ transaction = {{ amount = 900, hour = 3, foreign = true }} }}
expect = {{ decision = '== "review"' }}

[[stage]]
name = "staging"
project = "{PROJECT}"
domain = "staging"
activate = ["fraud.quick"]
verify = "none"

[stage.gates]
soak = "{SOAK_S}s"

[[stage]]
name = "production"
project = "{PROJECT}"
domain = "production"
env = {{ FRAUD_MODE = "live" }}
max_parallelism = 10
activate = ["fraud.nightly", "fraud.quick"]
verify = "none"

[stage.gates]
approval = {{ required = 1, by = ["risk-leads"], not_author = false }}

[[stage.smoke]]
launch_plan = "fraud.workflows.assess"
inputs = {{ transaction = {{ amount = 20, hour = 12, foreign = false }} }}
expect = {{ decision = '== "pass"' }}
"""


class Shell(Protocol):
    """What runs a `taxiway` command with its progress on the terminal."""

    @property
    def folder(self) -> Path:
        """Where the demo keeps its files."""

    def taxiway(self, *words: str | Path, ends: tuple[int, ...] = (0,)) -> str:
        """Run a command and return what it printed."""


@dataclass(frozen=True, kw_only=True)
class Tour:
    """A target that is enrolled, and what its tour through the stages has left to look at."""

    shell: Shell
    target: Target
    enrol: Sequence[str]

    def run(self) -> list[str]:
        """Take the whole tour; return the executions whose reports are worth a look."""
        first = self._merge("three-stages", {"taxiway.toml": self._policy()})
        self._say("A merge: what it would do in every stage")
        simulated = self._outcome("release", "fraud", first, "--simulate", "--json")
        self._say("The release goes through development, soaks, and waits")
        released = self._until_it_waits_for(first, "staging")
        self._say("It has soaked: into staging, and production waits for an approval")
        self._outcome("promote", "fraud", first, "staging", "--json")
        waiting = self._outcome("promote", "fraud", first, "production", "--json")
        self._say("Somebody approves")
        promoted = self._outcome("approve", "fraud", first, "production", "--promote", "--json")
        self._say("Another merge; nobody takes it on by hand, the nightly run does")
        second = self._merge("a-note", {"src/fraud/note.py": '"""Of the second merge."""\n'})
        self._until_it_waits_for(second, "staging")
        self._night()
        self._say("It was not wanted after all: staging goes back")
        self.shell.taxiway(
            "rollback", "fraud", "staging", "--to", "previous", "--reason", "shown in the demo"
        )
        for question in ("where", "history"):
            click.echo(self.shell.taxiway(question, "fraud"))
        return [_name(one) for one in (simulated, released, waiting, promoted)]

    def _policy(self) -> str:
        """Return the target's policy with three stages in place of its own."""
        return self.target.text("main", "taxiway.toml").partition("[[stage]]")[0] + STAGES.lstrip()

    def _merge(self, branch: str, files: dict[str, str | None]) -> str:
        self.target.revise(branch, files)
        return self.target.merge(branch)

    def _say(self, title: str) -> None:
        click.secho(f"\n{title}", fg="cyan")

    def _outcome(self, *words: str) -> dict[str, Any]:
        outcome: dict[str, Any] = json.loads(self.shell.taxiway(*words))
        report = outcome["report"]
        summary = report.get("summary") or report["verdict"]["summary"]
        click.secho(f"{_name(outcome)}: {summary}", fg="green")
        return outcome

    def _until_it_waits_for(self, sha: str, stage: str) -> dict[str, Any]:
        """Release a revision, which has to wait for `stage`, and let it soak."""
        released = self._outcome("release", "fraud", sha, "--json")
        stages = released["report"]["carried"]["stages"]
        if stages[-1]["stage"] != stage or stages[-1]["status"] != "waiting":
            raise click.ClickException(f"the release ended otherwise than in a wait for {stage}: {stages}")
        time.sleep(SOAK_S)
        return released

    def _night(self) -> None:
        """Have the nightly run fire at the next full minute but one, and wait for its end."""
        at = datetime.now(timezone.utc) + timedelta(minutes=1, seconds=5)
        self.shell.taxiway("enroll", *self.enrol, "--nightly", f"{at.minute} {at.hour} * * *")
        click.echo(f"The nightly launch plan fires at {at:%H:%M} UTC ...")
        end = time.monotonic() + _NIGHT_S
        while time.monotonic() < end:
            time.sleep(5)
            events = json.loads(self.shell.taxiway("history", "fraud", "--limit", "5", "--json"))["events"]
            for one in events:
                if one["what"] == "nightly" and one["outcome"] not in _RUNNING:
                    click.secho(f"{one['execution']}: {one['outcome']}", fg="green")
                    return
        raise click.ClickException(f"the nightly run did not end within {_NIGHT_S} s")


def _name(outcome: dict[str, Any]) -> str:
    return str(outcome["execution"]["name"])
