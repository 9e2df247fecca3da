"""The gate of the calendar: promotions happen in windows, never while frozen."""

from __future__ import annotations

from datetime import date, datetime

from tasks.gates import Asked, GateState, GateVerdict
from tasks.policy import Gates
from tasks.windows import SEARCHED_DAYS, Calendar, parse


class WindowGate:
    """Waits for the policy's next `window` that is not `frozen`; `days` go before both."""

    name = "window"

    def judge(self, asked: Asked) -> GateVerdict:
        """Look at the calendar; nothing else is asked."""
        return judge_window(calendar_of(asked.stage.gates), asked.now)


def calendar_of(gates: Gates) -> Calendar:
    """Return the calendar of a policy."""
    return Calendar(
        windows=[parse(text) for text in gates.window],
        frozen=[parse(text) for text in gates.frozen],
        days={date.fromisoformat(day): state == "open" for day, state in gates.days.items()},
    )


def judge_window(calendar: Calendar, now: datetime) -> GateVerdict:
    """Return the verdict for the moment `now`."""
    standing = calendar.standing(now)
    evidence = [f"here it is {now.astimezone(calendar.zone):%a %Y-%m-%d %H:%M %Z}"]
    if standing.allowed:
        return GateVerdict(
            gate=WindowGate.name, state=GateState.OPEN, because=standing.because, evidence=evidence
        )
    opens = calendar.next_opening(now)
    return GateVerdict(
        gate=WindowGate.name,
        state=GateState.WAITING,
        because=standing.because,
        evidence=evidence if opens else [*evidence, f"it does not open within {SEARCHED_DAYS} days"],
        opens=opens.isoformat(timespec="seconds") if opens else "another policy on the protected branch",
    )
