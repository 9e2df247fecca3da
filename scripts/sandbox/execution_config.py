"""What an execution runs with: the request's settings, else the launch plan's, else the project's, else ours.

Whole fields are merged, never their contents: labels of the request replace those of the launch plan.
Source: flyteadmin `getExecutionConfig`, `MergeIntoExecConfig`.
"""

from __future__ import annotations

from typing import Protocol

from flyteidl.admin.common_pb2 import Annotations, AuthRole, Envs, Labels, RawOutputDataConfig
from flyteidl.admin.execution_pb2 import ExecutionSpec
from flyteidl.admin.launch_plan_pb2 import LaunchPlanSpec
from flyteidl.admin.matchable_resource_pb2 import WorkflowExecutionConfig
from flyteidl.core.security_pb2 import Identity, SecurityContext
from google.protobuf.wrappers_pb2 import BoolValue

DEFAULT_MAX_PARALLELISM = 25


class Layer(Protocol):
    """The fields that a request, a launch plan and a matchable resource have in common."""

    max_parallelism: int
    security_context: SecurityContext
    raw_output_data_config: RawOutputDataConfig
    labels: Labels
    annotations: Annotations
    envs: Envs
    interruptible: BoolValue
    overwrite_cache: bool

    def HasField(self, field_name: str) -> bool:  # noqa: N802, D102  (protobuf's name)
        ...


def merged_config(
    spec: ExecutionSpec, plan: LaunchPlanSpec | None, stored: list[WorkflowExecutionConfig]
) -> WorkflowExecutionConfig:
    """Merge the layers, the first that says something winning; `stored` are attributes, nearest first."""
    config = WorkflowExecutionConfig()
    layers: list[Layer] = [spec, *([plan] if plan is not None else []), *stored]
    for layer in layers:
        _merge(config, layer)
    if not config.HasField("security_context"):
        role = _auth_role(spec, plan)
        config.security_context.run_as.CopyFrom(
            Identity(iam_role=role.assumable_iam_role, k8s_service_account=role.kubernetes_service_account)
        )
    config.security_context.run_as.SetInParent()
    config.max_parallelism = config.max_parallelism or DEFAULT_MAX_PARALLELISM
    return config


def _merge(config: WorkflowExecutionConfig, layer: Layer) -> None:
    if config.max_parallelism == 0 and layer.max_parallelism > 0:
        config.max_parallelism = layer.max_parallelism
    if not config.HasField("security_context") and _names_somebody(layer.security_context.run_as):
        config.security_context.CopyFrom(layer.security_context)
    if not config.raw_output_data_config.output_location_prefix:
        prefix = layer.raw_output_data_config.output_location_prefix
        if prefix:
            config.raw_output_data_config.output_location_prefix = prefix
    for field in ("labels", "annotations", "envs"):
        if not getattr(config, field).values and getattr(layer, field).values:
            getattr(config, field).CopyFrom(getattr(layer, field))
    if not config.HasField("interruptible") and layer.HasField("interruptible"):
        config.interruptible.CopyFrom(layer.interruptible)
    config.overwrite_cache = config.overwrite_cache or layer.overwrite_cache


def _names_somebody(identity: Identity) -> bool:
    return bool(identity.k8s_service_account or identity.iam_role or identity.execution_identity)


def _auth_role(spec: ExecutionSpec, plan: LaunchPlanSpec | None) -> AuthRole:
    """Return the role from the deprecated fields, the request's first."""
    if spec.HasField("auth_role") or plan is None:
        return spec.auth_role
    if plan.HasField("auth_role"):
        return plan.auth_role
    if plan.HasField("auth"):
        return AuthRole(
            assumable_iam_role=plan.auth.assumable_iam_role,
            kubernetes_service_account=plan.auth.kubernetes_service_account,
        )
    return AuthRole(assumable_iam_role=plan.role)
