"""What the engine asks of whatever runs task containers; adapters stand beside it (`process.py`).

One attempt of a task is one pod in Flyte, so an attempt carries a pod's name and is run once. The engine
calls `run` in a thread of the attempt's own and may call `kill` from another.
"""

from __future__ import annotations

import enum
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Protocol

from flyteidl.core.interface_pb2 import TypedInterface
from flyteidl.core.literals_pb2 import LiteralMap
from flyteidl.core.security_pb2 import Secret
from flyteidl.core.tasks_pb2 import DataLoadingConfig, Resources


@dataclass(frozen=True, kw_only=True)
class Files:
    """The inputs and outputs of a raw container, which travel as files (flytecopilot's work).

    `config` names the container's own paths. `output_prefix` is the URI of the folder that gets
    `outputs.pb`; blobs are uploaded under `raw_output_prefix`, a URI as well.
    """

    config: DataLoadingConfig
    interface: TypedInterface
    inputs: LiteralMap
    output_prefix: str
    raw_output_prefix: str


@dataclass(frozen=True, kw_only=True)
class Attempt:
    """One attempt of one task, ready to start: words are rendered, the environment is complete.

    `environment` is in the order in which a pod would list it: of duplicates the last one wins. `folder`
    is the attempt's own, made by the runtime; `log` is the file that gets both its streams. `namespace`
    is `<project>-<domain>`. `files` is set for raw containers alone. `labels` say whose it is, for people
    and programs that look at the runtime's own things.
    """

    name: str
    namespace: str
    image: str
    command: tuple[str, ...] = ()
    args: tuple[str, ...]
    environment: tuple[tuple[str, str], ...] = ()
    folder: Path
    log: Path
    secrets: tuple[Secret, ...] = ()
    resources: Resources = field(default_factory=Resources)
    files: Files | None = None
    labels: tuple[tuple[str, str], ...] = ()

    @property
    def pod(self) -> str:
        """`<namespace>/<name>`: names are given once in a namespace, and may be given again in another."""
        return f"{self.namespace}/{self.name}"


class Reason(str, enum.Enum):
    """Why an attempt is over."""

    COMPLETED = "completed"
    """It ended with exit code 0; whether its task succeeded stands in the result files."""
    ERROR = "error"
    """It ended with another exit code of its own."""
    KILLED = "killed"
    """A signal ended it, and it was not ours."""
    OUT_OF_MEMORY = "out of memory"
    """It, or a process of its own, was ended for using more memory than its limit; whatever its code is."""
    STOPPED = "stopped"
    """`Runtime.kill` ended it."""
    LOST = "lost"
    """It is gone and nobody saw how."""
    IMAGE_MISSING = "image missing"
    """No image answers to its reference."""
    IMAGE_INVALID = "image name invalid"
    """Its image's name is none, so that no image can ever answer to it."""
    START_FAILED = "start failed"
    """Its command could not be started."""


@dataclass(frozen=True, kw_only=True)
class Exit:
    """How an attempt ended. Times are in UTC; `code` is 128 + the signal's number where one ended it.

    `code` is None where no process came to run. `message` holds the last lines of the log, as Kubernetes
    puts them into a container's status, or the sentence that says what kept the attempt from starting.
    """

    reason: Reason
    started_at: datetime
    ended_at: datetime
    code: int | None = None
    message: str = ""


class Runtime(Protocol):
    """Runs attempts."""

    def run(self, attempt: Attempt) -> Exit:
        """Run the attempt to its end and say how it ended. Blocks; raises nothing that a task can cause."""

    def kill(self, pod: str) -> None:
        """End the attempt of this pod and everything it started; one that is not running never will."""

    def clean(self) -> None:
        """End all that runs, an earlier life's, too. Call before the first `run` and after the last."""
