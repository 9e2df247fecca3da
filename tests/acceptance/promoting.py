"""Targets whose releases are there without having been built, so that their promotions can be tried out.

All else is real: the repository with its policy, the enrolment, the launch plans, the stage; see
`tests.integration.released` for the releases.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from scripts.enrolling import enrol
from scripts.enrolments import Enrolled
from tasks import policy
from tasks._enrolment import Enrolment, Limits, PreviewStage
from tasks._flyte import Flyte
from tasks._home import Home
from tasks.converge import converge
from tasks.stage_state import Activation, Cause
from tests.acceptance.staging import PLANS, Target
from tests.integration.packaged import make_project, register
from tests.integration.released import make_manifest, package, record_release
from tests.repositories import Repository

HOME: Mapping[str, Any] = {"project": "taxiway", "domain": "production"}
STAGE, DOMAIN = "live", "development"
BEFORE = "before"
"""The version that a stage runs before its first promotion."""
_POLICY = """
[package]
modules = ["flows"]
[image]
repository = "registry.example.com/flows"
[[stage]]
name = "{stage}"
project = "{project}"
domain = "{domain}"
activate = {plans}
on_conflict = "{on_conflict}"
verify = "none"
"""


@dataclass(frozen=True, kw_only=True)
class Bench:
    """A Flyte with Taxiway installed, and the repository that holds every target on a branch of its own."""

    flyte: Flyte
    image: str
    repository: Repository
    folder: Path

    def target(self, name: str, *, releases: int, on_conflict: str = "wait") -> Target:
        """Make a target of this name with so many releases."""
        make_project(self.flyte, name)
        text = _POLICY.format(
            stage=STAGE, project=name, domain=DOMAIN, plans=PLANS, on_conflict=on_conflict
        ).replace("'", '"')
        read = policy.read_policy(text.encode())
        assert isinstance(read, policy.Policy), read
        shas = [self.repository.commit({"taxiway.toml": text}, branch=name)]
        for number in range(1, releases):
            files = {"taxiway.toml": text, "README.md": f"Release {number}"}
            shas.append(self.repository.commit(files, branch=name, parent=shas[-1]))
        home = Home(flyte=self.flyte, target=name, **HOME)
        made = Target(home=home, enrolled=self._enrolled(name), stage=read.stage[0], shas=shas)
        for sha in shas:
            manifest = make_manifest(home, self.repository.url, sha, self.folder, PLANS)
            record_release(home, manifest, image=self.image)
        self._run_before(made)
        return made

    def _enrolled(self, name: str) -> Enrolled:
        enrolment = Enrolment(
            name=name,
            repository=self.repository.url,
            protected_branch=name,
            preview=PreviewStage(project=name, domain=DOMAIN),
            limits=Limits(projects=["*"], domains=["*"], images=["*"]),
        )
        return enrol(self.flyte, enrolment, **HOME).enrolled

    def _run_before(self, target: Target) -> None:
        stage = target.stage
        register(self.flyte, package(PLANS), stage, BEFORE)
        wanted = Activation(
            target=target.home.target,
            stage=stage.name,
            project=stage.project,
            domain=stage.domain,
            generation=0,
            cause=Cause.ADOPTION,
            after=dict.fromkeys(PLANS, BEFORE),
        )
        converge(self.flyte, wanted)
