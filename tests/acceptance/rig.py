"""A sandbox to be struck: its tasks reach it through a wire, and promotions are held at chosen points."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests import running
from tests.acceptance.promoting import Bench
from tests.acceptance.staging import Target
from tests.acceptance.wire import Hold, Wire, wire
from tests.integration.packaged import flyte_of
from tests.repositories import Repository
from tests.running import Sandbox


@dataclass(frozen=True, kw_only=True)
class Rig:
    """A sandbox with Taxiway installed, the wire to it, and what makes targets there."""

    sandbox: Sandbox
    wire: Wire
    bench: Bench

    def at_the_gates(self, target: Target) -> Hold:
        """Hold a promotion that has begun, as it looks for others."""
        flow = f"taxiway.promote.{target.home.target}"
        return self.wire.hold("ListExecutions", lambda asked: flow in asked.filters)

    def registering(self, target: Target) -> Hold:
        """Hold a promotion that has registered some of its release, before it registers all."""
        place = target.stage.project, "p1"
        return self.wire.hold("CreateLaunchPlan", lambda asked: (asked.id.project, asked.id.name) == place)

    def registered(self, target: Target) -> Hold:
        """Hold a promotion that has registered and proved its release, before it launches an activation."""
        return self.wire.hold("CreateExecution", lambda asked: asked.name == target.generation(0))

    def after_one(self, target: Target) -> Hold:
        """Hold an activation that has done the first of its three launch plans."""
        place = target.stage.project, "p1"
        return self.wire.hold("UpdateLaunchPlan", lambda asked: (asked.id.project, asked.id.name) == place)

    def after_all(self, target: Target) -> Hold:
        """Hold an activation that has done all three, before it knows."""
        place = target.stage.project, "p2"
        return self.wire.hold(
            "UpdateLaunchPlan", lambda asked: (asked.id.project, asked.id.name) == place, answered=True
        )

    def finding_all_done(self, target: Target) -> Hold:
        """Hold the next try of an activation that had done all three, as it looks."""
        place, own = target.stage.project, target.generation(0)
        return self.wire.hold("ListActiveLaunchPlans", lambda asked: asked.project == place, by=own)


@contextmanager
def rig(folder: Path) -> Iterator[Rig]:
    """Start a sandbox of its own, with all that belongs to it in `folder`."""
    repository = Repository.create(
        folder / "targets.git", uploadpack_allowFilter="true", uploadpack_allowAnySHA1InWant="true"
    )
    with (
        running.sandbox(folder / "state") as sandbox,
        wire(sandbox.endpoint) as between,
        flyte_of(sandbox) as flyte,
    ):
        sandbox.install("--cluster-endpoint", between.endpoint)
        bench = Bench(flyte=flyte, image=sandbox.default_image, repository=repository, folder=folder)
        yield Rig(sandbox=sandbox, wire=between, bench=bench)
