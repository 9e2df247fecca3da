"""Trial targets: a repository's URL is enough to try a preview, on a sandbox only."""

from __future__ import annotations

from scripts.enrolling import enrol
from scripts.enrolments import Enrolled, validated
from tasks._enrolment import ANY
from tasks._flyte import Flyte
from tasks._names import suggested_target

SCHEMES = ("://", "@")


def is_url(target: str) -> bool:
    """Say whether a target is given by its repository's URL and not by its name."""
    return any(sign in target for sign in SCHEMES)


def enrol_trial(flyte: Flyte, project: str, domain: str, url: str) -> Enrolled:
    """Enrol a repository under a name made from its URL, with wide limits, and return it.

    Its previews go to a project of their own, which is made if it is not there.

    Raises:
        CredentialsInUrl, UrlRefused: the URL is not taken.
    """
    name = f"trial-{suggested_target(url)}"
    enrolment = validated(
        {
            "name": name,
            "repository": url,
            "preview": {"project": f"{name}-previews"[:63], "domain": "development"},
            "limits": {"projects": [ANY], "domains": [ANY], "images": [ANY]},
        }
    )
    return enrol(flyte, enrolment, project=project, domain=domain, create_projects=True).enrolled
