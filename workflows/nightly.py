"""One night of a target: what is verified in a stage and has soaked goes on into the next one.

    promote-overnight  look at every stage, then one promotion after the other, the last stage first

What always holds: it only launches promotions, whose gates have the last word. Their names are made of the
night, so one night is never done twice; of nights that were missed, the last one is done.
"""

from datetime import datetime

from flytekit import workflow

from tasks._enrolment import Enrolment
from tasks.nightly import NightlyReport, promote_overnight


@workflow
def nightly(enrolment: Enrolment, kickoff: datetime) -> NightlyReport:
    """Promote what is due at `kickoff`, which the schedule sets."""
    done: NightlyReport = promote_overnight(enrolment=enrolment, kickoff=kickoff).with_overrides(
        node_name="promote-overnight"
    )
    return done
