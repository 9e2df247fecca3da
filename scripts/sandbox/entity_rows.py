"""Rows of entities as the messages that they hold."""

from __future__ import annotations

import sqlite3

from flyteidl.admin.launch_plan_pb2 import LaunchPlan
from flyteidl.admin.task_pb2 import Task
from flyteidl.admin.workflow_pb2 import Workflow

from scripts.sandbox.clock import to_timestamp


def to_task(row: sqlite3.Row) -> Task:
    """Return the task of a row."""
    task = Task.FromString(row["message"])
    task.closure.created_at.CopyFrom(to_timestamp(row["created_at"]))
    return task


def to_workflow(row: sqlite3.Row) -> Workflow:
    """Return the workflow of a row, with its compiled closure."""
    workflow = Workflow.FromString(row["message"])
    workflow.closure.created_at.CopyFrom(to_timestamp(row["created_at"]))
    return workflow


def without_closure(workflow: Workflow) -> Workflow:
    """Return a workflow as lists show it: of the closure its interface alone."""
    short = Workflow(id=workflow.id, short_description=workflow.short_description)
    interface = workflow.closure.compiled_workflow.primary.template.interface
    short.closure.compiled_workflow.primary.template.interface.CopyFrom(interface)
    if workflow.closure.HasField("created_at"):
        short.closure.created_at.CopyFrom(workflow.closure.created_at)
    return short


def to_launch_plan(row: sqlite3.Row) -> LaunchPlan:
    """Return the launch plan of a row, with its state."""
    plan = LaunchPlan.FromString(row["message"])
    plan.closure.state = row["state"]
    plan.closure.created_at.CopyFrom(to_timestamp(row["created_at"]))
    plan.closure.updated_at.CopyFrom(to_timestamp(row["updated_at"]))
    return plan
