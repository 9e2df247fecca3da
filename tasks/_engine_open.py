"""The container engine of an installation, as a builder of images: opened by its settings and secrets."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from tasks._engine import open_engine
from tasks._engine_images import EngineImages
from tasks._engine_secrets import read_build_secrets, read_engine_address
from tasks._registry import open_registries
from tasks._registry_credentials import docker_config, read_keychain
from tasks._registry_http import Observer
from tasks._secrets import Secrets
from tasks._settings import Settings


@contextmanager
def engine_images(
    settings: Settings,
    environ: Mapping[str, str],
    secrets: Secrets,
    *,
    repositories: tuple[str, ...] = (),
    observer: Observer | None = None,
) -> Iterator[EngineImages]:
    """Give the builder that uses the engine of `settings`; neither engine nor registry is asked anything yet.

    `repositories` are those that are listed and pruned, `observer` is told of every request to a registry.

    Raises:
        BadUsage: a secret is not of its form.
        RegistryCredentialsInvalid: what is known of registries' logins cannot be read.
    """
    bundle = environ.get("REQUESTS_CA_BUNDLE") or environ.get("SSL_CERT_FILE")
    with (
        tempfile.TemporaryDirectory(prefix="taxiway-engine-") as folder,
        open_registries(
            read_keychain(secrets, environ),
            plain_http=settings.plain_http_registries,
            ca_file=Path(bundle) if bundle else None,
            timeout_s=settings.rpc_timeout_s,
            patience_s=settings.rpc_patience_s,
            observer=observer,
        ) as registry,
    ):
        address = read_engine_address(settings.docker_host, secrets, environ, folder=Path(folder) / "tls")
        yield EngineImages(
            registry=registry,
            open_engine=lambda: open_engine(address, environ=environ),
            timeout_s=settings.build_timeout_s,
            docker_config=docker_config(secrets, environ),
            secrets=read_build_secrets(secrets),
            repositories=repositories,
        )
