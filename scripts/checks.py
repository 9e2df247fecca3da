"""What `taxiway doctor` looks at, one function each: what was found, and what to do where it is not right."""

from __future__ import annotations

import secrets
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from importlib.metadata import version
from pathlib import Path

from flyteidl.admin.common_pb2 import ObjectGetRequest, ResourceListRequest
from flyteidl.admin.matchable_resource_pb2 import TASK_RESOURCE
from flyteidl.admin.project_domain_attributes_pb2 import ProjectDomainAttributesGetRequest
from flyteidl.admin.version_pb2 import GetVersionRequest
from flyteidl.core.compiler_pb2 import CompiledTask
from flyteidl.service.dataproxy_pb2 import CreateDownloadLocationRequest

from scripts.connection import SANDBOX_BUILD, SANDBOX_IMAGE, installed
from scripts.enrolling import projects
from scripts.enrolments import all_enrolled
from scripts.installing import DOCKER_HOST
from tasks._errors import (
    FlyteNotFound,
    FlyteRefused,
    FlyteUnavailable,
    NotInstalled,
    StorageRefused,
    TaxiwayError,
)
from tasks._flyte import Flyte
from tasks._quantities import quantity
from tasks._secrets import Secrets
from tasks._storage import fetch, upload
from tasks.self_check import Check, check_engine
from workflows.launch_plans import Installation

_LARGEST_TASK = {"cpu": "2", "memory": "1Gi"}
"""The highest limits that Taxiway's own tasks state."""
_UNREACHED = (
    "Start a sandbox with `taxiway sandbox start`, or see that your Flyte runs; --config or FLYTECTL_CONFIG "
    "names the configuration that says where it is, with `insecure: true` for one without TLS."
)


@dataclass(kw_only=True)
class Doctor:
    """One examination of one Flyte. What an earlier check found out helps the later ones.

    `environ` and `own_secrets` are what commands go by here, where they build images.
    """

    flyte: Flyte
    project: str
    domain: str
    environ: Mapping[str, str] = field(repr=False)
    own_secrets: Secrets = field(repr=False)
    sandbox: bool = False
    installation: Installation | None = None
    checks: list[Check] = field(default_factory=list)

    def examine(self) -> list[Check]:
        """Check everything from here; once Flyte cannot be reached, no more."""
        for name, check in self._all():
            try:
                self.checks += check()
            except TaxiwayError as error:
                remedy = _UNREACHED if isinstance(error, FlyteUnavailable) else error.remedy
                self.checks.append(Check(name=name, ok=False, found=error.problem, remedy=remedy))
                if name in ("endpoint", "authentication"):
                    break
        return self.checks

    def _all(self) -> Iterator[tuple[str, Callable[[], list[Check]]]]:
        yield "versions", self._versions
        yield "container engine", lambda: check_engine(self.environ, self.own_secrets)
        yield "endpoint", self._endpoint
        yield "authentication", self._authentication
        yield "storage", self._storage
        yield "installation", self._installation
        yield "image", self._image
        yield "platform limits", self._limits
        yield "enrolments", self._enrolments

    def _versions(self) -> list[Check]:
        here = {name: version(name) for name in ("taxiway", "flytekit", "flyteidl")}
        python = ".".join(map(str, sys.version_info[:3]))
        found = ", ".join(f"{name} {number}" for name, number in {**here, "Python": python}.items())
        return [Check(name="versions here", ok=True, found=found)]

    def _endpoint(self) -> list[Check]:
        checks = [Check(name="endpoint", ok=True, found=self.flyte.endpoint)]
        try:
            answer = self.flyte.call("GetVersion", GetVersionRequest()).control_plane_version
        except FlyteRefused as error:
            if error.status != "UNIMPLEMENTED":
                raise
            return checks
        self.sandbox = answer.Build == SANDBOX_BUILD
        what = "Taxiway's sandbox" if self.sandbox else "Flyte"
        return [*checks, Check(name="version there", ok=True, found=f"{what} {answer.Version or 'unknown'}")]

    def _authentication(self) -> list[Check]:
        found = projects(self.flyte)
        checks = [Check(name="authentication", ok=True, found=f"{len(found)} projects can be read")]
        if self.project not in found:
            remedy = "`taxiway install` makes it."
            return [*checks, Check(name="project", ok=False, found=f"no {self.project}", remedy=remedy)]
        domains = [domain.id for domain in found[self.project].domains]
        checks.append(Check(name="project", ok=True, found=self.project))
        known = self.domain in domains
        remedy = "" if known else f"Give one of {', '.join(domains)} with --domain."
        return [*checks, Check(name="domain", ok=known, found=self.domain, remedy=remedy)]

    def _storage(self) -> list[Check]:
        with tempfile.TemporaryDirectory(prefix="taxiway-") as folder:
            sent, back = Path(folder) / "probe", Path(folder) / "back"
            sent.write_text(secrets.token_hex(32))
            uri = upload(
                self.flyte,
                sent,
                project=self.project,
                domain=self.domain,
                root=f"taxiway-doctor/{secrets.token_hex(8)}",
            )
            found = f"wrote {uri}"
            try:
                fetch(self._readable(uri), back, self.flyte.config.platform)
            except (StorageRefused, FlyteRefused) as error:
                remedy = f"{error.remedy} Reports are read from the storage."
                return [Check(name="storage", ok=False, found=f"{found}; {error.problem}", remedy=remedy)]
            same = back.read_bytes() == sent.read_bytes()
        remedy = "" if same else "Check what stands between here and the storage."
        return [
            Check(
                name="storage",
                ok=same,
                found=f"{found} and read {'it' if same else 'something else'}",
                remedy=remedy,
            )
        ]

    def _readable(self, uri: str) -> str:
        """Return a URL that a file can be read from here, as decks are."""
        try:
            request = CreateDownloadLocationRequest(native_url=uri)
            return str(self.flyte.call("CreateDownloadLocation", request).signed_url)
        except FlyteRefused:
            return uri

    def _installation(self) -> list[Check]:
        self.installation = installed(self.flyte, self.project, self.domain)
        checks = [Check(name="installation", ok=True, found=f"Taxiway {self.installation.version}")]
        if host := self.installation.env.get(DOCKER_HOST, ""):
            checks.append(Check(name="images", ok=True, found=f"built on the engine at {host}"))
        given = self.installation.env.get("FLYTE_PLATFORM_URL", "")
        if self.sandbox and given != self.flyte.endpoint:
            # A sandbox on a free port has another one after a restart; tasks still have the old one.
            remedy = "`taxiway install`, then enrol each target again; or start the sandbox on that port."
            found = f"tasks look for it at {given or 'no endpoint'}"
            checks.append(Check(name="endpoint of tasks", ok=False, found=found, remedy=remedy))
        return checks

    def _image(self) -> list[Check]:
        if self.installation is None:
            known = SANDBOX_IMAGE if self.sandbox else "none yet"
            remedy = "" if self.sandbox else "Install with --image, an image that holds Taxiway."
            return [Check(name="image", ok=self.sandbox, found=known, remedy=remedy)]
        images = sorted(
            {task.template.container.image for task in self._tasks() if task.template.container.image}
        )
        fixed = self.sandbox or all("@sha256:" in image for image in images)
        remedy = "" if fixed else "Install with the image's digest, for a tag can move."
        return [Check(name="image", ok=fixed, found=", ".join(images), remedy=remedy)]

    def _limits(self) -> list[Check]:
        request = ProjectDomainAttributesGetRequest(
            project=self.project, domain=self.domain, resource_type=TASK_RESOURCE
        )
        try:
            answer = self.flyte.call("GetProjectDomainAttributes", request)
        except (FlyteNotFound, FlyteRefused):
            proved = self.installation is not None
            found = (
                "Flyte took Taxiway's tasks" if proved else "the platform's defaults; installing will tell"
            )
            return [Check(name="platform limits", ok=True, found=found)]
        limits = answer.attributes.matching_attributes.task_resource_attributes.limits
        small = [
            f"{name} {getattr(limits, name)}"
            for name, needed in _LARGEST_TASK.items()
            if getattr(limits, name) and quantity(getattr(limits, name)) < quantity(needed)
        ]
        found = ", ".join(small) if small else f"cpu {limits.cpu or 'open'}, memory {limits.memory or 'open'}"
        remedy = "Install with --cpu and --memory within them, or have them raised." if small else ""
        return [Check(name="platform limits", ok=not small, found=found, remedy=remedy)]

    def _enrolments(self) -> list[Check]:
        if self.installation is None:
            return []
        found = all_enrolled(self.flyte, self.project, self.domain)
        remedy = "" if found else "Enrol one: `taxiway enroll URL --name TARGET`."
        checks = [Check(name="targets", ok=True, found=f"{len(found)} enrolled", remedy=remedy)]
        behind = [
            one.enrolment.name
            for one in found
            if one.plan.spec.workflow_id.version != self.installation.version
        ]
        if behind:
            remedy = "Enrol them again to move them to the version installed."
            checks.append(Check(name="targets behind", ok=True, found=", ".join(behind), remedy=remedy))
        known = projects(self.flyte)
        for one in found:
            place = one.enrolment.preview.project
            if place not in known:
                remedy = "Create it, or enrol again with --create-projects."
                checks.append(
                    Check(
                        name=f"preview project of {one.enrolment.name}",
                        ok=False,
                        found=f"no {place}",
                        remedy=remedy,
                    )
                )
        return checks

    def _tasks(self) -> Iterator[CompiledTask]:
        if self.installation is None:
            raise NotInstalled("Taxiway is not installed.", remedy="Run `taxiway install`.")
        request = ResourceListRequest(limit=100, filters=f"eq(version,{self.installation.version})")
        request.id.project, request.id.domain = self.project, self.domain
        for one in self.flyte.pages("ListTasks", request, "tasks"):
            found = self.flyte.call("GetTask", ObjectGetRequest(id=one.id))
            yield found.closure.compiled_task
