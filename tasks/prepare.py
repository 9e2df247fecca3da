"""The first step: fetch a revision, read its policy within the limits, plan it, bundle its code."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from flytekit import Resources, current_context, task
from flytekit.configuration import Config

from tasks._builder import ImageBuilder, Purpose
from tasks._enrolment import Enrolment
from tasks._errors import FileMissing
from tasks._flyte import connect
from tasks._git_credentials import GIT_SECRETS, Credentials, read_credentials
from tasks._own import home_of, own_execution
from tasks._registry_credentials import REGISTRY_SECRETS
from tasks._settings import Settings, read_settings
from tasks._toml import Invalid
from tasks._types import Finding, Record, Revision, Status, Verdict
from tasks.bundle import CodeBundle, examine, make_bundle
from tasks.effective import effective
from tasks.image import image_builder
from tasks.limits import within
from tasks.manifest import StoredManifest
from tasks.plan import (
    ImageContext,
    Plan,
    find_inputs,
    make_context,
    make_plan,
    read_recipe,
    terms_of,
    withheld,
)
from tasks.policy import POLICY_FILE, Policy, missing, read_policy
from tasks.rivals import supersede_previews
from tasks.source import Commit, Source, checked_sha, fetch


class Prepared(Record):
    """A revision, ready to be packaged; what the verdict stopped is None.

    `policy` is the effective one: stages and settings of the protected branch, packages and smoke tests of
    the revision itself. `protected` is the tip of the protected branch.
    """

    verdict: Verdict
    revision: Revision
    commit: Commit
    protected: str
    policy: Policy | None = None
    plan: Plan | None = None
    bundle: CodeBundle | None = None
    context: ImageContext | None = None
    version: str = ""
    """What a release is registered as; empty for a preview."""
    released: StoredManifest | None = None
    """The manifest of the revision, where it was released before; it is never made twice."""


@dataclass(frozen=True, kw_only=True)
class Judged:
    """The policy to go by, or None and why there is none; notices stop nothing."""

    policy: Policy | None
    findings: Sequence[Finding]


def judge(
    protected: Policy | Invalid | None, proposed: Policy | Invalid | None, enrolment: Enrolment
) -> Judged:
    """Join the protected branch's policy with the revision's, within the enrolment's limits.

    None is a policy that is not there. One of the protected branch that is missing or not valid vouches
    for nothing; one of the revision is what the preview is about, so it fails.
    """
    if proposed is None:
        return Judged(policy=None, findings=[missing()])
    if isinstance(proposed, Invalid):
        return Judged(policy=None, findings=proposed.findings)
    vouched = protected if isinstance(protected, Policy) else None
    joined = effective(vouched, proposed, enrolment.preview)
    beyond = within(joined.policy, enrolment)
    if beyond:
        return Judged(policy=None, findings=[*beyond, *joined.notices])
    return Judged(policy=joined.policy, findings=joined.notices)


def read_policy_at(source: Source, commit: str) -> Policy | Invalid | None:
    """Return the policy of a commit, what is wrong with it, or None where it has none."""
    try:
        content = source.read(POLICY_FILE, at=commit)
    except FileMissing:
        return None
    return read_policy(content)


def prepare_revision(
    source: Source,
    enrolment: Enrolment,
    *,
    builder: ImageBuilder,
    settings: Settings,
    into: Path,
    pull_request: int = 0,
) -> Prepared:
    """Judge, plan and bundle a fetched revision for a preview; the files go into the folder `into`."""
    policies = read_policy_at(source, source.protected), read_policy_at(source, source.revision.sha)
    return carry_out(
        source,
        judge(*policies, enrolment),
        enrolment,
        purpose=Purpose.PREVIEW,
        builder=builder,
        settings=settings,
        into=into,
        pull_request=pull_request,
    )


def carry_out(
    source: Source,
    judged: Judged,
    enrolment: Enrolment,
    *,
    purpose: Purpose,
    builder: ImageBuilder,
    settings: Settings,
    into: Path,
    pull_request: int = 0,
) -> Prepared:
    """Plan and bundle a fetched revision by the policy that it was judged to have."""
    sha = source.revision.sha
    if judged.policy is None:
        return stopped(source, f"{POLICY_FILE} cannot be used", judged.findings)
    policy = judged.policy
    inputs = find_inputs(source, policy.image, at=sha)
    contents = examine(source, at=sha, under=policy.package.source, limit=settings.max_bundle_bytes)
    terms = terms_of(policy.image, enrolment, purpose)
    examined = builder.examine(read_recipe(source, inputs, terms))
    notices = [*withheld(policy.image, terms), *judged.findings]
    problems = [*inputs.problems, *examined.findings, *contents.problems]
    if problems:
        return stopped(source, "the revision cannot be packaged", [*problems, *notices])
    bundle = make_bundle(source, contents, into=into)
    context = make_context(source, inputs, into=into)
    plan = make_plan(
        source,
        policy,
        inputs,
        terms=terms,
        examined=examined,
        builder=builder,
        purpose=purpose,
        pull_request=pull_request,
    ).model_copy(update={"context_bytes": context.size_bytes})
    return Prepared(
        verdict=Verdict(
            status=Status.PASSED,
            summary=f"changes {plan.change.value}",
            findings=[*notices, *bundle.notes],
        ),
        revision=source.revision,
        commit=source.commit,
        protected=source.protected,
        policy=policy,
        plan=plan,
        bundle=bundle,
        context=context,
    )


def fetch_revision(
    enrolment: Enrolment,
    sha: str,
    *,
    into: Path,
    settings: Settings,
    credentials: Credentials,
    environ: Mapping[str, str],
) -> Source:
    """Fetch the revision that a preview is asked for.

    Raises:
        UnknownRevision: `sha` is not the full SHA of a commit there; for the rest see `source.fetch`.
    """
    return fetch(
        Revision(repository=enrolment.repository, sha=checked_sha(sha)),
        base_branch=enrolment.protected_branch,
        into=into,
        settings=settings,
        credentials=credentials,
        environ=environ,
    )


def stopped(source: Source, why: str, findings: Sequence[Finding]) -> Prepared:
    """Return what is prepared where findings stop it."""
    count = f"{len(findings)} finding{'' if len(findings) == 1 else 's'}"
    return Prepared(
        verdict=Verdict(status=Status.FAILED, summary=f"{why}: {count}", findings=list(findings)),
        revision=source.revision,
        commit=source.commit,
        protected=source.protected,
    )


@task(
    requests=Resources(cpu="500m", mem="400Mi"),
    limits=Resources(cpu="2", mem="1Gi"),
    secret_requests=[*GIT_SECRETS, *REGISTRY_SECRETS],
    retries=2,
)
def prepare(enrolment: Enrolment, sha: str, pull_request: int) -> Prepared:
    """Fetch the revision and find out what is to be done with it; older previews of its pull request end."""
    settings = read_settings(os.environ)
    with connect(
        Config.auto(), timeout_s=settings.rpc_timeout_s, patience_s=settings.rpc_patience_s
    ) as flyte:
        home = home_of(flyte, enrolment.name)
        supersede_previews(home, own_execution().name, sha=sha, pull_request=pull_request)
    into = Path(current_context().working_directory)
    source = fetch_revision(
        enrolment,
        sha,
        into=into,
        settings=settings,
        credentials=read_credentials(current_context().secrets),
        environ=os.environ,
    )
    with image_builder(settings, os.environ, current_context().secrets) as builder:
        return prepare_revision(
            source, enrolment, builder=builder, settings=settings, into=into, pull_request=pull_request
        )
