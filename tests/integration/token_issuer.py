"""Who issues the tokens of a docker-registry: over TLS, signed, by the token specification."""

from __future__ import annotations

import base64
import json
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature

from tests.certificates import certificate_for_loopback
from tests.serving import serving

SERVICE, ISSUER = "registry of the tests", "issuer of the tests"


@dataclass
class Issuer:
    """It knows one user; `grants` are the actions that the user may get, whatever is asked for."""

    certificate: Path
    key: Path
    user: str
    password: str
    grants: frozenset[str] = frozenset({"pull", "push", "delete"})
    life_s: int = 300
    url: str = ""
    issued: list[str] = field(default_factory=list)

    @property
    def configuration(self) -> dict[str, str]:
        """What a docker-registry has to be told to believe its tokens."""
        return {
            "realm": f"{self.url}/token",
            "service": SERVICE,
            "issuer": ISSUER,
            "rootcertbundle": str(self.certificate),
        }

    def token(self, scope: str) -> str:
        """Sign a token for what of `scope` is granted."""
        kind, name, actions = scope.split(":")
        granted = [action for action in actions.split(",") if action in self.grants]
        now = int(time.time())
        claims = {
            "iss": ISSUER,
            "sub": self.user,
            "aud": SERVICE,
            "iat": now,
            "nbf": now - 5,
            "exp": now + self.life_s,
            "access": [{"type": kind, "name": name, "actions": granted}],
        }
        # A registry asks for actions in any order.
        self.issued.append(f"{kind}:{name}:{','.join(sorted(actions.split(',')))}")
        return self._signed(claims)

    def _signed(self, claims: Mapping[str, Any]) -> str:
        known = x509.load_pem_x509_certificate(self.certificate.read_bytes())
        der = known.public_bytes(serialization.Encoding.DER)
        head = {"typ": "JWT", "alg": "ES256", "x5c": [base64.b64encode(der).decode()]}
        text = f"{_encoded(json.dumps(head).encode())}.{_encoded(json.dumps(claims).encode())}"
        key = serialization.load_pem_private_key(self.key.read_bytes(), password=None)
        assert isinstance(key, ec.EllipticCurvePrivateKey)
        pair = decode_dss_signature(key.sign(text.encode(), ec.ECDSA(hashes.SHA256())))
        return f"{text}.{_encoded(b''.join(part.to_bytes(32, 'big') for part in pair))}"


def _encoded(content: bytes) -> str:
    return base64.urlsafe_b64encode(content).rstrip(b"=").decode()


@contextmanager
def token_issuer(folder: Path, *, user: str, password: str) -> Iterator[Issuer]:
    """Serve one with TLS on a free port of loopback."""
    certificate, key = certificate_for_loopback(folder)
    issuer = Issuer(certificate=certificate, key=key, user=user, password=password)
    with serving(_handler(issuer), tls=(certificate, key)) as issuer.url:
        yield issuer


def _handler(issuer: Issuer) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            query = parse_qs(urlsplit(self.path).query)
            expected = base64.b64encode(f"{issuer.user}:{issuer.password}".encode()).decode()
            if self.headers.get("Authorization") != f"Basic {expected}":
                self._reply(401, {"details": "incorrect username or password"})
            elif query["service"] != [SERVICE]:
                self._reply(400, {"details": "unknown service"})
            else:
                document = {"token": issuer.token(query["scope"][0]), "expires_in": issuer.life_s}
                self._reply(200, document)

        def _reply(self, status: int, document: Mapping[str, Any]) -> None:
            body = json.dumps(document).encode()
            self.send_response(status)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            pass

    return Handler
