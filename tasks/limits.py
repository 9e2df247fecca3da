"""What an enrolment lets a policy name. An administrator sets the limits; nobody who can push can."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from tasks._enrolment import ANY, Enrolment
from tasks._permits import permits, permits_image
from tasks._types import Finding
from tasks.policy import POLICY_FILE, Policy


def permits_prefix(entries: Sequence[str], uri: str) -> bool:
    """Whether a storage URI is one of the entries or lies below one; an empty one names nothing."""
    below = (f"{entry.rstrip('/')}/" for entry in entries)
    climbs = ".." in uri.split("/")
    return not uri or ANY in entries or (not climbs and f"{uri.rstrip('/')}/".startswith(tuple(below)))


def within(policy: Policy, enrolment: Enrolment) -> list[Finding]:
    """Return everything in a policy that lies beyond the limits of its enrolment.

    The enrolment's own preview stage is within them without being listed.
    """
    return [
        Finding(
            where=f"{POLICY_FILE} {path}",
            problem=f"{value!r} is beyond what this target's enrolment allows.",
            remedy=_remedy(entries, key),
        )
        for path, value, key, entries, allowed in _named(policy, enrolment)
        if not allowed
    ]


def _named(policy: Policy, enrolment: Enrolment) -> Iterator[tuple[str, str, str, list[str], bool]]:
    limits, preview = enrolment.limits, enrolment.preview
    repository = policy.image.repository
    yield "image.repository", repository, "images", limits.images, permits_image(limits.images, repository)
    for index, secret in enumerate(policy.image.secrets):
        groups = limits.secret_groups
        yield (
            f"image.secrets[{index}]",
            secret,
            "secret_groups",
            groups,
            permits(groups, secret.partition("/")[0]),
        )
    host = policy.image.network if policy.image.network == "host" else ""
    yield "image.network", host, "build_networks", limits.build_networks, permits(limits.build_networks, host)
    for index, stage in enumerate(policy.stage):
        for field, key, entries in (
            ("endpoint", "endpoints", limits.endpoints),
            ("project", "projects", [*limits.projects, preview.project]),
            ("domain", "domains", [*limits.domains, preview.domain]),
            ("service_account", "service_accounts", limits.service_accounts),
            ("iam_role", "iam_roles", limits.iam_roles),
        ):
            value: str = getattr(stage, field)
            yield f"stage[{index}].{field}", value, key, entries, permits(entries, value)
        prefixes, uri = limits.data_prefixes, stage.data_prefix
        yield f"stage[{index}].data_prefix", uri, "data_prefixes", prefixes, permits_prefix(prefixes, uri)


def _remedy(entries: Sequence[str], key: str) -> str:
    if not entries:
        return f"Have an administrator add it to `limits.{key}`, which allows nothing yet."
    listed = ", ".join(map(repr, dict.fromkeys(entries)))
    return f"Name one of {listed}, or have an administrator add it to `limits.{key}`."
