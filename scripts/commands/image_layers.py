"""`taxiway image layers`: how large an image in a registry is, layer by layer."""

from __future__ import annotations

import json
from dataclasses import asdict

import click

from scripts.building import registries
from scripts.layers import read_layers, table_of
from scripts.options import examples, json_option
from tasks._references import parse_reference


@click.command(
    "layers",
    short_help="Show how large an image in a registry is, layer by layer.",
    epilog=examples("taxiway image layers ghcr.io/flyteorg/flytekit:py3.11-1.16.31"),
)
@click.argument("reference")
@click.option("--platform", default="linux/amd64", show_default=True, help="Which image of several.")
@json_option
def command(reference: str, platform: str, as_json: bool) -> None:
    """Show the layers of REFERENCE, as its registry holds them; none of them is downloaded."""
    named = parse_reference(reference)
    with registries() as registry:
        layers = read_layers(registry, named, platform=platform)
    click.echo(json.dumps([asdict(layer) for layer in layers]) if as_json else table_of(layers))
