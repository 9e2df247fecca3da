"""The runtimes that a sandbox can run its tasks with, and how each is made."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from pathlib import Path

from scripts.sandbox.container import ContainerRuntime
from scripts.sandbox.container_engine import connect
from scripts.sandbox.environment import Variables
from scripts.sandbox.images import Images
from scripts.sandbox.process import ProcessRuntime
from scripts.sandbox.runtime import Runtime
from scripts.sandbox.state import RuntimeKind, StateFolder
from scripts.sandbox.storage import DATA_ENVIRONMENT

DEFAULT_IMAGE = "localhost:30000/taxiway:default"
"""The reference of the image for whoever names none: with processes, what the sandbox itself runs in."""


def make_runtime(
    kind: RuntimeKind, folder: StateFolder, *, environ: Mapping[str, str], secrets: Path | None
) -> tuple[Runtime, Variables]:
    """Return a runtime, and the variables that it gives to every task.

    Raises:
        EngineUnreachable: it needs a container engine, and none answers.
    """
    if kind is RuntimeKind.DOCKER:
        folder.root.chmod(0o700)  # the storage inside is open to the users of all images
        client = connect(environ)
        containers = ContainerRuntime(
            client=client,
            state=folder.root,
            storage=folder.storage,
            work=folder.work,
            secret_folder=secrets,
        )
        return containers, DATA_ENVIRONMENT
    images = Images(folder.images)
    images.add(DEFAULT_IMAGE, Path(sys.prefix))
    processes = ProcessRuntime(images=images, work=folder.work, environ=environ, secret_folder=secrets)
    return processes, (("TAXIWAY_IMAGE_ROOT", str(folder.images)), *DATA_ENVIRONMENT)
