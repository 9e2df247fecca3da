"""What a package may contain, and everything that it may not, each with entity, field and remedy."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from flyteidl.admin.launch_plan_pb2 import LaunchPlan
from flyteidl.admin.task_pb2 import TaskSpec
from flyteidl.admin.workflow_pb2 import WorkflowSpec
from flyteidl.core.tasks_pb2 import TaskTemplate
from google.protobuf.json_format import ParseDict
from google.protobuf.message import Message

from tasks._enrolment import Enrolment
from tasks._entities import Entity, Kind
from tasks._types import Status, Verdict
from tasks.admission import admit, preview_allowances

IMAGE = "registry.example.com/fraud@sha256:" + "a" * 64
OTHER = "registry.example.com/other@sha256:" + "b" * 64
ENROLMENT = Enrolment.model_validate(
    {
        "name": "fraud",
        "repository": "https://git.example.com",
        "preview": {
            "project": "previews",
            "domain": "development",
            "service_account": "previews",
            "data_prefix": "s3://previews",
            "secret_groups": ["open"],
        },
        "limits": {
            "images": ["registry.example.com/other"],
            "service_accounts": ["fraud-prod"],
            "iam_roles": ["fraud-prod"],
            "secret_groups": ["fraud"],
            "task_types": ["pytorch"],
        },
    }
)


def judge(entity: Entity) -> Verdict:
    return admit([entity], preview_allowances(ENROLMENT, IMAGE))


def task(**fields: Any) -> Entity:
    template = {"id": {"name": "fraud.fit"}, "type": "python-task", "container": {"image": IMAGE}, **fields}
    return Entity(kind=Kind.TASK, message=ParseDict({"template": template}, TaskSpec()))


def pod(**fields: Any) -> Entity:
    spec = {"containers": [{"name": "primary", "image": IMAGE}], **fields}
    template = TaskTemplate(type="python-task")
    template.id.name = "fraud.fit"
    ParseDict(spec, template.k8s_pod.pod_spec)
    return Entity(kind=Kind.TASK, message=TaskSpec(template=template))


def container(**fields: Any) -> Entity:
    return pod(containers=[{"name": "primary", "image": IMAGE, **fields}])


def workflow(node: dict[str, Any]) -> Entity:
    template = {"id": {"name": "fraud.train"}, "nodes": [{"id": "n0", **node}]}
    return Entity(kind=Kind.WORKFLOW, message=ParseDict({"template": template}, WorkflowSpec()))


def plan(**spec: Any) -> Entity:
    content = {"id": {"name": "fraud.nightly"}, "spec": {"workflowId": {"name": "fraud.train"}, **spec}}
    return Entity(kind=Kind.LAUNCH_PLAN, message=ParseDict(content, LaunchPlan()))


ADMITTED: dict[str, Callable[[], Entity]] = {
    "an ordinary task": lambda: task(),
    "a permitted image by digest": lambda: task(container={"image": OTHER}),
    "a permitted type": lambda: task(type="pytorch", custom={"workerReplicas": {"replicas": 2}}),
    "a permitted secret": lambda: task(securityContext={"secrets": [{"group": "open", "key": "k"}]}),
    "own variables": lambda: task(container={"image": IMAGE, "env": [{"key": "FLYTE_SDK_LOGGING_LEVEL"}]}),
    "a dynamic's own variable": lambda: task(container={"image": IMAGE, "env": [{"key": "_F_SS_C"}]}),
    "plain labels": lambda: task(metadata={"metadata": {"labels": {"team": "risk"}}}),
    "a confined pod": lambda: pod(
        volumes=[{"name": "shm", "emptyDir": {"medium": "Memory"}}],
        tolerations=[{"key": "gpu", "operator": "Exists"}],
        automountServiceAccountToken=False,
        securityContext={
            "runAsNonRoot": True,
            "runAsUser": 1000,
            "seccompProfile": {"type": "RuntimeDefault"},
        },
        containers=[
            {
                "name": "primary",
                "image": IMAGE,
                "volumeMounts": [{"name": "shm", "mountPath": "/dev/shm"}],
                "env": [{"name": "POD", "valueFrom": {"fieldRef": {"fieldPath": "metadata.name"}}}],
                "securityContext": {"allowPrivilegeEscalation": False, "capabilities": {"drop": ["ALL"]}},
                "ports": [{"containerPort": 8080}],
            }
        ],
    ),
    "its own project": lambda: workflow(
        {"taskNode": {"referenceId": {"project": "previews", "domain": "development", "name": "x"}}}
    ),
    "placeholders": lambda: workflow(
        {"taskNode": {"referenceId": {"project": "{{ registration.project }}", "name": "x"}}}
    ),
    "a schedule": lambda: plan(entityMetadata={"schedule": {"cronSchedule": {"schedule": "@daily"}}}),
    "the preview's account": lambda: plan(securityContext={"runAs": {"k8sServiceAccount": "previews"}}),
    "storage below the preview's": lambda: plan(
        rawOutputDataConfig={"outputLocationPrefix": "s3://previews/x"}
    ),
}


@pytest.mark.parametrize("entity", ADMITTED.values(), ids=ADMITTED)
def test_admitted(entity: Callable[[], Entity]) -> None:
    assert judge(entity()).findings == []


REFUSED: dict[str, tuple[Callable[[], Entity], str, str]] = {
    "another image": (lambda: task(container={"image": "evil/x:1"}), "container.image", "evil/x:1"),
    "a permitted image by tag": (
        lambda: task(container={"image": "registry.example.com/other:1"}),
        "container.image",
        "not the target's own",
    ),
    "another digest": (
        lambda: task(container={"image": IMAGE.replace("a" * 64, "b" * 64)}),
        "container.image",
        "own",
    ),
    "another type": (lambda: task(type="spark"), "type", "'spark'"),
    "a query": (lambda: task(type="sql", custom={"query": "drop"}), "type", "'sql'"),
    "the cluster's pod template": (
        lambda: task(metadata={"podTemplateName": "root"}),
        "metadata.pod_template_name",
        "'root'",
    ),
    "a plugin's configuration": (lambda: task(config={"pod_template_name": "root"}), "config.pod", "plugin"),
    "a secret": (
        lambda: task(securityContext={"secrets": [{"group": "fraud", "key": "k"}]}),
        "security_context.secrets[0]",
        "fraud/k",
    ),
    "a secret without group": (
        lambda: task(securityContext={"secrets": [{"key": "k"}]}),
        "security_context.secrets[0]",
        "/k",
    ),
    "an account on a task": (
        lambda: task(securityContext={"runAs": {"k8sServiceAccount": "admin"}}),
        "security_context.run_as.k8s_service_account",
        "'admin'",
    ),
    "a token": (
        lambda: task(securityContext={"tokens": [{"name": "t"}]}),
        "security_context.tokens",
        "tokens",
    ),
    "a reserved variable": (
        lambda: task(container={"image": IMAGE, "env": [{"key": "FLYTE_PLATFORM_URL"}]}),
        "container.env",
        "FLYTE_PLATFORM_URL",
    ),
    "a prefixed label": (
        lambda: task(metadata={"metadata": {"labels": {"azure.workload.identity/use": "true"}}}),
        "metadata.labels",
        "azure",
    ),
    "a plugin's image": (
        lambda: task(type="pytorch", custom={"workerReplicas": {"image": "evil/x"}}),
        "custom.workerReplicas.image",
        "evil/x",
    ),
    "a plugin's pod": (
        lambda: task(type="pytorch", custom={"pods": [{"spec": {"hostNetwork": True}}]}),
        "custom.pods[0].spec.hostNetwork",
        "hostNetwork",
    ),
    "an id of another project": (
        lambda: task(id={"name": "fraud.fit", "project": "payments"}),
        "id.project",
        "'payments'",
    ),
    "a version of its own": (lambda: task(id={"name": "fraud.fit", "version": "1"}), "id.version", "'1'"),
    "a pod's other image": (lambda: container(image="evil/x"), "containers[0].image", "evil/x"),
    "an init container's image": (
        lambda: pod(initContainers=[{"name": "i", "image": "evil/x"}]),
        "initContainers[0].image",
        "evil/x",
    ),
    "privileged": (
        lambda: container(securityContext={"privileged": True}),
        "containers[0].securityContext.privileged",
        "privilege",
    ),
    "escalation": (
        lambda: container(securityContext={"allowPrivilegeEscalation": True}),
        "allowPrivilegeEscalation",
        "privilege",
    ),
    "capabilities": (
        lambda: container(securityContext={"capabilities": {"add": ["SYS_ADMIN"]}}),
        "capabilities.add",
        "capabilities",
    ),
    "root": (lambda: pod(securityContext={"runAsUser": 0}), "securityContext.runAsUser", "root"),
    "no seccomp": (
        lambda: pod(securityContext={"seccompProfile": {"type": "Unconfined"}}),
        "seccompProfile",
        "seccomp",
    ),
    "sysctls": (lambda: pod(securityContext={"sysctls": [{"name": "x"}]}), "sysctls", "sysctls"),
    "the node's network": (lambda: pod(hostNetwork=True), "k8s_pod.hostNetwork", "the node's network"),
    "the node's processes": (lambda: pod(hostPID=True), "k8s_pod.hostPID", "processes"),
    "the node's memory": (lambda: pod(hostIPC=True), "k8s_pod.hostIPC", "memory"),
    "a path of the node": (
        lambda: pod(volumes=[{"name": "v", "hostPath": {"path": "/"}}]),
        "volumes[0].hostPath",
        "a path of the node",
    ),
    "a secret's volume": (
        lambda: pod(volumes=[{"name": "v", "secret": {"secretName": "s"}}]),
        "volumes[0].secret",
        "a secret",
    ),
    "a projected token": (
        lambda: pod(volumes=[{"name": "v", "projected": {"sources": [{}]}}]),
        "volumes[0].projected",
        "tokens",
    ),
    "a pod's account": (lambda: pod(serviceAccountName="admin"), "serviceAccountName", "account"),
    "a pod's token": (lambda: pod(automountServiceAccountToken=True), "automount", "token"),
    "a variable from a secret": (
        lambda: container(env=[{"name": "A", "valueFrom": {"secretKeyRef": {"name": "s", "key": "k"}}}]),
        "env[0].valueFrom.secretKeyRef",
        "a secret",
    ),
    "variables from a secret": (
        lambda: container(envFrom=[{"secretRef": {"name": "s"}}]),
        "containers[0].envFrom",
        "secrets",
    ),
    "a reserved variable of a pod": (
        lambda: container(env=[{"name": "_F_L_MIN_SIZE_MB", "value": "0"}]),
        "containers[0].env[0]",
        "_F_L_MIN_SIZE_MB",
    ),
    "a port of the node": (
        lambda: container(ports=[{"containerPort": 80, "hostPort": 80}]),
        "ports[0].hostPort",
        "a port of the node",
    ),
    "a hook": (
        lambda: container(lifecycle={"postStart": {"exec": {"command": ["x"]}}}),
        "containers[0].lifecycle",
        "lifecycle",
    ),
    "something Kubernetes adds one day": (lambda: pod(hostEverything=True), "hostEverything", "hostEvery"),
    "an image on a node": (
        lambda: workflow(
            {"taskNode": {"referenceId": {"name": "x"}, "overrides": {"containerImage": "e/x"}}}
        ),
        "node n0 container_image",
        "e/x",
    ),
    "a pod on a node": (
        lambda: workflow(
            {
                "taskNode": {
                    "referenceId": {"name": "x"},
                    "overrides": {"podTemplate": {"podSpec": {"hostPID": True}}},
                }
            }
        ),
        "node n0 pod_template.hostPID",
        "processes",
    ),
    "a node inside a map": (
        lambda: workflow(
            {
                "arrayNode": {
                    "node": {
                        "id": "m",
                        "taskNode": {"referenceId": {"name": "x"}, "overrides": {"containerImage": "e/x"}},
                    }
                }
            }
        ),
        "node m container_image",
        "e/x",
    ),
    "another project's task": (
        lambda: workflow({"taskNode": {"referenceId": {"project": "payments", "name": "x"}}}),
        "reference to x",
        "'payments'",
    ),
    "another project's launch plan": (
        lambda: workflow({"workflowNode": {"launchplanRef": {"project": "payments", "name": "pay"}}}),
        "reference to pay",
        "'payments'",
    ),
    "another domain's workflow": (
        lambda: plan(workflowId={"domain": "production", "name": "fraud.train"}),
        "reference to fraud.train",
        "'production'",
    ),
    "an account": (
        lambda: plan(securityContext={"runAs": {"k8sServiceAccount": "fraud-prod"}}),
        "run_as.k8s_service_account",
        "fraud-prod",
    ),
    "an account, the old way": (
        lambda: plan(authRole={"kubernetesServiceAccount": "admin"}),
        "auth_role.kubernetes_service_account",
        "admin",
    ),
    "an account, the oldest way": (
        lambda: plan(auth={"kubernetesServiceAccount": "admin"}),
        "auth.kubernetes_service_account",
        "admin",
    ),
    "a role": (lambda: plan(securityContext={"runAs": {"iamRole": "fraud-prod"}}), "iam_role", "fraud-prod"),
    "a role, the oldest way": (lambda: plan(role="admin"), "role", "admin"),
    "other storage": (
        lambda: plan(rawOutputDataConfig={"outputLocationPrefix": "s3://previews-not/x"}),
        "raw_output_data_config",
        "s3://previews-not/x",
    ),
    "an annotation": (
        lambda: plan(annotations={"values": {"vault.hashicorp.com/agent-inject": "true"}}),
        "annotations",
        "vault",
    ),
    "a reserved variable of executions": (
        lambda: plan(envs={"values": [{"key": "FLYTECTL_CONFIG", "value": "x"}]}),
        "envs",
        "FLYTECTL_CONFIG",
    ),
    "a cluster": (
        lambda: plan(clusterAssignment={"clusterPoolName": "prod"}),
        "cluster_assignment",
        "cluster",
    ),
}


@pytest.mark.parametrize(("entity", "field", "says"), REFUSED.values(), ids=REFUSED)
def test_refused_with_entity_field_and_remedy(entity: Callable[[], Entity], field: str, says: str) -> None:
    refused = entity()
    verdict = judge(refused)
    assert verdict.status is Status.FAILED
    [finding] = verdict.findings
    assert finding.where.startswith(f"{refused}: ")
    assert field in finding.where
    assert says in finding.problem
    assert finding.remedy


def test_every_finding_of_every_entity_is_named() -> None:
    verdict = admit(
        [task(type="spark"), pod(hostPID=True, hostIPC=True)], preview_allowances(ENROLMENT, IMAGE)
    )
    assert len(verdict.findings) == 3
    assert verdict.summary.startswith("1 entity asks")


def test_admission_changes_nothing() -> None:
    entity = pod(hostPID=True)
    before: Message = TaskSpec()
    before.CopyFrom(entity.message)
    judge(entity)
    assert entity.message == before
