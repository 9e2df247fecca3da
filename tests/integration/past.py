"""A past for a sandbox: executions of a target's flows, copied from a real one straight into its database.

Thousands of executions cannot be run in a test. Only what lists and reads show is made up: names, launch
plans, annotations, tags, times, ends, inputs and outputs.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from flyteidl.admin.execution_pb2 import Execution
from flyteidl.core.execution_pb2 import WorkflowExecution

from scripts.sandbox.clock import to_text
from tasks._names import plan_name, stage_tag, target_tag
from tasks._typed import literals
from tasks.promotion_records import flow_notes
from tasks.stage_state import Activation, notes_of
from tests.running import Sandbox


@dataclass(frozen=True, kw_only=True)
class Past:
    """One execution to be put in. `at` is in seconds since the epoch; `stage` becomes a note and a tag."""

    flow: str
    name: str
    at: int
    stage: str = ""
    phase: str = "SUCCEEDED"
    sha: str = ""
    act: str = ""
    reason: str = ""
    principal: str = ""
    error_code: str = ""
    activation: Activation | None = None
    inputs: Mapping[str, Any] = field(default_factory=dict)
    output: Any = None
    noted: bool = True

    @property
    def notes(self) -> dict[str, str]:
        """Its annotations."""
        if not self.noted:
            return {}
        if self.activation is not None:
            return notes_of(self.activation)
        return flow_notes(stage=self.stage, sha=self.sha, act=self.act, reason=self.reason)


def write_past(sandbox: Sandbox, target: str, past: Iterable[Past], folder: Path) -> None:
    """Put executions into a sandbox that has run at least one; their outputs lie in `folder`."""
    database = sqlite3.connect(sandbox.state / "flyte.db", timeout=30)
    database.row_factory = sqlite3.Row
    with database:
        model = database.execute("SELECT * FROM executions WHERE phase = 4 LIMIT 1").fetchone()
        names = [name for name in model.keys() if name != "rowid"]  # noqa: SIM118 - a row iterates values
        marks = ", ".join("?" * len(names))
        for one in past:
            row = _row(dict(model), target, one, folder)
            values = [row[name] for name in names]
            database.execute(f"INSERT INTO executions VALUES ({marks})", values)  # noqa: S608 - marks alone
            for tag in _tags(target, one):
                tagged = (row["project"], row["domain"], one.name, tag)
                database.execute("INSERT INTO execution_tags VALUES (?, ?, ?, ?, '')", tagged)
    database.close()


def _tags(target: str, one: Past) -> list[str]:
    stage = one.activation.stage if one.activation else one.stage
    return [target_tag(target), *([stage_tag(target, stage)] if stage and one.noted else [])]


def _row(row: dict[str, Any], target: str, one: Past, folder: Path) -> dict[str, Any]:
    execution = Execution.FromString(row["message"])
    execution.id.name = one.name
    execution.spec.launch_plan.name = plan_name(one.flow, target)
    execution.spec.annotations.values.update(one.notes)
    execution.spec.tags.extend(_tags(target, one))
    execution.spec.metadata.principal = one.principal
    execution.closure.created_at.FromSeconds(one.at)
    execution.closure.ClearField("outputs")
    phase = WorkflowExecution.Phase.Value(one.phase)
    if one.error_code:
        execution.closure.error.code = one.error_code
    if one.output is not None:
        file = folder / f"{one.name}.pb"
        file.write_bytes(literals({"o0": one.output}).SerializeToString())
        execution.closure.outputs.uri = file.as_uri()
    execution.closure.phase = phase
    inputs = dict(one.inputs) | ({"activation": one.activation} if one.activation else {})
    return {
        **row,
        "name": one.name,
        "launch_plan": plan_name(one.flow, target),
        "phase": phase,
        "principal": one.principal,
        "message": execution.SerializeToString(),
        "inputs": literals(inputs).SerializeToString(),
        "error_code": one.error_code or None,
        "created_at": to_text(execution.closure.created_at.ToDatetime()),
    }
