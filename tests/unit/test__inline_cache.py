from __future__ import annotations

import base64
import json

import pytest

from tasks._inline_cache import Cached, read_cached


def config(layers: str, known: str) -> dict[str, object]:
    """An image's configuration with such layers, each a letter, and the steps of some of them."""
    records = [{"digest": "sha256:0"}] + [{"layers": [{"layer": layers.index(one)}]} for one in known]
    cache = base64.b64encode(json.dumps(records).encode()).decode()
    return {"rootfs": {"diff_ids": list(layers)}, "moby.buildkit.cache.v0": cache}


@pytest.mark.parametrize(
    ("new", "old", "replaces"),
    [
        pytest.param(config("bxyz", "xyz"), config("bpqr", "pqr"), True, id="built from nothing"),
        pytest.param(config("bxyz", "xyz"), config("bxyr", "xyr"), True, id="on layers that it knows"),
        pytest.param(config("bxyz", "z"), config("bxyr", "xyr"), False, id="on layers of the old one"),
        pytest.param(config("bxyz", "yz"), config("bxqr", "r"), True, id="on layers that neither knows"),
        pytest.param(config("bxyz", ""), config("bxyr", "xyr"), False, id="without a cache"),
        pytest.param(config("bxyz", "z"), {}, True, id="the old one is none"),
    ],
)
def test_image_replaces_one_that_it_does_not_stand_on(
    new: dict[str, object], old: dict[str, object], replaces: bool
) -> None:
    assert read_cached(new).replaces(read_cached(old)) is replaces


@pytest.mark.parametrize(
    "cache",
    [
        "",
        "%%%",
        base64.b64encode(b"{").decode(),
        *(
            base64.b64encode(text).decode()
            for text in (
                b"5",
                b"[5]",
                b'[{"layers": [{"layer": "x"}]}]',
                b'[{"layers": [{"layer": 7}]}]',
                b'[{"layers": [{}]}]',
            )
        ),
    ],
)
def test_cache_that_cannot_be_read_knows_nothing(cache: str) -> None:
    read = read_cached({"rootfs": {"diff_ids": ["a", "b"]}, "moby.buildkit.cache.v0": cache})
    assert read == Cached(layers=frozenset("ab"))
