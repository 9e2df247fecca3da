"""What a build needs to reach package indexes from this machine, handed in so that no image keeps it.

A Dockerfile takes it with

    RUN --mount=type=secret,id=ca --mount=type=secret,id=pip_conf \\
        PIP_CONFIG_FILE=/run/secrets/pip_conf pip install ...
"""

from __future__ import annotations

import ast
import os
import sys
from pathlib import Path

from tasks._run import run

_BUNDLES = ("PIP_CERT", "SSL_CERT_FILE", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE")
_SYSTEM_BUNDLE = Path("/etc/ssl/certs/ca-certificates.crt")
_INDEXES = ("index-url", "extra-index-url", "trusted-host")


def build_secrets(folder: Path) -> dict[str, Path]:
    """Return the files of BuildKit secrets by id; those that have to be made are written to `folder`.

    `ca` is the bundle of certificates that this machine trusts, `pip_conf` a configuration of pip that
    names it and the indexes that pip asks here. Folders of this machine are left out.
    """
    named = (Path(os.environ[name]) for name in _BUNDLES if os.environ.get(name))
    bundle = next((path for path in (*named, _SYSTEM_BUNDLE) if path.is_file()), None)
    settings = {name: value for name, value in _pip_settings().items() if name in _INDEXES}
    if bundle is not None:
        settings["cert"] = "/run/secrets/ca"
    conf = folder / "pip.conf"
    conf.touch(mode=0o600)
    conf.write_text("[global]\n" + "".join(f"{name} = {value}\n" for name, value in settings.items()))
    return {"pip_conf": conf, **({} if bundle is None else {"ca": bundle})}


def marked_build_secrets(folder: Path, canary: str) -> dict[str, Path]:
    """Return the same, with a canary in each that no build minds, as files in `folder`."""
    secrets = build_secrets(folder)
    secrets["pip_conf"].write_text(f"{secrets['pip_conf'].read_text()}trusted-host = {canary}.invalid\n")
    if "ca" in secrets:
        copy = folder / "ca.pem"
        copy.write_text(f"# {canary}\n{secrets['ca'].read_text()}")
        secrets["ca"] = copy
    return secrets


def _pip_settings() -> dict[str, str]:
    """Return what pip is configured with here, the environment winning over files."""
    listed = run([sys.executable, "-m", "pip", "config", "list"], timeout_s=60).stdout
    settings = {}
    for line in sorted(listed.splitlines(), key=lambda line: line.startswith(":env:")):
        key, _, value = line.partition("=")
        words = str(ast.literal_eval(value)).split()
        if remote := [word for word in words if not word.startswith(("file:", "/"))]:
            settings[key.rpartition(".")[2]] = " ".join(remote)
    return settings
