"""`taxiway install`: register Taxiway's own tasks and workflows in the configured Flyte."""

from __future__ import annotations

import json

import click

from scripts.building import Building, build_options, built_image, check_one_image
from scripts.connection import SANDBOX_IMAGE, flyte_at, is_sandbox
from scripts.enrolling import ALLOW_FILE_URLS
from scripts.installing import DOCKER_HOST, Installed, Installing, install
from scripts.options import examples, flyte_options, json_option
from scripts.own import Placement
from tasks._errors import BadUsage
from tasks._flyte import Flyte
from tasks._quantities import quantity
from tasks._settings import read_settings


def _quantity(context: click.Context, parameter: click.Parameter, value: str) -> str:
    del context, parameter
    try:
        return value if not value or quantity(value) > 0 else ""
    except ValueError as error:
        raise click.BadParameter(str(error)) from error


def _pairs(context: click.Context, parameter: click.Parameter, value: tuple[str, ...]) -> dict[str, str]:
    del context, parameter
    pairs = dict(text.split("=", 1) for text in value if "=" in text)
    if len(pairs) != len(value):
        raise click.BadParameter("give each once, as KEY=VALUE")
    read_settings(pairs)
    return pairs


@click.command(
    "install",
    short_help="Register Taxiway's own tasks, workflows and launch plans.",
    epilog=examples(
        "taxiway install",
        "taxiway install --image registry.example.com/taxiway@sha256:... --memory 1Gi",
        "taxiway install --build-image registry.example.com/taxiway --platform linux/amd64",
    ),
)
@flyte_options
@click.option(
    "--cluster-endpoint",
    default="",
    help="Flyte's endpoint as tasks reach it, such as dns:///flyteadmin.flyte:81; else as configured.",
)
@click.option("--cluster-insecure/--cluster-secure", default=None, help="Whether tasks reach it without TLS.")
@click.option("--image", default="", help="An image that holds Taxiway; left out, the sandbox's own.")
@click.option(
    "--docker-host",
    default="",
    help="The container engine that builds images, as tasks reach it, such as tcp://builder:2376.",
)
@click.option("--cpu", default="", callback=_quantity, help="CPU limit of every task, such as 1 or 1500m.")
@click.option("--memory", default="", callback=_quantity, help="Memory limit of every task, such as 1Gi.")
@click.option("--service-account", default="", help="Kubernetes service account of Taxiway's tasks.")
@click.option("--version", default="", help="Version to register; left out, made from commit and content.")
@build_options
@click.option(
    "--allow-file-urls/--no-allow-file-urls",
    default=None,
    help="Whether targets may be file:// URLs; left out, on a sandbox only.",
)
@click.option(
    "--env",
    "env",
    multiple=True,
    metavar="KEY=VALUE",
    callback=_pairs,
    help="An environment variable for every task: TAXIWAY_* settings, FLYTE_CREDENTIALS_* ...",
)
@json_option
def command(
    config_file: str | None,
    project: str,
    domain: str,
    cluster_endpoint: str,
    cluster_insecure: bool | None,
    image: str,
    docker_host: str,
    cpu: str,
    memory: str,
    service_account: str,
    version: str,
    building: Building,
    allow_file_urls: bool | None,
    env: dict[str, str],
    as_json: bool,
) -> None:
    """Register Taxiway's own tasks and workflows in the Flyte that flytekit is configured for.

    The project is made if it is missing. Installing the same again makes nothing. Targets go on with the
    version that they were enrolled with until they are enrolled again.
    """
    check_one_image(image, building)
    with flyte_at(config_file) as flyte:
        sandbox = is_sandbox(flyte)
        if building.name:
            image = built_image(building)
        wanted = Installing(
            placement=Placement(
                project=project,
                domain=domain,
                image=image or _default_image(flyte, sandbox=sandbox),
                cpu=cpu,
                memory=memory,
            ),
            bundled=not image,
            version=version,
            service_account=service_account,
            env={
                **task_environment(
                    flyte,
                    endpoint=cluster_endpoint,
                    insecure=cluster_insecure,
                    file_urls=sandbox if allow_file_urls is None else allow_file_urls,
                ),
                **({DOCKER_HOST: docker_host} if docker_host else {}),
                **env,
            },
        )
        done = install(flyte, wanted)
    click.echo(json.dumps(_as_json(done)) if as_json else _as_text(done))


def task_environment(
    flyte: Flyte, *, endpoint: str, insecure: bool | None, file_urls: bool
) -> dict[str, str]:
    """Return what tells tasks where Flyte is, and what the installation allows."""
    platform = flyte.config.platform
    env = {
        "FLYTE_PLATFORM_URL": endpoint or platform.endpoint,
        "FLYTE_PLATFORM_INSECURE": str(platform.insecure if insecure is None else insecure).lower(),
    }
    if platform.console_endpoint:
        env["FLYTE_PLATFORM_CONSOLE_ENDPOINT"] = platform.console_endpoint
    if file_urls:
        env[ALLOW_FILE_URLS] = "1"
    return env


def _default_image(flyte: Flyte, *, sandbox: bool) -> str:
    if sandbox:
        return SANDBOX_IMAGE
    raise BadUsage(
        f"{flyte.endpoint} is no sandbox, so its tasks need an image that holds Taxiway.",
        remedy="Let --build-image build and push one, or give one that exists with --image by its digest.",
    )


def _as_json(done: Installed) -> dict[str, object]:
    where = done.installation
    return {
        "project": where.project,
        "domain": where.domain,
        "version": where.version,
        "image": done.image,
        "created": len(done.counts.created),
        "existing": len(done.counts.existing),
        "project_made": done.project_made,
        "activated": done.activated,
        "environment": dict(where.env),
    }


def _as_text(done: Installed) -> str:
    where = done.installation
    made = f"Made project {where.project}.\n" if done.project_made else ""
    return (
        f"{made}Taxiway {where.version} is installed in {where.project}/{where.domain}: "
        f"{len(done.counts.created)} entities registered, {len(done.counts.existing)} were there."
        "\nNext: taxiway enroll URL --name TARGET"
    )
