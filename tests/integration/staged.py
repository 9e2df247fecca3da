"""Launch plans in a stage, and generations of it, without the promotions that they come from otherwise."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from typing import Any

from flyteidl.admin.project_pb2 import Project, ProjectRegisterRequest
from flytekit.configuration import Config, PlatformConfig

from tasks._entities import Entity
from tasks._errors import FlyteExists
from tasks._flyte import Flyte, connect
from tasks._home import Home
from tasks._rewrite import LaunchSettings, Placement, rewrite
from tasks.registration import register_all
from tasks.stage_state import Activation, Cause, active_plans
from tests.running import Cluster, Sandbox
from tests.unit.entities import a_plan, a_task, a_workflow


class Killed(Exception):
    """Ordered by a test: whoever makes calls ends between two of them."""


@dataclass(frozen=True, kw_only=True)
class Stage:
    """A stage of an enrolled target, in a project of its own."""

    home: Home
    flyte: Flyte
    project: str
    domain: str = "development"
    name: str = "production"

    def register(self, version: str, plans: Sequence[str]) -> None:
        """Register a version of one workflow and of launch plans of it."""
        package: list[Entity] = [a_task("t"), a_workflow("w", tasks=["t"])]
        for entity in package:
            entity.message.template.interface.SetInParent()
            entity.message.template.metadata.SetInParent()
        package += [a_plan(plan, "w") for plan in plans]
        placement = Placement(
            project=self.project, domain=self.domain, version=version, bundle_uri="s3://b/c", destination="."
        )
        register_all(rewrite(package, placement, LaunchSettings()), self.flyte)

    @property
    def active(self) -> dict[str, list[str]]:
        return active_plans(self.flyte, self.project, self.domain)

    def activation(self, generation: int, after: dict[str, str], **more: Any) -> Activation:
        values = {
            "target": self.home.target,
            "stage": self.name,
            "project": self.project,
            "domain": self.domain,
            "generation": generation,
            "cause": Cause.ADOPTION,
            "after": after,
            "before": after,
        }
        return Activation.model_validate({**values, **more})


@contextmanager
def stage(cluster: Cluster, *, target: str, project: str) -> Iterator[Stage]:
    """Yield a stage in a project of its own."""
    with connect(Config(platform=PlatformConfig(endpoint=cluster.endpoint, insecure=True))) as flyte:
        with suppress(FlyteExists):
            flyte.call("RegisterProject", ProjectRegisterRequest(project=Project(id=project, name=project)))
        home = Home(flyte=flyte, project="taxiway", domain="production", target=target)
        yield Stage(home=home, flyte=flyte, project=project)


def killed_after(flyte: Flyte, updates: int) -> Flyte:
    """Return a connection whose user is killed at the update of a launch plan after so many of them."""
    left = iter(range(updates))
    update = flyte.rpcs["UpdateLaunchPlan"]

    def once(request: Any, timeout: float) -> Any:
        if next(left, None) is None:
            raise Killed
        return update(request, timeout=timeout)

    return replace(flyte, rpcs={**flyte.rpcs, "UpdateLaunchPlan": once})


def counted(flyte: Flyte, calls: list[str]) -> Flyte:
    """Return a connection that notes the name of each call."""

    def noting(name: str, rpc: Any) -> Any:
        def once(request: Any, timeout: float) -> Any:
            calls.append(name)
            return rpc(request, timeout=timeout)

        return once

    return replace(flyte, rpcs={name: noting(name, rpc) for name, rpc in flyte.rpcs.items()})


def force_active(sandbox: Sandbox, project: str, name: str, version: str) -> None:
    """Set a version ACTIVE beside whatever is, as only a race inside Flyte can."""
    with sqlite3.connect(sandbox.state / "flyte.db", timeout=30) as database:
        database.execute("DROP INDEX IF EXISTS one_active_launch_plan")  # the sandbox's own never leaves two
        changed = database.execute(
            "UPDATE entities SET state = 1"
            " WHERE resource_type = 3 AND project = ? AND name = ? AND version = ?",
            (project, name, version),
        ).rowcount
    database.close()
    assert changed == 1
