"""`taxiway policy`: check a taxiway.toml, or print its JSON Schema."""

from __future__ import annotations

import json
from pathlib import Path

import click

from scripts.cli import FAILED, FAULT, PASSED
from scripts.options import examples, json_option
from tasks._toml import Invalid
from tasks._types import Finding
from tasks.policy import POLICY_FILE, read_policy, schema


@click.group("policy", short_help="Check a taxiway.toml, or print its JSON Schema.")
def command() -> None:
    """Check the policy of a target repository, or describe it to an editor."""


@command.command(
    "check", epilog=examples("taxiway policy check", "taxiway policy check path/to/taxiway.toml --json")
)
@click.argument("file", type=click.Path(path_type=Path), default=POLICY_FILE)
@json_option
def check(file: Path, as_json: bool) -> int:
    """Check FILE (taxiway.toml): every error at once, each with its place and its remedy.

    Ends with 0 if it is valid, 1 if it is not, 2 if it cannot be read. What an enrolment allows is not
    known here; a preview checks that.
    """
    try:
        content = file.read_bytes()
    except OSError as error:
        click.echo(f"taxiway: {file} cannot be read: {error.strerror or error}.", err=True)
        return FAULT
    policy = read_policy(content, str(file))
    findings = policy.findings if isinstance(policy, Invalid) else []
    if as_json:
        answer = {"valid": not findings, "findings": [finding.model_dump() for finding in findings]}
        click.echo(json.dumps(answer))
    elif findings:
        click.echo("\n".join(map(_lines, findings)))
    elif not isinstance(policy, Invalid):
        click.echo(f"{file} is valid; stages: {', '.join(stage.name for stage in policy.stage)}")
    return FAILED if findings else PASSED


@command.command("schema", epilog=examples("taxiway policy schema > taxiway.schema.json"))
@click.option("--json", "compact", is_flag=True, help="Print it on one line; it is JSON either way.")
def print_schema(compact: bool) -> None:
    """Print the JSON Schema of taxiway.toml, for editors and other checkers."""
    click.echo(json.dumps(schema(), indent=None if compact else 2))


def _lines(finding: Finding) -> str:
    return f"{finding.where}: {finding.problem}\n    {finding.remedy}"
