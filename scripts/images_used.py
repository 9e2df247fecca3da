"""Which images Flyte may still need: those that anything is registered with in a stage of any target."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence

from flyteidl.admin.common_pb2 import NamedEntityIdentifier, ResourceListRequest
from flyteidl.core.tasks_pb2 import TaskTemplate

from scripts.connection import stage_at
from scripts.enrolling import projects
from tasks._enrolment import ANY, Enrolment
from tasks._flyte import Flyte
from tasks._pods import images, pod_spec

_PAGE = 500
_DIGEST = re.compile(r"@(sha256:[0-9a-f]{64})$")


def digests_used(flyte: Flyte, enrolments: Sequence[Enrolment]) -> frozenset[str]:
    """Return the digest of every image that a task is registered with, in any stage of these targets.

    Raises:
        FlyteUnavailable, FlyteUnauthenticated: a stage's Flyte could not be asked, so nothing is known.
    """
    found: set[str] = set()
    endpoints = dict.fromkeys(["", *(one for each in enrolments for one in each.limits.endpoints)])
    for endpoint in endpoints:
        if endpoint == ANY:
            continue
        with stage_at(endpoint, flyte) as stage:
            for project, domain in _places(stage, enrolments):
                found |= set(_in_place(stage, project, domain))
    return frozenset(found)


def _places(flyte: Flyte, enrolments: Sequence[Enrolment]) -> Iterable[tuple[str, str]]:
    known = {name: [domain.id for domain in one.domains] for name, one in projects(flyte).items()}
    wanted = {
        (project, domain)
        for each in enrolments
        for project in [each.preview.project, *each.limits.projects]
        for domain in [each.preview.domain, *each.limits.domains]
    }
    return sorted(
        (project, domain)
        for project, domains in known.items()
        for domain in domains
        if any(p in (project, ANY) and d in (domain, ANY) for p, d in wanted)
    )


def _in_place(flyte: Flyte, project: str, domain: str) -> Iterator[str]:
    request = ResourceListRequest(id=NamedEntityIdentifier(project=project, domain=domain), limit=_PAGE)
    for task in flyte.pages("ListTasks", request, "tasks"):
        yield from digests_in(task.closure.compiled_task.template)


def digests_in(template: TaskTemplate) -> Iterator[str]:
    """Yield the digest of each image that a task names by one."""
    named = [template.container.image]
    if template.HasField("k8s_pod"):
        named += [use.image for use in images(pod_spec(template.k8s_pod))]
    for image in named:
        if digest := _DIGEST.search(image):
            yield digest[1]
