"""`taxiway init`: adopt what is ACTIVE in a stage today, as its first generation."""

from __future__ import annotations

import json

import click

from scripts.cli import PASSED
from scripts.connection import flyte_at, stage_at
from scripts.enrolments import find_enrolled
from scripts.options import examples, flyte_options, json_option
from tasks._errors import BadUsage
from tasks._home import Home
from tasks.adoption import adoption_of
from tasks.generations import follow_activation, launch_activation
from tasks.stage_state import active_plans, newest


@click.command(
    "init",
    short_help="Adopt what is ACTIVE in a stage today.",
    epilog=examples(
        "taxiway init fraud --stage production --stage-project fraud --stage-domain production",
    ),
)
@click.argument("target")
@click.option("--stage", required=True, help="The stage's name, as the policy has it.")
@click.option("--stage-project", required=True, help="The stage's Flyte project.")
@click.option("--stage-domain", required=True, help="The stage's Flyte domain.")
@click.option("--stage-endpoint", default="", help="The stage's Flyte; left out, the one Taxiway runs on.")
@click.option(
    "--launch-plan",
    "only",
    multiple=True,
    help="A launch plan to adopt; left out, every one that is ACTIVE there.",
)
@click.option("--reason", default="", help="Why; it is part of the record.")
@click.option("--again", is_flag=True, help="Adopt anew where the stage has a generation already.")
@click.option("--timeout", type=click.FloatRange(min=1), default=300, show_default=True, help="Seconds.")
@flyte_options
@json_option
def command(
    target: str,
    stage: str,
    stage_project: str,
    stage_domain: str,
    stage_endpoint: str,
    only: tuple[str, ...],
    reason: str,
    again: bool,
    timeout: float,
    config_file: str | None,
    project: str,
    domain: str,
    as_json: bool,
) -> int:
    """Record what is ACTIVE in a stage of TARGET as its generation 0, which changes nothing there.

    What is adopted is Taxiway's to answer for: the next promotion deactivates what its release does not
    activate. Where other things share the project, name your own with --launch-plan.
    """
    with flyte_at(config_file) as flyte:
        find_enrolled(flyte, project, domain, target)
        home = Home(flyte=flyte, project=project, domain=domain, target=target)
        last, following = newest(home, stage)
        if last is not None and not again:
            raise BadUsage(
                f"Stage {stage} of {target} has generation {last.number} already ({last.execution}).",
                remedy="With --again what is ACTIVE now becomes another one.",
            )
        with stage_at(stage_endpoint, flyte) as there:
            active = active_plans(there, stage_project, stage_domain)
        adopted = adoption_of(
            active,
            target=target,
            stage=stage,
            project=stage_project,
            domain=stage_domain,
            endpoint=stage_endpoint,
            generation=following,
            only=only,
            reason=reason,
        )
        launched = launch_activation(home, adopted)
        follow_activation(home, launched.id.name, timeout_s=timeout)
    if as_json:
        named = {"execution": launched.id.name, "activation": adopted.model_dump(mode="json")}
        click.echo(json.dumps(named))
        return PASSED
    click.echo(f"{target} {stage} is at generation {following}: {launched.id.name}")
    for name, version in adopted.after.items():
        click.echo(f"  {name} {version}")
    return PASSED
