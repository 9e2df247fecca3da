"""`taxiway image`: build, check, explain, list and prune images: venvs of this machine, or in a registry."""

from __future__ import annotations

import functools
import json
import os
import tempfile
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import click

from scripts.cli import FAILED, PASSED
from scripts.commands.image_layers import command as layers
from scripts.connection import flyte_at
from scripts.enrolments import all_enrolled
from scripts.images_used import digests_used
from scripts.imaging import builder_for, engine_builder, explained, have, kept_in
from scripts.local_source import local_source, made_from
from scripts.options import Command, examples, flyte_options, json_option
from tasks._builder import StoredImage, Usage
from tasks._types import Finding
from tasks._venv_store import Reference, VenvStore
from tasks.package import usage_of

_MIB = 1024**2


def default_root() -> Path:
    """Return the image folder of the sandbox that `taxiway sandbox start` starts without `--state`."""
    data = os.environ.get("XDG_DATA_HOME") or str(Path.home() / ".local" / "share")
    return Path(data) / "taxiway" / "sandbox" / "images"


def store_options(variable: str | None = None) -> Callable[[Command], Command]:
    """Return a decorator that adds the options that say which images; `variable` says so, too."""
    state = click.option("--state", type=click.Path(path_type=Path), help="The state folder of a sandbox.")
    root = click.option(
        "--image-root",
        type=click.Path(path_type=Path),
        envvar=variable,
        help="The folder of the images; left out, that of the sandbox.",
    )
    return lambda command: state(root(command))


def subcommand(name: str, *shown: str) -> Callable[[Callable[..., int | None]], click.Command]:
    """Return a decorator for a subcommand of `taxiway image`, whose first argument is the store.

    The store is the one that its own options name, else the group's.
    """

    def decorate(run: Callable[..., int | None]) -> click.Command:
        @functools.wraps(run)
        def with_store(*, state: Path | None, image_root: Path | None, **options: Any) -> int | None:
            root = chosen_root(state, image_root)
            return run(VenvStore(root=root) if root else click.get_current_context().obj, **options)

        return command.command(name, epilog=examples(*shown))(store_options()(json_option(with_store)))

    return decorate


def engine_options(command: Command) -> Command:
    """Add the option that says which container engine is used."""
    return click.option(
        "--docker-host",
        envvar=["TAXIWAY_DOCKER_HOST", "DOCKER_HOST"],
        default="",
        help="The container engine, as unix:///PATH or tcp://HOST:PORT (with DOCKER_CERT_PATH).",
    )(command)


def directory_option(command: Command) -> Command:
    """Add the option that says which repository is meant."""
    return click.option(
        "--directory",
        type=click.Path(exists=True, file_okay=False, path_type=Path),
        default=".",
        help="The repository; left out, the one that we are in.",
    )(command)


def chosen_root(state: Path | None, image_root: Path | None) -> Path | None:
    """Return the folder of the images that the options name, if they name one."""
    return state / "images" if state else image_root


@click.group(
    "image",
    short_help="Build, check, explain, list and prune images.",
    epilog=examples(
        "taxiway image explain --against main",
        "taxiway image build --docker-host unix:///var/run/docker.sock",
        "taxiway image list",
        "taxiway image add registry.example.com/fraud:dev --prefix ~/fraud/.venv --env MODE=test",
        "taxiway image prune --keep-days 7 --delete",
    ),
)
@store_options("TAXIWAY_IMAGE_ROOT")
@click.pass_context
def command(ctx: click.Context, state: Path | None, image_root: Path | None) -> None:
    """Say what an image is made from, build it, check it; list and prune what is kept.

    Without a container engine, images are virtual environments of this machine.
    """
    ctx.obj = VenvStore(root=chosen_root(state, image_root) or default_root())


@subcommand("list", "taxiway image list --json", "taxiway image list --repository registry.example.com/fraud")
@click.option("--repository", default="", help="List what was built for this repository, and its previews.")
def list_images(store: VenvStore, repository: str, as_json: bool) -> None:
    """List the images that were built, the last used first, and the references that were added."""
    if repository:
        _show_kept(repository, as_json=as_json)
        return
    images, references = store.images(), store.references()
    if as_json:
        rows = {
            "images": [as_row(each) for each in images],
            "references": [_named(each) for each in references],
        }
        click.echo(json.dumps(rows, indent=1))
        return
    for each in images:
        click.echo(_line(each))
    for reference in references:
        click.echo(f"{reference.reference}  at {reference.prefix}")
    if not images and not references:
        click.echo(f"No images in {store.root}", err=True)


@subcommand("add", "taxiway image add fraud:dev --prefix ~/fraud/.venv --env MODE=test")
@click.argument("reference")
@click.option("--prefix", type=click.Path(path_type=Path), required=True, help="The environment's folder.")
@click.option(
    "--env", "variables", multiple=True, metavar="KEY=VALUE", help="A variable that the image sets."
)
def add(store: VenvStore, reference: str, prefix: Path, variables: Sequence[str], as_json: bool) -> None:
    """Give REFERENCE, as workflows name it, to a Python environment that exists on this machine."""
    env = dict(_pair(text) for text in variables)
    added = store.add_reference(reference, prefix=prefix, env=env)
    click.echo(json.dumps(_named(added)) if as_json else f"{reference} is {added.prefix}")


@subcommand(
    "prune",
    "taxiway image prune --keep-days 7 --delete",
    "taxiway image prune --repository registry.example.com/fraud",
)
@click.option("--repository", default="", help="Prune what was built for this repository, and its previews.")
@flyte_options
@click.option(
    "--keep-days",
    type=click.FloatRange(min=0),
    default=30,
    show_default=True,
    help="Keep what was used since.",
)
@click.option("--dry-run/--delete", default=True, show_default=True, help="Only say what would go, or do it.")
def prune(
    store: VenvStore,
    repository: str,
    config_file: str | None,
    project: str,
    domain: str,
    keep_days: float,
    dry_run: bool,
    as_json: bool,
) -> None:
    """Remove the images that nothing asked for in so many days. One that is being built always stays.

    Of a repository, those stay that anything in any stage of an enrolled target is registered with: Flyte
    is asked, and where a stage's Flyte does not answer, nothing is removed. Their layers go when the
    registry collects its garbage.
    """
    age = timedelta(days=keep_days)
    now = datetime.now(timezone.utc)
    if repository:
        with flyte_at(config_file) as flyte:
            enrolled = [each.enrolment for each in all_enrolled(flyte, project, domain)]
            keep = digests_used(flyte, enrolled)
        with engine_builder(repositories=(repository,)) as builder:
            gone = builder.prune(unused_for=age, now=now, dry_run=dry_run, keep=keep)
    else:
        gone = store.prune(unused_for=age, now=now, dry_run=dry_run)
    if as_json:
        click.echo(json.dumps({"dry_run": dry_run, "images": [as_row(each) for each in gone]}, indent=1))
        return
    for each in gone:
        click.echo(_line(each))
    total = sum(each.size_bytes for each in gone) / _MIB
    verb = "would be removed; --delete removes them" if dry_run else "removed"
    click.echo(f"{len(gone)} images, {total:.0f} MiB: {verb}", err=True)


@subcommand(
    "explain",
    "taxiway image explain",
    "taxiway image explain HEAD --against main --json",
)
@click.argument("revision", default="HEAD")
@directory_option
@engine_options
@click.option("--against", default="", help="Another revision to compare with.")
def explain(
    store: VenvStore,
    revision: str,
    directory: Path,
    docker_host: str,
    against: str,
    as_json: bool,
) -> int:
    """Show what the image of REVISION (HEAD) is made from, and what of it differs --against another.

    Ends with 1 where an image cannot be built from it. Registries are asked for the digests of bases.
    """
    with builder_for(store, docker_host) as builder:
        with local_source(directory, revision) as source:
            made = made_from(source, builder)
        other = None
        if against and not made.findings:
            with local_source(directory, against) as source:
                other = made_from(source, builder)
    if made.findings or (other and other.findings):
        return _show_findings([*made.findings, *(other.findings if other else ())], as_json=as_json)
    rows = explained(made.ingredients or {}, None if other is None else other.ingredients or {})
    if as_json:
        shown = {
            "revision": made.source.revision.sha,
            "fingerprint": made.fingerprint,
            "against": other.source.revision.sha if other else "",
            "same": other is None or other.fingerprint == made.fingerprint,
            "ingredients": [vars(row) for row in rows],
        }
        click.echo(json.dumps(shown, indent=1))
        return PASSED
    click.echo(f"{made.source.revision.sha[:12]}  {made.fingerprint}")
    for row in rows:
        was = f"  (there: {row.there or 'not at all'})" if row.differs else ""
        click.echo(f"{'*' if row.differs else ' '} {row.name}  {row.here or 'not at all'}{was}")
    if other is not None:
        count = sum(row.differs for row in rows)
        what = "the same image" if not count else f"another image, for {count} ingredients differ"
        click.echo(f"{other.source.revision.sha[:12]} has {what}.", err=True)
    return PASSED


@subcommand(
    "build",
    "taxiway image build",
    "taxiway image build HEAD --docker-host tcp://builder:2376 --secret fraud/token=token.txt",
)
@click.argument("revision", default="HEAD")
@directory_option
@engine_options
@click.option(
    "--secret",
    "given",
    multiple=True,
    metavar="NAME=FILE",
    help="A secret of `image.secrets`, read from a file.",
)
def build(
    store: VenvStore,
    revision: str,
    directory: Path,
    docker_host: str,
    given: Sequence[str],
    as_json: bool,
) -> int:
    """Have the image of REVISION (HEAD) as a preview would: the one that is there, or a new one.

    It is made of what is committed, and kept among the previews' images. Ends with 1 where it cannot be
    built, or Flyte cannot use it.
    """
    secrets = dict(_secret(text) for text in given)
    with builder_for(store, docker_host, secrets) as builder, local_source(directory, revision) as source:
        made = made_from(source, builder)
        if made.findings or made.policy is None:
            return _show_findings(made.findings, as_json=as_json)
        with tempfile.TemporaryDirectory(prefix="taxiway-") as folder:
            step = have(made, builder, Path(folder))
        checked = builder.check(step.image, usage_of(made.policy))
    if as_json:
        shown = step.model_dump(mode="json") | {
            "findings": [one.model_dump() for one in checked.findings],
            "notes": [one.model_dump() for one in checked.notes],
        }
        click.echo(json.dumps(shown, indent=1))
    else:
        click.echo(step.image.reference)
        click.echo(f"{step.action.value} in {step.seconds:.1f} s: {step.because}", err=True)
        for one in [*checked.findings, *checked.notes]:
            click.echo(_finding(one), err=True)
    return FAILED if checked.findings else PASSED


@subcommand(
    "check", "taxiway image check registry.example.com/fraud@sha256:... --docker-host tcp://builder:2376"
)
@click.argument("reference")
@engine_options
@click.option("--destination", default=".", show_default=True, help="Where code is unpacked in it.")
@click.option("--platform", default="linux/amd64", show_default=True, help="What it should run on.")
@click.option("--non-root", is_flag=True, help="Refuse an image that runs as root.")
def check(
    store: VenvStore,
    reference: str,
    docker_host: str,
    destination: str,
    platform: str,
    non_root: bool,
    as_json: bool,
) -> int:
    """Find out whether Flyte can use an image, in containers of it without network and secrets.

    Ends with 1 where it cannot, with each reason and its remedy.
    """
    del store
    with engine_builder(docker_host) as builder:
        contract = builder.contract(
            reference, Usage(destination=destination, platform=platform, non_root=non_root)
        )
    if as_json:
        shown = {
            "usable": contract.kept,
            "findings": [one.model_dump() for one in contract.fatal],
            "notes": [one.model_dump() for one in contract.warnings],
            "flytekit": contract.flytekit,
            "python": contract.python,
            "user": contract.user,
            "entrypoint": list(contract.entrypoint),
            "platform": contract.platform,
        }
        click.echo(json.dumps(shown, indent=1))
    else:
        for one in contract.findings:
            click.echo(_finding(one))
        if contract.kept:
            click.echo(f"Flyte can use {reference}: flytekit {contract.flytekit}, user {contract.user}.")
    return PASSED if contract.kept else FAILED


def _show_findings(findings: Sequence[Finding], *, as_json: bool) -> int:
    if as_json:
        click.echo(json.dumps({"findings": [one.model_dump() for one in findings]}, indent=1))
    else:
        click.echo("\n".join(map(_finding, findings)))
    return FAILED


def _finding(finding: Finding) -> str:
    return f"{finding.where}: {finding.problem}\n    {finding.remedy}"


def _secret(text: str) -> tuple[str, bytes]:
    name, equals, file = text.partition("=")
    try:
        if not name or not equals:
            raise OSError("not NAME=FILE")
        return name, Path(file).read_bytes()
    except OSError as error:
        raise click.BadParameter(f"{text!r}: {error}.", param_hint="--secret") from error


def _show_kept(repository: str, *, as_json: bool) -> None:
    found = kept_in(repository)
    if as_json:
        click.echo(json.dumps({"images": [as_row(each) for each in found]}, indent=1))
        return
    for each in found:
        click.echo(_line(each))
    if not found:
        click.echo(f"No images in {repository}", err=True)


def as_row(stored: StoredImage) -> dict[str, Any]:
    """Return an image as the JSON that people's programs read."""
    return {
        "reference": stored.image.reference,
        "fingerprint": stored.image.fingerprint,
        "created": stored.created.isoformat(),
        "used": stored.used.isoformat(),
        "size_bytes": stored.size_bytes,
    }


def _line(stored: StoredImage) -> str:
    return f"{stored.image.reference}  used {stored.used:%Y-%m-%d %H:%M}  {stored.size_bytes / _MIB:.0f} MiB"


def _named(reference: Reference) -> dict[str, Any]:
    return {"reference": reference.reference, "prefix": str(reference.prefix), "env": dict(reference.env)}


def _pair(text: str) -> tuple[str, str]:
    key, equals, value = text.partition("=")
    if not key or not equals:
        raise click.BadParameter(f"{text!r} is not KEY=VALUE.", param_hint="--env")
    return key, value


command.add_command(layers)
