"""What a package may contain: nothing in it is believed, everything beyond the enrolment is refused.

Admission sees what was packaged. What a `@dynamic` task makes of itself at run time it cannot see: that is
kept in by where previews run, a project, a service account and a storage prefix of their own.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from flyteidl.admin.launch_plan_pb2 import LaunchPlan, LaunchPlanSpec
from flyteidl.core.security_pb2 import SecurityContext
from flyteidl.core.tasks_pb2 import Container, K8sPod, TaskTemplate
from flyteidl.core.workflow_pb2 import TaskNodeOverrides
from google.protobuf.json_format import MessageToDict

from tasks import _pods
from tasks._enrolment import Enrolment
from tasks._entities import Entity, nodes, templates
from tasks._permits import permits, permits_image
from tasks._rewrite import identifiers
from tasks._types import Finding, Status, Verdict
from tasks.limits import permits_prefix

CONTAINER_TYPES = frozenset({"python-task", "container", "raw-container", "container_array", "echo"})
"""The types of tasks that run in a container of their own image, or in none; others need the enrolment."""
_RESERVED = ("_F_", "FLYTE_INTERNAL_", "FLYTE_PLATFORM_", "FLYTECTL_")
_OWN_RESERVED = frozenset({"_F_SS_C"})
_HARMLESS_KEYS = frozenset({"cluster-autoscaler.kubernetes.io/safe-to-evict"})
_OWN_CONFIG = frozenset({"primary_container_name"})
_POD_WORDS = frozenset({
    "hostPath", "hostNetwork", "hostPID", "hostIPC", "privileged", "serviceAccount", "serviceAccountName",
    "imagePullSecrets", "secretKeyRef", "secretName", "envFrom",
})  # fmt: skip


@dataclass(frozen=True, kw_only=True)
class Allowances:
    """What a package may name. `images` are repositories, `image` is the target's own by digest."""

    image: str
    project: str
    domain: str
    images: list[str]
    service_accounts: list[str]
    iam_roles: list[str]
    data_prefixes: list[str]
    secret_groups: list[str]
    task_types: list[str]


def preview_allowances(enrolment: Enrolment, image: str) -> Allowances:
    """Return what a preview's package may name: less than a release's, for nobody has reviewed it.

    No service account but the preview's own, no role, no storage but the preview's, and secrets only where
    the enrolment names them for previews.
    """
    preview, limits = enrolment.preview, enrolment.limits
    return Allowances(
        image=image,
        project=preview.project,
        domain=preview.domain,
        images=limits.images,
        service_accounts=[preview.service_account],
        iam_roles=[],
        data_prefixes=[preview.data_prefix] if preview.data_prefix else [],
        secret_groups=preview.secret_groups,
        task_types=limits.task_types,
    )


def release_allowances(enrolment: Enrolment, image: str) -> Allowances:
    """Return what a release's package may name: everything within the enrolment's limits.

    It belongs to no project and domain yet, so it may name none.
    """
    limits = enrolment.limits
    return Allowances(
        image=image,
        project="",
        domain="",
        images=limits.images,
        service_accounts=limits.service_accounts,
        iam_roles=limits.iam_roles,
        data_prefixes=limits.data_prefixes,
        secret_groups=limits.secret_groups,
        task_types=limits.task_types,
    )


def admit(entities: Iterable[Entity], allowed: Allowances) -> Verdict:
    """Judge a package; nothing of it is registered unless this passes."""
    findings = [finding for entity in entities for finding in _examine(entity, allowed)]
    if not findings:
        return Verdict(status=Status.PASSED, summary="the package stays within the enrolment")
    count = len({finding.where.partition(": ")[0] for finding in findings})
    summary = (
        f"{count} {'entity asks' if count == 1 else 'entities ask'} for what the enrolment does not allow"
    )
    return Verdict(status=Status.FAILED, summary=summary, findings=findings)


@dataclass(frozen=True, kw_only=True)
class _Asked:
    """One thing that an entity asks for and may not have."""

    field: str
    problem: str
    remedy: str


def _examine(entity: Entity, allowed: Allowances) -> Iterator[Finding]:
    message = entity.message
    asked = list(_references(entity, allowed))
    if isinstance(message, LaunchPlan):
        asked += _launch_plan(message.spec, allowed)
    elif isinstance(message.template, TaskTemplate):
        asked += _task(message.template, allowed)
    else:
        for template in templates(message):
            for node in nodes(template):
                if node.HasField("task_node"):
                    path = (
                        f"node {node.id}" if template is message.template else f"{template.id.name} {node.id}"
                    )
                    asked += _overrides(path, node.task_node.overrides, allowed)
    for one in asked:
        yield Finding(where=f"{entity}: {one.field}", problem=one.problem, remedy=one.remedy)


def _references(entity: Entity, allowed: Allowances) -> Iterator[_Asked]:
    own = {"project": allowed.project, "domain": allowed.domain}
    if entity.id.version not in ("", "{{ registration.version }}"):
        yield _Asked(
            field="id.version",
            problem=f"It chooses its own version, {entity.id.version!r}.",
            remedy="Leave the version out; registration gives every entity the same one.",
        )
    for index, identifier in enumerate(identifiers(entity.message)):
        for field, place in own.items():
            value = str(getattr(identifier, field))
            if value in ("", place) or value.replace(" ", "") == f"{{{{registration.{field}}}}}":
                continue
            yield _Asked(
                field=f"id.{field}" if index == 0 else f"reference to {identifier.name}",
                problem=f"It names the {field} {value!r}, and belongs to {allowed.project}/{allowed.domain}.",
                remedy=f"Leave the {field} out, or import what it refers to instead of referring to it.",
            )


def _task(template: TaskTemplate, allowed: Allowances) -> Iterator[_Asked]:
    if template.type not in CONTAINER_TYPES and not permits(allowed.task_types, template.type):
        yield _Asked(
            field="type",
            problem=f"Tasks of the type {template.type!r} are more than a container of the target's image.",
            remedy="Have an administrator add the type to `limits.task_types`.",
        )
    if template.metadata.pod_template_name:
        yield _Asked(
            field="metadata.pod_template_name",
            problem=f"It asks for the cluster's pod template {template.metadata.pod_template_name!r}.",
            remedy="Give the pod template in the code, as `pod_template=`.",
        )
    for key in sorted(set(template.config) - _OWN_CONFIG):
        if template.type in CONTAINER_TYPES:
            yield _Asked(
                field=f"config.{key}", problem="It sets a plugin's configuration.", remedy="Leave it out."
            )
    yield from _keys("metadata.", template.metadata.metadata.labels, template.metadata.metadata.annotations)
    yield from _security("security_context", template.security_context, allowed)
    if template.HasField("container"):
        yield from _container(template.container, allowed)
    if template.HasField("k8s_pod"):
        yield from _pod("k8s_pod", template.k8s_pod, allowed)
    yield from _custom("custom", MessageToDict(template.custom), allowed)


def _launch_plan(spec: LaunchPlanSpec, allowed: Allowances) -> Iterator[_Asked]:
    yield from _security("security_context", spec.security_context, allowed)
    for field, account in (
        ("auth_role.kubernetes_service_account", spec.auth_role.kubernetes_service_account),
        ("auth.kubernetes_service_account", spec.auth.kubernetes_service_account),
    ):
        yield from _runs_as(field, account, allowed.service_accounts, "service_account")
    for field, role in (
        ("auth_role.assumable_iam_role", spec.auth_role.assumable_iam_role),
        ("auth.assumable_iam_role", spec.auth.assumable_iam_role),
        ("role", spec.role),
    ):
        yield from _runs_as(field, role, allowed.iam_roles, "iam_role")
    prefix = spec.raw_output_data_config.output_location_prefix
    if not permits_prefix(allowed.data_prefixes, prefix):
        yield _Asked(
            field="raw_output_data_config",
            problem=f"It puts its data under {prefix}.",
            remedy="Leave `raw_output_data_config` out; a stage's `data_prefix` says where data goes.",
        )
    yield from _keys("", spec.labels.values, spec.annotations.values)
    yield from _variables(("envs", pair.key) for pair in spec.envs.values)
    if spec.cluster_assignment.cluster_pool_name or spec.execution_env_assignments:
        yield _Asked(
            field="cluster_assignment",
            problem="It chooses the cluster or the environment that it runs in.",
            remedy="Leave it out; Flyte's administrator assigns clusters.",
        )


def _overrides(path: str, overrides: TaskNodeOverrides, allowed: Allowances) -> Iterator[_Asked]:
    yield from _image(f"{path} container_image", overrides.container_image, allowed)
    if overrides.HasField("pod_template"):
        yield from _pod(f"{path} pod_template", overrides.pod_template, allowed)


def _container(container: Container, allowed: Allowances) -> Iterator[_Asked]:
    yield from _image("container.image", container.image, allowed)
    yield from _variables(("container.env", pair.key) for pair in container.env)


def _pod(path: str, pod: K8sPod, allowed: Allowances) -> Iterator[_Asked]:
    spec = _pods.pod_spec(pod)
    for use in _pods.images(spec):
        yield from _image(f"{path}.{use.field}", use.image, allowed)
    for excess in _pods.excesses(spec):
        yield _Asked(
            field=f"{path}.{excess.field}",
            problem=f"Its pod asks for {excess.asks_for}.",
            remedy="Take it out of the pod template; no enrolment allows it.",
        )
    yield from _variables((f"{path}.{field}", name) for field, name in _pods.environment(spec))
    yield from _keys(f"{path}.metadata.", pod.metadata.labels, pod.metadata.annotations)


def _image(field: str, image: str, allowed: Allowances) -> Iterator[_Asked]:
    repository, _, digest = image.partition("@")
    if image in ("", allowed.image) or (digest and permits_image(allowed.images, repository)):
        return
    yield _Asked(
        field=field,
        problem=f"It runs in the image {image}, which is not the target's own.",
        remedy="Leave `container_image` out; another image has to be named by digest, in a repository that "
        "the enrolment's `limits.images` lists.",
    )


def _security(field: str, context: SecurityContext, allowed: Allowances) -> Iterator[_Asked]:
    identity = context.run_as
    yield from _runs_as(
        f"{field}.run_as.k8s_service_account",
        identity.k8s_service_account,
        allowed.service_accounts,
        "service_account",
    )
    yield from _runs_as(f"{field}.run_as.iam_role", identity.iam_role, allowed.iam_roles, "iam_role")
    for index, secret in enumerate(context.secrets):
        if not secret.group or not permits(allowed.secret_groups, secret.group):
            yield _Asked(
                field=f"{field}.secrets[{index}]",
                problem=f"It asks for the secret {secret.group}/{secret.key}.",
                remedy="Have an administrator allow the group (in previews: `preview.secret_groups`), or "
                "run without the secret where it is not there.",
            )
    if context.tokens or identity.HasField("oauth2_client") or identity.execution_identity:
        yield _Asked(
            field=f"{field}.tokens",
            problem="It asks for tokens or another identity.",
            remedy="Leave them out; no enrolment allows them.",
        )


def _runs_as(field: str, value: str, entries: list[str], setting: str) -> Iterator[_Asked]:
    if not permits(entries, value):
        yield _Asked(
            field=field,
            problem=f"It runs as {value!r}.",
            remedy=f"Leave it out; a stage's `{setting}` says what it runs as.",
        )


def _variables(variables: Iterable[tuple[str, str]]) -> Iterator[_Asked]:
    for path, name in variables:
        if name.startswith(_RESERVED) and name not in _OWN_RESERVED:
            yield _Asked(
                field=path,
                problem=f"It sets {name}, which is Flyte's own.",
                remedy="Leave it out; Flyte sets it where it is needed.",
            )


def _keys(path: str, labels: Mapping[str, str], annotations: Mapping[str, str]) -> Iterator[_Asked]:
    """Yield labels and annotations that controllers in the cluster may act upon: those with a prefix."""
    for kind, table in (("labels", labels), ("annotations", annotations)):
        for key in sorted(table):
            if "/" in key and key not in _HARMLESS_KEYS:
                yield _Asked(
                    field=f"{path}{kind}",
                    problem=f"It sets {key!r}, which something in the cluster may act upon.",
                    remedy=f"Set it in the stage's `{kind}`, or use a key without a prefix.",
                )


def _custom(path: str, value: Any, allowed: Allowances) -> Iterator[_Asked]:
    """Yield what a plugin's settings ask for; they may hold whole pods, under the plugin's own names."""
    if isinstance(value, list):
        for index, item in enumerate(value):
            yield from _custom(f"{path}[{index}]", item, allowed)
    if not isinstance(value, dict):
        return
    for key, item in value.items():
        if key in _POD_WORDS and item:
            yield _Asked(
                field=f"{path}.{key}",
                problem=f"Its plugin asks for `{key}`.",
                remedy="Take it out; no enrolment allows it.",
            )
        elif key == "image" and isinstance(item, str):
            yield from _image(f"{path}.image", item, allowed)
        else:
            yield from _custom(f"{path}.{key}", item, allowed)
