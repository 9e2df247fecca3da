"""Launch a target's preview, or find the execution that already does exactly this."""

from __future__ import annotations

from dataclasses import dataclass

from scripts.enrolments import Enrolled
from tasks._flyte import Flyte
from tasks._launch import Launched
from tasks._launch import launch as launch_plan
from tasks._names import execution_name, release_tag, target_tag
from tasks._typed import literals


@dataclass(frozen=True, kw_only=True)
class Asked:
    """What a caller asks a preview for. A `pull_request` of 0 is none."""

    sha: str
    pull_request: int = 0
    attempt: int = 1

    @property
    def inputs(self) -> dict[str, str | int]:
        """The inputs of the launch, by name."""
        return {"sha": self.sha, "pull_request": self.pull_request, "attempt": self.attempt}


def launch(flyte: Flyte, enrolled: Enrolled, asked: Asked) -> Launched:
    """Launch the target's ACTIVE plan under the name that follows from what is asked.

    Raises:
        OtherInputs: an execution of that name has other inputs, fixed ones included.
        FlyteInvalid: Flyte refuses the inputs.
    """
    enrolment = enrolled.enrolment
    name = execution_name(
        "preview",
        target=enrolment.name,
        repository=enrolment.repository,
        sha=asked.sha,
        pull_request=asked.pull_request,
        attempt=asked.attempt,
    )
    tags = [target_tag(enrolment.name), release_tag(enrolment.name, asked.sha)]
    return launch_plan(flyte, enrolled.plan, name=name, inputs=literals(asked.inputs), tags=tags)
