from __future__ import annotations

import base64
import json
import traceback
from pathlib import Path

import pytest

from tasks._errors import RegistryCredentialsInvalid
from tasks._registry_credentials import (
    ANONYMOUS,
    DockerConfig,
    Keychain,
    Login,
    parse_docker_config,
    read_keychain,
    registry_of,
    written,
)
from tests.mounted import Mounted

AUTH = base64.b64encode(b"builder:c4n4ry:x").decode()
LOGIN = Login(user="builder", password="c4n4ry:x")


def config(**document: object) -> DockerConfig:
    return parse_docker_config(json.dumps(document), origin="this test")


@pytest.mark.parametrize(
    ("entry", "login"),
    [
        ({"auth": AUTH}, LOGIN),
        ({"username": "builder", "password": "c4n4ry:x"}, LOGIN),
        ({"auth": AUTH, "username": "other", "email": "a@b"}, LOGIN),
        (
            {"auth": base64.b64encode(b"u:").decode(), "identitytoken": "t"},
            Login(user="u", identity_token="t"),
        ),
        ({}, ANONYMOUS),
    ],
    ids=["auth", "user and password", "auth first", "identity token", "kept by a helper"],
)
def test_a_login_is_read_in_each_of_dockers_forms(entry: dict[str, str], login: Login) -> None:
    keys = Keychain(configs=(config(auths={"a.io:5000": entry}, HttpHeaders={"x": "y"}),))
    assert keys.login("a.io:5000") == login
    assert keys.login("a.io") == ANONYMOUS


@pytest.mark.parametrize(
    ("key", "registry"),
    [
        ("a.io:5000", "a.io:5000"),
        ("https://a.io/v2/", "a.io"),
        ("http://A.io:80", "a.io:80"),
        ("a.io/v1/", "a.io"),
        ("https://index.docker.io/v1/", "docker.io"),
        ("docker.io", "docker.io"),
    ],
)
def test_a_key_means_a_registry(key: str, registry: str) -> None:
    assert registry_of(key) == registry


def test_a_registrys_own_name_counts_before_an_old_url() -> None:
    entries = {"a.io": {"auth": AUTH}, "https://a.io/v1/": {"username": "old", "password": "old"}}
    for order in (entries, dict(reversed(entries.items()))):
        assert config(auths=order).logins["a.io"] == LOGIN


@pytest.mark.parametrize(
    "text",
    [
        "c4n4ry",
        '["c4n4ry"]',
        '{"auths": "c4n4ry"}',
        '{"auths": {"a.io": "c4n4ry"}}',
        '{"auths": {"a.io": {"auth": "c4n4ry!"}}}',
        '{"auths": {"a.io": {"auth": "/////w=="}}}',
        '{"auths": {"a.io": {"password": 4}}}',
        '{"credsStore": "../c4n4ry"}',
        '{"credHelpers": {"a.io": "/tmp/c4n4ry"}}',
        '{"credHelpers": {"a.io": 3}}',
        "[" * 100_000,
    ],
)
def test_what_is_not_of_dockers_form_is_named_and_not_quoted(text: str) -> None:
    with pytest.raises(RegistryCredentialsInvalid, match="the file x") as invalid:
        parse_docker_config(text, origin="the file x")
    assert "c4n4ry" not in "".join(traceback.format_exception(invalid.value))


def test_nobody_is_known_where_nothing_is_kept(tmp_path: Path) -> None:
    for environ in ({}, {"HOME": str(tmp_path)}, {"HOME": "/dev/null"}, {"DOCKER_CONFIG": ""}):
        assert read_keychain(Mounted(), environ).configs == ()


def test_dockers_file_is_in_the_home_folder_or_where_docker_is_told(tmp_path: Path) -> None:
    for folder in (tmp_path / ".docker", tmp_path / "other"):
        folder.mkdir()
        (folder / "config.json").write_text(json.dumps({"credsStore": folder.name.strip(".")}))
    home = {"HOME": str(tmp_path)}
    assert read_keychain(Mounted(), home).configs[0].store == "docker"
    told = {**home, "DOCKER_CONFIG": str(tmp_path / "other")}
    assert read_keychain(Mounted(), told).configs[0].store == "other"


def test_a_file_that_cannot_be_read_is_an_error_with_its_name(tmp_path: Path) -> None:
    (tmp_path / "config.json").mkdir()
    with pytest.raises(RegistryCredentialsInvalid, match=r"config\.json"):
        read_keychain(Mounted(), {"DOCKER_CONFIG": str(tmp_path)})


def test_a_secret_that_cannot_be_read_is_an_error_with_its_name() -> None:
    with pytest.raises(RegistryCredentialsInvalid, match="taxiway/docker_config"):
        read_keychain(Mounted(docker_config="{"), {})


def test_credentials_do_not_show_when_printed() -> None:
    keys = read_keychain(
        Mounted(docker_config=json.dumps({"auths": {"a.io": {"auth": AUTH}}})), {"TOKEN": "c4n4ry"}
    )
    assert keys.login("a.io") == LOGIN
    for shown in (repr(keys), repr(keys.configs[0]), repr(LOGIN), repr(Login(identity_token="c4n4ry"))):
        assert "c4n4ry" not in shown
        assert AUTH not in shown


def test_secrets_are_known_in_each_form_that_they_are_sent_in() -> None:
    assert set(LOGIN.secrets) == {"c4n4ry:x", AUTH}
    assert LOGIN.basic == f"Basic {AUTH}"
    assert Login(identity_token="t").secrets == ("t",)
    assert (ANONYMOUS.secrets, ANONYMOUS.basic) == ((), "")


def test_what_is_written_is_read_again_and_holds_nobody() -> None:
    logins = {"a.io:5000": LOGIN, "docker.io": Login(user="u", identity_token="t"), "b.io": ANONYMOUS}
    text = written(logins)
    keys = Keychain(configs=(parse_docker_config(text, origin="this test"),))
    assert {registry: keys.login(registry) for registry in logins} == logins
    assert "b.io" not in text
