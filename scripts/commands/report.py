"""`taxiway report`: show what an execution's deck says, as text, Markdown, JSON or a page."""

from __future__ import annotations

import tempfile
import time
import webbrowser
from pathlib import Path

import click
from flyteidl.core.identifier_pb2 import WorkflowExecutionIdentifier

from scripts.connection import flyte_at
from scripts.options import examples, flyte_options, json_option
from scripts.reports import AnyReport, as_document, read_report, shown
from tasks._executions import progress
from tasks._render import to_html, to_markdown, to_page


@click.command(
    "report",
    short_help="Show the report of a preview, release or promotion.",
    epilog=examples("taxiway report preview-fraud-4f0c1d2-0123456789 --open"),
)
@click.argument("execution")
@click.option("--markdown", is_flag=True, help="Print Markdown; this is what is printed anyway.")
@click.option("--open", "open_page", is_flag=True, help="Open the report in a browser.")
@click.option("--html", type=click.Path(dir_okay=False, path_type=Path), help="Write a page to this file.")
@flyte_options
@json_option
def command(
    execution: str,
    markdown: bool,
    open_page: bool,
    html: Path | None,
    config_file: str | None,
    project: str,
    domain: str,
    as_json: bool,
) -> None:
    """Show the report of an EXECUTION: of a preview, a release or a promotion.

    It comes from Flyte alone: from the execution's deck.
    """
    del markdown
    identifier = WorkflowExecutionIdentifier(project=project, domain=domain, name=execution)
    with flyte_at(config_file) as flyte:
        report = read_report(flyte, progress(flyte, identifier, now=time.time()))
    if open_page:
        html = html or Path(tempfile.mkdtemp(prefix="taxiway-")) / f"{execution}.html"
    if html:
        html.write_text(page_of(report), encoding="utf-8")
        click.echo(f"Wrote {html}", err=True)
    if open_page and html and not webbrowser.open(html.resolve().as_uri()):
        click.echo(f"No browser could be opened; the page is {html}", err=True)
    if as_json:
        click.echo(as_document(report))
    elif not html:
        click.echo(to_markdown(shown(report)))


def page_of(report: AnyReport) -> str:
    """Return a report as a page of its own."""
    return to_page(to_html(shown(report), report.model_dump_json()), title=f"Taxiway: {report.headline}")
