"""The installation looks at itself: one task, in the image and with the settings that previews have.

Its launch plan says which version is installed. `taxiway install` publishes one; a release of Taxiway brings
this one, and activating it makes that release the version that targets are enrolled with from then on.
"""

from flytekit import Labels, LaunchPlan, workflow

from tasks.self_check import SelfCheck, look_around
from workflows.launch_plans import FLOW_LABEL, SELF_CHECK


@workflow
def self_check() -> SelfCheck:
    """Report what a task of this installation finds around it."""
    found: SelfCheck = look_around()
    return found


PLAN = LaunchPlan.get_or_create(self_check, name=SELF_CHECK, labels=Labels({FLOW_LABEL: "self-check"}))
