"""A stage goes back to an earlier generation: activation only, of all that was active together then.

    roll-back  find the generation, or check the one that the launcher found, and activate its set

What always holds: nothing is registered or run. Its execution is named by the stage's next generation and
activates in its own first task, for a rollback has no time to lose; launched under any other name it
launches that one, and follows it. The stage is held from then on, until it is let go.
"""

from flytekit import workflow

from tasks._enrolment import Enrolment
from tasks.converge import Activated
from tasks.rollback import roll_back
from tasks.stage_state import Activation


@workflow
def rollback(enrolment: Enrolment, stage: str, to: str, reason: str, activation: Activation) -> Activated:
    """Roll `stage` back to `previous`, a release's SHA, a version, or a generation such as `g3`."""
    done: Activated = roll_back(
        enrolment=enrolment, stage=stage, to=to, reason=reason, activation=activation
    ).with_overrides(node_name="roll-back")
    return done
