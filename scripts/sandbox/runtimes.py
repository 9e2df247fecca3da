"""The runtimes that a sandbox can run its tasks with, and how each is made."""

from __future__ import annotations

import sys
from pathlib import Path

from scripts.sandbox.container import ContainerRuntime
from scripts.sandbox.container_engine import connect
from scripts.sandbox.environment import Variables
from scripts.sandbox.images import Images
from scripts.sandbox.options import DEFAULT_IMAGE, Options
from scripts.sandbox.process import ProcessRuntime
from scripts.sandbox.runtime import Runtime
from scripts.sandbox.shared_engine import SharedEngine
from scripts.sandbox.state import RuntimeKind, StateFolder
from scripts.sandbox.storage import DATA_ENVIRONMENT


def make_runtime(options: Options, folder: StateFolder) -> tuple[Runtime, Variables]:
    """Return a runtime, and the variables that it gives to every task.

    Raises:
        EngineUnreachable: it needs a container engine, and none answers.
        EngineNotShareable: the engine is to be shared and has no socket.
    """
    if options.runtime is RuntimeKind.DOCKER:
        folder.root.chmod(0o700)  # the storage inside is open to the users of all images
        containers = ContainerRuntime(
            client=connect(options.environ),
            state=folder.root,
            storage=folder.storage,
            work=folder.work,
            secret_folder=options.secrets,
            shared=SharedEngine.of(options.environ, options.share_engine) if options.share_engine else None,
        )
        return containers, DATA_ENVIRONMENT
    images = Images(folder.images)
    images.add(DEFAULT_IMAGE, Path(sys.prefix))
    processes = ProcessRuntime(
        images=images, work=folder.work, environ=options.environ, secret_folder=options.secrets
    )
    return processes, (("TAXIWAY_IMAGE_ROOT", str(folder.images)), *DATA_ENVIRONMENT)
