from __future__ import annotations

from pathlib import Path

import pytest
from flyteidl.admin.common_pb2 import Labels
from flyteidl.admin.project_pb2 import Domain, Project, ProjectListRequest

from scripts.sandbox.errors import AlreadyExists, InvalidArgument, NotFound
from scripts.sandbox.projects import Projects
from tests.unit.sandbox.registry import registry


@pytest.fixture
def projects(tmp_path: Path) -> Projects:
    return registry(tmp_path).projects


@pytest.mark.parametrize(
    ("project", "problem"),
    [
        (Project(id="q"), "missing project_name"),
        (Project(name="q"), "missing project_id"),
        (Project(id="Q", name="q"), "invalid project id [Q]: [a lowercase RFC 1123 label must consist"),
        (Project(id="q" * 64, name="q"), "invalid project id ["),
        (Project(id="q", name="q" * 65), "project_name cannot exceed 64 characters"),
        (
            Project(id="q", name="q", description="d" * 301),
            "project_description cannot exceed 300 characters",
        ),
        (Project(id="q", name="q", domains=[Domain(id="d")]), "Domains are currently only set system wide."),
        (
            Project(id="q", name="q", labels=Labels(values={f"k{n}": "" for n in range(17)})),
            "labels map cannot exceed 16 entries",
        ),
        (
            Project(id="q", name="q", labels=Labels(values={"k": "-"})),
            "invalid label value [-]: [a valid label",
        ),
    ],
)
def test_what_flyteadmin_refuses_is_refused(projects: Projects, project: Project, problem: str) -> None:
    with pytest.raises(InvalidArgument) as refused:
        projects.register(project)
    assert refused.value.message.startswith(problem)


def test_an_id_is_taken_once(projects: Projects) -> None:
    with pytest.raises(AlreadyExists, match="value with matching already exists"):
        projects.register(Project(id="p", name="again"))


def test_an_update_keeps_what_it_leaves_out(projects: Projects) -> None:
    projects.register(Project(id="q", name="q", description="d", labels=Labels(values={"a": "b"})))
    projects.update(Project(id="q", name="other"))
    found = projects.get("q")
    assert (found.name, found.description, dict(found.labels.values)) == ("other", "d", {"a": "b"})
    assert [domain.id for domain in found.domains] == ["development", "staging", "production"]
    with pytest.raises(NotFound, match=r"project \[x\] not found"):
        projects.update(Project(id="x", name="x"))


def test_archived_projects_are_listed_only_when_asked_for(projects: Projects) -> None:
    projects.register(Project(id="q", name="q"))
    projects.update(Project(id="q", state=Project.ARCHIVED))
    assert [one.id for one in projects.list(ProjectListRequest(limit=10)).projects] == ["p"]
    listed = projects.list(ProjectListRequest(limit=10, filters="eq(state,1)")).projects
    assert [one.id for one in listed] == ["q"]
