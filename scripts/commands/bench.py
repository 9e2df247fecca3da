"""`taxiway bench`: how fast Taxiway is, against a named peer in the same run."""

from __future__ import annotations

import ast
import importlib
import importlib.util
import json
import pkgutil
from collections.abc import Callable, Mapping
from pathlib import Path

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
    return sorted(subjects())


def subjects() -> dict[str, str]:
    """Return what each benchmark measures, in one line, by its name; read from its text, not run."""
    try:
        found = importlib.util.find_spec(FOLDER)
    except ModuleNotFoundError:
        return {}
    folders = list(found.submodule_search_locations or []) if found else []
    return {
        module.name: _first_line(Path(folder) / f"{module.name}.py")
        for folder in folders
        for module in pkgutil.iter_modules([folder])
        if not module.name.startswith("_")
    }


def _first_line(file: Path) -> str:
    said = ast.get_docstring(ast.parse(file.read_text(encoding="utf-8"))) or ""
    return said.partition("\n")[0]


def shown(figures: Mapping[str, float]) -> list[str]:
    """Return figures as aligned lines: ratios first, with a cross, then seconds."""
    width = max(map(len, figures), default=0)
    ratios = {name: value for name, value in figures.items() if "ratio" in name}
    rest = {name: value for name, value in figures.items() if name not in ratios}
    return [
        *(f"{name:<{width}}  {value:8.2f} x" for name, value in ratios.items()),
        *(f"{name:<{width}}  {value:8.3f}" for name, value in rest.items()),
    ]


class _Listing(click.Command):
    """A command whose help lists the benchmarks that are here."""

    def format_epilog(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the list before the examples."""
        if known := subjects():
            with formatter.section("Benchmarks"):
                formatter.write_dl(sorted(known.items()))
        super().format_epilog(ctx, formatter)


@click.command(
    "bench",
    cls=_Listing,
    short_help="Compare Taxiway's speed with a named peer's.",
    epilog=examples("taxiway bench register --rounds 5", "taxiway bench bundle --json"),
)
@click.argument("name")
@click.option("--rounds", type=click.IntRange(min=1), default=5, show_default=True, help="How many rounds.")
@json_option
def command(name: str, rounds: int, as_json: bool) -> None:
    """Run the benchmark NAME for some rounds and print the medians of its figures.

    With --json: `benchmark`, `rounds`, and a key for each figure. A key with `ratio` is a multiple, one that
    ends in `_s` seconds; the head of tests/benchmarks/NAME.py says what each of them is.
    """
    figures = load(name)(rounds)
    if as_json:
        click.echo(json.dumps({"benchmark": name, "rounds": rounds, **figures}))
        return
    for line in shown(figures):
        click.echo(line)
