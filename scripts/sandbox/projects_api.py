"""The RPCs about projects, domains and the server's version."""

from __future__ import annotations

from flyteidl.admin.project_pb2 import (
    GetDomainRequest,
    GetDomainsResponse,
    Project,
    ProjectGetRequest,
    ProjectListRequest,
    ProjectRegisterRequest,
    ProjectRegisterResponse,
    ProjectUpdateResponse,
)
from flyteidl.admin.project_pb2 import (
    Projects as ProjectPage,
)
from flyteidl.admin.version_pb2 import GetVersionRequest, GetVersionResponse, Version

from scripts.sandbox.caller import Caller
from scripts.sandbox.errors import InvalidArgument
from scripts.sandbox.projects import Projects, domains

FLYTE_VERSION = "v1.16.8"
"""The Flyte that the sandbox behaves like."""
BUILD = "sandbox"
"""What tells the sandbox from a Flyte on Kubernetes, which has a commit there."""


class ProjectsApi:
    """Answers for projects."""

    def __init__(self, projects: Projects) -> None:
        self._projects = projects

    def RegisterProject(self, request: ProjectRegisterRequest, caller: Caller) -> ProjectRegisterResponse:
        """Add a project."""
        if not request.HasField("project"):
            raise InvalidArgument("missing project")
        self._projects.register(request.project)
        return ProjectRegisterResponse()

    def UpdateProject(self, request: Project, caller: Caller) -> ProjectUpdateResponse:
        """Change a project's name, description, labels or state."""
        self._projects.update(request)
        return ProjectUpdateResponse()

    def ListProjects(self, request: ProjectListRequest, caller: Caller) -> ProjectPage:
        """Return a page of projects."""
        return self._projects.list(request)

    def GetProject(self, request: ProjectGetRequest, caller: Caller) -> Project:
        """Return one project."""
        if not request.id:
            raise InvalidArgument("missing project_id")
        return self._projects.get(request.id)

    def GetDomains(self, request: GetDomainRequest, caller: Caller) -> GetDomainsResponse:
        """Return the domains that every project has."""
        return GetDomainsResponse(domains=domains())

    def GetVersion(self, request: GetVersionRequest, caller: Caller) -> GetVersionResponse:
        """Return the version of Flyte that this stands for."""
        version = Version(Version=FLYTE_VERSION, Build=BUILD)
        return GetVersionResponse(control_plane_version=version)
