"""Images built on a real engine and pushed to a real registry; what was made is read back from there."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from tasks._engine import Engine, EngineAddress, open_engine
from tasks._engine_build import BuildLimits, Pushed
from tasks._errors import BuildTooLarge, EngineUnsuitable, ReferenceInvalid
from tasks._references import parse_reference
from tests.engine import daemon
from tests.engine.building import Site, open_site

pytestmark = pytest.mark.engine

THREE_LAYERS = """FROM tiny:1
COPY a /a
RUN head -c 16 /dev/urandom > /ra
COPY b /b
RUN head -c 16 /dev/urandom > /rb
COPY c /c
RUN head -c 16 /dev/urandom > /rc
"""

TWO_STAGES = """FROM tiny:1 AS made
COPY a /a
RUN echo ran-$((6 * 7))-a; head -c 16 /dev/urandom > /ra
COPY b /b
RUN echo ran-$((6 * 7))-b; head -c 16 /dev/urandom > /rb
FROM tiny:1
COPY --from=made /rb /rb
COPY d /d
RUN echo ran-$((6 * 7))-d; head -c 16 /dev/urandom > /rd
"""


@pytest.fixture(scope="module")
def place(engine_host: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    with open_site(engine_host, tmp_path_factory.mktemp("site")) as made:
        yield made


@pytest.fixture
def fresh() -> Iterator[Engine]:
    """An engine that has built nothing."""
    with (
        daemon.needed(daemon.dockerd()) as host,
        open_engine(EngineAddress(host=host), environ=os.environ) as engine,
    ):
        yield engine


def test_what_was_pushed_is_what_the_registry_has(place: Site) -> None:
    order = place.order(
        "FROM tiny:1\nCOPY a.txt /a\nRUN echo made > /made\n",
        {"a.txt": b"a"},
        tags=("pr-7", "made"),
        labels={"org.opencontainers.image.revision": "4" * 40, "org.opencontainers.image.title": "it's, ok"},
    )
    pushed = place.build(order)

    repository = parse_reference(order.reference).repository
    assert {tag: place.client.resolve(repository.tagged(tag)).digest for tag in ("made", "pr-7")} == {
        "made": pushed.digest,
        "pr-7": pushed.digest,
    }
    config = place.config(order, pushed)
    assert (config["os"], config["architecture"]) == ("linux", "amd64")
    assert config["config"]["Labels"] == dict(order.labels)
    assert pushed.size_bytes == sum(
        layer.size for layer in place.client.manifest(repository.at(pushed.digest)).layers
    )
    assert "RUN echo made" in pushed.log
    assert not place.client.manifest(repository.at(pushed.digest)).is_index


def test_the_base_is_what_it_was_resolved_to_in_every_place_that_names_it(place: Site) -> None:
    dockerfile = """ARG BASE=tiny:1
FROM --platform=linux/amd64 \\
  ${BASE} AS first
RUN echo x > /x
FROM tiny:1
COPY --from=tiny:1 /bin/cat /v
COPY --from=first /x /x
RUN --mount=type=bind,from=tiny:1,target=/mnt test -f /mnt/bin/cat
"""
    order = place.order(dockerfile, bases={"${BASE}": place.pinned, "tiny:1": place.pinned})
    pushed = place.build(order)
    assert (
        place.layers(order, pushed)[0]
        == place.client.manifest(parse_reference(place.pinned)).layers[0].digest
    )


def test_a_change_in_the_last_layer_builds_no_other_one(place: Site) -> None:
    first = place.order(THREE_LAYERS, {"a": b"1", "b": b"1", "c": b"1"})
    one = place.layers(first, place.build(first))
    second = place.order(THREE_LAYERS, {"a": b"1", "b": b"1", "c": b"2"}, reference=first.reference)
    other = place.layers(second, place.build(second))
    assert [a == b for a, b in zip(one, other, strict=True)] == [True] * 5 + [False] * 2


def test_nothing_is_taken_over_from_another_repository_on_the_same_engine(place: Site) -> None:
    dockerfile = """FROM tiny:1
RUN head -c 16 /dev/urandom > /random
RUN --mount=type=cache,target=/cache echo "found [$(ls /cache)]"; touch /cache/left
"""
    preview = place.order(dockerfile)
    repository = parse_reference(preview.reference).repository
    preview = replace(preview, reference=f"{repository}/previews:made")
    release = replace(preview, reference=f"{repository}:made")
    again = replace(preview, reference=f"{repository}/previews:again")
    made = [place.build(each) for each in (preview, release, again)]
    theirs, ours, later = map(place.layers, (preview, release, again), made)
    assert theirs[0] == ours[0]
    assert theirs[1] != ours[1]
    assert theirs == later
    assert ["found []" in pushed.log for pushed in made] == [True, True, False]


def test_a_build_without_cache_begins_from_nothing(place: Site) -> None:
    order = place.order("FROM tiny:1\nRUN head -c 16 /dev/urandom > /random\n")
    first = place.layers(order, place.build(order))
    assert place.layers(order, place.build(replace(order, cache=False)))[1:] != first[1:]


def test_an_image_over_the_limit_is_not_pushed_and_not_kept(place: Site) -> None:
    order = place.order("FROM tiny:1\nRUN head -c 2000000 /dev/zero > /zeros\n")
    size = place.engine.client.inspect_image(place.pinned)["Size"]
    limits = BuildLimits(timeout_s=60, image_bytes=size + 1_000_000)
    with pytest.raises(BuildTooLarge, match="The image is"):
        place.build(replace(order, limits=limits))
    assert list(place.engine.client.images(order.reference)) == []
    repositories = (place.folder / "registry/data/docker/registry/v2/repositories/tests").iterdir()
    assert parse_reference(order.reference).repository.name.rpartition("/")[2] not in {
        path.name for path in repositories
    }


def test_a_context_over_the_limit_is_refused_before_the_build(place: Site) -> None:
    order = place.order("FROM tiny:1\n", {"big": b"x" * 1000})
    with pytest.raises(BuildTooLarge, match="at most 1000 are allowed"):
        place.build(replace(order, limits=BuildLimits(timeout_s=60, context_bytes=1000)))


@pytest.mark.parametrize(("network", "seen"), [("none", "lo"), ("host", "all")])
def test_the_network_is_the_one_that_was_ordered(place: Site, network: str, seen: str) -> None:
    # Those of containers, which others may start and end meanwhile, are called veth.
    machine = {path.name for path in Path("/sys/class/net").iterdir() if not path.name.startswith("veth")}
    order = place.order("FROM tiny:1\nRUN ls /sys/class/net | tr '\\n' ,; false\n", network=network)
    with pytest.raises(Exception, match="A command of the Dockerfile failed") as raised:
        place.build(order)
    shown = set(re.split(r"[\s,]+", str(raised.value)))
    assert machine & shown == ({"lo"} if seen == "lo" else machine)


def test_more_than_one_platform_is_refused(place: Site) -> None:
    with pytest.raises(EngineUnsuitable, match="one platform"):
        place.build(place.order("FROM tiny:1\n", platform="linux/amd64,linux/arm64"))


def test_a_reference_is_checked_before_anything_is_built(place: Site) -> None:
    with pytest.raises(ReferenceInvalid):
        place.build(place.order("FROM tiny:1\n", reference="127.0.0.1:1/UPPER:1"))


def test_a_fresh_engine_builds_only_from_the_changed_layer_with_the_registrys_cache(
    place: Site, fresh: Engine
) -> None:
    first = place.order(THREE_LAYERS, {"a": b"1", "b": b"1", "c": b"1"})
    one = place.layers(first, place.build(first))
    repository = parse_reference(first.reference).repository
    second = place.order(
        THREE_LAYERS,
        {"a": b"1", "b": b"1", "c": b"2"},
        reference=f"{repository}:second",
        cache_from=(first.reference,),
    )
    pushed = place.build(second, engine=fresh)
    cold = place.order(THREE_LAYERS, {"a": b"1", "b": b"1", "c": b"2"}, reference=f"{repository}:cold")
    begun = place.build(replace(cold, cache=False), engine=fresh)
    other = place.layers(second, pushed)
    assert [a == b for a, b in zip(one, other, strict=True)] == [True] * 5 + [False] * 2
    assert [a == b for a, b in zip(one, place.layers(cold, begun), strict=True)][2] is False


@pytest.mark.parametrize(
    ("changed", "run"),
    [
        pytest.param("d", ["d"], id="in the image itself: no other stage is run"),
        pytest.param(
            "b", ["a", "b", "d"], id="in a stage that it copies from: that stage is run from its start"
        ),
    ],
)
def test_a_fresh_engine_finds_the_layers_of_the_image_alone(
    place: Site, fresh: Engine, changed: str, run: list[str]
) -> None:
    files = {"a": b"1", "b": b"1", "d": b"1"}
    first = place.order(TWO_STAGES, files)
    assert steps_run(place.build(first)) == ["a", "b", "d"]
    repository = parse_reference(first.reference).repository
    second = place.order(
        TWO_STAGES,
        {**files, changed: b"2"},
        reference=f"{repository}:second",
        cache_from=(first.reference,),
    )
    assert steps_run(place.build(second, engine=fresh)) == run


def steps_run(pushed: Pushed) -> list[str]:
    """Return the steps that said something, which they do when they are run."""
    return sorted(set(re.findall(r"ran-42-(\w)", pushed.log)))
