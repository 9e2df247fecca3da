"""Adoption: what is ACTIVE in a stage today becomes a generation of it, which changes nothing."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from tasks._errors import BadUsage
from tasks.stage_state import Activation, Cause


def adoption_of(
    active: Mapping[str, Sequence[str]],
    *,
    target: str,
    stage: str,
    project: str,
    domain: str,
    endpoint: str = "",
    generation: int,
    only: Sequence[str] = (),
    reason: str = "",
) -> Activation:
    """Return the generation that says what is ACTIVE; `only` names the launch plans, none is all of them.

    Raises:
        BadUsage: a launch plan is ACTIVE in two versions, or one of `only` is not ACTIVE.
    """
    missing = [name for name in only if name not in active]
    if missing:
        raise BadUsage(
            f"Not ACTIVE in {project}/{domain}: {', '.join(missing)}.", remedy="Name what is ACTIVE there."
        )
    adopted = {name: list(versions) for name, versions in active.items() if not only or name in only}
    doubled = [f"{name} ({', '.join(found)})" for name, found in adopted.items() if len(found) > 1]
    if doubled:
        raise BadUsage(
            f"More than one version is ACTIVE of {'; '.join(doubled)}.",
            remedy="Set all but one of them inactive, so that it is plain which one is meant.",
        )
    found = {name: versions[0] for name, versions in adopted.items()}
    versions = set(found.values())
    return Activation(
        target=target,
        stage=stage,
        project=project,
        domain=domain,
        endpoint=endpoint,
        generation=generation,
        cause=Cause.ADOPTION,
        version=versions.pop() if len(versions) == 1 else "",
        before=found,
        after=found,
        reason=reason,
    )
