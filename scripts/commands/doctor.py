"""`taxiway doctor`: say what is missing between here and a working installation."""

from __future__ import annotations

import json
import os
import secrets

import click
from flyteidl.admin.execution_pb2 import (
    ExecutionCreateRequest,
    ExecutionMetadata,
    ExecutionSpec,
    WorkflowExecutionGetDataRequest,
)
from flyteidl.core.identifier_pb2 import WorkflowExecutionIdentifier
from flytekit import current_context
from flytekit.core.context_manager import FlyteContextManager
from flytekit.core.type_engine import TypeEngine
from flytekit.models.literals import Literal

from scripts import follow
from scripts.checks import Doctor
from scripts.cli import FAILED, PASSED
from scripts.connection import active_plan, flyte_at
from scripts.options import examples, flyte_options, json_option
from tasks._flyte import Flyte
from tasks.self_check import Check, SelfCheck
from workflows.launch_plans import SELF_CHECK

_TIMEOUT_S = 600


@click.command(
    "doctor",
    short_help="Say what is missing between here and a working installation.",
    epilog=examples("taxiway doctor", "taxiway doctor --run"),
)
@click.option("--run", is_flag=True, help="Also run the installed self-check: one task, in Taxiway's image.")
@flyte_options
@json_option
def command(run: bool, config_file: str | None, project: str, domain: str, as_json: bool) -> int:
    """Check the endpoint, authentication, projects, storage, image, platform limits and versions.

    Where TAXIWAY_DOCKER_HOST names a container engine here, it is asked, too; that of the installation is
    asked with --run. Every finding has its remedy. Ends with 0 if nothing is missing, 1 if something is.
    """
    with flyte_at(config_file, patience_s=3) as flyte:
        doctor = Doctor(
            flyte=flyte,
            project=project,
            domain=domain,
            environ=os.environ,
            own_secrets=current_context().secrets,
        )
        checks = doctor.examine()
        if run and doctor.installation is not None:
            checks += run_self_check(flyte, project, domain)
    well = all(check.ok for check in checks)
    if as_json:
        click.echo(json.dumps({"ok": well, "checks": [check.model_dump() for check in checks]}))
    else:
        for check in checks:
            click.echo(_line(check))
    return PASSED if well else FAILED


def run_self_check(flyte: Flyte, project: str, domain: str) -> list[Check]:
    """Run the installation's self-check and return what its task found.

    Raises:
        WaitTimedOut: it takes longer than ten minutes.
    """
    plan = active_plan(flyte, project, domain, SELF_CHECK)
    name = f"self-check-{secrets.token_hex(5)}"
    spec = ExecutionSpec(launch_plan=plan.id, metadata=ExecutionMetadata(mode=ExecutionMetadata.MANUAL))
    flyte.call(
        "CreateExecution", ExecutionCreateRequest(project=project, domain=domain, name=name, spec=spec)
    )
    identifier = WorkflowExecutionIdentifier(project=project, domain=domain, name=name)
    with follow.display() as show:
        state = follow.follow(flyte, identifier, show, timeout_s=_TIMEOUT_S)
    if state.phase != "SUCCEEDED":
        problem = f"{name} is {state.phase}: {state.error_message.strip()[-1000:]}"
        remedy = "See the execution in Flyte: the image, the cluster endpoint or the storage is not right."
        return [Check(name="self-check", ok=False, found=problem, remedy=remedy)]
    data = flyte.call("GetExecutionData", WorkflowExecutionGetDataRequest(id=identifier))
    literal = Literal.from_flyte_idl(data.full_outputs.literals["o0"])
    found = TypeEngine.to_python_value(FlyteContextManager.current_context(), literal, SelfCheck)
    there = ", ".join(f"{name} {number}" for name, number in found.versions.items())
    return [*found.checks, Check(name="versions in a task", ok=True, found=there)]


def _line(check: Check) -> str:
    sign = "ok  " if check.ok else "MISS"
    remedy = f"\n       {check.remedy}" if check.remedy else ""
    return f"{sign}   {check.name}: {check.found}{remedy}"
