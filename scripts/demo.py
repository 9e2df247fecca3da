"""Taxiway's main job on real git repositories, on a sandbox of its own: `./scripts/demo`.

A target project becomes a repository with branches; Taxiway is installed, the target enrolled, and two pull
requests are previewed: one that changes only code and reuses the image of main, and one that changes a
dependency and builds an image. `--full` goes on: see `scripts.tour`. `--runtime docker` does it with real
images: see `scripts.contained`.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import click

from scripts.ground import Ground, what_was_built
from scripts.grounds import Asked, ground_options
from scripts.local_registry import stop_earlier
from scripts.options import examples
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
)
_OURS = {"fraud.git", "registry", "reports", "secrets", "state"}
_TIMEOUT_S = 1800


@dataclass(frozen=True, kw_only=True)
class Shown:
    """One preview that was shown: what it was about, and its outcome."""

    title: str
    outcome: Mapping[str, Any]
    seconds: float
    images: int
    """How many images of the target there were then; 0 where they cannot be counted."""

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
    ground: Ground

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
        shown = Shown(title=title, outcome=outcome, seconds=seconds, images=self._images())
        click.secho(shown.line, fg="green" if outcome["passed"] else "red")
        return shown

    def _images(self) -> int:
        if not self.ground.images:
            return 0
        listed = self.taxiway("image", "list", "--repository", self.ground.images, "--json")
        return len(json.loads(listed)["images"])

    def page(self, execution: str) -> Path:
        """Write the report of an execution as a page, and return it."""
        page = self.folder / "reports" / f"{execution}.html"
        page.parent.mkdir(exist_ok=True)
        self.taxiway("report", execution, "--html", page)
        return page


@click.command(
    epilog=examples(
        "./scripts/demo",
        "./scripts/demo --full --keep",
        "./scripts/demo --runtime docker --registry localhost:5000",
    )
)
@click.option("--full", is_flag=True, help="Go on from merge to production and back; takes minutes.")
@click.option("--keep", is_flag=True, help="Leave the sandbox running, to look around in it.")
@click.option(
    "--folder",
    type=click.Path(file_okay=False, path_type=Path),
    default=ROOT / ".taxiway" / "demo",
    help="Where everything is kept; made anew each time.",
)
@ground_options
def main(full: bool, keep: bool, folder: Path, asked: Asked) -> None:
    """Preview a code-only change and a dependency change of a target project, on a sandbox."""
    began = time.monotonic()
    environ = _environment(os.environ)
    folder = folder.resolve()
    with asked.ground(folder, environ, clear=lambda: _clear(folder, environ), keep=keep) as ground:
        demo, target = _prepare(folder, environ, ground)
        try:
            pages, shown = _show(demo, target, full=full)
        finally:
            if not keep:
                demo.taxiway("sandbox", "stop", "--state", demo.folder / "state")
    _conclude(demo, pages, shown[1:], keep=keep, seconds=time.monotonic() - began)
    if ground.images:
        built = what_was_built([one.images for one in shown])
        click.secho(f"\nChecked in the registry: {built}.", fg="green")
    sys.exit(0 if all(one.outcome["passed"] for one in shown[1:]) else 1)


def _clear(folder: Path, environ: Mapping[str, str]) -> None:
    """Make the demo's folder anew; what an earlier demo has left running in it is stopped."""
    state = folder / "state"
    if folder.exists() and {each.name for each in folder.iterdir()} - _OURS:
        raise click.ClickException(f"{folder} holds what is not an earlier demo's; give another --folder.")
    if state.exists():
        earlier = Demo(folder=folder, environ=environ, ground=Ground())
        earlier.taxiway("sandbox", "stop", "--state", state, ends=(0, 1, 2))
    stop_earlier(folder / "registry")
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True, exist_ok=True)


def _prepare(folder: Path, environ: Mapping[str, str], ground: Ground) -> tuple[Demo, Target]:
    state = folder / "state"
    target = build_target(folder / ground.repository, image=ground.image, training=ground.training)
    click.echo(f"A target project with branches: {target.url}")
    first = Demo(folder=folder, environ=environ, ground=ground)
    first.taxiway("sandbox", "start", "--port", "0", "--state", state, *ground.start)
    status = json.loads(first.taxiway("sandbox", "status", "--json", "--state", state))
    return replace(first, environ={**environ, "FLYTECTL_CONFIG": status["config"]}), target


def _show(demo: Demo, target: Target, *, full: bool) -> tuple[list[Path], list[Shown]]:
    """Install, enrol and preview; return the reports' pages and what was previewed, main first."""
    demo.taxiway("install", *demo.ground.install)
    limits = [word for limit in _LIMITS for word in (f"--limit-{limit}").split("=", 1)]
    enrol = [target.url, "--name", "fraud", "--create-projects", "--anonymous-approvals", *limits]
    enrol += demo.ground.enrol
    demo.taxiway("enroll", *enrol)
    shown = [
        demo.preview("The main branch, for which the first image is built", target.main, 0),
        demo.preview("A pull request that changes only code", target.branches["code-only"], 1),
        demo.preview("A pull request that changes a dependency", target.branches["dependency"], 2),
    ]
    pages = [demo.page(one.execution) for one in shown[1:]]
    if full:
        tour = Tour(shell=demo, target=target, enrol=enrol)
        pages += [demo.page(execution) for execution in tour.run()]
    return pages, shown


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
    state, ground = demo.folder / "state", demo.ground
    activate = f"export FLYTECTL_CONFIG={demo.environ['FLYTECTL_CONFIG']}"
    if keep:
        click.echo(f"\nThe sandbox runs. Look around, then stop it:\n  {activate}")
    else:
        again = " ".join([f"{TAXIWAY} sandbox start --state {state}", *ground.again])
        click.echo(
            f"\nThe sandbox is stopped; its executions are kept. To look around:\n  {again}\n  {activate}"
        )
    click.echo(f"  {TAXIWAY} report {shown[0].execution} --markdown")
    if keep or ground.previews:
        click.echo(f"  {TAXIWAY} preview fraud SHA --pull-request 3")
    click.echo(f"  {TAXIWAY} sandbox stop --state {state}")
    if keep and ground.stop:
        click.echo(f"  {ground.stop}  # the registry")


if __name__ == "__main__":
    main(prog_name="./scripts/demo")
