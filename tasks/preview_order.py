"""What one preview registers, where, as what and with which settings; all pure."""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, dataclass

from tasks._enrolment import Enrolment
from tasks._rewrite import LaunchSettings
from tasks.policy import Policy, Stage


@dataclass(frozen=True, kw_only=True)
class Order:
    """Where a preview goes, as what and with which settings; and the stage that it is compared with."""

    project: str
    domain: str
    version: str
    destination: str
    settings: LaunchSettings
    stage: Stage


def plan_preview(
    enrolment: Enrolment, policy: Policy, *, sha: str, pull_request: int, package: str, bundle: str
) -> Order:
    """Return the order of a preview; `package` and `bundle` are the digests of both.

    The enrolment says where it goes, under which account and where its data lies; labels, annotations,
    variables and parallelism are the first stage's. The version is `{sha}-pr{N}-{package8}`, never one of
    a release's. Its last part stands for all that is registered: the package, the bundle and the settings,
    so that a change of settings gives a new version, and no conflict with the old one.
    """
    stage, preview = policy.stage[0], enrolment.preview
    settings = LaunchSettings(
        service_account=preview.service_account,
        data_prefix=preview.data_prefix,
        labels=stage.labels,
        annotations=stage.annotations,
        env=stage.env,
        max_parallelism=stage.max_parallelism,
    )
    content = json.dumps([package, bundle, policy.package.destination, asdict(settings)], sort_keys=True)
    unique = hashlib.sha256(content.encode()).hexdigest()[:8]
    return Order(
        project=preview.project,
        domain=preview.domain,
        version=f"{sha}-pr{pull_request}-{unique}",
        destination=policy.package.destination,
        settings=settings,
        stage=stage,
    )


def stage_settings(stage: Stage) -> LaunchSettings:
    """Return what a stage sets on every launch plan that is released to it."""
    return LaunchSettings(
        service_account=stage.service_account,
        iam_role=stage.iam_role,
        data_prefix=stage.data_prefix,
        labels=stage.labels,
        annotations=stage.annotations,
        env=stage.env,
        max_parallelism=stage.max_parallelism,
        notify=stage.notify,
    )
