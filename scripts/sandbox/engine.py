"""The engine: one thread that brings every execution forward, and one more for each attempt that runs.

An execution is looked at when it is new, when an attempt or a child of it has ended, when it is to be
ended, and when a time limit is reached; otherwise nothing happens and no time is spent.
"""

from __future__ import annotations

import logging
import threading
from collections import deque
from collections.abc import Callable
from datetime import datetime
from functools import partial

from flyteidl.core.execution_pb2 import ExecutionError, WorkflowExecution

from scripts.sandbox import clock
from scripts.sandbox.attempt_table import AttemptTable
from scripts.sandbox.attempts import AttemptRef
from scripts.sandbox.database import Database
from scripts.sandbox.effects import Effects
from scripts.sandbox.execution_rows import ExecutionRows
from scripts.sandbox.executions import TERMINAL
from scripts.sandbox.ids import ExecutionKey
from scripts.sandbox.item_table import ItemTable
from scripts.sandbox.nodes import Outcome
from scripts.sandbox.results import Result, lost, read_result
from scripts.sandbox.rounds import Round, Started
from scripts.sandbox.runtime import Exit, Reason, Runtime
from scripts.sandbox.snapshots import Snapshots
from scripts.sandbox.storage import Storage
from scripts.sandbox.task_effects import TaskEffects
from scripts.sandbox.transitions import decide

log = logging.getLogger(__name__)

_STOP_S = 10.0
_MAX_ROUNDS = 100_000


class Engine:
    """Runs executions until it is stopped; started again, it goes on where it was."""

    def __init__(
        self,
        *,
        db: Database,
        storage: Storage,
        runtime: Runtime,
        snapshots: Snapshots,
        effects: Effects,
        tasks: TaskEffects,
    ) -> None:
        self._db = db
        self._storage = storage
        self._runtime = runtime
        self._snapshots = snapshots
        self._effects = effects
        self._tasks = tasks
        self._rows = ExecutionRows(db)
        self._changed = threading.Condition()
        self._dirty: dict[ExecutionKey, None] = {}
        self._ended: deque[tuple[Started, Exit]] = deque()
        self._deadlines: dict[ExecutionKey, datetime] = {}
        self._running: dict[str, Started] = {}
        self._stopping = False
        self._thread = threading.Thread(target=self._loop, name="engine", daemon=True)

    def start(self) -> None:
        """Take up all executions that have not ended; attempts that ran in an earlier life are lost."""
        self._runtime.clean()
        self._give_up_attempts()
        for key in self._rows.open():
            self._dirty[key] = None
        self._thread.start()

    def stop(self) -> None:
        """Stop, end what runs and wait for its end; the executions stay open."""
        with self._changed:
            self._stopping = True
            self._changed.notify()
        if self._thread.is_alive():
            self._thread.join()
        for pod in list(self._running):
            self._runtime.kill(pod)
        with self._changed:
            self._changed.wait_for(lambda: not self._running, _STOP_S)
        try:
            self._runtime.clean()
        except Exception:
            log.exception("something may be left running; the next start ends it")

    def wake(self, key: ExecutionKey) -> None:
        """Have an execution looked at."""
        with self._changed:
            self._dirty[key] = None
            self._changed.notify()

    def _give_up_attempts(self) -> None:
        now = clock.now()
        nodes = [AttemptRef(key=k, node_id=n, attempt=a) for k, n, a in AttemptTable(self._db).open()]
        for ref in [*nodes, *ItemTable(self._db).open()]:
            gone = Exit(reason=Reason.LOST, started_at=now, ended_at=now)
            error = lost(ref.namespace, ref.name)
            with self._db.transaction():
                self._tasks.settle(ref, gone, Result(outcome=Outcome.RETRYABLE, error=error))

    def _loop(self) -> None:
        while True:
            with self._changed:
                while not (self._stopping or self._dirty or self._ended or self._due()):
                    self._changed.wait(self._pause())
                if self._stopping:
                    return
                ended, self._ended = list(self._ended), deque()
                keys = dict.fromkeys([*self._dirty, *self._due()])
                self._dirty = {}
            for started, exit_ in ended:
                self._guarded(started.ref.key, partial(self._settle, started, exit_))
                keys[started.ref.key] = None
            for key in keys:
                self._guarded(key, partial(self._bring_forward, key))

    def _due(self) -> list[ExecutionKey]:
        now = clock.now()
        return [key for key, deadline in self._deadlines.items() if deadline <= now]

    def _pause(self) -> float | None:
        if not self._deadlines:
            return None
        return max(0.001, (min(self._deadlines.values()) - clock.now()).total_seconds())

    def _guarded(self, key: ExecutionKey, work: Callable[[], None]) -> None:
        """Do one execution's work; a bug that shows on it ends that execution, not the engine."""
        try:
            work()
        except Exception as error:
            log.exception("%s: the sandbox itself failed", key)
            self._break(key, error)

    def _settle(self, started: Started, ended: Exit) -> None:
        if ended.reason is Reason.STOPPED and self._stopping:
            return
        result = read_result(ended, started.attempt, started.output_dir, started.task, self._storage)
        with self._db.transaction():
            self._tasks.settle(started.ref, ended, result)

    def _bring_forward(self, key: ExecutionKey) -> None:
        self._deadlines.pop(key, None)
        for _ in range(_MAX_ROUNDS):
            round_ = self._round(key)
            if round_ is None:
                return
            self._follow_up(round_)
        raise RuntimeError(f"no end after {_MAX_ROUNDS} rounds")

    def _round(self, key: ExecutionKey) -> Round | None:
        """Decide about an execution and carry it out; None where there is nothing to do now.

        Reading, deciding and writing are one transaction, or a terminate in between would be lost.
        """
        with self._db.transaction():
            read = self._snapshots.read(key)
            if read is None or read[0].phase in TERMINAL:
                self._snapshots.forget(key)
                return None
            round_ = Round(snapshot=read[0], config=read[1], at=clock.now())
            decision = decide(round_.snapshot, round_.at)
            for action in decision.actions:
                self._effects.carry_out(round_, action)
        if decision.actions:
            return round_
        if decision.look_again_at is not None:
            self._deadlines[key] = decision.look_again_at
        return None

    def _follow_up(self, round_: Round) -> None:
        for pod in round_.kills:
            self._runtime.kill(pod)
        for started in round_.starts:
            self._running[started.attempt.pod] = started
            threading.Thread(
                target=self._run, args=(started,), name=started.attempt.name, daemon=True
            ).start()
        for key in round_.wakes:
            self.wake(key)

    def _run(self, started: Started) -> None:
        """Run one attempt; what the runtime itself trips over ends the attempt as lost."""
        began = clock.now()
        try:
            ended = self._runtime.run(started.attempt)
        except Exception as error:
            log.exception("%s: the runtime failed", started.attempt.name)
            message = f"the sandbox's runtime failed: {error}"
            ended = Exit(reason=Reason.LOST, started_at=began, ended_at=clock.now(), message=message)
        self._running.pop(started.attempt.pod, None)
        with self._changed:
            self._ended.append((started, ended))
            self._changed.notify()

    def _break(self, key: ExecutionKey, error: Exception) -> None:
        """End an execution that the sandbox cannot bring forward, naming what went wrong."""
        message = f"The sandbox failed on this execution: {type(error).__name__}: {error}"
        broken = ExecutionError(code="SandboxFailure", message=message, kind=ExecutionError.SYSTEM)
        try:
            parent = self._rows.end(key, WorkflowExecution.FAILED, clock.now(), error=broken)
        except Exception:
            log.exception("%s: cannot even be ended", key)
            return
        for pod, started in list(self._running.items()):
            if started.ref.key == key:
                self._runtime.kill(pod)
        if parent is not None:
            self.wake(parent)
