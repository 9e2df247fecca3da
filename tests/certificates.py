"""Certificates for servers on loopback."""

from __future__ import annotations

import datetime
import ipaddress
from dataclasses import dataclass
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID


def certificate_for_loopback(folder: Path) -> tuple[Path, Path]:
    """Make a certificate for 127.0.0.1 that is its own authority; return its file and its key's."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "taxiway test")])
    basic = x509.BasicConstraints(ca=True, path_length=None)
    made = _builder(name, name, key).add_extension(basic, critical=True).sign(key, hashes.SHA256())
    folder.mkdir(parents=True, exist_ok=True)
    paths = folder / "certificate.pem", folder / "key.pem"
    _write(*paths, made, key)
    return paths


@dataclass(frozen=True, kw_only=True)
class Authority:
    """Who signs certificates. `file` is its own one."""

    file: Path
    key: ec.EllipticCurvePrivateKey
    name: x509.Name

    def sign(self, folder: Path, *, days: int = 1) -> Path:
        """Put `ca.pem`, and a `cert.pem` for both sides on 127.0.0.1 with its `key.pem`, into a new folder.

        With less than no `days`, it expired so long ago.
        """
        key = ec.generate_private_key(ec.SECP256R1())
        usage = [ExtendedKeyUsageOID.CLIENT_AUTH, ExtendedKeyUsageOID.SERVER_AUTH]
        name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "taxiway test client")])
        made = _builder(name, self.name, key, until=days).add_extension(
            x509.ExtendedKeyUsage(usage), critical=False
        )
        folder.mkdir(parents=True)
        (folder / "ca.pem").write_bytes(self.file.read_bytes())
        _write(folder / "cert.pem", folder / "key.pem", made.sign(self.key, hashes.SHA256()), key)
        return folder


def authority(folder: Path) -> Authority:
    """Make an authority of the tests' own."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, f"taxiway test authority {folder.name}")])
    basic = x509.BasicConstraints(ca=True, path_length=None)
    made = _builder(name, name, key).add_extension(basic, critical=True).sign(key, hashes.SHA256())
    folder.mkdir(parents=True, exist_ok=True)
    _write(folder / "authority.pem", folder / "authority-key.pem", made, key)
    return Authority(file=folder / "authority.pem", key=key, name=name)


def _builder(
    name: x509.Name, issuer: x509.Name, key: ec.EllipticCurvePrivateKey, *, until: int = 1
) -> x509.CertificateBuilder:
    now = datetime.datetime.now(datetime.timezone.utc)
    loopback = x509.IPAddress(ipaddress.ip_address("127.0.0.1"))
    return (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(issuer)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(days=10))
        .not_valid_after(now + datetime.timedelta(days=until))
        .add_extension(x509.SubjectAlternativeName([loopback]), critical=False)
    )


def _write(certificate: Path, private: Path, made: x509.Certificate, key: ec.EllipticCurvePrivateKey) -> None:
    certificate.write_bytes(made.public_bytes(serialization.Encoding.PEM))
    private.write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
    )
