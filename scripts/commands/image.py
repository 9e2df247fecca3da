"""`taxiway image`: list, add and prune the images of this machine."""

from __future__ import annotations

import functools
import json
import os
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import click

from scripts.commands.image_layers import command as layers
from scripts.options import Command, examples, json_option
from tasks._builder import StoredImage
from tasks._venv_store import Reference, VenvStore

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


def subcommand(name: str, *shown: str) -> Callable[[Callable[..., None]], click.Command]:
    """Return a decorator for a subcommand of `taxiway image`, whose first argument is the store.

    The store is the one that its own options name, else the group's.
    """

    def decorate(run: Callable[..., None]) -> click.Command:
        @functools.wraps(run)
        def with_store(*, state: Path | None, image_root: Path | None, **options: Any) -> None:
            root = chosen_root(state, image_root)
            run(VenvStore(root=root) if root else click.get_current_context().obj, **options)

        return command.command(name, epilog=examples(*shown))(store_options()(json_option(with_store)))

    return decorate


def chosen_root(state: Path | None, image_root: Path | None) -> Path | None:
    """Return the folder of the images that the options name, if they name one."""
    return state / "images" if state else image_root


@click.group(
    "image",
    short_help="List, add and prune images.",
    epilog=examples(
        "taxiway image list",
        "taxiway image add registry.example.com/fraud:dev --prefix ~/fraud/.venv --env MODE=test",
        "taxiway image prune --keep-days 7 --delete",
    ),
)
@store_options("TAXIWAY_IMAGE_ROOT")
@click.pass_context
def command(ctx: click.Context, state: Path | None, image_root: Path | None) -> None:
    """List, add and prune the images that are virtual environments of this machine."""
    ctx.obj = VenvStore(root=chosen_root(state, image_root) or default_root())


@subcommand("list", "taxiway image list --json")
def list_images(store: VenvStore, as_json: bool) -> None:
    """List the images that were built, the last used first, and the references that were added."""
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


@subcommand("prune", "taxiway image prune --keep-days 7 --delete")
@click.option(
    "--keep-days",
    type=click.FloatRange(min=0),
    default=30,
    show_default=True,
    help="Keep what was used since.",
)
@click.option("--dry-run/--delete", default=True, show_default=True, help="Only say what would go, or do it.")
def prune(store: VenvStore, keep_days: float, dry_run: bool, as_json: bool) -> None:
    """Remove the images that nothing asked for in so many days. One that is being built always stays."""
    now = datetime.now(timezone.utc)
    gone = store.prune(unused_for=timedelta(days=keep_days), now=now, dry_run=dry_run)
    if as_json:
        click.echo(json.dumps({"dry_run": dry_run, "images": [as_row(each) for each in gone]}, indent=1))
        return
    for each in gone:
        click.echo(_line(each))
    total = sum(each.size_bytes for each in gone) / _MIB
    verb = "would be removed; --delete removes them" if dry_run else "removed"
    click.echo(f"{len(gone)} images, {total:.0f} MiB: {verb}", err=True)


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
