"""Options and help that several commands share."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

import click

Command = TypeVar("Command", bound=Callable[..., Any])


def flyte_options(command: Command) -> Command:
    """Add the options that say which Flyte, and where in it Taxiway is installed."""
    for option in reversed(
        [
            click.option(
                "--config",
                "config_file",
                type=click.Path(exists=True, dir_okay=False),
                help="flytekit's configuration file; left out, the ordinary one (FLYTECTL_CONFIG ...).",
            ),
            click.option("--project", default="taxiway", show_default=True, help="Taxiway's own project."),
            click.option("--domain", default="production", show_default=True, help="Taxiway's own domain."),
        ]
    ):
        command = option(command)
    return command


def follow_options(command: Command) -> Command:
    """Add the options that say whether, and how long, an execution is followed."""
    timeout = click.FloatRange(min=0)
    for option in (
        click.option("--timeout", type=timeout, default=0, help="Seconds to wait; 0 is no limit."),
        click.option("--wait/--no-wait", default=True, show_default=True, help="Follow it to its end."),
    ):
        command = option(command)
    return command


def json_option(command: Command) -> Command:
    """Add `--json`: the result as one JSON document on stdout, and nothing else there."""
    return click.option("--json", "as_json", is_flag=True, help="Print the result as JSON.")(command)


def examples(*lines: str) -> str:
    """Return an epilog for a command's help that shows how it is called."""
    shown = "\n".join(f"  {line}" for line in lines)
    return f"\b\nExample{'s' if len(lines) > 1 else ''}:\n{shown}"
