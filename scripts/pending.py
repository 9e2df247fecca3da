"""Records that Flyte did not take yet: of rollbacks that were done directly, kept until they are launched."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from tasks._errors import TaxiwayError
from tasks._flyte import Flyte
from tasks._home import Home
from tasks._launch import Launched
from tasks._names import generation_name
from tasks.rollback import launch_rollback
from tasks.stage_state import Activation

SUPERSEDED = ".superseded"


@dataclass(frozen=True, kw_only=True)
class Pending:
    """One rollback that was done, and has no record: what its execution is to be launched with."""

    endpoint: str
    project: str
    domain: str
    to: str
    activation: Activation

    @property
    def name(self) -> str:
        """The name of the execution that is its record."""
        one = self.activation
        return generation_name(one.target, one.stage, one.generation)

    def home(self, flyte: Flyte) -> Home:
        """Return where its record belongs."""
        return Home(flyte=flyte, project=self.project, domain=self.domain, target=self.activation.target)


@dataclass(frozen=True, kw_only=True)
class Sent:
    """What became of the records that were kept: sent, superseded by another generation, or still here."""

    sent: list[str]
    superseded: list[str]
    kept: list[str]


def folder(environ: Mapping[str, str]) -> Path:
    """Return where pending records are kept: `taxiway/pending` in the state folder of XDG."""
    state = environ.get("XDG_STATE_HOME") or str(Path.home() / ".local" / "state")
    return Path(state) / "taxiway" / "pending"


def record(flyte: Flyte, pending: Pending, into: Path) -> Launched | Path:
    """Launch the execution that is a rollback's record; where Flyte does not take it, keep it in a file."""
    try:
        return launch_rollback(pending.home(flyte), pending.activation, pending.to)
    except TaxiwayError:
        return _keep(pending, into)


def send(flyte: Flyte, kept: Path) -> Sent:
    """Launch what is kept for this Flyte. What another generation took the place of is set aside."""
    done = Sent(sent=[], superseded=[], kept=[])
    for path in sorted(kept.glob("*.json")):
        pending = _read(path)
        if pending.endpoint != flyte.endpoint:
            continue
        try:
            launch_rollback(pending.home(flyte), pending.activation, pending.to)
        except TaxiwayError:
            if _is_taken(flyte, pending):
                path.rename(path.with_suffix(SUPERSEDED))
                done.superseded.append(pending.name)
            else:
                done.kept.append(pending.name)
            continue
        path.unlink()
        done.sent.append(pending.name)
    return done


def send_all(flyte: Flyte) -> list[str]:
    """Send what is kept in this person's state folder, and return a sentence for each that there was."""
    kept = folder(os.environ)
    done = send(flyte, kept)
    aside = f"was taken by another; the record of the direct rollback is set aside in {kept}."
    return [
        *(f"Recorded the rollback that was done directly: {name}." for name in done.sent),
        *(f"{name} {aside}" for name in done.superseded),
        *(f"The direct rollback {name} has no record yet; the next call sends it." for name in done.kept),
    ]


def _is_taken(flyte: Flyte, pending: Pending) -> bool:
    try:
        pending.home(flyte).execution(pending.name)
    except TaxiwayError:
        return False
    return True


def _keep(pending: Pending, into: Path) -> Path:
    into.mkdir(parents=True, exist_ok=True)
    path = into / f"{pending.name}.json"
    values = {
        "endpoint": pending.endpoint,
        "project": pending.project,
        "domain": pending.domain,
        "to": pending.to,
        "activation": pending.activation.model_dump(mode="json"),
    }
    scratch = path.with_suffix(".new")
    scratch.write_text(json.dumps(values, indent=2))
    scratch.replace(path)
    return path


def _read(path: Path) -> Pending:
    values = json.loads(path.read_text())
    return Pending(**{**values, "activation": Activation.model_validate(values["activation"])})
