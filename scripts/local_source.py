"""A revision of a repository on this machine, read as a fetched one is, and what its image is made from."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tasks._builder import Examined, ImageBuilder, Purpose
from tasks._enrolment import ANY, Enrolment, Limits, PreviewStage
from tasks._errors import BadUsage, FileMissing, UnknownRevision
from tasks._git import Repository, git_environment
from tasks._git_url import masked_urls
from tasks._run import run
from tasks._toml import Invalid
from tasks._types import Finding, Revision
from tasks.plan import (
    Inputs,
    find_inputs,
    fingerprint_of,
    ingredients_of,
    read_recipe,
    terms_of,
)
from tasks.policy import POLICY_FILE, Policy, missing, read_policy
from tasks.source import Base, Commit, Source

_GIT_S = 60


@dataclass(frozen=True, kw_only=True)
class Made:
    """What an image of a revision is made from; with `findings`, it cannot be built."""

    source: Source
    findings: Sequence[Finding] = ()
    policy: Policy | None = None
    inputs: Inputs | None = None
    examined: Examined | None = None
    ingredients: dict[str, str] | None = None

    @property
    def fingerprint(self) -> str:
        """The fingerprint of the ingredients."""
        return fingerprint_of(self.ingredients or {})


@contextmanager
def local_source(directory: Path, revision: str) -> Iterator[Source]:
    """Give the commit that `revision` names in the repository that `directory` is in.

    Raises:
        BadUsage: it is in none.
        UnknownRevision: there is no such commit.
    """
    done = run(
        ["git", "-C", directory, "rev-parse", "--absolute-git-dir"], timeout_s=_GIT_S, expect=range(256)
    )
    if done.code:
        raise BadUsage(f"{directory} is in no git repository.", remedy="Give one with --directory.")
    origin = run(["git", "-C", directory, "remote", "get-url", "origin"], timeout_s=_GIT_S, expect=range(256))
    url = masked_urls(origin.stdout.strip()) or directory.absolute().as_uri()
    with tempfile.TemporaryDirectory(prefix="taxiway-") as home:
        repository = Repository(
            path=Path(done.stdout.strip()),
            url=url,
            env=git_environment(os.environ, home=Path(home), allow_file=True),
            timeout_s=_GIT_S,
        )
        sha = repository.commit_of(revision)
        if not sha:
            raise UnknownRevision(
                f"{directory} has no commit {revision}.", remedy="Name a commit, a branch or a tag."
            )
        yield Source(
            repository=repository,
            revision=Revision(repository=url, sha=sha),
            commit=Commit(sha=sha, author="", authored_at="", subject=""),
            protected=sha,
            base=Base(sha="", because="of a local revision, only the image is planned"),
        )


def local_enrolment(source: Source) -> Enrolment:
    """Return the enrolment that a person's own build goes by: they may give what they have."""
    return Enrolment(
        name="local",
        repository=source.revision.repository,
        preview=PreviewStage(project="local", domain="development", build_secrets=[ANY]),
        limits=Limits(build_networks=[ANY]),
    )


def made_from(source: Source, builder: ImageBuilder) -> Made:
    """Find out what the image of a revision is made from, as a preview does."""
    sha = source.revision.sha
    try:
        policy = read_policy(source.read(POLICY_FILE, at=sha))
    except FileMissing:
        return Made(source=source, findings=[missing()])
    if isinstance(policy, Invalid):
        return Made(source=source, findings=policy.findings)
    inputs = find_inputs(source, policy.image, at=sha)
    terms = terms_of(policy.image, local_enrolment(source), Purpose.PREVIEW)
    examined = builder.examine(read_recipe(source, inputs, terms))
    findings = [*inputs.problems, *examined.findings]
    return Made(
        source=source,
        findings=findings,
        policy=policy,
        inputs=inputs,
        examined=examined,
        ingredients=ingredients_of(inputs.files, policy.image, examined.traits),
    )
