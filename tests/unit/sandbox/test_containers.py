"""Which container a task runs in."""

import pytest
from flyteidl.core.tasks_pb2 import TaskTemplate
from flyteidl.core.workflow_pb2 import TaskNodeOverrides
from google.protobuf.json_format import ParseDict

from scripts.sandbox.containers import NoContainer, container_of


def task(**fields: object) -> TaskTemplate:
    return ParseDict({"id": {"name": "t"}, "type": "python-task", **fields}, TaskTemplate())


CONTAINER = {
    "image": "image:1",
    "command": ["sh"],
    "args": ["-c", "true"],
    "env": [{"key": "A", "value": "1"}, {"key": "A", "value": "2"}],
    "resources": {"limits": [{"name": "CPU", "value": "1"}]},
}
POD = {
    "pod_spec": {
        "containers": [
            {"name": "side", "image": "side:1"},
            {"name": "main", "image": "main:1", "args": ["x"], "env": [{"name": "B", "value": "3"}]},
        ]
    }
}


def test_a_container_is_taken_as_it_is() -> None:
    made = container_of(task(container=CONTAINER), TaskNodeOverrides())
    assert (made.image, made.command, made.args) == ("image:1", ("sh",), ("-c", "true"))
    assert made.environment == (("A", "1"), ("A", "2"))
    assert made.resources.limits[0].value == "1"
    assert made.data is None


def test_a_node_may_override_image_and_resources() -> None:
    overrides = TaskNodeOverrides(container_image="other:1")
    overrides.resources.limits.add(name=1, value="2")
    made = container_of(task(container=CONTAINER), overrides)
    assert (made.image, made.args, made.resources.limits[0].value) == ("other:1", ("-c", "true"), "2")


def test_a_raw_container_says_where_its_data_are() -> None:
    data = {"enabled": True, "input_path": "/var/inputs", "output_path": "/var/outputs"}
    made = container_of(task(container={**CONTAINER, "data_config": data}), TaskNodeOverrides())
    assert made.data is not None
    assert made.data.input_path == "/var/inputs"


@pytest.mark.parametrize(
    "fields",
    [
        {"k8s_pod": {**POD, "primary_container_name": "main"}},
        {"k8s_pod": POD, "config": {"primary_container_name": "main"}},
    ],
    ids=["named by the pod", "named by the task's settings"],
)
def test_of_a_pod_the_primary_container_runs(fields: dict[str, object]) -> None:
    made = container_of(task(**fields), TaskNodeOverrides())
    assert (made.image, made.args, made.environment) == ("main:1", ("x",), (("B", "3"),))


@pytest.mark.parametrize(
    ("made", "problem"),
    [
        (task(type="pytorch", container=CONTAINER), "does not run tasks of type 'pytorch'; t is one"),
        (task(sql={"statement": "SELECT 1"}), "runs containers only; task t has sql"),
        (task(k8s_pod=POD), "The pod of task t has no primary container ''"),
    ],
    ids=["another plugin's", "no container", "no primary container"],
)
def test_what_has_no_container_to_run_says_so(made: TaskTemplate, problem: str) -> None:
    with pytest.raises(NoContainer, match=problem):
        container_of(made, TaskNodeOverrides())
