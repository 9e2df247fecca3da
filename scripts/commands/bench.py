"""`taxiway bench`: how fast Taxiway is, against a named peer in the same run."""

from __future__ import annotations

import importlib
import importlib.util
import json
import pkgutil
from collections.abc import Callable, Mapping

import click

from scripts.options import examples, json_option
from tasks._errors import BadUsage

FOLDER = "tests.benchmarks"


def load(name: str) -> Callable[[int], Mapping[str, float]]:
    """Return the function `run(rounds)` of a benchmark, which returns named figures.

    Raises:
        BadUsage: the benchmarks are not here, for an installed Taxiway leaves them out; or not this one.
    """
    known = names()
    if not known:
        raise BadUsage(
            "The benchmarks are not part of an installed Taxiway.",
            remedy="Run it in a checkout of Taxiway's repository, installed with `pip install -e .`.",
        )
    if name not in known:
        raise BadUsage(f"There is no benchmark {name!r}.", remedy=f"There are: {', '.join(known)}.")
    run: Callable[[int], Mapping[str, float]] = importlib.import_module(f"{FOLDER}.{name}").run
    return run


def names() -> list[str]:
    """Return the names of the benchmarks; none where they are not here."""
    try:
        found = importlib.util.find_spec(FOLDER)
    except ModuleNotFoundError:
        return []
    folders = list(found.submodule_search_locations or []) if found else []
    return sorted(
        {module.name for module in pkgutil.iter_modules(folders) if not module.name.startswith("_")}
    )


def shown(figures: Mapping[str, float]) -> list[str]:
    """Return figures as aligned lines: ratios first, with a cross, then seconds."""
    width = max(map(len, figures), default=0)
    ratios = {name: value for name, value in figures.items() if "ratio" in name}
    rest = {name: value for name, value in figures.items() if name not in ratios}
    return [
        *(f"{name:<{width}}  {value:8.2f} x" for name, value in ratios.items()),
        *(f"{name:<{width}}  {value:8.3f}" for name, value in rest.items()),
    ]


@click.command(
    "bench",
    short_help="Compare Taxiway's speed with a named peer's.",
    epilog=examples("taxiway bench register --rounds 5", "taxiway bench bundle --json"),
)
@click.argument("name")
@click.option("--rounds", type=click.IntRange(min=1), default=5, show_default=True, help="How many rounds.")
@json_option
def command(name: str, rounds: int, as_json: bool) -> None:
    """Run the benchmark NAME for some rounds and print the medians of its figures."""
    figures = load(name)(rounds)
    if as_json:
        click.echo(json.dumps({"benchmark": name, "rounds": rounds, **figures}))
        return
    for line in shown(figures):
        click.echo(line)
