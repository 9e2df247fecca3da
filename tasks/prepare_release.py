"""The first step of a release: a revision of the protected branch, judged, planned and bundled."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path

from flytekit import Resources, current_context, task
from flytekit.configuration import Config

from tasks._builder import ImageBuilder, Purpose
from tasks._enrolment import Enrolment
from tasks._errors import NotOnBranch, NotReleased
from tasks._flyte import connect
from tasks._git_credentials import GIT_SECRETS, read_credentials
from tasks._home import Home
from tasks._own import home_of
from tasks._registry_credentials import REGISTRY_SECRETS
from tasks._settings import Settings, read_settings
from tasks._toml import Invalid
from tasks._types import Finding, Status, Verdict
from tasks.effective import effective
from tasks.image import image_builder
from tasks.limits import within
from tasks.manifest import StoredManifest
from tasks.policy import POLICY_FILE, Policy, missing
from tasks.prepare import Judged, Prepared, carry_out, fetch_revision, read_policy_at, stopped
from tasks.releases import find_release
from tasks.source import Source

_SHORT = 7


def judge_release(
    protected: Policy | Invalid | None, own: Policy | Invalid | None, enrolment: Enrolment
) -> Judged:
    """Return the policy that a release goes by: the protected branch's, with the revision's own packaging.

    `protected` is that of the branch's tip: stages and settings are as they are meant now. What to package,
    and what the image is made of, goes with the code that is released.
    """
    for found, where in ((protected, "the protected branch"), (own, "the revision")):
        if found is None:
            return Judged(policy=None, findings=[missing().model_copy(update={"where": where})])
        if isinstance(found, Invalid):
            return Judged(policy=None, findings=found.findings)
    if not isinstance(protected, Policy) or not isinstance(own, Policy):
        raise TypeError("a policy is there, missing or invalid")
    joined = effective(protected, own, enrolment.preview).policy
    smoke = {stage.name: stage for stage in protected.stage}
    policy = joined.model_copy(
        update={"stage": [smoke[stage.name] for stage in joined.stage if stage.name in smoke]}
    )
    beyond = within(policy, enrolment)
    return Judged(policy=None if beyond else policy, findings=beyond)


def version_of_release(template: str, sha: str, tags: Sequence[str]) -> str | Finding:
    """Fill in a policy's `package.version`; a finding where it asks for a tag and the commit has not one."""
    if "{tag}" in template and len(tags) != 1:
        there = f"{len(tags)} tags ({', '.join(tags)})" if tags else "no tag"
        return Finding(
            where=f"{POLICY_FILE} package.version",
            problem=f"The version is made of {{tag}}, and commit {sha} has {there}.",
            remedy="Push exactly one tag for the commit, or make the version of {sha}.",
        )
    filled = template.replace("{sha}", sha).replace("{short_sha}", sha[:_SHORT])
    return filled.replace("{tag}", tags[0] if tags else "")


def check_on_branch(source: Source, branch: str) -> None:
    """Check that the protected branch leads to the revision.

    Raises:
        NotOnBranch: it does not, so nobody has merged it.
    """
    if not source.on_branch:
        raise NotOnBranch(
            f"Commit {source.revision.sha} is not on {branch} of {source.revision.repository}.",
            remedy=f"Merge it, and release the commit that {branch} has then.",
        )


def prepare_for_release(
    source: Source,
    enrolment: Enrolment,
    *,
    home: Home,
    builder: ImageBuilder,
    settings: Settings,
    into: Path,
) -> Prepared:
    """Judge, plan and bundle a fetched revision of the protected branch, unless it was released before.

    Raises:
        NotOnBranch: see `check_on_branch`.
    """
    check_on_branch(source, enrolment.protected_branch)
    sha = source.revision.sha
    policies = read_policy_at(source, source.protected), read_policy_at(source, sha)
    judged = judge_release(*policies, enrolment)
    released = _released(home, sha)
    if judged.policy is None or released is not None:
        done = Verdict(status=Status.SKIPPED, summary="released before")
        prepared = stopped(source, f"{POLICY_FILE} cannot be used", judged.findings)
        verdict = prepared.verdict if judged.policy is None else done
        return prepared.model_copy(update={"verdict": verdict, "policy": judged.policy, "released": released})
    template = judged.policy.package.version
    version = version_of_release(template, sha, source.tags() if "{tag}" in template else [])
    if isinstance(version, Finding):
        return stopped(source, "the release has no version", [version])
    prepared = carry_out(
        source, judged, enrolment, purpose=Purpose.RELEASE, builder=builder, settings=settings, into=into
    )
    return prepared.model_copy(update={"version": version})


def _released(home: Home, sha: str) -> StoredManifest | None:
    try:
        return find_release(home, sha)
    except NotReleased:
        return None


@task(
    requests=Resources(cpu="500m", mem="400Mi"),
    limits=Resources(cpu="2", mem="1Gi"),
    secret_requests=[*GIT_SECRETS, *REGISTRY_SECRETS],
    retries=2,
)
def prepare_release(enrolment: Enrolment, sha: str) -> Prepared:
    """Fetch the revision, see that it is on the protected branch, and find out what is to be done with it."""
    environ: Mapping[str, str] = os.environ
    settings = read_settings(environ)
    into = Path(current_context().working_directory)
    credentials = read_credentials(current_context().secrets)
    source = fetch_revision(
        enrolment, sha, into=into, settings=settings, credentials=credentials, environ=environ
    )
    with (
        connect(Config.auto(), timeout_s=settings.rpc_timeout_s, patience_s=settings.rpc_patience_s) as flyte,
        image_builder(settings, environ, current_context().secrets) as builder,
    ):
        return prepare_for_release(
            source,
            enrolment,
            home=home_of(flyte, enrolment.name),
            builder=builder,
            settings=settings,
            into=into,
        )
