"""The container runtime: an attempt is a container of its own image, on the container engine of this machine.

It shares the machine's network, so that a task reaches the sandbox under the address that everybody uses,
and has the sandbox's storage at the same path, so that URIs mean the same inside and outside.
"""

from __future__ import annotations

import contextlib
import logging
import shutil
import signal
import threading
import time
from dataclasses import dataclass, field
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

import docker
import requests
from docker.errors import APIError, ImageNotFound, NotFound
from docker.types import LogConfig
from docker.types import Mount as EngineMount
from docker.utils.socket import frames_iter

from scripts.sandbox import raw_container, secrets
from scripts.sandbox.attempt_log import MAX_BYTES, AttemptLog
from scripts.sandbox.container_engine import ENGINE_FAULTS
from scripts.sandbox.container_images import ImageMissing, ImageNameInvalid, provide
from scripts.sandbox.container_spec import SANDBOX_LABEL, ContainerSpec, Mount, container_spec
from scripts.sandbox.open_folder import open_to_all
from scripts.sandbox.rootfs import SECRETS, Rootfs
from scripts.sandbox.runtime import Attempt, Exit, Reason
from scripts.sandbox.shared_engine import SharedEngine

log = logging.getLogger(__name__)

_GRACE_S = 2
# As a pod waits for a node: each attempt that began now would be lost, and there are few of them.
_ENGINE_PATIENCE_S, _ENGINE_POLL_S = 120, 0.5
_SIGNALS = {128 + number for number in signal.valid_signals()}


@dataclass
class _Run:
    """An attempt that runs or is about to; its container once there is one."""

    stop: threading.Event = field(default_factory=threading.Event)
    container: str | None = None


class ContainerRuntime:
    """Runs attempts as containers. `state` names the sandbox; `work` holds the attempts' own folders.

    `storage` is mounted into every container, and opened to the users of all images. `secret_folder` is
    where secrets come from, `shared` the engine for those who may have it; of what an attempt prints,
    `max_log_bytes` are kept.
    """

    def __init__(
        self,
        *,
        client: docker.APIClient,
        state: Path,
        storage: Path,
        work: Path,
        secret_folder: Path | None = None,
        shared: SharedEngine | None = None,
        max_log_bytes: int = MAX_BYTES,
    ) -> None:
        self._client = client
        self._state = state.resolve()
        self._storage = storage.resolve()
        self._work = work.resolve()
        self._secret_folder = secret_folder
        self._shared = shared
        self._max_log_bytes = max_log_bytes
        self._lock = threading.Lock()
        self._runs: dict[str, _Run] = {}
        self._left: set[str] = set()
        self._work.mkdir(parents=True, exist_ok=True)
        open_to_all(self._storage)

    def run(self, attempt: Attempt) -> Exit:
        """Run the attempt to its end, remove its container, and say how it ended."""
        started_at = datetime.now(timezone.utc)
        run = self._run_of(attempt.pod)
        try:
            reason, code, message = self._run(attempt, run)
        finally:
            with self._lock:
                self._runs.pop(attempt.pod, None)
            shutil.rmtree(attempt.folder, ignore_errors=True)
        ended_at = datetime.now(timezone.utc)
        return Exit(reason=reason, started_at=started_at, ended_at=ended_at, code=code, message=message)

    def kill(self, pod: str) -> None:
        """Ask the attempt to end, and end it two seconds later; returns at once."""
        run = self._run_of(pod)
        run.stop.set()
        if run.container is not None:
            stopping = threading.Thread(target=self._stop, args=(run.container,), daemon=True)
            stopping.start()

    def clean(self) -> None:
        """Remove the containers that an earlier life of this sandbox left, and empty the work folder."""
        wanted = {"label": f"{SANDBOX_LABEL}={self._state}"}
        left = [found["Id"] for found in self._client.containers(all=True, filters=wanted)]
        for container in left:
            self._remove(container)
        if left:
            log.warning("removed %d containers that an earlier life of this sandbox had left", len(left))
        # A folder that a container's root has closed on purpose stays, and is in nobody's way.
        shutil.rmtree(self._work, ignore_errors=True)
        self._work.mkdir(parents=True, exist_ok=True)

    def _run_of(self, pod: str) -> _Run:
        with self._lock:
            return self._runs.setdefault(pod, _Run())

    def _run(self, attempt: Attempt, run: _Run) -> tuple[Reason, int | None, str]:
        with AttemptLog(attempt.log, max_bytes=self._max_log_bytes) as output:
            try:
                self._await_engine(run)
                if run.stop.is_set():
                    return Reason.STOPPED, None, ""
                provide(self._client, attempt.image, output, run.stop.is_set)
                return self._run_in(attempt, output, run)
            except (ImageMissing, ImageNotFound) as error:
                reason, said = Reason.IMAGE_MISSING, str(error)
            except ImageNameInvalid as error:
                reason, said = Reason.IMAGE_INVALID, str(error)
            except APIError as error:
                reason, said = Reason.START_FAILED, str(error.explanation)
            except (requests.RequestException, OSError) as error:
                reason, said = Reason.LOST, f"the container engine does not answer: {error}"
            output.remark(said)
            return reason, None, said

    def _await_engine(self, run: _Run) -> None:
        """Wait for an engine that does not answer; then remove what could not be removed meanwhile."""
        deadline = time.monotonic() + _ENGINE_PATIENCE_S
        while not self._answers() and time.monotonic() < deadline:
            if run.stop.wait(_ENGINE_POLL_S):
                return
        with self._lock:
            left = list(self._left)
            self._left.clear()
        for container in left:
            self._remove(container)

    def _answers(self) -> bool:
        try:
            self._client.ping()
        except ENGINE_FAULTS:
            return False
        return True

    def _run_in(self, attempt: Attempt, output: AttemptLog, run: _Run) -> tuple[Reason, int | None, str]:
        rootfs = Rootfs(attempt=attempt.folder.resolve(), mounted=True)
        try:
            spec = self._prepared(attempt, rootfs, output)
        except OSError as error:  # no room for its folders, for one
            output.remark(str(error))
            return Reason.START_FAILED, None, str(error)
        if run.stop.is_set():
            return Reason.STOPPED, None, ""
        container = self._create(spec)
        try:
            run.container = container
            state = self._follow(container, output, run)
        finally:
            self._remove(container)
        if run.stop.is_set():
            return Reason.STOPPED, None, ""
        raw_container.after(attempt, rootfs, output)
        code: int = state["ExitCode"]
        return _reason(state), code, output.tail() if code else ""

    def _prepared(self, attempt: Attempt, rootfs: Rootfs, output: AttemptLog) -> ContainerSpec:
        """Lay out what the container finds in its file system, and say what container that is."""
        rootfs.attempt.mkdir(parents=True)
        open_to_all(rootfs.attempt)
        raw_container.before(attempt, rootfs, output)
        folder = rootfs.at(SECRETS)
        mounted = secrets.mount(
            attempt.secrets,
            source=self._secret_folder,
            namespace=attempt.namespace,
            target=folder,
            seen_as=rootfs.seen(SECRETS),
        )
        mounts = [Mount(source=self._storage, target=str(self._storage))]
        data = raw_container.data_paths(attempt.files, rootfs)
        mounts += [Mount(source=source, target=path) for path, source in data.items() if source.exists()]
        if folder.exists():
            _make_readable(folder)
            mounts.append(Mount(source=folder, target=SECRETS, read_only=True))
        return container_spec(
            attempt, sandbox=self._state, mounts=mounts, mounted=mounted, shared=self._shared
        )

    def _create(self, spec: ContainerSpec) -> str:
        host = self._client.create_host_config(
            network_mode="host",
            mounts=[EngineMount(m.target, str(m.source), "bind", m.read_only) for m in spec.mounts],
            group_add=list(spec.groups) or None,
            log_config=LogConfig(type=LogConfig.types.NONE),  # the attempt's log is the only one
            mem_limit=spec.memory_bytes or None,
            memswap_limit=spec.memory_bytes or None,
            cpu_quota=spec.cpu_quota_us or None,
            cpu_period=spec.cpu_period_us if spec.cpu_quota_us else None,
        )
        created: dict[str, Any] = self._client.create_container(
            spec.image,
            command=list(spec.args) or None,
            entrypoint=list(spec.entrypoint) or None,
            environment=dict(spec.environment),
            labels=dict(spec.labels),
            healthcheck={"Test": ["NONE"]},  # Kubernetes does not know that of an image
            host_config=host,
            use_config_proxy=False,  # nor the proxies of whoever started the sandbox
        )
        container: str = created["Id"]
        return container

    def _follow(self, container: str, output: AttemptLog, run: _Run) -> dict[str, Any]:
        """Start the container, keep what it prints until it ends, and return the state it ended in."""
        wanted = {"stdout": 1, "stderr": 1, "stream": 1}
        stream = self._client.attach_socket(container, params=wanted)
        # The stream keeps its response in a private place, which alone closes both and the connection.
        with contextlib.closing(stream._response):
            self._client.start(container)
            if run.stop.is_set():  # by a kill that came before there was anything to stop
                self._stop(container)
            for _, data in frames_iter(stream, tty=False):
                output.write(data)
        self._client.wait(container, timeout=None)
        state: dict[str, Any] = self._client.inspect_container(container)["State"]
        return state

    def _stop(self, container: str) -> None:
        with contextlib.suppress(*ENGINE_FAULTS):  # it has ended meanwhile, or `clean` will find it
            self._client.stop(container, timeout=_GRACE_S)

    def _remove(self, container: str) -> None:
        try:
            self._client.remove_container(container, v=True, force=True)
        except NotFound:
            return
        except ENGINE_FAULTS as error:
            log.warning("cannot remove the container %s yet: %s", container, error)
            with self._lock:
                self._left.add(container)


def _make_readable(folder: Path) -> None:
    """Give the secrets to the image's user, as Kubernetes does; no other user of the machine gets here."""
    for path in (folder, *folder.rglob("*")):
        path.chmod(0o755 if path.is_dir() else 0o644)


def _reason(state: dict[str, Any]) -> Reason:
    """A task whose child ran out of memory may say anything in the end, so the engine's word counts first."""
    if state["OOMKilled"]:
        return Reason.OUT_OF_MEMORY
    if state["ExitCode"] in _SIGNALS:
        return Reason.KILLED
    return Reason.ERROR if state["ExitCode"] else Reason.COMPLETED
