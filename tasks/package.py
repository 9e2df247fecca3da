"""Packaging: the target's code, in the target's image, by the target's own flytekit, turned into entities.

The pod that does it runs strangers' code, so it is a raw container with nothing of Taxiway's in it: no
module, no secret, no Kubernetes token, and nobody's user. `tasks._packaged` reads what it leaves.
"""

import os
import tempfile
from collections import OrderedDict
from datetime import timedelta
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from flytekit import ContainerTask, PodTemplate, Resources, TaskMetadata, current_context, dynamic
from flytekit.types.file import FlyteFile

from tasks import _package_program as program
from tasks._builder import Usage
from tasks._engine_record import REVISION, SOURCE, VERSION
from tasks._engine_secrets import ENGINE_SECRETS
from tasks._errors import BuildFailed, BuildTimedOut, BuildTooLarge
from tasks._packaged import PackageStatus, written
from tasks._registry_credentials import REGISTRY_SECRETS
from tasks._settings import read_settings
from tasks.image import ImageStep, ensure_image, image_builder
from tasks.policy import Policy
from tasks.prepare import Prepared

if TYPE_CHECKING:
    from kubernetes.client import V1PodSpec

NOBODY = 65534
IMAGE = "{{.image.default}}"
"""What stands in the template; every packaging runs in the target's image instead."""
_INPUTS, _OUTPUTS = "/var/inputs", "/var/outputs"
_PROGRAM = Path(program.__file__).read_text(encoding="utf-8")
# Backquotes, for Kubernetes would fill in a dollar sign before a parenthesis.
_START = f"""\
if python=`command -v python3 || command -v python`; then
    exec "$python" -I -c "$1" clean "$@"
fi
echo 'There is no Python on the PATH of this image.' >{_OUTPUTS}/log
: >{_OUTPUTS}/package
printf {program.FLYTEKIT_MISSING} >{_OUTPUTS}/status
"""


class Packaging(NamedTuple):
    """What `build_and_package` hands on. `image` is None, and the files are empty, if no pod was started."""

    image: ImageStep | None
    status: int
    log: FlyteFile
    package: FlyteFile


class ConfinedPod(PodTemplate):
    """A pod that can do nothing but compute: no token, no privilege, nobody's user.

    Its spec is made when a registration asks for it: the import of Kubernetes' client was a quarter of the
    CPU time that every start of a task took.
    """

    def __init__(self) -> None:
        # Without flytekit's own, which would make a spec at once.
        self.primary_container_name = "primary"

    @cached_property
    def pod_spec(self) -> "V1PodSpec":
        """What is merged with the task's container."""
        from kubernetes.client import (
            V1Capabilities,
            V1Container,
            V1PodSecurityContext,
            V1PodSpec,
            V1SeccompProfile,
            V1SecurityContext,
        )

        seccomp = V1SeccompProfile(type="RuntimeDefault")
        own = V1SecurityContext(
            allow_privilege_escalation=False, privileged=False, capabilities=V1Capabilities(drop=["ALL"])
        )
        return V1PodSpec(
            automount_service_account_token=False,
            enable_service_links=False,
            security_context=V1PodSecurityContext(
                run_as_non_root=True, run_as_user=NOBODY, run_as_group=NOBODY, seccomp_profile=seccomp
            ),
            containers=[V1Container(name="primary", security_context=own)],
        )


package_target = ContainerTask(
    name="tasks.package.package_target",
    image=IMAGE,
    command=["/bin/sh", "-c", _START, "taxiway-package", _PROGRAM],
    arguments=[
        f"{_INPUTS}/bundle",
        _OUTPUTS,
        "{{.inputs.modules}}",
        "{{.inputs.image}}",
        "{{.inputs.destination}}",
        "{{.inputs.timeout_s}}",
    ],
    inputs=OrderedDict(bundle=FlyteFile, modules=str, image=str, destination=str, timeout_s=int),
    outputs={"status": int, "log": FlyteFile, "package": FlyteFile},
    input_data_dir=_INPUTS,
    output_data_dir=_OUTPUTS,
    requests=Resources(cpu="250m", mem="400Mi"),
    limits=Resources(cpu="1", mem="1Gi"),
    metadata=TaskMetadata(retries=1, timeout=timedelta(hours=1)),
    pod_template=ConfinedPod(),
)


@dynamic(
    requests=Resources(cpu="250m", mem="400Mi"),
    limits=Resources(cpu="2", mem="1Gi"),
    secret_requests=[*REGISTRY_SECRETS, *ENGINE_SECRETS],
    retries=2,
)
def build_and_package(prepared: Prepared) -> Packaging:
    """Have the revision's image, then package its code in it; start no pod where there is nothing to do."""
    policy, plan, context, bundle = prepared.policy, prepared.plan, prepared.context, prepared.bundle
    if not prepared.verdict.passed or not (policy and plan and context and bundle):
        return not_packaged(PackageStatus.NOT_STARTED, "")
    settings = read_settings(os.environ)
    try:
        with (
            image_builder(settings, os.environ, current_context().secrets) as builder,
            tempfile.TemporaryDirectory() as folder,
        ):
            step = ensure_image(plan, context, builder=builder, into=Path(folder), labels=labels_of(prepared))
            checked = builder.check(step.image, usage_of(policy))
    except (BuildFailed, BuildTimedOut, BuildTooLarge) as error:
        return not_packaged(PackageStatus.IMAGE_FAILED, str(error))
    if checked.findings:
        return not_packaged(PackageStatus.IMAGE_UNFIT, written(checked.findings))
    step = step.model_copy(update={"notes": list(checked.notes)})
    packaged = package_target(
        bundle=bundle.file,
        modules=" ".join(policy.package.modules),
        image=step.image.reference,
        destination=policy.package.destination,
        timeout_s=settings.package_timeout_s,
    ).with_overrides(container_image=step.image.reference, node_name="package-target")
    return Packaging(image=step, status=packaged.status, log=packaged.log, package=packaged.package)


def labels_of(prepared: Prepared) -> dict[str, str]:
    """Return what an image says of the revision that it is built for."""
    version = {VERSION: prepared.version} if prepared.version else {}
    return {SOURCE: prepared.revision.repository, REVISION: prepared.revision.sha, **version}


def usage_of(policy: Policy) -> Usage:
    """Return what an image has to be fit for: root is refused where any stage refuses it."""
    return Usage(
        destination=policy.package.destination,
        platform=policy.image.platform,
        non_root=any(stage.non_root for stage in policy.stage),
    )


def not_packaged(status: PackageStatus, log: str) -> Packaging:
    """Return what stands for a packaging that no pod was started for."""
    folder = Path(tempfile.mkdtemp())
    for name, text in (("log", log), ("package", "")):
        (folder / name).write_text(text, encoding="utf-8")
    return Packaging(
        image=None,
        status=int(status),
        log=FlyteFile(str(folder / "log")),
        package=FlyteFile(str(folder / "package")),
    )
