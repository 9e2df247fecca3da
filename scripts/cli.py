"""The `taxiway` command: a group that imports a subcommand when it is called, and the one error handler."""

from __future__ import annotations

import importlib
import logging
import sys

import click

COMMANDS = {
    "approve": "Approve a release for a stage.",
    "bench": "Compare Taxiway's speed with a named peer's.",
    "diff": "Show what differs between two stages.",
    "doctor": "Say what is missing between here and a working installation.",
    "enroll": "Put a target repository under Taxiway's care.",
    "hold": "Hold a stage, so that it takes nothing.",
    "history": "Show what happened to a target.",
    "image": "Build, check, explain, list and prune images.",
    "init": "Adopt what is ACTIVE in a stage today.",
    "install": "Register Taxiway's own tasks, workflows and launch plans.",
    "policy": "Check a taxiway.toml, or print its JSON Schema.",
    "preview": "Preview a pull request's revision.",
    "promote": "Promote a release into one stage.",
    "release": "Release a merged revision, stage by stage.",
    "report": "Show the report of a preview, release or promotion.",
    "rollback": "Bring a stage back to an earlier release.",
    "sandbox": "Start, stop and look at the embedded Flyte.",
    "unhold": "Let a held stage go.",
    "where": "Show which release is in which stage, and what waits.",
}
PASSED, FAILED, FAULT = 0, 1, 2


class LazyGroup(click.Group):
    """Lists every subcommand from `COMMANDS`; imports `scripts.commands.<name>` only to run it."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Return the names, sorted."""
        return sorted(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Import the subcommand's module and return its `command`; None where there is no such name."""
        if cmd_name not in COMMANDS:
            return None
        command: click.Command = importlib.import_module(f"scripts.commands.{cmd_name}").command
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """List the subcommands without importing them."""
        with formatter.section("Commands"):
            formatter.write_dl(sorted(COMMANDS.items()))


@click.command(cls=LazyGroup, context_settings={"help_option_names": ["-h", "--help"]})
@click.option("-v", "--verbose", count=True, help="Log more; twice for every process and call.")
@click.version_option(package_name="taxiway")
def taxiway(verbose: int) -> None:
    """Release engineering for Flyte, run on Flyte."""
    level = [logging.WARNING, logging.INFO, logging.DEBUG][min(verbose, 2)]
    logging.basicConfig(level=level, format="%(levelname)s %(name)s: %(message)s", stream=sys.stderr)


def main(argv: list[str] | None = None) -> None:
    """Run the command line and exit: 0 passed, 1 a verdict failed, 2 a fault or bad usage."""
    try:
        code = taxiway.main(args=argv, prog_name="taxiway", standalone_mode=False)
    except click.exceptions.Abort:
        _complain("interrupted")
        sys.exit(130)
    except click.ClickException as error:
        error.show()
        sys.exit(FAULT)
    except Exception as error:
        # Told apart by attribute, so that `taxiway --help` need not import flytekit for the class.
        if not hasattr(error, "error_code"):
            raise
        _complain(f"{error} [{error.error_code}]")
        sys.exit(FAULT)
    sys.exit(code if isinstance(code, int) else PASSED)


def _complain(text: str) -> None:
    click.echo(f"taxiway: {text}", err=True)
