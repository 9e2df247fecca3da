from __future__ import annotations

from pathlib import Path

import pytest
from flyteidl.admin.task_pb2 import TaskSpec
from flyteidl.admin.workflow_pb2 import WorkflowSpec
from flyteidl.core.tasks_pb2 import Resources

from scripts.installing import bundle_code
from scripts.own import ROOT, ordered, resized, source_files
from tasks._entities import Entity, Kind
from tasks._quantities import quantity


def task(*, request: str, limit: str) -> Entity:
    spec = TaskSpec()
    resources = spec.template.container.resources
    resources.requests.add(name=Resources.CPU, value=request)
    resources.limits.add(name=Resources.CPU, value=limit)
    resources.limits.add(name=Resources.MEMORY, value="500Mi")
    return Entity(kind=Kind.TASK, message=spec)


def cpu_of(entity: Entity) -> tuple[str, str]:
    assert isinstance(entity.message, TaskSpec)
    resources = entity.message.template.container.resources
    return resources.requests[0].value, resources.limits[0].value


@pytest.mark.parametrize(
    ("cpu", "expected"),
    [
        pytest.param("", ("500m", "1"), id="left-alone"),
        pytest.param("2", ("500m", "2"), id="limit-raised"),
        pytest.param("250m", ("250m", "250m"), id="request-never-above-the-limit"),
    ],
)
def test_resources_of_an_installation(cpu: str, expected: tuple[str, str]) -> None:
    entity = task(request="500m", limit="1")
    assert cpu_of(resized(entity, cpu=cpu, memory="")) == expected
    assert cpu_of(entity) == ("500m", "1")


@pytest.mark.parametrize(
    ("text", "number"), [("500m", 0.5), ("2", 2), ("1.5", 1.5), ("1Gi", 2**30), ("200Mi", 200 * 2**20)]
)
def test_quantities(text: str, number: float) -> None:
    assert quantity(text) == pytest.approx(number)


@pytest.mark.parametrize("text", ["", "x", "1X", "Mi", "1 Gi"])
def test_what_is_no_quantity(text: str) -> None:
    with pytest.raises(ValueError):
        quantity(text)


def test_code_of_the_tasks_goes_along_with_its_templates_and_nothing_compiled() -> None:
    names = {path.relative_to(ROOT).as_posix() for path in source_files()}
    assert {"tasks/report.py", "tasks/templates/report.html.j2", "workflows/preview.py"} <= names
    assert not any("__pycache__" in name or name.startswith("scripts/") for name in names)


def test_same_code_has_the_same_bundle(tmp_path: Path) -> None:
    digests = {bundle_code(tmp_path / name) for name in ("one.tar.gz", "two.tar.gz")}
    assert len(digests) == 1


def test_order_of_what_comes_before_a_node_is_always_the_same() -> None:
    spec = WorkflowSpec()
    spec.template.nodes.add(id="n2", upstream_node_ids=["b", "a"])
    spec.sub_workflows.add().nodes.add(id="n1", upstream_node_ids=["d", "c"])
    made = ordered(Entity(kind=Kind.WORKFLOW, message=spec)).message
    assert isinstance(made, WorkflowSpec)
    assert list(made.template.nodes[0].upstream_node_ids) == ["a", "b"]
    assert list(made.sub_workflows[0].nodes[0].upstream_node_ids) == ["c", "d"]
    assert list(spec.template.nodes[0].upstream_node_ids) == ["b", "a"]
