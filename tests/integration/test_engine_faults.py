"""What goes wrong as an image is built and pushed: each ends in its named error, and nothing goes on."""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import threading
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from pathlib import Path

import psutil
import pytest

from tasks import _engine_build
from tasks._engine import EngineAddress, open_engine
from tasks._engine_build import BuildLimits, build_and_push
from tasks._errors import (
    BuildFailed,
    BuildTimedOut,
    CredentialHelperMissing,
    DiskFull,
    EngineUnavailable,
    EngineUnsuitable,
    ImageContextChanged,
    PackageIndexUnavailable,
    Recoverable,
    RegistryDenied,
    RegistryMismatch,
    RegistryNotFound,
    RegistryUnavailable,
    TaxiwayError,
)
from tasks._references import parse_reference, parse_repository
from tasks._registry import open_registries
from tasks._registry_calls import Call
from tasks._registry_credentials import Keychain
from tests.engine import daemon
from tests.engine.building import LOGIN, Site, docker_config, open_site, site
from tests.engine.pushing import Front, front
from tests.registry import docker_registry

pytestmark = pytest.mark.engine


@pytest.fixture(scope="module")
def place(engine_host: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    with open_site(engine_host, tmp_path_factory.mktemp("site")) as made:
        yield made


@pytest.mark.parametrize(
    ("dockerfile", "kind", "said"),
    [
        pytest.param(
            "FROM tiny:1\nRUN true\nFOO bar\n", BuildFailed, "line 3: unknown instruction: FOO", id="syntax"
        ),
        pytest.param("FROM tiny:1\nCOPY nosuch /x\n", BuildFailed, "copies `nosuch`", id="missing file"),
        pytest.param(
            "FROM tiny:1\nRUN echo on stdout; echo on stderr >&2; exit 3\n",
            BuildFailed,
            r"(?s)(?=.*\d on stdout\n)(?=.*\d on stderr\n).*exit code: 3",
            id="a command fails",
        ),
        pytest.param(
            "FROM tiny:1\nRUN --security=insecure true\n", BuildFailed, "line 2: Unknown flag", id="privilege"
        ),
        pytest.param(
            "FROM tiny:1\nRUN --mount=type=secret,id=none,required true\n",
            BuildFailed,
            "secret none not found",
            id="a secret that is not given",
        ),
        pytest.param(
            "FROM tiny:1\nRUN echo 'Could not resolve host: index.example.com'; exit 1\n",
            PackageIndexUnavailable,
            "could not be fetched",
            id="no package index",
        ),
        pytest.param(
            "FROM tiny:1\nRUN head -c 10 /dev/zero > /dev/full\n",
            DiskFull,
            "no room left",
            id="a command has no room",
        ),
    ],
)
def test_a_build_that_fails_is_a_named_error(
    place: Site, dockerfile: str, kind: type[TaxiwayError], said: str
) -> None:
    with pytest.raises(kind, match=said):
        place.build(place.order(dockerfile))


@pytest.mark.parametrize(
    ("base", "kind"),
    [
        pytest.param("{registry}/base/nosuch:1", RegistryNotFound, id="not there"),
        pytest.param("127.0.0.1:1/base:1", RegistryUnavailable, id="its registry is down"),
    ],
)
def test_a_base_that_cannot_be_had(place: Site, base: str, kind: type[TaxiwayError]) -> None:
    with pytest.raises(kind, match="starts from cannot be had"):
        place.build(place.order(f"FROM {base.format(registry=place.registry.host)}\n"))


def test_a_base_without_a_login(place: Site) -> None:
    order = place.order(f"FROM {place.registry.host}/base/other:1\n")
    with pytest.raises(RegistryDenied, match="starts from cannot be had"):
        build_and_push(order, engine=place.engine, registry=place.client, docker_config=None)


def test_a_link_in_the_context_leads_nowhere_outside(place: Site) -> None:
    order = place.order("FROM tiny:1\nCOPY passwd /x\n")
    (order.context / "passwd").symlink_to("/etc/passwd")
    with pytest.raises(BuildFailed) as raised:
        place.build(order)
    assert "root:" not in str(raised.value)


def test_a_folder_of_links_is_copied_as_links(place: Site) -> None:
    order = place.order("FROM tiny:1\nCOPY links /links\nRUN ls -l /links\n", {"links/a": b"a"})
    (order.context / "links" / "etc").symlink_to("/etc")
    assert "etc -> /etc" in place.build(order).log


def test_a_dockerfile_that_is_a_link_to_elsewhere_is_not_read(place: Site) -> None:
    order = place.order("FROM tiny:1\n")
    (order.context / "Other").symlink_to("/etc/passwd")
    with pytest.raises(BuildFailed, match="outside of the repository"):
        place.build(replace(order, dockerfile="Other"))
    with pytest.raises(ImageContextChanged, match="There is no 'Nosuch'"):
        place.build(replace(order, dockerfile="Nosuch"))


def test_a_build_that_hangs_and_forks_is_ended_with_all_that_it_started(place: Site) -> None:
    mark = str(100_000 + int(uuid.uuid4().hex[:6], 16))
    dockerfile = f"FROM tiny:1\nRUN echo begun; for i in $(seq 20); do sleep {mark} & done; sleep {mark}\n"
    order = place.order(dockerfile, limits=BuildLimits(timeout_s=8))
    with pytest.raises(BuildTimedOut, match=r"(?s)ended after 8 s.*begun"):
        place.build(order)
    wait_until(lambda: not running(mark))


def test_a_push_of_which_the_registry_knows_nothing_of_us_is_denied(place: Site) -> None:
    for config in (None, docker_config({place.registry.host: ("builder", "wrong")})):
        order = place.order("FROM tiny:1\nRUN true\n")
        with pytest.raises(RegistryDenied, match="could not be pushed"):
            build_and_push(order, engine=place.engine, registry=place.client, docker_config=config)
        place.engine.client.remove_image(order.reference)


def test_a_credentials_helper_that_is_not_installed_is_named(place: Site) -> None:
    config = json.dumps({"credHelpers": {place.registry.host: "nosuch"}}).encode()
    with pytest.raises(CredentialHelperMissing, match="docker-credential-nosuch"):
        build_and_push(
            place.order("FROM tiny:1\n"), engine=place.engine, registry=place.client, docker_config=config
        )


@pytest.fixture
def before(place: Site, tmp_path: Path) -> Iterator[Front]:
    """What stands before a registry without a login, and goes wrong as it is told."""
    with docker_registry(tmp_path / "registry") as behind, front(behind.host) as made:
        yield made


def test_a_registry_that_answers_500_twice_gets_the_image_nevertheless(place: Site, before: Front) -> None:
    before.go_wrong("PUT", "/manifests/", 500, times=2)
    order = place.order("FROM tiny:1\nRUN true\n", reference=f"{before.host}/a/b:1")
    assert place.build(order).digest
    assert before.faults == []


@pytest.mark.parametrize(
    ("status", "body", "kind", "remedy"),
    [
        pytest.param(500, b"", RegistryUnavailable, "is well and has room", id="down"),
        pytest.param(
            403,
            b'{"errors": [{"code": "DENIED", "message": "not here"}]}',
            RegistryDenied,
            "Have the login allowed",
            id="denied",
        ),
        pytest.param(507, b"", RegistryUnavailable, "Make room in the registry", id="full"),
    ],
)
def test_a_registry_that_takes_no_push(
    place: Site,
    before: Front,
    monkeypatch: pytest.MonkeyPatch,
    status: int,
    body: bytes,
    kind: type[TaxiwayError],
    remedy: str,
) -> None:
    monkeypatch.setattr(_engine_build, "_PUSH_PATIENCE_S", 0)
    before.go_wrong("PUT", "/manifests/", status, body, times=100)
    order = place.order("FROM tiny:1\nRUN true\n", reference=f"{before.host}/a/b:1")
    with pytest.raises(kind, match="could not be pushed") as raised:
        place.build(order)
    assert remedy in raised.value.remedy


def test_a_registry_that_has_another_image_instead_is_not_believed(place: Site, before: Front) -> None:
    other = place.order("FROM tiny:1\nRUN echo other\n", reference=f"{before.host}/a/b:other")
    place.build(other)
    before.instead["/v2/a/b/manifests/"] = "/v2/a/b/manifests/other"
    with pytest.raises(RegistryMismatch, match="was pushed as"):
        place.build(place.order("FROM tiny:1\nRUN true\n", reference=f"{before.host}/a/b:1"))


def test_what_was_pushed_is_used_whatever_its_tag_names_by_now(place: Site, before: Front) -> None:
    other = place.order("FROM tiny:1\nRUN echo other\n", reference=f"{before.host}/a/b:other")
    moved_to = place.build(other)
    before.instead["/v2/a/b/manifests/1"] = "/v2/a/b/manifests/other"
    order = place.order("FROM tiny:1\nRUN true\n", reference=f"{before.host}/a/b:1", tags=("pr-7",))
    pushed = place.build(order)
    assert pushed.digest != moved_to.digest
    repository = parse_reference(order.reference).repository
    assert place.client.resolve(repository.tagged("pr-7")).digest == pushed.digest


def test_a_registry_that_takes_its_time_gets_the_image(place: Site, before: Front) -> None:
    before.go_wrong("PUT", "/manifests/", first=lambda: before.over.wait(1))
    before.pace_s = 0.0005
    order = place.order("FROM tiny:1\nRUN true\n", reference=f"{before.host}/a/b:1")
    assert place.build(order).digest


def test_a_push_that_does_not_end_is_ended(
    place: Site, before: Front, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(_engine_build, "_PUSH_PATIENCE_S", 0)
    before.go_wrong("PUT", "/manifests/", first=before.over.wait)
    order = place.order("FROM tiny:1\nRUN true\n", reference=f"{before.host}/a/b:1")
    with pytest.raises(RegistryUnavailable, match="was ended after 8 s"):
        place.build(replace(order, limits=BuildLimits(timeout_s=8)))
    assert not [process for process in running(order.reference) if "push" in process.info["cmdline"]]


def test_a_registry_whose_disk_is_full_is_named(tmp_path: Path) -> None:
    """Docker's own push says no more than the 500, and takes most of a minute for it."""
    with small_disk(tmp_path / "small", "1m") as small, docker_registry(small) as registry:
        with contextlib.suppress(OSError):
            (small / "full").write_bytes(b"x" * 2_000_000)
        there = parse_repository(f"{registry.host}/a/b")
        with (
            open_registries(Keychain(), patience_s=0) as client,
            pytest.raises(RegistryUnavailable, match="The registry has no room left"),
        ):
            client.caller.call(Call(method="POST", repository=there, path="/v2/a/b/blobs/uploads/"))


def test_where_no_docker_command_knows_buildkit_secrets_are_refused_and_the_rest_is_built(
    place: Site, tmp_path: Path
) -> None:
    legacy = tmp_path / "docker"
    legacy.write_text('#!/bin/sh\n[ "$2" = --help ] && exec echo no such flag\nexec /usr/bin/docker "$@"\n')
    legacy.chmod(0o755)
    engine = replace(place.engine, environ={**place.engine.environ, "PATH": str(tmp_path)})
    order = place.order("FROM tiny:1\nRUN echo with the classic builder\n")
    with pytest.raises(EngineUnsuitable, match="Only BuildKit keeps them out"):
        place.build(replace(order, secrets={"one": b"secret"}), engine=engine)
    pushed = place.build(order, engine=engine)
    assert "Step 2/" in pushed.log
    with pytest.raises(BuildFailed, match="copies `nosuch`"):
        place.build(place.order("FROM tiny:1\nCOPY nosuch /x\n"), engine=engine)
    with pytest.raises(BuildFailed, match="line 2: unknown instruction: FOO"):
        place.build(place.order("FROM tiny:1\nFOO x\n"), engine=engine)


@pytest.fixture
def own() -> Iterator[str]:
    """The address of a dockerd of this test's own."""
    with daemon.needed(daemon.dockerd()) as started:
        yield started


def test_an_engine_that_dies_in_the_middle_may_come_back(own: str, tmp_path: Path) -> None:
    mark = str(100_000 + int(uuid.uuid4().hex[:6], 16))
    slow = (
        f"FROM tiny:1\nRUN --mount=type=cache,target=/c [ -e /c/was ] || {{ touch /c/was; sleep {mark}; }}\n"
    )
    with ExitStack() as opened:
        engine = opened.enter_context(open_engine(EngineAddress(host=own), environ=os.environ))
        registry = opened.enter_context(docker_registry(tmp_path / "registry", login=LOGIN))
        dockerd = opened.enter_context(daemon.mortal(own))  # before the site, which is cleared on it
        there = opened.enter_context(site(engine, registry, tmp_path))

        def kill() -> None:
            wait_until(lambda: bool(running(mark)))
            dockerd.kill()

        killing = threading.Thread(target=kill)
        killing.start()
        order = there.order(slow)
        with pytest.raises(EngineUnavailable) as raised:
            there.build(order)
        killing.join()
        assert isinstance(raised.value, Recoverable)
        for left in running(mark):  # what an engine ran outlives a SIGKILL of it
            with contextlib.suppress(psutil.NoSuchProcess):
                left.kill()
        dockerd.start()
        assert there.build(order).digest


@pytest.mark.parametrize(("method", "part"), [("PATCH", "/blobs/uploads/"), ("PUT", "/manifests/")])
def test_an_engine_that_dies_as_it_pushes_leaves_nothing_that_could_be_taken(
    own: str, tmp_path: Path, method: str, part: str
) -> None:
    with ExitStack() as opened:
        engine = opened.enter_context(open_engine(EngineAddress(host=own), environ=os.environ))
        registry = opened.enter_context(docker_registry(tmp_path / "registry", login=LOGIN))
        dockerd = opened.enter_context(daemon.mortal(own))
        there = opened.enter_context(site(engine, registry, tmp_path))
        behind = opened.enter_context(docker_registry(tmp_path / "behind"))
        before = opened.enter_context(front(behind.host))
        before.go_wrong(method, part, 503, first=dockerd.kill)
        order = there.order("FROM tiny:1\nRUN echo made > /made\n", reference=f"{before.host}/a/b:1")
        with pytest.raises(EngineUnavailable, match="could not be pushed"):
            there.build(order)
        with pytest.raises(RegistryNotFound):
            there.client.resolve(parse_reference(order.reference))
        dockerd.start()
        pushed = there.build(order)
        assert there.client.resolve(parse_reference(order.reference)).digest == pushed.digest


def test_a_full_disk_of_the_engine_is_named(tmp_path: Path, place: Site) -> None:
    with (
        small_disk(tmp_path / "small", "24m") as small,
        daemon.needed(daemon.dockerd("--data-root", str(small))) as there,
        open_engine(EngineAddress(host=there), environ=os.environ) as engine,
    ):
        order = place.order("FROM scratch\nCOPY big /big\n", {"big": os.urandom(40_000_000)})
        with pytest.raises(DiskFull, match="no room left"):
            place.build(order, engine=engine)


@contextmanager
def small_disk(folder: Path, size: str) -> Iterator[Path]:
    folder.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", folder], check=True)
    try:
        yield folder
    finally:
        subprocess.run(["umount", "--lazy", folder], check=True)


def running(mark: str) -> list[psutil.Process]:
    """Return the processes that have this word."""
    found = psutil.process_iter(["cmdline"])
    return [process for process in found if any(mark in word for word in process.info["cmdline"] or ())]


def wait_until(ready: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 60
    while not ready():
        assert time.monotonic() < deadline
        time.sleep(0.1)
