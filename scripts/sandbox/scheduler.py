"""The scheduler: one thread that launches what active launch plans have scheduled, when it is due.

Source: flyteadmin `scheduler/executor/executor_impl.go`, `scheduler/core`.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from datetime import datetime

from flyteidl.admin.execution_pb2 import ExecutionCreateRequest, ExecutionMetadata
from flyteidl.core.identifier_pb2 import LAUNCH_PLAN, Identifier

from scripts.sandbox import clock
from scripts.sandbox.errors import AlreadyExists, FlyteError
from scripts.sandbox.executions import Executions
from scripts.sandbox.ids import scheduled_execution_name
from scripts.sandbox.schedule_table import ScheduleTable, Tick

log = logging.getLogger(__name__)

_LONGEST_PAUSE_S = 30.0
"""Nobody says when the machine's clock was set, so it is looked at now and then."""
_AFTER_FAILURE_S = 1.0
_BATCH = 100


def launch_request(tick: Tick) -> ExecutionCreateRequest:
    """Return the launch that a tick stands for; the same tick has the same name, so it happens once."""
    id_ = {"project": tick.project, "domain": tick.domain, "name": tick.name, "version": tick.version}
    request = ExecutionCreateRequest(project=tick.project, domain=tick.domain)
    request.name = scheduled_execution_name(**id_, at=tick.at)
    request.spec.launch_plan.CopyFrom(Identifier(resource_type=LAUNCH_PLAN, **id_))
    request.spec.metadata.mode = ExecutionMetadata.SCHEDULED
    request.spec.metadata.scheduled_at.CopyFrom(clock.to_timestamp(tick.at))
    if tick.kickoff:
        value = request.inputs.literals[tick.kickoff].scalar.primitive
        value.datetime.CopyFrom(clock.to_timestamp(tick.at))
    return request


def pause_s(upcoming: datetime | None, now: datetime) -> float:
    """Return how long there is nothing to do."""
    if upcoming is None:
        return _LONGEST_PAUSE_S
    return min(_LONGEST_PAUSE_S, max(0.0, (upcoming - now).total_seconds()))


class Scheduler:
    """Fires the schedules of one sandbox until it is stopped; started again, it fires what it missed."""

    def __init__(
        self, table: ScheduleTable, executions: Executions, now: Callable[[], datetime] = clock.now
    ) -> None:
        self._table = table
        self._executions = executions
        self._now = now
        self._changed = threading.Condition()
        self._woken = False
        self._stopping = False
        self._thread = threading.Thread(target=self._loop, name="scheduler", daemon=True)

    def start(self) -> None:
        """Fire what was missed, then what comes due."""
        self._table.adopt(self._now())
        self._thread.start()

    def stop(self) -> None:
        """Stop; what is due but not yet launched is launched by the next start."""
        with self._changed:
            self._stopping = True
            self._changed.notify()
        if self._thread.is_alive():
            self._thread.join()

    def wake(self) -> None:
        """Look at the schedules anew, for one of them has changed."""
        with self._changed:
            self._woken = True
            self._changed.notify()

    def fire_due(self, now: datetime) -> datetime | None:
        """Launch all that is due by `now`, the earliest first, and return when the next is due, if any is."""
        upcoming = self._table.queue_due(now)
        while ticks := self._table.queued(_BATCH):
            for tick in ticks:
                if self._stopping:
                    return upcoming
                self._fire(tick)
                self._table.done(tick)
        return upcoming

    def _fire(self, tick: Tick) -> None:
        """Launch one tick. One that is refused is not tried again: nothing here passes by waiting."""
        try:
            self._executions.create(launch_request(tick))
        except AlreadyExists as error:
            log.debug("%s: %s", tick, error.message)
        except FlyteError as error:
            log.error("the schedule of %s launched nothing: %s", tick, error.message)
        except Exception:
            log.exception("the schedule of %s launched nothing: the sandbox itself failed", tick)

    def _loop(self) -> None:
        while not self._stopping:
            pause = self._fire_and_pause()
            with self._changed:
                self._changed.wait_for(lambda: self._stopping or self._woken, pause)
                self._woken = False

    def _fire_and_pause(self) -> float:
        try:
            return pause_s(self.fire_due(self._now()), self._now())
        except Exception:
            log.exception("the scheduler failed and goes on")
            return _AFTER_FAILURE_S
