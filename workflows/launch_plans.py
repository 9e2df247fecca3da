"""Every launch plan of Taxiway's, by name, and how each is made: the one place that says what may be asked.

A target's plan fixes everything that its callers must not choose: Flyte itself refuses an input that a
plan fixes. `taxiway.self-check` is the installation's own: which of its versions is ACTIVE, and the settings
that it carries, are read back from Flyte by whoever enrols a target.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from flyteidl.admin import common_pb2, launch_plan_pb2
from flyteidl.core import identifier_pb2, interface_pb2, literals_pb2, security_pb2

from tasks._enrolment import Enrolment
from tasks._errors import BadUsage
from tasks._names import plan_name
from tasks._typed import literal_of
from tasks.stage_state import UNASKED

SELF_CHECK = "taxiway.self-check"
SELF_CHECK_WORKFLOW = "workflows.self_check.self_check"
TARGET_LABEL = "taxiway-target"
FLOW_LABEL = "taxiway-flow"
FIXED = "enrolment"
"""The input of a target's workflows that its launch plans fix."""


@dataclass(frozen=True, kw_only=True)
class Flow:
    """One thing that is done with a target: a workflow, and what the callers of its launch plan give.

    `required` are inputs without a default; `kickoff` is the one that a schedule sets.
    """

    name: str
    workflow: str
    required: tuple[str, ...]
    defaults: Mapping[str, Any] = field(default_factory=dict)
    kickoff: str = ""


PREVIEW = Flow(
    name="preview",
    workflow="workflows.preview.preview",
    required=("sha",),
    defaults={"pull_request": 0, "attempt": 1},
)
RELEASE = Flow(
    name="release",
    workflow="workflows.release.release",
    required=("sha",),
    defaults={"attempt": 1, "simulate": False},
)
PROMOTE = Flow(
    name="promote", workflow="workflows.promote.promote", required=("sha", "stage"), defaults={"attempt": 1}
)
ACTIVATE = Flow(name="activate", workflow="workflows.activate.activate", required=("activation",))
ROLLBACK = Flow(
    name="rollback",
    workflow="workflows.rollback.rollback",
    required=("stage", "to", "reason"),
    defaults={"activation": UNASKED},
)
APPROVE = Flow(
    name="approve",
    workflow="workflows.approve.approve",
    required=("sha", "stage", "policy"),
    defaults={"approve": True, "comment": ""},
)
HOLD = Flow(
    name="hold",
    workflow="workflows.hold.hold",
    required=("stage", "reason"),
    defaults={"hold": True},
)
NIGHTLY = Flow(name="nightly", workflow="workflows.nightly.nightly", required=("kickoff",), kickoff="kickoff")
FLOWS = (PREVIEW, RELEASE, PROMOTE, ACTIVATE, ROLLBACK, APPROVE, HOLD, NIGHTLY)
"""The flows of a target; the preview comes first, for its plan is the one that says who is enrolled."""


@dataclass(frozen=True, kw_only=True)
class Installation:
    """Where Taxiway's own entities are, at which version, and what their tasks are given."""

    project: str
    domain: str
    version: str
    env: Mapping[str, str] = field(default_factory=dict)
    service_account: str = ""

    def workflow(self, name: str) -> identifier_pb2.Identifier:
        """Return the identifier of one of the installed workflows."""
        return identifier_pb2.Identifier(
            resource_type=identifier_pb2.WORKFLOW,
            project=self.project,
            domain=self.domain,
            name=name,
            version=self.version,
        )


def self_check_plan(installation: Installation) -> launch_plan_pb2.LaunchPlan:
    """Return the installation's own launch plan, which carries its settings."""
    spec = launch_plan_pb2.LaunchPlanSpec(
        workflow_id=installation.workflow(SELF_CHECK_WORKFLOW),
        labels=common_pb2.Labels(values={FLOW_LABEL: "self-check"}),
    )
    return _plan(SELF_CHECK, spec, installation)


def target_plan(
    flow: Flow,
    enrolment: Enrolment,
    literal: literals_pb2.Literal,
    interface: interface_pb2.TypedInterface,
    installation: Installation,
) -> launch_plan_pb2.LaunchPlan:
    """Return `taxiway.<flow>.<target>`: callers give what the flow says, and nothing else.

    `literal` is the enrolment as Flyte carries it, `interface` the installed workflow's. A version is made
    of the installation's and of a digest of the plan: the same enrolment is the same version, any other
    another one.

    Raises:
        BadUsage: the installed workflow takes other inputs.
    """
    spec = launch_plan_pb2.LaunchPlanSpec(
        workflow_id=installation.workflow(flow.workflow),
        fixed_inputs=literals_pb2.LiteralMap(literals={FIXED: literal}),
        default_inputs=_free_inputs(flow, interface),
        labels=common_pb2.Labels(values={FLOW_LABEL: flow.name, TARGET_LABEL: enrolment.name}),
        annotations=common_pb2.Annotations(values={"taxiway/repository": enrolment.repository}),
    )
    if flow.kickoff and enrolment.nightly:
        spec.entity_metadata.schedule.cron_schedule.schedule = enrolment.nightly
        spec.entity_metadata.schedule.kickoff_time_input_arg = flow.kickoff
    return _plan(plan_name(flow.name, enrolment.name), spec, installation)


def installation_of(plan: launch_plan_pb2.LaunchPlan) -> Installation:
    """Read back what `self_check_plan` wrote."""
    workflow = plan.spec.workflow_id
    return Installation(
        project=workflow.project,
        domain=workflow.domain,
        version=workflow.version,
        env={pair.key: pair.value for pair in plan.spec.envs.values},
        service_account=plan.spec.security_context.run_as.k8s_service_account,
    )


def _free_inputs(flow: Flow, interface: interface_pb2.TypedInterface) -> interface_pb2.ParameterMap:
    variables = interface.inputs.variables
    if set(variables) != {FIXED, *flow.required, *flow.defaults}:
        raise BadUsage(
            f"The installed {flow.name} workflow takes {', '.join(sorted(variables))}.",
            remedy="Run `taxiway install` with this version of Taxiway, then enrol again.",
        )
    parameters = {name: interface_pb2.Parameter(var=variables[name], required=True) for name in flow.required}
    for name, value in flow.defaults.items():
        parameters[name] = interface_pb2.Parameter(var=variables[name], default=literal_of(value))
    return interface_pb2.ParameterMap(parameters=parameters)


def _plan(
    name: str, spec: launch_plan_pb2.LaunchPlanSpec, installation: Installation
) -> launch_plan_pb2.LaunchPlan:
    pairs = [
        literals_pb2.KeyValuePair(key=key, value=value) for key, value in sorted(installation.env.items())
    ]
    spec.envs.CopyFrom(common_pb2.Envs(values=pairs))
    if installation.service_account:
        spec.security_context.CopyFrom(
            security_pb2.SecurityContext(
                run_as=security_pb2.Identity(k8s_service_account=installation.service_account)
            )
        )
    unique = hashlib.sha256(spec.SerializeToString(deterministic=True)).hexdigest()[:8]
    identifier = identifier_pb2.Identifier(
        resource_type=identifier_pb2.LAUNCH_PLAN,
        project=installation.project,
        domain=installation.domain,
        name=name,
        version=f"{installation.version}-{unique}",
    )
    return launch_plan_pb2.LaunchPlan(id=identifier, spec=spec)
