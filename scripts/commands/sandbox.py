"""`taxiway sandbox`: start, stop and look at the embedded Flyte."""

from __future__ import annotations

import contextlib
import json
import logging
import os
import shlex
import signal
import subprocess
import sys
import threading
import time
from dataclasses import asdict
from pathlib import Path

import click
import psutil

from scripts.options import examples
from scripts.sandbox.caller import BadHeader, PrincipalHeader
from scripts.sandbox.options import DEFAULT_IMAGE, Options
from scripts.sandbox.state import RuntimeKind, StateFolder, StateInUse, Status

_START_TIMEOUT_S = 60.0
_STOP_TIMEOUT_S = 60.0
_POLL_S = 0.05
_MAIN = "from scripts.cli import main; main()"

_state_option = click.option(
    "--state",
    type=click.Path(path_type=Path, file_okay=False),
    default=None,
    help="The folder that the sandbox keeps everything in; left out, one below your data folder.",
)


def _header(context: click.Context, parameter: click.Parameter, name: str | None) -> PrincipalHeader:
    try:
        return PrincipalHeader() if name is None else PrincipalHeader.named(name)
    except BadHeader as error:
        raise click.BadParameter(f"{error}.") from error


@click.group(
    "sandbox",
    epilog=examples(
        "taxiway sandbox start",
        "pyflyte -c ~/.local/share/taxiway/sandbox/config.yaml run --remote workflows.py main",
    ),
)
def command() -> None:
    """Start, stop and look at the embedded Flyte."""


@command.command(
    short_help="Start it in the background.",
    epilog=examples("taxiway sandbox start --port 0 --state /tmp/sandbox"),
)
@click.option("--host", default="127.0.0.1", show_default=True, help="The address to listen on.")
@click.option("--port", default=30080, show_default=True, help="The port of Flyte's API; 0 is any free one.")
@click.option(
    "--http-port", type=int, default=None, help="The port of REST, up- and downloads; left out, any."
)
@click.option(
    "--secrets",
    type=click.Path(path_type=Path, exists=True, file_okay=False),
    default=None,
    help="A folder with the secrets of tasks: <group>/<key>.",
)
@click.option(
    "--principal-header",
    metavar="NAME",
    callback=_header,
    help="Believe this header of a call: its value is the principal. Left out, nobody is known.",
)
@click.option(
    "--runtime",
    type=click.Choice([kind.value for kind in RuntimeKind]),
    default=RuntimeKind.PROCESS.value,
    show_default=True,
    help="What runs tasks: processes in virtual environments, or containers of a container engine.",
)
@click.option(
    "--default-image",
    metavar="REF",
    default=None,
    help="With --runtime docker: the image with flytekit that `status` names to those who ask.",
)
@click.option(
    "--share-engine",
    metavar="PROJECT",
    multiple=True,
    help="With --runtime docker: give the engine to the tasks of this project, which makes them root on this "
    "machine. For several projects, say it again.",
)
@click.option("--foreground/--background", default=False, help="Stay until interrupted.")
@click.option("--json", "as_json", is_flag=True, help="Print what `status --json` prints.")
@_state_option
def start(
    host: str,
    port: int,
    http_port: int | None,
    secrets: Path | None,
    principal_header: PrincipalHeader,
    runtime: str,
    default_image: str | None,
    share_engine: tuple[str, ...],
    foreground: bool,
    as_json: bool,
    state: Path | None,
) -> None:
    """Start the sandbox; it goes on in the background."""
    kind = RuntimeKind(runtime)
    if kind is RuntimeKind.PROCESS and (default_image is not None or share_engine):
        raise click.UsageError("--default-image and --share-engine go with --runtime docker.")
    folder = _folder(state)
    folder.make()
    running = folder.running()
    if running is not None:
        click.echo(f"A sandbox already runs on {folder.root}.", err=True)
        _show(running, as_json=as_json)
        return
    options = Options(
        state=folder.root,
        host=host,
        port=port,
        http_port=http_port,
        secrets=None if secrets is None else secrets.resolve(),
        environ=dict(os.environ),
        principal=principal_header,
        runtime=kind,
        default_image=default_image or DEFAULT_IMAGE,
        share_engine=share_engine,
    )
    if kind is RuntimeKind.DOCKER:
        _find_engine(options)
        _warn_of_closed_folder(folder)
    if foreground:
        _serve(folder, options, as_json=as_json)
    else:
        _show(_start_in_background(folder, options), as_json=as_json)


class _NoEngine(click.ClickException):
    exit_code = 2


def _find_engine(options: Options) -> None:
    """Say here, where it can be read at once, that there is no container engine, or none to share."""
    from scripts.sandbox.container_engine import EngineUnreachable, connect
    from scripts.sandbox.shared_engine import EngineNotShareable, socket_of

    try:
        if options.share_engine:
            socket_of(options.environ)
        connect(options.environ).close()
    except EngineUnreachable as error:
        hint = "Without --runtime docker, tasks run as processes."
        raise _NoEngine(f"{error} {hint}") from error
    except EngineNotShareable as error:
        raise _NoEngine(str(error)) from error


def _warn_of_closed_folder(folder: StateFolder) -> None:
    if folder.root.is_relative_to("/root"):
        click.echo(
            f"Users of images other than root will not reach {folder.root}: /root is closed to them in most "
            "images. --state chooses another folder.",
            err=True,
        )


@command.command(short_help="Stop it and end every task that runs.", epilog=examples("taxiway sandbox stop"))
@click.option("--json", "as_json", is_flag=True, help="Print whether one was stopped, as JSON.")
@_state_option
def stop(as_json: bool, state: Path | None) -> None:
    """Stop the sandbox and end every task that runs in it; its state stays."""
    folder = _folder(state)
    running = folder.running()
    if running is not None:
        _stop(folder, running)
    said = (
        f"No sandbox runs on {folder.root}." if running is None else f"Stopped the sandbox on {folder.root}."
    )
    click.echo(said, err=True)
    if as_json:
        click.echo(json.dumps({"stopped": running is not None, "state": str(folder.root)}))


def _stop(folder: StateFolder, running: Status) -> None:
    process = psutil.Process(running.pid)
    with contextlib.suppress(psutil.NoSuchProcess):
        process.send_signal(signal.SIGTERM)
        try:
            process.wait(_STOP_TIMEOUT_S)
        except psutil.TimeoutExpired:
            click.echo("It did not stop in time and is killed.", err=True)
            process.kill()
            process.wait(_STOP_TIMEOUT_S)
    folder.withdraw()


@command.command(
    short_help="Say whether one runs and how it is reached.", epilog=examples("taxiway sandbox status --json")
)
@click.option("--json", "as_json", is_flag=True, help="Print it as JSON.")
@_state_option
def status(as_json: bool, state: Path | None) -> None:
    """Say whether a sandbox runs, how it is reached and where its things are. Exit code 1: none runs."""
    folder = _folder(state)
    running = folder.running()
    if running is None:
        start = "taxiway sandbox start" + (f" --state {shlex.quote(str(state))}" if state else "")
        click.echo(f"No sandbox runs on {folder.root}. Start one with: {start}", err=True)
        if as_json:
            click.echo(json.dumps({"state": str(folder.root), "pid": None}))
        sys.exit(1)
    _show(running, as_json=as_json)


@command.command(
    short_help="Show its log, or what tasks print.",
    epilog=examples("taxiway sandbox logs --follow", "taxiway sandbox logs preview-0123456789"),
)
@click.argument("execution", required=False)
@click.option("--follow", "-f", is_flag=True, help="Go on until interrupted.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object a line: its log and its text.")
@_state_option
def logs(execution: str | None, follow: bool, as_json: bool, state: Path | None) -> None:
    """Show the sandbox's own log, or what the tasks of EXECUTION have printed."""
    folder = _folder(state)
    shown: dict[Path, int] = {}
    while True:
        files = _logs_of(folder, execution)
        if not files and not follow:
            raise click.ClickException(f"There is no log of {execution or 'a sandbox'} in {folder.logs}.")
        for file in files:
            _print_from(file, shown, heading=execution is not None, as_json=as_json, follow=follow)
        if not follow:
            return
        time.sleep(0.3)


def _folder(state: Path | None) -> StateFolder:
    data = os.environ.get("XDG_DATA_HOME") or Path.home() / ".local" / "share"
    root = Path(data) / "taxiway" / "sandbox" if state is None else state
    return StateFolder(root.expanduser().resolve())


def _serve(folder: StateFolder, options: Options, *, as_json: bool) -> None:
    """Run the sandbox in this process until it is told to stop."""
    from scripts.sandbox.http_server import PortInUse
    from scripts.sandbox.server import Sandbox

    logging.basicConfig(
        level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s: %(message)s", force=True
    )
    ended = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: ended.set())
    try:
        with folder.locked():
            sandbox = Sandbox(options)
            try:
                _show(sandbox.start(), as_json=as_json)
                ended.wait()
            finally:
                sandbox.stop()
    except (PortInUse, StateInUse) as error:
        raise click.ClickException(f"{error}; choose another with --port, --http-port or --state") from error


def _start_in_background(folder: StateFolder, options: Options) -> Status:
    """Start a process of its own session that serves, and wait until it does."""
    argv = [sys.executable, "-c", _MAIN, "sandbox", "start", "--foreground", *options.words()]
    with folder.log.open("ab") as stream:
        begin = stream.tell()
        process = subprocess.Popen(
            argv,
            cwd=folder.root,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=stream,
            start_new_session=True,
        )
    deadline = time.monotonic() + _START_TIMEOUT_S
    while time.monotonic() < deadline and process.poll() is None:
        running = folder.running()
        if running is not None and running.pid == process.pid:
            return running
        time.sleep(_POLL_S)
    process.kill()
    if (running := folder.running()) is not None:  # somebody else was quicker
        return running
    said = folder.log.read_bytes()[begin:].decode(errors="replace").strip().splitlines()
    problem = said[-1].removeprefix("Error: ") if said else "it printed nothing"
    raise click.ClickException(f"The sandbox did not start: {problem} (all of it: {folder.log})")


def _show(running: Status, *, as_json: bool) -> None:
    if as_json:
        click.echo(json.dumps(asdict(running), indent=2))
        return
    for name, value in (
        ("endpoint", running.endpoint),
        ("config", running.config),
        ("storage", running.storage),
        ("uploads", running.http),
        ("image", running.default_image),
    ):
        click.echo(f"{name + ':':10}{value}")
    click.echo(f"try:      pyflyte -c {running.config} register MODULE")


def _logs_of(folder: StateFolder, execution: str | None) -> list[Path]:
    if execution is None:
        return [folder.log] if folder.log.exists() else []
    found = folder.logs.glob(f"*/{execution}-*.log")
    return sorted(found, key=lambda file: (file.stat().st_mtime, file.name))


def _print_from(file: Path, shown: dict[Path, int], *, heading: bool, as_json: bool, follow: bool) -> None:
    """Print what came to a file since the last time; as JSON, a line that may grow waits for its end."""
    with file.open("rb") as stream:
        stream.seek(shown.get(file, 0))
        new = stream.read()
    if as_json:
        new = new[: new.rfind(b"\n") + 1] if follow else new
        for line in new.decode(errors="replace").splitlines():
            click.echo(json.dumps({"log": file.stem, "text": line}))
    else:
        if heading and new:
            click.echo(f"==> {file.stem} <==")
        click.echo(new.decode(errors="replace"), nl=False)
    shown[file] = shown.get(file, 0) + len(new)
