"""A stage held by somebody, or let go.

    record_hold  check that there is a reason, and record who gives it

What always holds: nothing else happens here. Promotions read the newest of these before they begin and once
more before they activate anything.
"""

from flytekit import workflow

from tasks._enrolment import Enrolment
from tasks.hold import Hold, record_hold


@workflow
def hold(enrolment: Enrolment, stage: str, reason: str, hold: bool = True) -> Hold:
    """Hold `stage` for a reason, or let it go with `hold=False`."""
    recorded: Hold = record_hold(enrolment=enrolment, stage=stage, reason=reason, hold=hold).with_overrides(
        node_name="record-hold"
    )
    return recorded
