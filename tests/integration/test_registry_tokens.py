"""The client against a docker-registry that believes in signed tokens, and who issues them over TLS."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from tasks._errors import RegistryDenied, RegistryUntrusted
from tasks._manifests import Manifest, parse_manifest
from tasks._references import Repository
from tasks._registry import RegistryClient, open_registries
from tasks._registry_credentials import DockerConfig, Keychain, Login
from tests.integration.fake_registry import fake_registry
from tests.integration.token_issuer import Issuer, token_issuer
from tests.registry import Registry, docker_registry, index_of

USER, PASSWORD = "builder", "c4n4ry"


@pytest.fixture(scope="module")
def issuer(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Issuer]:
    with token_issuer(tmp_path_factory.mktemp("issuer"), user=USER, password=PASSWORD) as served:
        yield served


@pytest.fixture(scope="module")
def registry(issuer: Issuer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Registry]:
    folder = tmp_path_factory.mktemp("registry")
    with docker_registry(folder, tokens=issuer.configuration) as started:
        yield started


@contextmanager
def asking(registry: Registry, password: str = PASSWORD, **options: Any) -> Iterator[RegistryClient]:
    login = Login(user=USER, password=password)
    keys = Keychain(configs=(DockerConfig(origin="this test", logins={registry.host: login}),))
    with open_registries(keys, patience_s=0, **options) as client:
        yield client


def here(registry: Registry) -> Repository:
    return Repository(registry=registry.host, name="risk/fraud")


def empty_index(**annotations: str) -> Manifest:
    """Something to push that needs nothing else to be there."""
    body = json.dumps(index_of(annotations=annotations)).encode()
    return parse_manifest(body, what="this test's index")


def test_each_action_gets_a_signed_token_that_the_registry_takes(registry: Registry, issuer: Issuer) -> None:
    index, where = empty_index(of="actions"), here(registry)
    with asking(registry, ca_file=issuer.certificate) as client:
        pinned = client.put(index, where.tagged("v1"))
        assert client.manifest(where.tagged("v1")) == index
        assert list(client.tags(where)) == ["v1"]
        client.delete(pinned)
    assert issuer.issued == [f"repository:risk/fraud:{actions}" for actions in ("pull,push", "delete")]


def test_who_may_only_read_is_denied_the_push(registry: Registry, issuer: Issuer) -> None:
    issuer.grants = frozenset({"pull"})
    try:
        with asking(registry, ca_file=issuer.certificate) as client, pytest.raises(RegistryDenied) as denied:
            client.put(empty_index(of="pushes"), here(registry).tagged("v2"))
    finally:
        issuer.grants = frozenset({"pull", "push", "delete"})
    assert denied.value.codes == ("UNAUTHORIZED",)


def test_a_wrong_password_gets_no_token(registry: Registry, issuer: Issuer) -> None:
    with (
        asking(registry, password="c4n4ry-wrong", ca_file=issuer.certificate) as client,
        pytest.raises(RegistryDenied, match="incorrect username or password") as denied,
    ):
        client.resolve(here(registry).tagged("v1"))
    assert "c4n4ry" not in str(denied.value)


def test_an_issuer_whose_certificate_is_not_trusted_is_not_told_the_password(
    registry: Registry, issuer: Issuer
) -> None:
    before = len(issuer.issued)
    with asking(registry) as client, pytest.raises(RegistryUntrusted, match=r"self.signed certificate"):
        client.resolve(here(registry).tagged("v1"))
    assert len(issuer.issued) == before


def test_a_server_that_knows_no_tls_is_not_told_the_password_either(
    registry: Registry, issuer: Issuer
) -> None:
    with fake_registry() as other:
        other.go_wrong("/v2", 401, WWW_Authenticate=f'Bearer realm="https://{registry.host}/token"')
        login = Login(user=USER, password=PASSWORD)
        keys = Keychain(configs=(DockerConfig(origin="this test", logins={other.host: login}),))
        with (
            open_registries(keys, ca_file=issuer.certificate) as client,
            pytest.raises(RegistryUntrusted, match="does not speak TLS"),
        ):
            client.resolve(Repository(registry=other.host, name="risk/fraud").tagged("v1"))
