"""What a release is carried by, looked at as it is now: the policy in force, every stage, its gates."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import dataclass
from datetime import datetime, timezone
from pathlib import Path

from flytekit import current_context
from flytekit.configuration import Config

from tasks._enrolment import Enrolment
from tasks._errors import TaxiwayError
from tasks._flyte import Flyte, connect
from tasks._git_credentials import read_credentials
from tasks._home import Home
from tasks._own import home_of
from tasks._settings import read_settings
from tasks._stage_flyte import open_stage, read_stage_credentials
from tasks.entry_gates import ENTRY_GATES, judge_all
from tasks.gates import Asked, GateVerdict
from tasks.manifest import Manifest
from tasks.policy import Policy, Stage
from tasks.prepare import fetch_revision
from tasks.preview_order import stage_settings
from tasks.promotion import placement_of, policy_in_force, stages_of, version_in_stage
from tasks.releases import read_entities
from tasks.simulation import simulate
from tasks.simulation_records import Simulation
from tasks.source import Source
from tasks.stage_state import StageState, read_stage


@dataclass(frozen=True, kw_only=True)
class Look:
    """What a release is carried by: the revision, the policy in force, the records, the stages' Flytes."""

    enrolment: Enrolment
    source: Source
    policy: Policy
    home: Home
    credentials: Mapping[str, Mapping[str, str]]

    def open(self, stage: Stage) -> AbstractContextManager[Flyte]:
        """Open the Flyte of a stage."""
        return open_stage(stage.endpoint, self.home.flyte, self.credentials)

    def state(self, stage: Stage, flyte: Flyte) -> StageState:
        """Read what a stage runs."""
        return read_stage(self.home, flyte, stage)

    def gates(self, manifest: Manifest, stage: Stage, flyte: Flyte, state: StageState) -> list[GateVerdict]:
        """Ask a stage's entry gates about a release, as things are now.

        Where the stage before is at another Flyte that cannot be asked, its gates say so and wait.
        """
        _, previous = stages_of(self.policy, stage.name)
        with ExitStack() as stack:
            before, there, lost = self._before(previous, stack)
            asked = Asked(
                enrolment=self.enrolment,
                policy=self.policy,
                policy_digest=self.policy.digest,
                manifest=manifest,
                stage=stage,
                previous=previous,
                state=state,
                before=before,
                home=self.home,
                flyte=flyte,
                flyte_before=there,
                source=self.source,
                now=datetime.now(timezone.utc),
                lost=lost,
            )
            return judge_all(ENTRY_GATES, asked)

    def _before(
        self, previous: Stage | None, stack: ExitStack
    ) -> tuple[StageState | None, Flyte | None, str]:
        if previous is None:
            return None, None, ""
        try:
            there = stack.enter_context(self.open(previous))
            return self.state(previous, there), there, ""
        except TaxiwayError as error:
            if not previous.endpoint:
                raise
            return None, None, error.problem


@contextmanager
def looking(enrolment: Enrolment, sha: str, *, into: Path, environ: Mapping[str, str]) -> Iterator[Look]:
    """Find everything that a release is carried by, as it is now.

    Raises:
        PolicyInvalid: the policy in force cannot be used.
    """
    settings = read_settings(environ)
    secrets = current_context().secrets
    source = fetch_revision(
        enrolment, sha, into=into, settings=settings, credentials=read_credentials(secrets), environ=environ
    )
    with connect(Config.auto(), timeout_s=settings.rpc_timeout_s, patience_s=settings.rpc_patience_s) as own:
        yield Look(
            enrolment=enrolment,
            source=source,
            policy=policy_in_force(source, enrolment),
            home=home_of(own, enrolment.name),
            credentials=read_stage_credentials(secrets),
        )


def simulated(look: Look, manifest: Manifest) -> Simulation:
    """Say what a release would do in every stage. Nothing is written."""
    entities = read_entities(look.home, manifest)

    def version(stage: Stage, flyte: Flyte) -> str:
        placement = placement_of(stage, manifest, version=manifest.version, bundle_uri="-")
        return version_in_stage(flyte, entities, placement, stage_settings(stage))

    return simulate(
        look.policy.stage,
        entities,
        version=version,
        open_flyte=look.open,
        state=look.state,
        gates=lambda stage, flyte, state: look.gates(manifest, stage, flyte, state),
    )
