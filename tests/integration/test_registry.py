"""The client against docker-registry: what was pushed by plain HTTP is read back, and the other way round."""

from __future__ import annotations

import base64
import json
import logging
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tasks._errors import (
    CredentialHelperFailed,
    CredentialHelperMissing,
    RegistryDenied,
    RegistryNotFound,
    RegistryRefused,
    RegistryUnavailable,
)
from tasks._manifests import DOCKER_INDEX, DOCKER_MANIFEST
from tasks._references import Reference, Repository
from tasks._registry import RegistryClient, open_registries
from tasks._registry_credentials import DockerConfig, Keychain, Login, read_keychain
from tasks._registry_http import Sent
from tests.clock import Time
from tests.engine.pushing import front
from tests.registry import IMAGE, INDEX, Registry, digest_of, docker_registry, index_of

USER, PASSWORD = "builder", "c4n4ry:p/w%d"
CONFIG = {"architecture": "amd64", "os": "linux", "config": {"User": "1000"}, "rootfs": {"diff_ids": []}}
LAYER = b"not really a layer"


@pytest.fixture(scope="module")
def registry(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Registry]:
    with docker_registry(tmp_path_factory.mktemp("registry"), login=(USER, PASSWORD)) as started:
        yield started


@pytest.fixture(scope="module")
def image(registry: Registry) -> Reference:
    """An image that is there under its tag; no test changes it."""
    digest = registry.put_image("risk/fraud", "v1", CONFIG, LAYER)
    return Reference(repository=repository(registry, "risk/fraud"), tag="v1", digest=digest)


def repository(registry: Registry, name: str) -> Repository:
    return Repository(registry=registry.host, name=name)


def keychain(registry: Registry, user: str = USER, password: str = PASSWORD) -> Keychain:
    login = Login(user=user, password=password)
    return Keychain(configs=(DockerConfig(origin="this test", logins={registry.host: login}),))


@pytest.fixture
def client(registry: Registry) -> Iterator[RegistryClient]:
    with open_registries(keychain(registry)) as opened:
        yield opened


@contextmanager
def fresh(registry: Registry, keys: Keychain | None = None) -> Iterator[tuple[RegistryClient, list[Sent]]]:
    sent: list[Sent] = []
    with open_registries(keys or keychain(registry), observer=sent.append, patience_s=0) as opened:
        yield opened, sent


def test_a_manifest_is_the_same_by_tag_and_by_digest(client: RegistryClient, image: Reference) -> None:
    by_tag = client.manifest(image.repository.tagged("v1"))
    by_digest = client.manifest(image.repository.at(image.digest))

    assert by_tag == by_digest
    assert (by_tag.digest, by_tag.media_type, by_tag.is_index) == (image.digest, IMAGE, False)
    assert digest_of(by_tag.body) == image.digest
    assert [layer.digest for layer in by_tag.layers] == [digest_of(LAYER)]


def test_a_tag_is_resolved_without_reading(client: RegistryClient, image: Reference) -> None:
    found = client.resolve(image.repository.tagged("v1"))
    manifest = client.manifest(image)
    assert (found.digest, found.size, found.media_type) == (image.digest, manifest.size_bytes, IMAGE)
    assert client.resolve(image) == found


def test_an_index_lists_its_platforms(client: RegistryClient, registry: Registry, image: Reference) -> None:
    size = client.resolve(image).size
    platform = {"os": "linux", "architecture": "arm64", "variant": "v8"}
    entry = {"mediaType": IMAGE, "digest": image.digest, "size": size, "platform": platform}
    digest = registry.put_manifest("risk/fraud", "multi", index_of(entry))

    index = client.manifest(image.repository.tagged("multi"))
    assert (index.digest, index.media_type, index.is_index) == (digest, INDEX, True)
    assert [(one.digest, one.platform) for one in index.manifests] == [(image.digest, "linux/arm64/v8")]


def test_what_docker_itself_pushes_is_read_as_well(client: RegistryClient, registry: Registry) -> None:
    content = json.dumps(CONFIG).encode()
    registry.put_blob("docker", content)
    kind = "application/vnd.docker.container.image.v1+json"
    config = {"mediaType": kind, "digest": digest_of(content), "size": len(content)}
    image = {"schemaVersion": 2, "mediaType": DOCKER_MANIFEST, "config": config, "layers": []}
    digest = registry.put_manifest("docker", "v1", image)
    size = client.resolve(repository(registry, "docker").tagged("v1")).size
    platform = {"os": "linux", "architecture": "amd64"}
    entry = {"mediaType": DOCKER_MANIFEST, "digest": digest, "size": size, "platform": platform}
    listed = registry.put_manifest("docker", "all", {**index_of(entry), "mediaType": DOCKER_INDEX})

    here = repository(registry, "docker")
    assert client.image_config(here, client.manifest(here.tagged("v1"))) == CONFIG
    found = client.manifest(here.tagged("all"))
    assert (found.digest, found.is_index, found.manifests[0].platform) == (listed, True, "linux/amd64")
    assert client.resolve(here.at(listed)).media_type == DOCKER_INDEX


def test_blobs_are_found_and_the_configuration_is_read(client: RegistryClient, image: Reference) -> None:
    manifest = client.manifest(image)
    assert client.image_config(image.repository, manifest) == CONFIG
    assert client.has_blob(image.repository, digest_of(LAYER))
    assert not client.has_blob(image.repository, digest_of(b"something else"))
    assert client.blob(image.repository, digest_of(LAYER)) == LAYER


def test_the_reuse_decision_takes_three_small_requests(registry: Registry, image: Reference) -> None:
    with fresh(registry) as (client, sent):
        client.resolve(image.repository.tagged("v1"))
        assert [(one.method, one.status) for one in sent] == [("HEAD", 401), ("HEAD", 200)]
        client.resolve(image.repository.tagged("v1"))
    assert len(sent) == 3
    assert sum(one.received_bytes for one in sent) == 0


def test_tags_come_one_by_one(client: RegistryClient, registry: Registry) -> None:
    for tag in ("v1", "v2", "v10"):
        registry.put_image("tagged", tag, CONFIG)
    assert sorted(client.tags(repository(registry, "tagged"))) == ["v1", "v10", "v2"]
    with pytest.raises(RegistryNotFound, match="NAME_UNKNOWN"):
        list(client.tags(repository(registry, "nobody")))


def test_another_tag_is_of_the_same_bytes(client: RegistryClient, registry: Registry) -> None:
    digest = registry.put_image("moved", "v1", CONFIG, LAYER)
    here = repository(registry, "moved")

    assert client.tag(here.tagged("v1"), "stable") == here.at(digest)
    assert client.manifest(here.tagged("stable")).body == client.manifest(here.tagged("v1")).body


def test_what_is_deleted_is_gone_and_may_be_deleted_again(client: RegistryClient, registry: Registry) -> None:
    here = repository(registry, "old")
    digest = registry.put_image("old", "v1", CONFIG)

    client.delete(here.at(digest))
    with pytest.raises(RegistryNotFound, match="MANIFEST_UNKNOWN"):
        client.manifest(here.tagged("v1"))
    client.delete(here.at(digest))


def test_a_manifest_whose_blobs_are_elsewhere_is_refused(client: RegistryClient, image: Reference) -> None:
    manifest = client.manifest(image)
    other = Repository(registry=image.repository.registry, name="empty")
    with pytest.raises(RegistryRefused) as refused:
        client.put(manifest, other.tagged("v1"))
    assert refused.value.codes[0] == "MANIFEST_BLOB_UNKNOWN"


def test_referrers_are_read_from_the_tag_where_the_api_is_not_there(
    client: RegistryClient, registry: Registry
) -> None:
    here = repository(registry, "signed")
    digest = registry.put_image("signed", "v1", CONFIG)
    assert client.referrers(here, digest) == ()

    size = client.resolve(here.at(digest)).size
    entries = [
        {"mediaType": IMAGE, "digest": digest, "size": size, "artifactType": f"application/vnd.{kind}"}
        for kind in ("signature", "sbom")
    ]
    registry.put_manifest("signed", digest.replace(":", "-"), index_of(*entries))
    assert len(client.referrers(here, digest)) == 2
    [sbom] = client.referrers(here, digest, artifact_type="application/vnd.sbom")
    assert sbom.artifact_type == "application/vnd.sbom"


@pytest.mark.parametrize(
    ("user", "password"),
    [(USER, "wr0ng-canary"), ("", "")],
    ids=["wrong password", "no login"],
)
def test_who_may_not_is_denied_at_once(
    registry: Registry,
    image: Reference,
    user: str,
    password: str,
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.DEBUG)
    with fresh(registry, keychain(registry, user, password)) as (client, sent):
        with pytest.raises(RegistryDenied) as denied:
            client.manifest(image)
        assert len(sent) <= 2
    assert registry.host in str(denied.value)
    encoded = base64.b64encode(f"{user}:{password}".encode()).decode()
    said = str(denied.value) + caplog.text + repr(client)
    assert not password or not (password in said or encoded in said)


def test_a_registry_without_login_asks_for_none(tmp_path: Path) -> None:
    with docker_registry(tmp_path, deletes=False) as registry:
        digest = registry.put_image("open", "v1", CONFIG)
        here = repository(registry, "open")
        with fresh(registry, Keychain()) as (client, sent):
            assert client.manifest(here.tagged("v1")).digest == digest
            assert len(sent) == 1
            with pytest.raises(RegistryRefused, match="deletion is off") as refused:
                client.delete(here.at(digest))
    assert (refused.value.status, refused.value.codes) == (405, ("UNSUPPORTED",))


def test_a_registry_that_comes_back_is_waited_for(tmp_path: Path) -> None:
    time = Time()
    with docker_registry(tmp_path) as registry:
        digest = registry.put_image("open", "v1", CONFIG)
        here = repository(registry, "open")
        registry.stop()

        def sleep(seconds: float) -> None:
            time.sleep(seconds)
            if len(time.slept) == 3:
                registry.start()

        with open_registries(Keychain(), patience_s=20, clock=time.clock, sleep=sleep) as client:
            assert client.resolve(here.tagged("v1")).digest == digest


def test_a_registry_that_stays_away_is_unavailable(tmp_path: Path) -> None:
    time = Time()
    with docker_registry(tmp_path) as registry:
        here = repository(registry, "open")
    with (
        open_registries(Keychain(), patience_s=20, clock=time.clock, sleep=time.sleep) as client,
        pytest.raises(RegistryUnavailable, match="Connection refused"),
    ):
        client.manifest(here.tagged("v1"))
    assert len(time.slept) > 3


class NoSecrets:
    def get(self, group: str, key: str) -> str:
        raise ValueError(f"Unable to find secret for key {key} in group {group}")


class OneSecret:
    def __init__(self, text: str) -> None:
        self.text = text

    def get(self, group: str, key: str) -> str:
        if (group, key) != ("taxiway", "docker_config"):
            raise ValueError(f"Unable to find secret for key {key} in group {group}")
        return self.text


def auths(host: str) -> str:
    auth = base64.b64encode(f"{USER}:{PASSWORD}".encode()).decode()
    return json.dumps({"auths": {host: {"auth": auth}}})


def test_the_login_is_read_from_dockers_own_file(
    registry: Registry, image: Reference, tmp_path: Path
) -> None:
    (tmp_path / "config.json").write_text(auths(registry.host))
    keys = read_keychain(NoSecrets(), {"DOCKER_CONFIG": str(tmp_path)})
    with fresh(registry, keys) as (client, _):
        assert client.resolve(image).digest == image.digest


def test_the_login_of_a_flyte_secret_counts_before_the_file(
    registry: Registry, image: Reference, tmp_path: Path
) -> None:
    wrong = {"auths": {registry.host: {"username": USER, "password": "of last year"}}}
    (tmp_path / "config.json").write_text(json.dumps(wrong))
    keys = read_keychain(OneSecret(auths(registry.host)), {"DOCKER_CONFIG": str(tmp_path)})
    with fresh(registry, keys) as (client, _):
        assert client.resolve(image).digest == image.digest


def helped(tmp_path: Path, script: str, *, host: str) -> Keychain:
    """A keychain whose credentials are kept by a program, which is `script`."""
    programs = tmp_path / "bin"
    programs.mkdir()
    program = programs / "docker-credential-vault"
    program.write_text(f"#!/bin/sh\n{script}\n")
    program.chmod(0o755)
    (tmp_path / "config.json").write_text(json.dumps({"credHelpers": {host: "vault"}}))
    return read_keychain(NoSecrets(), {"DOCKER_CONFIG": str(tmp_path), "PATH": f"{programs}:/usr/bin:/bin"})


def test_the_login_is_asked_of_a_helper_program(registry: Registry, image: Reference, tmp_path: Path) -> None:
    answer = json.dumps({"ServerURL": registry.host, "Username": USER, "Secret": PASSWORD})
    script = f"""[ "$1" = get ] && [ "$(cat)" = "{registry.host}" ] && printf '%s' '{answer}'"""
    with fresh(registry, helped(tmp_path, script, host=registry.host)) as (client, _):
        assert client.resolve(image).digest == image.digest


def test_a_helper_that_is_not_installed_is_named(registry: Registry, image: Reference) -> None:
    config = DockerConfig(origin="this test", store="nowhere")
    keys = Keychain(configs=(config,), environ={"PATH": "/usr/bin:/bin"})
    with (
        fresh(registry, keys) as (client, _),
        pytest.raises(CredentialHelperMissing, match="docker-credential-nowhere"),
    ):
        client.resolve(image)


@pytest.mark.parametrize(
    "script",
    [
        """echo '{"Username": "builder", "Secret": "c4n4ry"'""",
        """echo c4n4ry""",
        """echo '{"Secret": "c4n4ry"}'""",
        """echo c4n4ry; exit 3""",
        """echo c4n4ry >&2; kill -9 $$""",
    ],
    ids=["cut off", "no JSON", "no user", "fails", "killed"],
)
def test_a_helper_that_fails_is_an_error_without_what_it_printed(tmp_path: Path, script: str) -> None:
    with pytest.raises(CredentialHelperFailed, match="docker-credential-vault") as failed:
        helped(tmp_path, script, host="a.io").login("a.io")
    assert "c4n4ry" not in str(failed.value)
    assert failed.value.__cause__ is None


def test_a_helper_that_knows_nothing_leaves_us_nobody(tmp_path: Path) -> None:
    script = "echo credentials not found in native keychain; exit 1"
    assert helped(tmp_path, script, host="a.io").login("a.io") == Login()


def test_docker_hub_is_asked_for_by_the_url_that_docker_uses(tmp_path: Path) -> None:
    hub = "https://index.docker.io/v1/"
    answer = """{"ServerURL": "x", "Username": "<token>", "Secret": "c4n4ry"}"""
    script = f"""[ "$(cat)" = {hub} ] && echo '{answer}'"""
    assert helped(tmp_path, script, host=hub).login("docker.io") == Login(identity_token="c4n4ry")


@pytest.mark.parametrize("pace_s", [0.0, 0.001], ids=["at once", "byte by byte"])
def test_a_slow_registry_is_read_within_its_time_and_unavailable_beyond(
    tmp_path: Path, pace_s: float
) -> None:
    with docker_registry(tmp_path) as registry, front(registry.host) as before:
        digest = registry.put_image("open", "v1", CONFIG)
        here = Repository(registry=before.host, name="open")
        before.pace_s = pace_s
        before.go_wrong("GET", "/manifests/", first=lambda: before.over.wait(0.2))
        with open_registries(Keychain(), timeout_s=20, patience_s=0) as client:
            assert client.manifest(here.tagged("v1")).digest == digest
        before.go_wrong("GET", "/manifests/", first=before.over.wait)
        with (
            open_registries(Keychain(), timeout_s=0.3, patience_s=0) as client,
            pytest.raises(RegistryUnavailable, match=f"GET http://{before.host}/v2/open/manifests/v1 failed"),
        ):
            client.manifest(here.tagged("v1"))
