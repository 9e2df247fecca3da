"""A dockerd of the tests' own, beside others that may run on this machine."""

from __future__ import annotations

import contextlib
import ipaddress
import os
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager
from pathlib import Path

import docker
import psutil
import requests
from docker.errors import DockerException

from tests.needs import leave_out

_START_S, _STOP_S, _POLL_S = 60, 60, 0.1
_SYSTEM = "/usr/local/sbin:/usr/sbin:/sbin"  # where packages put what dockerd itself starts
_BRIDGE, _SHARE_BITS = "docker0", 24
_STARTS, _FIREWALL = 3, "iptables failed"


class NotHere(Exception):
    """This machine has no such thing and cannot start one; the message says why."""


@contextmanager
def needed(engine: AbstractContextManager[str]) -> Iterator[str]:
    """Yield the `DOCKER_HOST` of `engine`; where it is not here, skip the test, and with CI=true fail it."""
    with ExitStack() as opened:
        try:
            host = opened.enter_context(engine)
        except NotHere as error:
            leave_out(str(error))
        yield host


@contextmanager
def dockerd(*options: str) -> Iterator[str]:
    """Yield the `DOCKER_HOST` of a new dockerd, which has nothing yet; end it and remove all that it had.

    `options` are dockerd's own. It needs root, and no systemd.

    Raises:
        NotHere: it cannot be started.
    """
    program = shutil.which("dockerd", path=_environ()["PATH"])
    if program is None:
        raise NotHere("dockerd is not installed")
    if os.geteuid():
        raise NotHere("dockerd needs root")
    # Short, for its sockets lie below.
    made = tempfile.TemporaryDirectory(prefix="engine-", dir="/tmp", ignore_cleanup_errors=True)
    with made as folder:
        host, log = f"unix://{folder}/docker.sock", Path(folder, "log")
        words = [program, "--host", host, *_apart(Path(folder)), *options]
        try:
            with _running(words, _environ(), host, log):
                yield host
        finally:
            _unmount(Path(folder))


class Mortal:
    """A dockerd that is killed in the middle of something, and comes back where it was."""

    def __init__(self, host: str) -> None:
        self._host = host
        self._pid_file = Path(host.removeprefix("unix://")).with_name("pid")
        self._process = psutil.Process(int(self._pid_file.read_text()))
        self._words = self._process.cmdline()
        self._again = ExitStack()

    def kill(self) -> None:
        """End it and its containerd as `kill -KILL` does; what they ran goes on."""
        for process in (self._process, *self._process.children()):
            with contextlib.suppress(psutil.NoSuchProcess):
                process.kill()

    def start(self) -> None:
        """Start it again, and wait until it answers."""
        # Nobody may have waited for the processes of before, so that they would count as running.
        for file in (self._pid_file, self._pid_file.with_name("exec") / "containerd/containerd.pid"):
            file.unlink(missing_ok=True)
        log = self._pid_file.with_name("log-again")
        self._again.enter_context(_running(self._words, _environ(), self._host, log))

    def end(self) -> None:
        """End what was started again."""
        self._again.close()


@contextmanager
def mortal(host: str) -> Iterator[Mortal]:
    """Yield what can kill the dockerd at `host`, one that `dockerd` has started, and bring it back."""
    made = Mortal(host)
    try:
        yield made
    finally:
        made.end()


def answers(host: str) -> bool:
    """Whether a container engine is at this address."""
    with contextlib.suppress(DockerException, requests.RequestException, OSError):
        client = docker.APIClient(host, version="auto", timeout=5)
        client.close()
        return True
    return False


def last_line(log: Path) -> str:
    """Return what a program said last."""
    return (log.read_text(errors="replace").strip().splitlines() or ["it printed nothing"])[-1]


def _environ() -> dict[str, str]:
    return {**os.environ, "PATH": f"{os.environ['PATH']}{os.pathsep}{_SYSTEM}"}


def _apart(folder: Path) -> list[str]:
    """Return the options that keep a dockerd out of the way of every other one."""
    name = folder.name.replace("_", "")  # containerd takes no two of them in a row
    words = ["--data-root", f"{folder}/data", "--exec-root", f"{folder}/exec", "--pidfile", f"{folder}/pid"]
    words += ["--containerd-namespace", name, "--containerd-plugins-namespace", f"{name}-plugins"]
    share = _share()
    return [*words, "--fixed-cidr", share] if share else words


def _share() -> str:
    """Return a part of the bridge's network for containers, where a dockerd has made the bridge before.

    Both hold the bridge to be theirs, and would give the same addresses to their containers.
    """
    for address in psutil.net_if_addrs().get(_BRIDGE, ()):
        if "." in address.address and address.netmask:
            network = ipaddress.ip_interface(f"{address.address}/{address.netmask}").network
            if network.prefixlen < _SHARE_BITS:
                shares = list(network.subnets(new_prefix=_SHARE_BITS))
                return str(shares[1 + os.getpid() % (len(shares) - 1)])  # the first one is the other's
    return ""


@contextmanager
def _running(words: Sequence[str], environ: Mapping[str, str], host: str, log: Path) -> Iterator[None]:
    """Run a dockerd; it is started again where another one was changing the machine's firewall meanwhile."""
    for left in reversed(range(_STARTS)):
        with log.open("wb") as output, subprocess.Popen(words, env=environ, stderr=output) as process:
            try:
                if _answers_in_time(host, process):
                    yield
                    return
                if not left or _FIREWALL not in log.read_text(errors="replace"):
                    raise NotHere(f"dockerd does not start: {_reason(log)}")
            finally:
                process.terminate()
                with contextlib.suppress(subprocess.TimeoutExpired):
                    process.wait(_STOP_S)
                process.kill()
                process.wait()


def _answers_in_time(host: str, process: subprocess.Popen[bytes]) -> bool:
    deadline = time.monotonic() + _START_S
    while not answers(host):
        if process.poll() is not None or time.monotonic() > deadline:
            return False
        time.sleep(_POLL_S)
    return True


def _reason(log: Path) -> str:
    """Return why a dockerd did not start, which can take several lines."""
    _, failed, why = log.read_text(errors="replace").rpartition("failed to start daemon")
    return " ".join(f"{failed}{why}".split()) if failed else last_line(log)


def _unmount(folder: Path) -> None:
    """Undo the mounts that a dockerd leaves, the namespace of its own network at least."""
    mounted = (line.split()[1] for line in Path("/proc/self/mounts").read_text().splitlines())
    for path in sorted((path for path in mounted if path.startswith(f"{folder}/")), reverse=True):
        subprocess.run(["umount", "--lazy", path], check=False)
