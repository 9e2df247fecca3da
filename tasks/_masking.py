"""How secrets are found in what others print: as they are, by line, and in base64 at any offset."""

from __future__ import annotations

import base64
from collections.abc import Iterable
from urllib.parse import quote

# Anything shorter is found everywhere, and masking it would tell more than it hides.
_LEAST_PART = 8


def masks_of(secrets: Iterable[bytes]) -> tuple[str, ...]:
    """Return every form of `secrets` that has to be masked, the secrets themselves included."""
    forms: set[str] = set()
    for secret in secrets:
        for raw in {secret, secret.strip()}:
            text = raw.decode(errors="backslashreplace")
            forms |= {text, quote(text, safe="")}
            forms |= {line.strip() for line in text.splitlines() if len(line.strip()) >= _LEAST_PART}
            forms |= {form for form in _encoded(raw) if len(form) >= _LEAST_PART}
    return tuple(sorted(filter(None, forms)))


def _encoded(raw: bytes) -> Iterable[str]:
    """Yield the base64 of `raw`, whole, by line, and what of it stays the same inside of other content.

    Three bytes are four characters, so there are three ways for content to begin; what is cut off at
    either end depends on the neighbours.
    """
    yield base64.b64encode(raw).decode()
    yield from base64.encodebytes(raw).decode().splitlines()
    for offset, lead in enumerate((0, 2, 3)):
        whole = raw[: len(raw) - (len(raw) + offset) % 3]
        encoded = base64.b64encode(b"\0" * offset + whole).decode()[lead:]
        yield encoded
        yield encoded.replace("+", "-").replace("/", "_")
