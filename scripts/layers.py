"""The layers of an image, as its registry holds them: how large each is, and which line made it."""

from __future__ import annotations

import re
from dataclasses import dataclass

from tasks._errors import RegistryInvalid
from tasks._references import Reference
from tasks._registry import RegistryClient

_NOISE = re.compile(r"^(/bin/sh -c )?(#\(nop\) )?| # buildkit$|/bin/sh -c (?=\S)")


@dataclass(frozen=True, kw_only=True)
class Layer:
    """One layer: its size as it is pulled, compressed; `made_by` is a Dockerfile's line, empty if unsaid."""

    size_bytes: int
    made_by: str


def read_layers(registry: RegistryClient, reference: Reference, *, platform: str) -> list[Layer]:
    """Return the layers of an image, the base's first; of an index, those of its image for `platform`.

    Raises:
        RegistryInvalid: an index has nothing for `platform`; else see `RegistryClient`.
    """
    manifest = registry.manifest(reference)
    if manifest.is_index:
        found = [one.digest for one in manifest.manifests if one.platform == platform]
        if not found:
            known = ", ".join(sorted({one.platform for one in manifest.manifests} - {""}))
            raise RegistryInvalid(
                f"{reference} has no image for {platform}.", remedy=f"Choose one of: {known or 'none'}."
            )
        manifest = registry.manifest(reference.repository.at(found[0]))
    lines = lines_of(registry.image_config(reference.repository, manifest).get("history"))
    # A history is optional, and need not be whole.
    lines = lines if len(lines) == len(manifest.layers) else [""] * len(manifest.layers)
    return [
        Layer(size_bytes=layer.size, made_by=line) for layer, line in zip(manifest.layers, lines, strict=True)
    ]


def lines_of(history: object) -> list[str]:
    """Return what made each layer, from the history of an image; what made none is left out."""
    entries = history if isinstance(history, list) else []
    return [
        _NOISE.sub("", " ".join(str(entry.get("created_by", "")).split()))
        for entry in entries
        if isinstance(entry, dict) and not entry.get("empty_layer")
    ]


def table_of(layers: list[Layer], *, width: int = 110) -> str:
    """Return the layers as lines of text, and their sum."""
    rows = [f"{_mib(layer.size_bytes)}  {layer.made_by}"[:width].rstrip() for layer in layers]
    return "\n".join([*rows, f"{_mib(sum(layer.size_bytes for layer in layers))}  in all, compressed"])


def _mib(size_bytes: int) -> str:
    return f"{size_bytes / 1024**2:7.1f} MiB"
