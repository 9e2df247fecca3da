"""Which of the machine's settings a program needs to reach the network, and what is not the network."""

from __future__ import annotations

from collections.abc import Mapping
from ipaddress import ip_address

_NAMES = frozenset(
    {
        "SSL_CERT_FILE",
        "SSL_CERT_DIR",
        "REQUESTS_CA_BUNDLE",
        "CURL_CA_BUNDLE",
        "GIT_SSL_CAINFO",
        "GIT_SSL_CAPATH",
        "HTTP_PROXY",
        "HTTPS_PROXY",
        "ALL_PROXY",
        "NO_PROXY",
    }
)


def network_environment(environ: Mapping[str, str]) -> dict[str, str]:
    """Return the certificates and proxies of `environ`, in either case of their names; nothing else."""
    return {name: value for name, value in environ.items() if name.upper() in _NAMES}


def is_loopback_host(host: str) -> bool:
    """Say whether a host, without a port, is this machine itself."""
    try:
        return host == "localhost" or ip_address(host).is_loopback
    except ValueError:
        return False
