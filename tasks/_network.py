"""Which of the machine's settings a program needs to reach the network; nothing else is passed on."""

from __future__ import annotations

from collections.abc import Mapping

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
    """Return the certificates and proxies of `environ`, in either case of their names."""
    return {name: value for name, value in environ.items() if name.upper() in _NAMES}
