"""`taxiway enroll`: put a target repository under Taxiway's care, or say which ones are."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import click

from scripts.connection import flyte_at
from scripts.enrolling import Enrolling, enrol
from scripts.enrolments import Enrolled, all_enrolled, find_enrolled, read_enrolment_file, validated
from scripts.options import examples, flyte_options, json_option
from tasks._errors import BadUsage
from tasks._flyte import Flyte

LIMITS = {
    "endpoint": "endpoints",
    "project": "projects",
    "domain": "domains",
    "service-account": "service_accounts",
    "iam-role": "iam_roles",
    "data-prefix": "data_prefixes",
    "image": "images",
    "secret-group": "secret_groups",
    "task-type": "task_types",
    "base-image": "base_images",
    "build-network": "build_networks",
}
"""The flags `--limit-<name>`, and the list of limits that each adds to."""


def _limit_options(command: Any) -> Any:
    for flag, name in reversed(LIMITS.items()):
        command = click.option(
            f"--limit-{flag}",
            f"limit_{name}",
            multiple=True,
            help=f"One of the {name.replace('_', ' ')} that the target may name; `*` allows any.",
        )(command)
    return command


@click.command(
    "enroll",
    short_help="Put a target repository under Taxiway's care.",
    epilog=examples(
        "taxiway enroll https://git.example.com/risk/fraud --name fraud \\",
        "    --preview-project fraud-previews --limit-project fraud --limit-domain development \\",
        "    --limit-image registry.example.com/fraud",
        "taxiway enroll --file enrolment.toml",
        "taxiway enroll --list",
    ),
)
@click.argument("url", required=False, default="")
@click.option("--name", default="", help="The target's name, part of its launch plans' names.")
@click.option("--protected-branch", default="", help="The branch whose policy counts; main if left out.")
@click.option(
    "--preview-project", default="", help="Where previews are registered; <name>-previews if left out."
)
@click.option("--preview-domain", default="", help="In which domain; development if left out.")
@click.option("--preview-service-account", default="", help="The service account of previews' executions.")
@click.option("--preview-data-prefix", default="", help="The storage prefix of previews' executions.")
@click.option(
    "--preview-secret-group",
    "preview_secret_groups",
    multiple=True,
    help="A group whose secrets a pull request's tasks may ask for.",
)
@click.option(
    "--preview-build-secret",
    "preview_build_secrets",
    multiple=True,
    help="A secret of `image.secrets` that a pull request's image is built with.",
)
@_limit_options
@click.option(
    "--file",
    "file",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="An enrolment as TOML; flags come on top.",
)
@click.option(
    "--nightly",
    metavar="CRON",
    default="",
    help="When releases that are due are promoted by themselves: cron's five fields, in UTC.",
)
@click.option(
    "--anonymous-approvals",
    is_flag=True,
    help="Let approvals count where Flyte knows nobody's name, as on a sandbox; all of them count as one.",
)
@click.option(
    "--create-projects",
    is_flag=True,
    help="Make the projects that are missing: that of previews and those of the limits.",
)
@click.option("--list", "list_all", is_flag=True, help="List the enrolled targets.")
@click.option("--show", metavar="TARGET", default="", help="Show one target's enrolment.")
@flyte_options
@json_option
def command(
    list_all: bool,
    show: str,
    create_projects: bool,
    config_file: str | None,
    project: str,
    domain: str,
    as_json: bool,
    **given: Any,
) -> None:
    """Register and activate `taxiway.<flow>.<name>` for every flow, with URL and limits as fixed inputs.

    Callers of the launch plans give a SHA, a pull request's number, a stage; Flyte refuses anything else.
    The same enrolment again makes nothing, another one is a new version. Everything is read back from Flyte.
    """
    with flyte_at(config_file) as flyte:
        if list_all:
            _show_all(all_enrolled(flyte, project, domain), as_json=as_json)
        elif show:
            _show(find_enrolled(flyte, project, domain, show), as_json=as_json)
        else:
            done = _enrol(flyte, given, project=project, domain=domain, create_projects=create_projects)
            click.echo(json.dumps(_done_json(done)) if as_json else _done_text(done))


def values_of(given: dict[str, Any]) -> dict[str, Any]:
    """Return an enrolment's values from a file and flags; a flag that was given wins, limits add up."""
    values = read_enrolment_file(given["file"]) if given.get("file") else {}
    flags = {"name": "name", "url": "repository"} | {flag: flag for flag in ("protected_branch", "nightly")}
    values |= {field: given[flag] for flag, field in flags.items() if given.get(flag)}
    if not values.get("repository") or not values.get("name"):
        raise BadUsage(
            "An enrolment needs the repository's URL and a name.",
            remedy="Give URL and --name, or --file; see `taxiway enroll --help`.",
        )
    preview = dict(values.get("preview") or {})
    for field, default in (("project", f"{values['name']}-previews"), ("domain", "development")):
        preview[field] = given.get(f"preview_{field}") or preview.get(field, default)
    for field in ("service_account", "data_prefix", "secret_groups", "build_secrets"):
        if given.get(f"preview_{field}"):
            preview[field] = given[f"preview_{field}"]
    limits = dict(values.get("limits") or {})
    for name in LIMITS.values():
        added = [*limits.get(name, []), *given.get(f"limit_{name}", ())]
        if added:
            limits[name] = list(dict.fromkeys(added))
    if given.get("anonymous_approvals"):
        values["anonymous_approvals"] = True
    return {**values, "preview": preview, "limits": limits}


def _enrol(
    flyte: Flyte, given: dict[str, Any], *, project: str, domain: str, create_projects: bool
) -> Enrolling:
    enrolment = validated(values_of(given))
    done = enrol(flyte, enrolment, project=project, domain=domain, create_projects=create_projects)
    for name in done.projects_made:
        click.echo(f"Made project {name}.", err=True)
    return done


def _show_all(found: list[Enrolled], *, as_json: bool) -> None:
    if as_json:
        click.echo(json.dumps([_as_json(one) for one in found]))
        return
    for one in found:
        preview = one.enrolment.preview
        click.echo(
            f"{one.enrolment.name}\t{one.enrolment.repository}\t{preview.project}/{preview.domain}\t{one.version}"
        )
    if not found:
        click.echo("No target is enrolled. Next: taxiway enroll URL --name TARGET", err=True)


def _show(one: Enrolled, *, as_json: bool) -> None:
    click.echo(json.dumps(_as_json(one), indent=None if as_json else 2))


def _as_json(one: Enrolled) -> dict[str, Any]:
    plan = one.plan.id
    return {
        "enrolment": one.enrolment.model_dump(mode="json"),
        "launch_plan": {
            "project": plan.project,
            "domain": plan.domain,
            "name": plan.name,
            "version": plan.version,
        },
        "installed_version": one.plan.spec.workflow_id.version,
    }


def _done_json(done: Enrolling) -> dict[str, Any]:
    return {**_as_json(done.enrolled), "created": done.created, "activated": done.activated}


def _done_text(done: Enrolling) -> str:
    plan = done.enrolled.plan.id
    state = "is enrolled" if done.created or done.activated else "was enrolled just so before"
    name = done.enrolled.enrolment.name
    return f"{name} {state}: {plan.name} {plan.version}\nNext: taxiway preview {name} SHA --pull-request N"
