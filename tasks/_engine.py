"""A container engine, local or remote: reached by its address, checked once as it is opened.

A remote one is spoken to by TLS with certificates on both sides, for whoever reaches an engine is root on
its machine.
"""

from __future__ import annotations

import re
import socket
import ssl
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

import docker
import requests
from docker.errors import DockerException
from docker.tls import TLSConfig

from tasks._errors import (
    BadUsage,
    EngineDenied,
    EngineUnavailable,
    EngineUnsuitable,
    EngineUntrusted,
    Recoverable,
    Terminal,
)
from tasks._network import is_loopback_host

MIN_API = (1, 40)
"""Docker 19.03, podman 3. Any later one is spoken to in its own version."""

ENGINE_FAULTS = (DockerException, requests.RequestException, OSError)
"""What a call to the engine raises: it says no, or it is not there."""
CERTIFICATES = ("ca.pem", "cert.pem", "key.pem")
"""What the folder of certificates holds, as docker has it: whom we trust, who we are, our key."""

_TIMEOUT_S = 60
_REJECTION_S = 2
_NO_BUILDKIT = "Podman Engine"
# In the words of OpenSSL, and of Go where it answers before it closes.
_DENIED = re.compile(
    r"bad[ _]certificate|unknown[ _]ca\b|certificate[ _](required|expired|unknown|revoked)"
    r"|HTTP request to an HTTPS server",
    re.IGNORECASE,
)
_UNTRUSTED = re.compile(
    r"certificate[ _]verify[ _]failed|doesn't match|WRONG_VERSION_NUMBER|RECORD_LAYER_FAILURE", re.IGNORECASE
)
_OUR_FILES = re.compile(r"KEY_VALUES_MISMATCH|PEM lib|NO_START_LINE|BAD_BASE64|NO_CERTIFICATE_OR_CRL_FOUND")


@dataclass(frozen=True, kw_only=True)
class EngineAddress:
    """Where an engine is: `unix://PATH` or `tcp://HOST:PORT`, with a folder of certificates for TLS."""

    host: str
    tls: Path | None = None


@dataclass(frozen=True, kw_only=True)
class Engine:
    """An engine that has answered. `environ` is what the docker command gets of ours.

    `platform` is what it runs, `os/architecture`. Podman answers as Docker does, but has no BuildKit.
    """

    address: EngineAddress
    client: docker.APIClient = field(repr=False)
    environ: Mapping[str, str] = field(repr=False)
    platform: str
    buildkit: bool

    def answers(self) -> bool:
        """Say whether it is still there."""
        try:
            self.client.ping()
        except ENGINE_FAULTS:
            return False
        return True


@contextmanager
def open_engine(
    address: EngineAddress, *, environ: Mapping[str, str] | None = None, plain_tcp: Sequence[str] = ()
) -> Iterator[Engine]:
    """Give the engine at `address`, and close its connections in the end.

    `environ` gives the docker command its PATH, proxies and certificates. `plain_tcp` are engines, as
    HOST:PORT, that may be spoken to without TLS, beside those on loopback.

    Raises:
        EngineUnavailable: none answers.
        EngineDenied: it does not take our certificate, or asks for one.
        EngineUntrusted: its own certificate is not of our authority, or it would be plain tcp.
        EngineUnsuitable: it is too old.
        BadUsage: the address is none.
    """
    _check_address(address, plain_tcp)
    client = _connect(address)
    try:
        found = client.version()
        yield Engine(
            address=address,
            client=client,
            environ=dict(environ or {}),
            platform=f"{found['Os']}/{found['Arch']}",
            buildkit=_NO_BUILDKIT not in {part.get("Name") for part in found.get("Components") or ()},
        )
    finally:
        client.close()


def _connect(address: EngineAddress) -> docker.APIClient:
    """Return a client that speaks the engine's own version of the API."""
    least = ".".join(map(str, MIN_API))
    try:
        with closing(_client(address, least)) as asking:
            version: str = asking.version(api_version=False)["ApiVersion"]
        if tuple(int(part) for part in version.split(".")) < MIN_API:
            raise EngineUnsuitable(
                f"The container engine at {address.host} speaks version {version} of Docker's API; "
                f"{least} is the least that serves.",
                remedy="Use Docker 19.03, podman 3 or a later one.",
            )
        return _client(address, version)
    except (*ENGINE_FAULTS, ValueError, KeyError) as error:
        raise engine_fault(_rejection(address) or str(error), address) from error


def _rejection(address: EngineAddress) -> str:
    """Return what a server says as it turns our certificate down; empty where it does not.

    It may say so only after the handshake, while a client is writing already and loses that word.
    """
    if address.tls is None:
        return ""
    ca, certificate, key = (address.tls / name for name in CERTIFICATES)
    parts = urlsplit(address.host)
    try:
        context = ssl.create_default_context(cafile=ca)
        context.load_cert_chain(certificate, key)
        where = (parts.hostname or "", parts.port or 0)
        with (
            socket.create_connection(where, timeout=_REJECTION_S) as plain,
            context.wrap_socket(plain, server_hostname=parts.hostname) as wrapped,
        ):
            wrapped.recv(1)
    except ssl.SSLError as error:
        return str(error)
    except OSError:
        return ""
    return ""


def _client(address: EngineAddress, version: str) -> docker.APIClient:
    client = docker.APIClient(address.host, version=version, timeout=_TIMEOUT_S, tls=_tls(address.tls))
    # Else `requests` would put the environment's certificates in the place of the engine's own authority.
    client.trust_env = False
    return client


def engine_fault(said: str, address: EngineAddress) -> Recoverable | Terminal:
    """Return our error for what a client of the engine says of its connection."""
    at = f"The container engine at {address.host}"
    if _OUR_FILES.search(said):
        return EngineDenied(
            f"Our certificate for {address.host} cannot be used: {said}.", remedy=_renew(address)
        )
    if _DENIED.search(said):
        which = "does not take our certificate" if address.tls else "asks for a certificate"
        return EngineDenied(f"{at} {which}: {said}.", remedy=_renew(address))
    if _UNTRUSTED.search(said):
        return EngineUntrusted(
            f"{at} cannot be trusted: {said}.",
            remedy="Check the address, that it speaks TLS, and that `ca.pem` is its authority's certificate.",
        )
    return EngineUnavailable(
        f"{at} does not answer: {said}.", remedy="Start it, or correct the address; it is tried again."
    )


def _renew(address: EngineAddress) -> str:
    return (
        "Give a valid client certificate and its key that the engine's authority has signed "
        f"({', '.join(CERTIFICATES)})" + (f" in {address.tls}." if address.tls else ".")
    )


def _check_address(address: EngineAddress, plain_tcp: Sequence[str]) -> None:
    try:
        parts = urlsplit(address.host)
        host, port = parts.hostname or "", parts.port
    except ValueError:
        parts, host, port = urlsplit(""), "", None
    named = parts.path if parts.scheme == "unix" else host and port
    if parts.scheme not in ("unix", "tcp") or not named or parts.username or parts.query or parts.fragment:
        raise BadUsage(
            f"{address.host.rpartition('@')[2]!r} is not the address of a container engine.",
            remedy="Give unix:///PATH or tcp://HOST:PORT.",
        )
    plain = parts.scheme == "tcp" and address.tls is None
    if plain and not is_loopback_host(host) and parts.netloc not in plain_tcp:
        raise EngineUntrusted(
            f"The container engine at {address.host} would be spoken to without TLS.",
            remedy=f"Give a client certificate and its authority's ({', '.join(CERTIFICATES)}).",
        )
    missing = [name for name in CERTIFICATES if address.tls and not (address.tls / name).is_file()]
    if missing:
        raise EngineDenied(
            f"For the container engine at {address.host}, {' and '.join(missing)} is missing.",
            remedy=_renew(address),
        )


def _tls(folder: Path | None) -> TLSConfig | None:
    if folder is None:
        return None
    ca, certificate, key = (str(folder / name) for name in CERTIFICATES)
    return TLSConfig(client_cert=(certificate, key), ca_cert=ca, verify=True)
