"""Attempts of a runtime that go on while a test looks at them."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from scripts.sandbox.runtime import Attempt, Exit, Runtime

Background = Callable[[Attempt], Callable[[], Exit]]
"""Starts an attempt, and returns what waits for its end."""


@contextmanager
def background(runtime: Runtime, *, timeout_s: float) -> Iterator[Background]:
    """Give what runs attempts side by side; it waits so long for each end, and in the end all are killed."""
    pods: list[str] = []

    def start(attempt: Attempt) -> Callable[[], Exit]:
        exits: list[Exit] = []
        pods.append(attempt.pod)
        thread = threading.Thread(target=lambda: exits.append(runtime.run(attempt)))
        thread.start()

        def join() -> Exit:
            thread.join(timeout_s)
            return exits[0]

        return join

    yield start
    for pod in pods:
        runtime.kill(pod)
