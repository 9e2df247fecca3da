"""A launch plan that ticks every second, and the versions of it that were activated, each with its times."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timezone

from flyteidl.admin.common_pb2 import NamedEntityIdentifier, ResourceListRequest, Sort
from flyteidl.admin.execution_pb2 import Execution, ExecutionMetadata
from flyteidl.admin.launch_plan_pb2 import LaunchPlan

from tasks._flyte import Flyte
from tasks._rewrite import LaunchSettings, Placement, rewrite
from tasks.converge import converge
from tasks.registration import register_all
from tasks.stage_state import Activation, Cause
from tests.integration.packaged import make_project
from tests.integration.released import package

PLAN, DOMAIN = "p0", "development"
_WAIT_S = 30.0


@dataclass(frozen=True, kw_only=True)
class Span:
    """When a version was ACTIVE, at the most: from before its activation to after that of the next one."""

    version: str
    began: datetime
    ended: datetime


@dataclass(kw_only=True)
class Ticking:
    """A stage whose only launch plan ticks. What it launches fails at once, for its image is nowhere."""

    flyte: Flyte
    project: str
    changes: list[tuple[str, datetime, datetime]] = field(default_factory=list)

    def register(self, versions: Sequence[str]) -> None:
        """Register versions of the launch plan, all with the same schedule."""
        make_project(self.flyte, self.project)
        entities = package([PLAN])
        plan = entities[-1].message
        assert isinstance(plan, LaunchPlan)
        plan.spec.entity_metadata.schedule.cron_schedule.schedule = "@every 1s"
        for version in versions:
            placement = Placement(
                project=self.project, domain=DOMAIN, version=version, bundle_uri="s3://b/c", destination="."
            )
            register_all(rewrite(entities, placement, LaunchSettings()), self.flyte)

    def activate(self, version: str) -> None:
        """Make a version the ACTIVE one, or with an empty one none."""
        after = {PLAN: version} if version else {}
        wanted = Activation(
            target="ticks",
            stage="live",
            project=self.project,
            domain=DOMAIN,
            generation=len(self.changes),
            cause=Cause.PROMOTION,
            before={PLAN: ""},
            after=after,
        )
        began = datetime.now(timezone.utc)
        converge(self.flyte, wanted)
        self.changes.append((version, began, datetime.now(timezone.utc)))

    @property
    def spans(self) -> Iterator[Span]:
        """When each version was ACTIVE."""
        for (version, began, _), (_, _, ended) in zip(self.changes, self.changes[1:], strict=False):
            yield Span(version=version, began=began, ended=ended)

    def ticks(self, version: str = "") -> list[Execution]:
        """Return what was launched by the schedule, or by one version of it, in its order."""
        terms = [f"eq(launch_plan.name,{PLAN})", f"eq(mode,{ExecutionMetadata.SCHEDULED})"]
        if version:
            terms.append(f"eq(launch_plan.version,{version})")
        request = ResourceListRequest(
            id=NamedEntityIdentifier(project=self.project, domain=DOMAIN),
            filters="+".join(terms),
            sort_by=Sort(key="created_at", direction=Sort.ASCENDING),
        )
        return list(self.flyte.pages("ListExecutions", request, "executions"))

    def await_tick(self, version: str) -> None:
        """Wait until a version has ticked."""
        deadline = time.monotonic() + _WAIT_S
        while not self.ticks(version):
            assert time.monotonic() < deadline, f"{version} did not tick within {_WAIT_S:g} s"
            time.sleep(0.2)
