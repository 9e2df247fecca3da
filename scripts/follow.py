"""Follow an execution by its steps: a live table on a terminal, a line per change elsewhere, on stderr."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from flyteidl.core.identifier_pb2 import WorkflowExecutionIdentifier
from rich.console import Console
from rich.live import Live
from rich.table import Table
from rich.text import Text

from tasks._errors import WaitTimedOut
from tasks._executions import Progress, Step, progress
from tasks._flyte import Flyte
from tasks._wait import Clock, Sleep, delays

Show = Callable[[Progress], None]
_QUIET = frozenset({"UNDEFINED", "QUEUED"})
_SIGNS = {"SUCCEEDED": "✓", "RECOVERED": "✓", "FAILED": "✗", "TIMED_OUT": "✗", "ABORTED": "✗", "SKIPPED": "-"}


def follow(
    flyte: Flyte,
    identifier: WorkflowExecutionIdentifier,
    show: Show,
    *,
    timeout_s: float = 0,
    clock: Clock = time.time,
    sleep: Sleep = time.sleep,
) -> Progress:
    """Show an execution's progress until it has ended, and return its last state.

    `timeout_s` of 0 waits without limit.

    Raises:
        WaitTimedOut: it still runs after `timeout_s` seconds; it goes on running.
    """
    deadline = clock() + timeout_s if timeout_s else float("inf")
    for delay in delays(0.3, 2.0):
        state = progress(flyte, identifier, now=clock())
        show(state)
        if state.ended:
            return state
        if clock() >= deadline:
            raise WaitTimedOut(
                f"{identifier.name} is {state.phase} after {timeout_s:g} s.",
                remedy="It goes on running; ask again later with the same command.",
            )
        sleep(max(0.0, min(delay, deadline - clock())))
    raise AssertionError("delays() never ends")


@contextmanager
def display() -> Iterator[Show]:
    """Yield what shows progress: a live table on a terminal, plain lines elsewhere."""
    if sys.stderr.isatty():
        with Live(console=Console(stderr=True), refresh_per_second=8, transient=False) as live:
            yield lambda state: live.update(table(state))
    else:
        yield Lines()


class Lines:
    """Prints a line for each step that begins or ends, and for each phase of the execution."""

    def __init__(self) -> None:
        self._last: Progress | None = None

    def __call__(self, state: Progress) -> None:
        """Print what is new in `state`."""
        for line in changes(self._last, state):
            sys.stderr.write(line + "\n")
        sys.stderr.flush()
        self._last = state


def changes(before: Progress | None, after: Progress) -> list[str]:
    """Return a line for everything that is different from what was shown before."""
    known = {(step.parent, step.node): step.phase for step in before.steps} if before else {}
    lines = [] if before else [f"{after.id.name}: {_phase(after)}"]
    for step in after.steps:
        if step.phase in _QUIET or known.get((step.parent, step.node)) == step.phase:
            continue
        lines.append(f"  {_name(step):<28} {step.phase.lower():<16} {_time(step)}".rstrip())
    if before and before.phase != after.phase:
        lines.append(f"{after.id.name}: {_phase(after)}")
    return lines


def table(state: Progress) -> Table:
    """Return the state as a table for a terminal; names and phases are never taken as mark-up."""
    grid = Table.grid(padding=(0, 2))
    grid.add_row("", Text(state.id.name, style="bold"), Text(_phase(state)), "")
    for step in state.steps:
        colour = {"✓": "green", "✗": "red"}.get(_sign(step), "yellow")
        grid.add_row(
            Text(_sign(step), style=colour), Text(_name(step)), Text(step.phase.lower()), Text(_time(step))
        )
    return grid


def _phase(state: Progress) -> str:
    """Return the execution's phase for people; Flyte has none until it has looked at a new one."""
    return "launched" if state.phase == "UNDEFINED" else state.phase.lower()


def _name(step: Step) -> str:
    return f"· {step.node}" if step.parent else step.node


def _sign(step: Step) -> str:
    return _SIGNS.get(step.phase, "…")


def _time(step: Step) -> str:
    return "" if step.seconds is None else f"{step.seconds:.1f} s"
