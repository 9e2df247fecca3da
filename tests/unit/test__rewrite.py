from __future__ import annotations

import pytest
from flyteidl.admin.launch_plan_pb2 import LaunchPlanSpec
from google.protobuf.text_format import Merge, Parse

from tasks._entities import Entity, Kind
from tasks._rewrite import (
    NOTIFIED_PHASES,
    LaunchSettings,
    apply_settings,
    identifiers,
    rewrite,
    settings_of,
    without_settings,
)
from tests.unit.entities import PLACEMENT, STR, a_plan, a_task, a_workflow

OWN = ("fraud-previews", "development", "v1")


def _rewritten(entity: Entity, settings: LaunchSettings | None = None) -> Entity:
    return rewrite([entity], PLACEMENT, settings or LaunchSettings())[0]


@pytest.mark.parametrize(
    "entity",
    [a_task("t"), a_workflow("w", tasks=["t"], plans=["p"]), a_plan("p", "w")],
    ids=["task", "workflow", "launch plan"],
)
def test_every_open_identifier_is_filled_and_the_package_left_alone(entity: Entity) -> None:
    before = entity.message.SerializeToString(deterministic=True)
    found = identifiers(_rewritten(entity).message)
    assert {(one.project, one.domain, one.version) for one in found} == {OWN}
    assert entity.message.SerializeToString(deterministic=True) == before


def test_references_inside_branches_arrays_failure_nodes_and_sub_workflows_are_filled() -> None:
    workflow = a_workflow("w")
    Merge(
        """template {
            nodes { id: "b" branch_node { if_else {
                case { then_node { task_node { reference_id { resource_type: TASK name: "one" } } } }
                other { then_node { task_node { reference_id { resource_type: TASK name: "two" } } } }
                else_node { workflow_node { sub_workflow_ref { resource_type: WORKFLOW name: "s" } } }
            } } }
            nodes { id: "a" array_node { node {
                task_node { reference_id { resource_type: TASK name: "three" } }
            } } }
            failure_node { task_node { reference_id { resource_type: TASK name: "four" } } }
        }
        sub_workflows {
            id { resource_type: WORKFLOW name: "s" }
            nodes { workflow_node { launchplan_ref { resource_type: LAUNCH_PLAN name: "five" } } }
        }""",
        workflow.message,
    )
    found = {one.name: one for one in identifiers(_rewritten(workflow).message)}
    assert set(found) == {"w", "s", "one", "two", "three", "four", "five"}
    assert all((one.project, one.domain, one.version) == OWN for one in found.values())


def test_a_reference_to_another_project_keeps_it() -> None:
    workflow = a_workflow("w", plans=["theirs"])
    reference = workflow.message.template.nodes[0].workflow_node.launchplan_ref
    reference.project, reference.domain, reference.version = "billing", "production", "v7"
    kept = _rewritten(workflow).message.template.nodes[0].workflow_node.launchplan_ref
    assert (kept.project, kept.domain, kept.version) == ("billing", "production", "v7")


def test_an_entity_that_names_itself_elsewhere_is_placed_all_the_same() -> None:
    task = a_task("t")
    task.id.project, task.id.version = "billing", "the-release"
    placed = _rewritten(task).id
    assert (placed.project, placed.domain, placed.version) == OWN


@pytest.mark.parametrize(
    ("field", "words"),
    [
        ("container", 'args: "{{ .remote_package_path }}" command: "{{.dest_dir}}"'),
        ("container", 'env { key: "V" value: "s3://b/code.tar.gz {{registration.version}} ." }'),
        (
            "k8s_pod",
            'pod_spec { fields { key: "args" value { list_value {'
            ' values { string_value: "{{ .remote_package_path }}{{ .dest_dir }}" }'
            " } } } }",
        ),
        (
            "custom",
            'fields { key: "a" value { string_value: "{{ .remote_package_path }}{{ .dest_dir }}" } }',
        ),
        ("config", 'key: "a" value: "{{ .remote_package_path }} {{ .dest_dir }}"'),
    ],
    ids=["arguments", "environment", "pod", "plugin", "configuration"],
)
def test_flytekits_placeholders_are_filled_wherever_a_task_keeps_its_words(field: str, words: str) -> None:
    task = a_task("t")
    task.message.template.ClearField("container")
    Merge(f"template {{ {field} {{ {words} }} }}", task.message)
    filled = str(_rewritten(task).message.template)
    assert "s3://b/code.tar.gz" in filled
    assert "{{" not in filled


def test_flytes_own_placeholders_stay() -> None:
    container = _rewritten(a_task("t")).message.template.container
    assert list(container.args)[1:5] == ["--additional-distribution", "s3://b/code.tar.gz", "--dest-dir", "."]
    assert container.args[-1] == "{{.input}}"


def test_a_literal_default_that_looks_like_a_placeholder_stays() -> None:
    plan = a_plan("p", inputs={"a": STR})
    text = "{{ registration.project }}"
    plan.message.spec.default_inputs.parameters["a"].default.scalar.primitive.string_value = text
    spec = _rewritten(plan).message.spec
    assert spec.default_inputs.parameters["a"].default.scalar.primitive.string_value == text


SPEC = """
    labels { values { key: "team" value: "code" } values { key: "kept" value: "1" } }
    annotations { values { key: "note" value: "code" } }
    envs { values { key: "MODE" value: "code" } values { key: "KEPT" value: "1" } }
    security_context { run_as { k8s_service_account: "code" } secrets { group: "g" key: "k" } }
    auth_role { kubernetes_service_account: "code" }
    raw_output_data_config { output_location_prefix: "s3://code" }
    max_parallelism: 3
    entity_metadata {
        schedule { cron_schedule { schedule: "0 3 * * *" } }
        notifications { phases: SUCCEEDED email { recipients_email: "code@example.com" } }
    }
"""


def test_the_stage_wins_field_by_field_and_key_by_key() -> None:
    spec = Parse(SPEC, LaunchPlanSpec())
    apply_settings(
        spec,
        LaunchSettings(
            service_account="stage",
            iam_role="role",
            data_prefix="s3://stage",
            labels={"team": "stage", "new": "2"},
            annotations={"note": "stage"},
            env={"MODE": "stage"},
            max_parallelism=9,
            notify=["ops@example.com", "lead@example.com"],
        ),
    )
    assert dict(spec.labels.values) == {"team": "stage", "kept": "1", "new": "2"}
    assert dict(spec.annotations.values) == {"note": "stage"}
    assert [(one.key, one.value) for one in spec.envs.values] == [("KEPT", "1"), ("MODE", "stage")]
    assert spec.security_context.run_as.k8s_service_account == "stage"
    assert spec.security_context.run_as.iam_role == "role"
    assert spec.security_context.secrets[0].group == "g"
    assert not spec.HasField("auth_role")
    assert spec.raw_output_data_config.output_location_prefix == "s3://stage"
    assert spec.max_parallelism == 9
    codes, stages = spec.entity_metadata.notifications
    assert list(codes.email.recipients_email) == ["code@example.com"]
    assert list(stages.email.recipients_email) == ["ops@example.com", "lead@example.com"]
    assert list(stages.phases) == list(NOTIFIED_PHASES)
    assert spec.entity_metadata.schedule.cron_schedule.schedule == "0 3 * * *"


def test_what_a_stage_sets_is_taken_out_and_all_else_stays() -> None:
    spec = Parse(SPEC, LaunchPlanSpec())
    bare = without_settings(spec)
    assert bare.security_context.secrets[0].group == "g"
    assert bare.entity_metadata.schedule.cron_schedule.schedule == "0 3 * * *"
    stage = LaunchSettings(
        service_account="stage", labels={"team": "stage"}, env={"MODE": "stage"}, notify=["ops@example.com"]
    )
    apply_settings(spec, stage)
    assert without_settings(spec) == bare
    assert settings_of(bare) == settings_of(LaunchPlanSpec())
    assert settings_of(spec).security_context.run_as.k8s_service_account == "stage"


def test_a_stage_that_sets_nothing_leaves_the_code_as_it_is() -> None:
    spec = Parse(SPEC, LaunchPlanSpec())
    before = spec.SerializeToString(deterministic=True)
    apply_settings(spec, LaunchSettings())
    assert spec.SerializeToString(deterministic=True) == before
    empty = LaunchPlanSpec()
    apply_settings(empty, LaunchSettings())
    assert empty == LaunchPlanSpec()


def test_settings_touch_launch_plans_only() -> None:
    settings = LaunchSettings(service_account="stage", env={"MODE": "stage"})
    assert _rewritten(a_task("t"), settings).message == _rewritten(a_task("t")).message
    assert _rewritten(a_plan("p"), settings).kind is Kind.LAUNCH_PLAN
