"""The state folder of a sandbox: what lies where, who runs on it, and how it is reached."""

from __future__ import annotations

import contextlib
import enum
import fcntl
import json
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path

from scripts.sandbox.processes import Leader


class StateInUse(Exception):
    """Another sandbox runs on the same state folder."""


class RuntimeKind(str, enum.Enum):
    """What runs a sandbox's tasks."""

    PROCESS = "process"
    """Processes of this machine, in virtual environments."""
    DOCKER = "docker"
    """Containers of this machine's container engine."""


@dataclass(frozen=True, kw_only=True)
class Status:
    """How a sandbox is reached and where its things are: what `taxiway sandbox status --json` prints."""

    endpoint: str
    http: str
    config: str
    state: str
    storage: str
    default_image: str
    pid: int
    runtime: str = RuntimeKind.PROCESS.value


@dataclass(frozen=True)
class StateFolder:
    """The folder of one sandbox. `root` is absolute."""

    root: Path

    @property
    def database(self) -> Path:
        """The SQLite file."""
        return self.root / "flyte.db"

    @property
    def storage(self) -> Path:
        """The folder of objects."""
        return self.root / "storage"

    @property
    def images(self) -> Path:
        """The folder of venv images."""
        return self.root / "images"

    @property
    def logs(self) -> Path:
        """The folder of logs: the sandbox's own, and a folder of tasks' logs for each namespace."""
        return self.root / "logs"

    @property
    def log(self) -> Path:
        """The sandbox's own log."""
        return self.logs / "sandbox.log"

    @property
    def work(self) -> Path:
        """The folder that attempts run in."""
        return self.root / "work"

    @property
    def config(self) -> Path:
        """The configuration file for flytekit."""
        return self.root / "config.yaml"

    @property
    def pid(self) -> Path:
        """The note of the process that runs on this state."""
        return self.root / "pid"

    def make(self) -> None:
        """Make what is missing of it."""
        for folder in (self.storage, self.images, self.logs, self.work):
            folder.mkdir(parents=True, exist_ok=True)

    def secret(self) -> bytes:
        """Return the secret that URLs are signed with, made at the first call."""
        file = self.root / "secret"
        with contextlib.suppress(FileNotFoundError):
            return file.read_bytes()
        file.touch(mode=0o600)
        file.write_bytes(secrets.token_bytes(32))
        return file.read_bytes()

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Keep every other process off this state; the lock ends with the process at the latest.

        Raises:
            StateInUse: another process has it.
        """
        with (self.root / "lock").open("w") as stream:
            try:
                fcntl.flock(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError as error:
                raise StateInUse(f"another sandbox runs on {self.root}") from error
            yield

    def publish(self, status: Status) -> None:
        """Say how the sandbox on this state is reached, whole or not at all."""
        self.config.write_text(f"admin:\n  endpoint: dns:///{status.endpoint}\n  insecure: true\n")
        Leader.of(status.pid).write(self.pid)
        draft = self.root / "sandbox.json.draft"
        draft.write_text(json.dumps(asdict(status), indent=2) + "\n")
        draft.replace(self.root / "sandbox.json")

    def last_status(self) -> Status | None:
        """Return what was published last, by whatever process; None where nothing was."""
        try:
            return Status(**json.loads((self.root / "sandbox.json").read_text()))
        except (FileNotFoundError, ValueError, TypeError):
            return None

    def running(self) -> Status | None:
        """Return how the sandbox on this state is reached; None where none runs."""
        leader = Leader.read(self.pid)
        status = self.last_status()
        if leader is None or status is None or leader.pid != status.pid or not leader.alive():
            return None
        return status

    def withdraw(self) -> None:
        """Take back the note of the running process."""
        self.pid.unlink(missing_ok=True)
