"""Which policy a pull request's preview goes by: the protected branch's, but for what the change may say."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from tasks._enrolment import PreviewStage
from tasks._types import Finding
from tasks.policy import POLICY_FILE, ImagePolicy, PackagePolicy, Policy, Stage


@dataclass(frozen=True, kw_only=True)
class Effective:
    """The policy of a preview, and a notice for everything proposed that it leaves out. None fails it."""

    policy: Policy
    notices: list[Finding]


def effective(protected: Policy | None, proposed: Policy, preview: PreviewStage) -> Effective:
    """Join the protected branch's policy with the one that a pull request proposes.

    What a change is made of is its own to say, for it can hold any content anyway. Where that goes, under
    whose name and with which rights is not.

    | key                                                        | taken from                            |
    |------------------------------------------------------------|---------------------------------------|
    | `package.modules`, `package.source`, `package.destination` | the pull request                      |
    | `package.version`                                          | the protected branch                  |
    | `image.dockerfile`, `image.dependencies`, `image.platform` | the pull request                      |
    | `image.build_args`                                         | the pull request                      |
    | `image.repository`, `image.secrets`, `image.network`       | the protected branch                  |
    | `stage`: which there are, and every setting and gate       | the protected branch                  |
    | `stage.smoke`                                              | the pull request's stage of that name |

    `protected` is None where the protected branch has no policy, or none that is valid: the pull request
    that adds one. Nothing vouches for settings then, so there is one stage, the preview's own, with the
    proposed first stage's name and smoke tests, and the image is built without secrets.
    """
    if protected is None:
        return Effective(policy=_first(proposed, preview), notices=[_unprotected()])
    package = PackagePolicy(
        modules=proposed.package.modules,
        source=proposed.package.source,
        destination=proposed.package.destination,
        version=protected.package.version,
    )
    image = ImagePolicy(
        dockerfile=proposed.image.dockerfile,
        dependencies=proposed.image.dependencies,
        platform=proposed.image.platform,
        build_args=proposed.image.build_args,
        repository=protected.image.repository,
        secrets=protected.image.secrets,
        network=protected.image.network,
    )
    smoke = {stage.name: stage.smoke for stage in proposed.stage}
    stages = [
        stage.model_copy(update={"smoke": smoke.get(stage.name, stage.smoke)}) for stage in protected.stage
    ]
    policy = Policy(package=package, image=image, stage=stages)
    return Effective(policy=policy, notices=list(_left_out(policy, proposed)))


def _first(proposed: Policy, preview: PreviewStage) -> Policy:
    first = proposed.stage[0]
    only = Stage(name=first.name, project=preview.project, domain=preview.domain, smoke=first.smoke)
    image = proposed.image.model_copy(update={"secrets": [], "network": "default"})
    return Policy(package=proposed.package, image=image, stage=[only])


def _unprotected() -> Finding:
    return Finding(
        where=POLICY_FILE,
        problem="The protected branch has no valid policy, so the stages of this revision are not used.",
        remedy="Merge a policy; this preview uses the enrolment's preview stage alone.",
    )


def _left_out(used: Policy, proposed: Policy) -> Iterator[Finding]:
    for path in _differences(used, proposed):
        yield Finding(
            where=f"{POLICY_FILE} {path}",
            problem=f"This revision changes `{path}`, which a preview takes from the protected branch.",
            remedy="Nothing, if it is meant: it takes effect when it is merged.",
        )


def _differences(used: Policy, proposed: Policy) -> Iterator[str]:
    if used.package.version != proposed.package.version:
        yield "package.version"
    for field in ("repository", "secrets", "network"):
        if getattr(used.image, field) != getattr(proposed.image, field):
            yield f"image.{field}"
    stages = {stage.name: stage for stage in used.stage}
    for index, stage in enumerate(proposed.stage):
        same = stages.pop(stage.name, None)
        if same is None:
            yield f"stage[{index}]"
            continue
        for field in type(stage).model_fields:
            if getattr(same, field) != getattr(stage, field):
                yield f"stage[{index}].{field}"
    if stages:
        yield "stage"
