"""Which images of a repository other engines take layers from: those that say how their layers were made.

BuildKit's inline cache is what an image says of its own steps. An image that was built on layers of an
earlier one, taken from the registry, says nothing of those layers: whoever went by the last image would find
nothing every second time. So an image is passed over where it stands on layers that an earlier one alone
knows, and gets the next tag.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping
from dataclasses import dataclass

from tasks._errors import RegistryInvalid, RegistryNotFound
from tasks._references import Reference
from tasks._registry import RegistryClient

CACHE_TAGS = ("cache", "cache-1", "cache-2")
"""What builds take layers from: as many as there are layers to change one after the other, for most."""
_CACHE = "moby.buildkit.cache.v0"


@dataclass(frozen=True, kw_only=True)
class Cached:
    """The layers of an image, by the digests of their content, and those that it knows the steps of."""

    layers: frozenset[str] = frozenset()
    known: frozenset[str] = frozenset()

    def replaces(self, other: Cached) -> bool:
        """Say whether nothing that this image stands on is lost without the other one."""
        return not (self.layers & other.known) - self.known


def read_cached(config: Mapping[str, object]) -> Cached:
    """Read an image's configuration; an inline cache that cannot be read knows nothing."""
    try:
        layers = [str(digest) for digest in config["rootfs"]["diff_ids"]]  # type: ignore[index]
    except (KeyError, TypeError):
        return Cached()
    try:
        records = json.loads(base64.b64decode(str(config.get(_CACHE, ""))))
        numbers = {int(one["layer"]) for record in records for one in record.get("layers") or ()}
    except (ValueError, TypeError, KeyError, AttributeError):
        numbers = set()
    known = (layers[number] for number in numbers if 0 <= number < len(layers))
    return Cached(layers=frozenset(layers), known=frozenset(known))


def keep_as_cache(registry: RegistryClient, image: Reference) -> None:
    """Give an image the first of the tags whose image it replaces; none where it replaces none."""
    made = _read(registry, image)
    for tag in CACHE_TAGS:
        place = image.repository.tagged(tag)
        try:
            replaced = made.replaces(_read(registry, place))
        except (RegistryNotFound, RegistryInvalid):
            replaced = True
        if replaced:
            registry.tag(image, tag)
            return


def _read(registry: RegistryClient, image: Reference) -> Cached:
    return read_cached(registry.image_config(image.repository, registry.manifest(image)))
