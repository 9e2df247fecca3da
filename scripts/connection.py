"""How a command reaches Flyte, and what it asks of it first."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager

from flyteidl.admin.common_pb2 import NamedEntityIdentifier
from flyteidl.admin.launch_plan_pb2 import ActiveLaunchPlanRequest, LaunchPlan
from flyteidl.admin.version_pb2 import GetVersionRequest
from flytekit import current_context
from flytekit.configuration import Config

from tasks._errors import FlyteNotFound, FlyteRefused, NotInstalled
from tasks._flyte import Flyte, connect
from tasks._stage_flyte import open_stage, read_stage_credentials
from workflows.launch_plans import SELF_CHECK, Installation, installation_of

GLANCE_S = 3
"""How long a command that only shows something waits for a stage's Flyte, which has its own trouble."""
SANDBOX_BUILD = "sandbox"
"""What the sandbox answers to GetVersion as its build; a Flyte on Kubernetes has a commit there."""
SANDBOX_IMAGE = "localhost:30000/taxiway:default"
"""The image reference that stands for the environment which a sandbox itself runs in."""


@contextmanager
def flyte_at(config_file: str | None, *, patience_s: float = 15) -> Iterator[Flyte]:
    """Open a connection to the Flyte that `config_file`, or the ordinary configuration, names."""
    with connect(Config.auto(config_file), timeout_s=30, patience_s=patience_s) as flyte:
        yield flyte


def stage_credentials() -> Mapping[str, Mapping[str, str]]:
    """Return the caller's credentials for other clusters, by endpoint; none where there are none.

    They are what tasks have as the secret `taxiway/flyte_credentials`, read from where flytekit looks for
    it: see `tasks._stage_flyte.VARIABLE`.

    Raises:
        BadUsage: they are no TOML of tables.
    """
    return read_stage_credentials(current_context().secrets)


@contextmanager
def stage_at(endpoint: str, own: Flyte, *, patience_s: float = 15) -> Iterator[Flyte]:
    """Open a connection to a stage's Flyte, with the caller's credentials; `own` where `endpoint` is empty.

    `patience_s` is how long a call to another Flyte goes on trying.

    Raises:
        BadUsage: see `stage_credentials` and `open_stage`.
    """
    if not endpoint:
        yield own
        return
    with open_stage(endpoint, own, stage_credentials()) as flyte:
        yield flyte.hurried(timeout_s=flyte.timeout_s, patience_s=patience_s)


def is_sandbox(flyte: Flyte) -> bool:
    """Say whether this Flyte is Taxiway's sandbox; whatever does not tell its version is not.

    Raises:
        FlyteUnavailable, FlyteUnauthenticated: it could not be asked.
    """
    try:
        answer = flyte.call("GetVersion", GetVersionRequest())
    except FlyteRefused:
        return False
    return bool(answer.control_plane_version.Build == SANDBOX_BUILD)


def active_plan(flyte: Flyte, project: str, domain: str, name: str) -> LaunchPlan:
    """Return the version of a launch plan that is ACTIVE.

    Raises:
        FlyteNotFound: there is none.
    """
    identifier = NamedEntityIdentifier(project=project, domain=domain, name=name)
    plan: LaunchPlan = flyte.call("GetActiveLaunchPlan", ActiveLaunchPlanRequest(id=identifier))
    return plan


def installed(flyte: Flyte, project: str, domain: str) -> Installation:
    """Return what is installed: the ACTIVE version and its settings.

    Raises:
        NotInstalled: there is none.
    """
    try:
        return installation_of(active_plan(flyte, project, domain, SELF_CHECK))
    except FlyteNotFound as error:
        raise NotInstalled(
            f"Taxiway is not installed in {project}/{domain} of {flyte.endpoint}.",
            remedy="Run `taxiway install`, or say where it is with --project and --domain.",
        ) from error
