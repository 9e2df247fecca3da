"""One generation of a stage: what is ACTIVE there is brought to one release's set, or back to an earlier one.

    activate-generation  check who vouches for it, then one launch plan at a time, each read back

What always holds: the execution's name is the generation's, so that there is one of each. Killed anywhere,
what it was to do is on record in its input, and the next generation finishes it or puts it back.
"""

from flytekit import workflow

from tasks._enrolment import Enrolment
from tasks.activation import activate_generation
from tasks.converge import Activated
from tasks.stage_state import Activation


@workflow
def activate(enrolment: Enrolment, activation: Activation) -> Activated:
    """Do one activation of an enrolled target; see `tasks.activation_trust` for which ones."""
    done: Activated = activate_generation(enrolment=enrolment, activation=activation)
    return done
