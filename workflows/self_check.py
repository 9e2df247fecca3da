"""The installation looks at itself: one task, in the image and with the settings that previews have."""

from flytekit import workflow

from tasks.self_check import SelfCheck, look_around


@workflow
def self_check() -> SelfCheck:
    """Report what a task of this installation finds around it."""
    found: SelfCheck = look_around()
    return found
