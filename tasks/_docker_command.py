"""The docker command: the only way to BuildKit, and to credentials as docker keeps them.

Each use has a private folder for its configuration and secrets, which nobody else can read and which is
removed afterwards; neither is ever among a process's words, in its environment or in a log.
"""

from __future__ import annotations

import os
import re
import shutil
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from tasks import _run
from tasks._engine import Engine
from tasks._errors import BadUsage, CommandMissing, CommandTimedOut, EngineUnsuitable
from tasks._masking import masks_of
from tasks._network import network_environment
from tasks._registry_credentials import DockerConfig, parse_docker_config

_ORIGIN = "the secret taxiway/docker_config"
_PROBE_TIMEOUT_S = 60
_MOST_LOG_BYTES = 4 * 1024 * 1024
_SECRET_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]*")


@dataclass(frozen=True, kw_only=True)
class Printed:
    """How the command ended, and what it printed on both streams; `code` is None past its limit."""

    code: int | None
    text: str


@dataclass(frozen=True, kw_only=True)
class DockerCommand:
    """One docker program with its private folder. `masks` are replaced in all that it prints."""

    program: str
    folder: Path
    environ: Mapping[str, str] = field(repr=False)
    config: DockerConfig = field(repr=False)
    masks: tuple[str, ...] = field(repr=False)
    buildkit: bool
    secrets: Mapping[str, Path] = field(default_factory=dict)

    def run(self, *words: str | Path, timeout_s: float) -> Printed:
        """Run it to its end, or to its limit; what it printed is masked, and the last 4 MiB of it at most."""
        with tempfile.TemporaryFile(dir=self.folder) as output:
            try:
                done = _run.run(
                    [self.program, *words],
                    timeout_s=timeout_s,
                    cwd=self.folder,
                    env=self.environ,
                    stdout=output,
                    stderr=output,
                    expect=range(-64, 256),
                )
                code = done.code
            except CommandTimedOut:
                code = None
            size = output.seek(0, os.SEEK_END)
            if output.seek(max(0, size - _MOST_LOG_BYTES)):
                output.readline()  # part of a line can be part of a secret, which no mask would fit
            text = output.read().decode(errors="backslashreplace")
        return Printed(code=code, text=_run.masked(text, self.masks))


@contextmanager
def open_docker(
    engine: Engine, *, docker_config: bytes | None = None, secrets: Mapping[str, bytes]
) -> Iterator[DockerCommand]:
    """Give a docker command for `engine`, the first on its PATH that can speak to BuildKit.

    Where none can, or the engine has no BuildKit, it is one that builds without, unless there are secrets.

    Raises:
        EngineUnsuitable: there are secrets, and no BuildKit to hold them.
        CommandMissing: there is no docker program at all.
        RegistryCredentialsInvalid: `docker_config` is not of docker's form.
    """
    for name in secrets:
        if not _SECRET_ID.fullmatch(name):
            raise BadUsage(
                f"{name!r} is no name for a build secret.", remedy="Use letters, digits and _ . - inside."
            )
    known = parse_docker_config((docker_config or b"{}").decode(errors="replace"), origin=_ORIGIN)
    with tempfile.TemporaryDirectory(prefix="docker-") as made:
        folder = Path(made)
        config, held = folder / "config", folder / "secrets"
        for each in (config, held):
            each.mkdir(mode=0o700)
        if docker_config:
            _write(config / "config.json", docker_config)
        files = {name: _write(held / name, content) for name, content in secrets.items()}
        environ = _environment(engine, folder, config)
        program, able = _program(engine, environ)
        if secrets and not able:
            raise _no_room_for_secrets(engine, secrets)
        logins = [
            secret for login in known.logins.values() for secret in (login.password, login.identity_token)
        ]
        yield DockerCommand(
            program=program,
            folder=folder,
            environ={**environ, "DOCKER_BUILDKIT": "1" if able else "0"},
            config=known,
            masks=masks_of([*secrets.values(), *(secret.encode() for secret in logins)]),
            buildkit=able,
            secrets=files,
        )


def _no_room_for_secrets(engine: Engine, secrets: Mapping[str, bytes]) -> EngineUnsuitable:
    who = "no docker program here can use it" if engine.buildkit else f"{engine.address.host} has it not"
    return EngineUnsuitable(
        f"The build needs secrets ({', '.join(sorted(secrets))}). Only BuildKit keeps them out of the image, "
        f"and {who}.",
        remedy="Install a docker command with BuildKit (20.10, or docker-buildx) and use Docker's engine, or "
        "take image.secrets out of the policy.",
    )


def _write(path: Path, content: bytes) -> Path:
    path.touch(mode=0o600)
    path.write_bytes(content)
    return path


def _environment(engine: Engine, folder: Path, config: Path) -> dict[str, str]:
    fixed = {
        "PATH": engine.environ.get("PATH", os.defpath),
        "LC_ALL": "C.UTF-8",
        "HOME": str(folder),
        "TMPDIR": str(folder),
        "DOCKER_CONFIG": str(config),
        "DOCKER_HOST": engine.address.host,
        # Else some engines would push an index of the image and of what is known of its build.
        "BUILDX_NO_DEFAULT_ATTESTATIONS": "1",
    }
    tls = engine.address.tls
    verified = {} if tls is None else {"DOCKER_CERT_PATH": str(tls.resolve()), "DOCKER_TLS_VERIFY": "1"}
    return {**network_environment(engine.environ), **fixed, **verified}


def _program(engine: Engine, environ: Mapping[str, str]) -> tuple[str, bool]:
    """Return the docker program to use, and whether it and the engine build with BuildKit."""
    found = _programs(environ["PATH"])
    if not found:
        raise CommandMissing("There is no `docker` on the PATH.", remedy="Install docker's command line.")
    if engine.buildkit:
        for program in found:
            asked = [program, "build", "--help"]
            told = {**environ, "DOCKER_BUILDKIT": "1"}
            done = _run.run(asked, timeout_s=_PROBE_TIMEOUT_S, env=told, expect=range(-64, 256))
            if done.code == 0 and "--secret" in done.stdout:
                return program, True
    return found[0], False


def _programs(path: str) -> Sequence[str]:
    named = (shutil.which("docker", path=folder) for folder in path.split(os.pathsep) if folder)
    return list(dict.fromkeys(program for program in named if program))
