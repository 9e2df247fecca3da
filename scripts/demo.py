"""Taxiway's main job on real git repositories, on a sandbox of its own: `./scripts/demo`.

A target project becomes a repository with branches; Taxiway is installed, the target enrolled, and two pull
requests are previewed: one that changes only code and reuses the image of main, and one that changes a
dependency and builds an image. `--full` goes on: see `scripts.tour`.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click

from scripts.tour import Tour
from tests.fixtures.target import Target, build_target

ROOT = Path(__file__).resolve().parent.parent
TAXIWAY = Path(sys.executable).with_name("taxiway")
FOREIGN = ("FLYTE", "TAXIWAY_", "_F_")
_LIMITS = (
    "project=fraud",
    "domain=development",
    "domain=staging",
    "domain=production",
    "image=registry.example.com/risk/fraud",
)
_TIMEOUT_S = 600


@dataclass(frozen=True, kw_only=True)
class Shown:
    """One preview that was shown: what it was about, and its outcome."""

    title: str
    outcome: Mapping[str, Any]
    seconds: float

    @property
    def execution(self) -> str:
        """The name of its execution."""
        return str(self.outcome["execution"]["name"])

    @property
    def line(self) -> str:
        """The outcome in one line."""
        report = self.outcome["report"] or {}
        verdict = report.get("verdict", {}).get("status", "no report")
        image = (report.get("image") or {}).get("action", "none")
        return f"{self.title}: {verdict}; image {image}; {self.seconds:.0f} s"


@dataclass(frozen=True, kw_only=True)
class Demo:
    """A running sandbox and where the demo keeps its files."""

    folder: Path
    environ: Mapping[str, str]

    def taxiway(self, *words: str | Path, ends: tuple[int, ...] = (0,)) -> str:
        """Show a `taxiway` command, run it with its progress on the terminal, and return what it printed.

        Raises:
            click.ClickException: it ended otherwise than with `ends`.
        """
        shown = " ".join(["taxiway", *map(str, words)])
        click.secho(f"$ {shown}", bold=True)
        done = subprocess.run(
            [TAXIWAY, *words],
            env=dict(self.environ),
            stdout=subprocess.PIPE,
            text=True,
            timeout=_TIMEOUT_S,
            check=False,
        )
        if done.returncode not in ends:
            raise click.ClickException(f"`{shown}` ended with {done.returncode}: {done.stdout}")
        return done.stdout

    def preview(self, title: str, sha: str, number: int) -> Shown:
        """Preview a revision of the target."""
        click.secho(f"\n{title}", fg="cyan")
        began = time.monotonic()
        words = ["preview", "fraud", sha, "--json", *(["--pull-request", str(number)] if number else [])]
        outcome = json.loads(self.taxiway(*words, ends=(0, 1)))
        seconds = time.monotonic() - began
        shown = Shown(title=title, outcome=outcome, seconds=seconds)
        click.secho(shown.line, fg="green" if outcome["passed"] else "red")
        return shown

    def page(self, execution: str) -> Path:
        """Write the report of an execution as a page, and return it."""
        page = self.folder / "reports" / f"{execution}.html"
        page.parent.mkdir(exist_ok=True)
        self.taxiway("report", execution, "--html", page)
        return page


@click.command()
@click.option("--full", is_flag=True, help="Go on from merge to production and back; takes minutes.")
@click.option("--keep", is_flag=True, help="Leave the sandbox running, to look around in it.")
@click.option(
    "--folder",
    type=click.Path(file_okay=False, path_type=Path),
    default=ROOT / ".taxiway" / "demo",
    help="Where everything is kept; made anew each time.",
)
def main(full: bool, keep: bool, folder: Path) -> None:
    """Preview a code-only change and a dependency change of a target project, on a sandbox."""
    began = time.monotonic()
    environ = _environment(os.environ)
    demo, target = _prepare(folder.resolve(), environ)
    try:
        demo.taxiway("install")
        flags = [word for limit in _LIMITS for word in (f"--limit-{limit}").split("=", 1)]
        enrol = [target.url, "--name", "fraud", "--create-projects", "--anonymous-approvals", *flags]
        demo.taxiway("enroll", *enrol)
        demo.preview("The main branch, for which the first image is built", target.main, 0)
        shown = [
            demo.preview("A pull request that changes only code", target.branches["code-only"], 1),
            demo.preview("A pull request that changes a dependency", target.branches["dependency"], 2),
        ]
        pages = [demo.page(one.execution) for one in shown]
        if full:
            tour = Tour(shell=demo, target=target, enrol=enrol)
            pages += [demo.page(execution) for execution in tour.run()]
    finally:
        if not keep:
            demo.taxiway("sandbox", "stop", "--state", demo.folder / "state")
    _conclude(demo, pages, shown, keep=keep, seconds=time.monotonic() - began)
    sys.exit(0 if all(one.outcome["passed"] for one in shown) else 1)


def _prepare(folder: Path, environ: Mapping[str, str]) -> tuple[Demo, Target]:
    first = Demo(folder=folder, environ=environ)
    state, repository = folder / "state", folder / "fraud.git"
    if folder.exists() and any(folder.iterdir()) and not (state.exists() or repository.exists()):
        raise click.ClickException(f"{folder} holds what is not an earlier demo's; give another --folder.")
    if state.exists():
        first.taxiway("sandbox", "stop", "--state", state, ends=(0, 1, 2))
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    target = build_target(repository)
    click.echo(f"A target project with branches: {target.url}")
    first.taxiway("sandbox", "start", "--port", "0", "--state", state)
    status = json.loads(first.taxiway("sandbox", "status", "--json", "--state", state))
    return Demo(folder=folder, environ={**environ, "FLYTECTL_CONFIG": status["config"]}), target


def _environment(environ: Mapping[str, str]) -> dict[str, str]:
    """Return the environment without what would point flytekit or Taxiway elsewhere."""
    return {name: value for name, value in environ.items() if not name.startswith(FOREIGN)}


def _conclude(
    demo: Demo, pages: Sequence[Path], shown: Sequence[Shown], *, keep: bool, seconds: float
) -> None:
    click.secho(f"\nDone in {seconds:.0f} s. Where to look:", fg="cyan")
    for one in shown:
        click.echo(f"  {one.line}")
    for page in pages:
        click.echo(f"    {page.as_uri()}")
    state = demo.folder / "state"
    activate = f"export FLYTECTL_CONFIG={demo.environ['FLYTECTL_CONFIG']}"
    if keep:
        click.echo(f"\nThe sandbox runs. Look around, then stop it:\n  {activate}")
    else:
        click.echo(
            "\nThe sandbox is stopped; its executions are kept. To look around:\n"
            f"  {TAXIWAY} sandbox start --state {state}\n  {activate}"
        )
    click.echo(f"  {TAXIWAY} report {shown[0].execution} --markdown")
    click.echo(f"  {TAXIWAY} preview fraud SHA --pull-request 3")
    click.echo(f"  {TAXIWAY} sandbox stop --state {state}")


if __name__ == "__main__":
    main()
