"""The RPCs about matchable resources, in proto order.

Source: flyteadmin `manager/impl/resources/resource_manager.go`, `validation/attributes_validator.go`.
"""

from __future__ import annotations

from flyteidl.admin.matchable_resource_pb2 import (
    ListMatchableAttributesRequest,
    ListMatchableAttributesResponse,
    MatchableResource,
    MatchingAttributes,
    WorkflowExecutionConfig,
)
from flyteidl.admin.project_attributes_pb2 import (
    ProjectAttributes,
    ProjectAttributesDeleteRequest,
    ProjectAttributesDeleteResponse,
    ProjectAttributesGetRequest,
    ProjectAttributesGetResponse,
    ProjectAttributesUpdateRequest,
    ProjectAttributesUpdateResponse,
)
from flyteidl.admin.project_domain_attributes_pb2 import (
    ProjectDomainAttributes,
    ProjectDomainAttributesDeleteRequest,
    ProjectDomainAttributesDeleteResponse,
    ProjectDomainAttributesGetRequest,
    ProjectDomainAttributesGetResponse,
    ProjectDomainAttributesUpdateRequest,
    ProjectDomainAttributesUpdateResponse,
)
from flyteidl.admin.workflow_attributes_pb2 import (
    WorkflowAttributes,
    WorkflowAttributesDeleteRequest,
    WorkflowAttributesDeleteResponse,
    WorkflowAttributesGetRequest,
    WorkflowAttributesGetResponse,
    WorkflowAttributesUpdateRequest,
    WorkflowAttributesUpdateResponse,
)

from scripts.sandbox.attributes import Attributes, Scope
from scripts.sandbox.caller import Caller
from scripts.sandbox.errors import InvalidArgument, NotFound
from scripts.sandbox.execution_config import DEFAULT_MAX_PARALLELISM
from scripts.sandbox.identifiers import check_present
from scripts.sandbox.projects import Projects


class AttributesApi:
    """Answers for matchable resources."""

    def __init__(self, attributes: Attributes, projects: Projects) -> None:
        self._attributes = attributes
        self._projects = projects

    def UpdateProjectDomainAttributes(
        self, request: ProjectDomainAttributesUpdateRequest, caller: Caller
    ) -> ProjectDomainAttributesUpdateResponse:
        """Set what holds for a domain of a project."""
        given = request.attributes
        _check_given(request)
        self._projects.check(given.project, given.domain)
        self._attributes.set(Scope(project=given.project, domain=given.domain), _matching(given))
        return ProjectDomainAttributesUpdateResponse()

    def GetProjectDomainAttributes(
        self, request: ProjectDomainAttributesGetRequest, caller: Caller
    ) -> ProjectDomainAttributesGetResponse:
        """Return what holds for a domain of a project."""
        self._projects.check(request.project, request.domain)
        scope = Scope(project=request.project, domain=request.domain)
        found = self._attributes.nearest(request.resource_type, scope)
        attributes = ProjectDomainAttributes(matching_attributes=found.attributes, **found.place("workflow"))
        return ProjectDomainAttributesGetResponse(attributes=attributes)

    def DeleteProjectDomainAttributes(
        self, request: ProjectDomainAttributesDeleteRequest, caller: Caller
    ) -> ProjectDomainAttributesDeleteResponse:
        """Delete what holds for a domain of a project."""
        self._projects.check(request.project, request.domain)
        scope = Scope(project=request.project, domain=request.domain)
        self._attributes.delete(request.resource_type, scope)
        return ProjectDomainAttributesDeleteResponse()

    def UpdateProjectAttributes(
        self, request: ProjectAttributesUpdateRequest, caller: Caller
    ) -> ProjectAttributesUpdateResponse:
        """Set what holds for a project."""
        _check_given(request)
        self._projects.check_for_update(request.attributes.project)
        self._attributes.set(Scope(project=request.attributes.project), _matching(request.attributes))
        return ProjectAttributesUpdateResponse()

    def GetProjectAttributes(
        self, request: ProjectAttributesGetRequest, caller: Caller
    ) -> ProjectAttributesGetResponse:
        """Return what holds for a project; of an execution's settings also what the platform's are."""
        self._projects.check_exists(request.project)
        try:
            found = self._attributes.exactly(request.resource_type, Scope(project=request.project)).attributes
        except NotFound:
            if request.resource_type != MatchableResource.WORKFLOW_EXECUTION_CONFIG:
                raise
            found = MatchingAttributes(workflow_execution_config=WorkflowExecutionConfig())
        if found.HasField("workflow_execution_config"):
            config = found.workflow_execution_config
            config.max_parallelism = config.max_parallelism or DEFAULT_MAX_PARALLELISM
        attributes = ProjectAttributes(project=request.project, matching_attributes=found)
        return ProjectAttributesGetResponse(attributes=attributes)

    def DeleteProjectAttributes(
        self, request: ProjectAttributesDeleteRequest, caller: Caller
    ) -> ProjectAttributesDeleteResponse:
        """Delete what holds for a project and, as in flyteadmin, for its domains and workflows."""
        self._projects.check_for_update(request.project)
        self._attributes.delete(request.resource_type, Scope(project=request.project))
        return ProjectAttributesDeleteResponse()

    def UpdateWorkflowAttributes(
        self, request: WorkflowAttributesUpdateRequest, caller: Caller
    ) -> WorkflowAttributesUpdateResponse:
        """Set what holds for a workflow."""
        given = request.attributes
        _check_given(request)
        self._projects.check(given.project, given.domain)
        check_present(name=given.workflow)
        scope = Scope(project=given.project, domain=given.domain, workflow=given.workflow)
        self._attributes.set(scope, _matching(given))
        return WorkflowAttributesUpdateResponse()

    def GetWorkflowAttributes(
        self, request: WorkflowAttributesGetRequest, caller: Caller
    ) -> WorkflowAttributesGetResponse:
        """Return what holds for a workflow."""
        found = self._attributes.nearest(request.resource_type, self._workflow(request))
        attributes = WorkflowAttributes(matching_attributes=found.attributes, **found.place())
        return WorkflowAttributesGetResponse(attributes=attributes)

    def DeleteWorkflowAttributes(
        self, request: WorkflowAttributesDeleteRequest, caller: Caller
    ) -> WorkflowAttributesDeleteResponse:
        """Delete what holds for a workflow."""
        self._attributes.delete(request.resource_type, self._workflow(request))
        return WorkflowAttributesDeleteResponse()

    def ListMatchableAttributes(
        self, request: ListMatchableAttributesRequest, caller: Caller
    ) -> ListMatchableAttributesResponse:
        """Return every setting of one kind."""
        if request.resource_type not in MatchableResource.values():
            raise InvalidArgument("invalid value for resource_type")
        found = self._attributes.all(request.resource_type)
        return ListMatchableAttributesResponse(configurations=found)

    def _workflow(self, request: WorkflowAttributesGetRequest | WorkflowAttributesDeleteRequest) -> Scope:
        self._projects.check(request.project, request.domain)
        check_present(name=request.workflow)
        return Scope(project=request.project, domain=request.domain, workflow=request.workflow)


def _check_given(
    request: ProjectDomainAttributesUpdateRequest
    | ProjectAttributesUpdateRequest
    | WorkflowAttributesUpdateRequest,
) -> None:
    if not request.HasField("attributes"):
        raise InvalidArgument("missing attributes")


def _matching(
    given: ProjectDomainAttributes | ProjectAttributes | WorkflowAttributes,
) -> MatchingAttributes | None:
    return given.matching_attributes if given.HasField("matching_attributes") else None
