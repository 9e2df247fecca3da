"""A promotion that gates are asked about, and a ledger of executions that stands for Flyte's lists."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta, timezone
from typing import Any

from flyteidl.admin.execution_pb2 import Execution, ExecutionList, WorkflowExecutionGetDataResponse
from flyteidl.admin.launch_plan_pb2 import LaunchPlan
from flyteidl.core.execution_pb2 import WorkflowExecution
from flyteidl.core.identifier_pb2 import Identifier
from flytekit.configuration import Config, PlatformConfig

from tasks._enrolment import Enrolment, Identity, PreviewStage
from tasks._errors import FlyteNotFound
from tasks._flyte import Flyte
from tasks._home import Home
from tasks._typed import literals
from tasks._types import Image, Revision
from tasks.gates import Asked
from tasks.manifest import Manifest, StoredFile
from tasks.policy import Gates, ImagePolicy, PackagePolicy, Policy, Stage
from tasks.promotion_records import PromotionReport, PromotionStatus
from tasks.stage_state import Activation, Cause, Generation, StageState, notes_of

SHA, OLDER, NEWER = "4f0c1d2e3b5a69788796a5b4c3d2e1f001122334", "a" * 40, "b" * 40
DIGEST = "sha256:" + "ab" * 32
OTHER_DIGEST = "sha256:" + "cd" * 32
NOW = datetime(2026, 3, 4, 12, 0, tzinfo=timezone.utc)
INSTALLED = "taxiway-1-abcdef01"
PLAN = "fraud.workflows.nightly"
ENROLMENT = Enrolment(
    name="fraud",
    repository="https://git.example.com/risk/fraud",
    preview=PreviewStage(project="fraud-previews", domain="development"),
    identities={
        "00u-lead": Identity(name="lead", git=["Lead@example.com"], groups=["risk-leads"]),
        "00u-lead-2": Identity(name="lead", git=["lead@example.com"], groups=["risk-leads"]),
        "00u-deputy": Identity(name="deputy", git=["deputy@example.com"], groups=["risk-leads"]),
        "00u-dev": Identity(name="dev", git=["dev@example.com"]),
    },
)
MANIFEST = Manifest(
    target="fraud",
    revision=Revision(repository=ENROLMENT.repository, sha=SHA),
    version=SHA,
    image=Image(reference=f"registry.example.com/fraud@{DIGEST}", fingerprint=DIGEST),
    bundle=StoredFile(uri="s3://bucket/code.tar.gz", digest=DIGEST, entries=9),
    package=StoredFile(uri="s3://bucket/package.tgz", digest=DIGEST, entries=3),
    destination=".",
    policy=DIGEST,
    author=["dev@example.com"],
    created="2026-03-01T00:00:00+00:00",
)


@dataclass(kw_only=True)
class Ledger:
    """Executions as Flyte lists them, by the filters that the gates use and no others; counts its calls."""

    executions: dict[str, Execution] = field(default_factory=dict)
    data: dict[str, WorkflowExecutionGetDataResponse] = field(default_factory=dict)
    calls: list[str] = field(default_factory=list)

    def add(
        self,
        name: str,
        flow: str,
        *,
        inputs: Mapping[str, Any] | None = None,
        outputs: Mapping[str, Any] | None = None,
        at: datetime = NOW,
        took: timedelta = timedelta(minutes=1),
        phase: str = "SUCCEEDED",
        principal: str = "",
        tags: Sequence[str] = (),
        plan: Identifier | None = None,
        change: Callable[[Execution], None] = lambda execution: None,
    ) -> Execution:
        execution = Execution()
        execution.id.name = name
        execution.spec.launch_plan.CopyFrom(plan or plan_id(flow))
        execution.spec.metadata.principal = principal
        execution.spec.tags.extend(tags)
        execution.closure.phase = WorkflowExecution.Phase.Value(phase)
        execution.closure.created_at.FromDatetime(at)
        execution.closure.updated_at.FromDatetime(at + took)
        change(execution)
        self.executions[name] = execution
        self.data[name] = WorkflowExecutionGetDataResponse(
            full_inputs=literals(inputs or {}), full_outputs=literals(outputs or {})
        )
        return execution

    def flyte(self) -> Flyte:
        rpcs = {
            "ListExecutions": self._list,
            "GetExecution": lambda request: self._find(self.executions, request.id.name),
            "GetExecutionData": lambda request: self._find(self.data, request.id.name),
            "GetActiveLaunchPlan": lambda request: LaunchPlan(id=plan_id(request.id.name.split(".")[1])),
        }
        counted = {name: self._counted(name, rpc) for name, rpc in rpcs.items()}
        return Flyte(config=Config(platform=PlatformConfig(endpoint="here")), rpcs=counted)

    def _counted(self, name: str, rpc: Callable[[Any], Any]) -> Callable[..., Any]:
        def call(request: Any, timeout: float) -> Any:
            self.calls.append(name)
            return rpc(request)

        return call

    def _find(self, where: Mapping[str, Any], name: str) -> Any:
        if name not in where:
            raise FlyteNotFound("There is none.", remedy="Look.", status="NOT_FOUND", details="")
        return where[name]

    def _list(self, request: Any) -> ExecutionList:
        found = list(self.executions.values())
        for term in request.filters.split("+"):
            how, _, rest = term.rstrip(")").partition("(")
            name, _, value = rest.partition(",")
            found = [one for one in found if _matches(one, how, name, value)]
        found.sort(key=lambda one: one.closure.created_at.ToNanoseconds(), reverse=True)
        return ExecutionList(executions=found[: request.limit])


def _matches(one: Execution, how: str, name: str, value: str) -> bool:
    if (how, name) == ("gte", "execution_created_at"):
        return bool(f"{one.closure.created_at.ToDatetime():%Y-%m-%dT%H:%M:%SZ}" >= value)
    if (how, name) == ("eq", "admin_tag.name"):
        return value in one.spec.tags
    field_of = {
        "launch_plan.name": one.spec.launch_plan.name,
        "launch_plan.version": one.spec.launch_plan.version,
        "phase": WorkflowExecution.Phase.Name(one.closure.phase),
    }
    assert how in ("eq", "value_in"), how
    return field_of[name] in value.split(";")


def plan_id(flow: str, **changed: str) -> Identifier:
    """The installed launch plan of a flow, or one that looks like it."""
    values = {"project": "taxiway", "domain": "production", "name": f"taxiway.{flow}.fraud"}
    return Identifier(**{**values, "version": INSTALLED, **changed})


def stage(name: str = "production", **gates: Any) -> Stage:
    return Stage(name=name, project="fraud", domain=name, activate=[PLAN], gates=Gates.model_validate(gates))


def activation(**changed: Any) -> Activation:
    values: dict[str, Any] = {
        "target": "fraud",
        "stage": "staging",
        "project": "fraud",
        "domain": "staging",
        "generation": 3,
        "cause": Cause.PROMOTION,
        "sha": SHA,
        "version": SHA,
        "manifest": MANIFEST.digest,
        "after": {PLAN: SHA},
        "asked_by": "promote-1",
    }
    return Activation.model_validate({**values, **changed})


def state(
    record: Activation | None,
    *,
    of: Stage | None = None,
    active: Mapping[str, list[str]] | None = None,
    phase: str = "SUCCEEDED",
    at: datetime = NOW - timedelta(days=2),
) -> StageState:
    """A stage that stands as its last record says, unless told otherwise."""
    runs = {name: [version] for name, version in record.after.items()} if record else {}
    where = of or stage("staging")
    if record is None:
        return StageState(stage=where, active=active or {})
    last = Generation(
        execution="fraud-staging-g3",
        number=record.generation,
        cause=record.cause,
        stage=record.stage,
        sha=record.sha,
        version=record.version,
        manifest=record.manifest,
        phase=phase,
        at=at.timestamp(),
        principal="",
    )
    return StageState(stage=where, active=runs if active is None else active, last=last, record=record)


def asked(
    ledger: Ledger | None = None,
    *,
    before: StageState | None = None,
    running: StageState | None = None,
    wanted: Stage | None = None,
    enrolment: Enrolment = ENROLMENT,
    now: datetime = NOW,
    source: Any = None,
) -> Asked:
    """A promotion of the release into production, which comes after staging where `before` is given."""
    flyte = (ledger or Ledger()).flyte()
    wanted = wanted or stage()
    policy = Policy(
        package=PackagePolicy(modules=["fraud"]),
        image=ImagePolicy(repository="registry.example.com/fraud"),
        stage=[stage("staging"), wanted],
    )
    return Asked(
        enrolment=enrolment,
        policy=policy,
        policy_digest=DIGEST,
        manifest=MANIFEST,
        stage=wanted,
        previous=before.stage if before else None,
        state=running or state(None, of=wanted),
        before=before,
        home=Home(flyte=flyte, project="taxiway", domain="production", target="fraud"),
        flyte=flyte,
        source=source,
        now=now,
    )


def promoted(ledger: Ledger, name: str = "promote-1", status: str = "promoted", **changed: Any) -> None:
    """Record a promotion that ended two days ago."""
    report = PromotionReport(stage="staging", sha=SHA, status=PromotionStatus(status))
    values: dict[str, Any] = {"at": NOW - timedelta(days=2), "outputs": {"o0": report}}
    ledger.add(name, "promote", **{**values, **changed})


def generation(ledger: Ledger, name: str, record: Activation) -> None:
    """Record the execution of a generation."""

    def annotate(execution: Execution) -> None:
        execution.spec.annotations.values.update(notes_of(record))

    ledger.add(name, "activate", inputs={"activation": record}, change=annotate)
