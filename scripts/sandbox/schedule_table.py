"""The schedules of active launch plans as rows, and the queue of their ticks that are due.

Flyte's scheduler polls for activations and keeps its last ticks in a snapshot, both every 30 s. Here a row
changes in the activation's own transaction, after the ticks until then were queued for the version before:
each tick is one of the version that was active at its time, and none is lost or doubled.
"""

from __future__ import annotations

import logging
import sqlite3
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from flyteidl.admin.launch_plan_pb2 import LaunchPlan
from flyteidl.admin.schedule_pb2 import Schedule
from flyteidl.core.identifier_pb2 import Identifier

from scripts.sandbox import clock
from scripts.sandbox.cron import BadCron
from scripts.sandbox.database import Database
from scripts.sandbox.ticks import due, next_tick, read_schedule

log = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True)
class Tick:
    """A version of a launch plan at a time of its schedule. `kickoff` is the input for it, or ''."""

    project: str
    domain: str
    name: str
    version: str
    at: datetime
    kickoff: str

    def __str__(self) -> str:
        return f"{self.project}:{self.domain}:{self.name}:{self.version} at {clock.to_text(self.at)}"


class ScheduleTable:
    """What ticks in one sandbox. Methods that take `now` write nothing of what is later than it."""

    def __init__(self, db: Database) -> None:
        self._db = db

    def activated(self, plan: LaunchPlan, now: datetime) -> None:
        """Let the schedule of this version, if it has one, tick from now on, and no other of its name."""
        with self._db.transaction():
            self._queue_due(self._db.rows("schedule", **_name(plan.id)), now)
            self._db.write("remove_other_schedule", **_version(plan.id))
            schedule = plan.spec.entity_metadata.schedule
            if schedule.WhichOneof("ScheduleExpression") is not None:
                stored, last = schedule.SerializeToString(), clock.to_text(now)
                self._db.write("set_schedule", **_version(plan.id), schedule=stored, last=last)

    def deactivated(self, id_: Identifier, now: datetime) -> None:
        """Let the schedule of this version tick no longer."""
        with self._db.transaction():
            self._queue_due(self._db.rows("schedule", **_name(id_)), now)
            self._db.write("remove_schedule", **_version(id_))

    def adopt(self, now: datetime) -> None:
        """Begin the schedules that were activated before the sandbox had a scheduler."""
        for row in self._db.rows("unscheduled_launch_plans"):
            self.activated(LaunchPlan.FromString(row["message"]), now)

    def queue_due(self, now: datetime) -> datetime | None:
        """Queue all ticks until `now`, and return when the next one is due, if any is."""
        with self._db.transaction():
            return self._queue_due(self._db.rows("schedules"), now)

    def queued(self, most: int) -> list[Tick]:
        """Return the first ticks of the queue."""
        return [_tick(row) for row in self._db.rows("queued_ticks", most=most)]

    def done(self, tick: Tick) -> None:
        """Take a tick from the queue."""
        self._db.write("remove_tick", **{**vars(tick), "at": clock.to_text(tick.at)})

    def _queue_due(self, rows: Iterable[sqlite3.Row], now: datetime) -> datetime | None:
        upcoming = [self._queue_schedule(row, now) for row in rows]
        return min(filter(None, upcoming), default=None)

    def _queue_schedule(self, row: sqlite3.Row, now: datetime) -> datetime | None:
        schedule = Schedule.FromString(row["schedule"])
        id_ = {field: row[field] for field in ("project", "domain", "name", "version")}
        try:
            ticking = read_schedule(schedule)
        except BadCron as error:  # a time zone that this machine no longer knows
            log.error("the schedule of %s cannot be read: %s", ":".join(id_.values()), error)
            return None
        if ticking is None:
            return None
        last = clock.from_text(row["last"])
        # Flyte gives the time to a cron's input alone; with a rate, the input stays without a value.
        kickoff = "" if schedule.HasField("rate") else schedule.kickoff_time_input_arg
        for tick in due(ticking, last, now):
            last = tick
            self._db.write("queue_tick", **id_, at=clock.to_text(tick), kickoff=kickoff)
        named = {field: id_[field] for field in ("project", "domain", "name")}
        self._db.write("schedule_ticked", **named, last=clock.to_text(last))
        return next_tick(ticking, last)


def _name(id_: Identifier) -> dict[str, object]:
    return {field: getattr(id_, field) for field in ("project", "domain", "name")}


def _version(id_: Identifier) -> dict[str, object]:
    return {**_name(id_), "version": id_.version}


def _tick(row: sqlite3.Row) -> Tick:
    return Tick(
        project=row["project"],
        domain=row["domain"],
        name=row["name"],
        version=row["version"],
        at=clock.from_text(row["at"]),
        kickoff=row["kickoff"],
    )
