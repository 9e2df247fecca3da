"""How another stage's Flyte is reached, and that our own credentials are not sent there."""

from __future__ import annotations

import pytest
from flytekit.configuration import AuthType, Config, PlatformConfig

from tasks._errors import BadUsage
from tasks._flyte import Flyte
from tasks._stage_flyte import is_loopback, open_stage, platform_of, read_stage_credentials

OWN = PlatformConfig(
    endpoint="flyte.example.com:443",
    auth_mode=AuthType.CLIENTSECRET,
    client_id="taxiway",
    client_credentials_secret="own-secret",
    ca_cert_file_path="/etc/ca.pem",
)
OTHER = "eu.example.com:443"
KNOWN = {OTHER: {"client_id": "eu", "client_secret": "eu-secret"}}


@pytest.mark.parametrize(
    ("endpoint", "expected"),
    [
        ("localhost:30080", True),
        ("dns:///localhost:30080", True),
        ("127.0.0.1:30080", True),
        ("127.9.9.9:1", True),
        ("[::1]:30080", True),
        ("flyte.example.com:443", False),
        ("localhost.example.com:443", False),
        ("10.0.0.1:443", False),
        ("0.0.0.0:443", False),
        ("", False),
    ],
)
def test_loopback_is_this_machine_alone(endpoint: str, expected: bool) -> None:
    assert is_loopback(endpoint) is expected


def test_no_endpoint_is_our_own_flyte() -> None:
    assert platform_of("", OWN, KNOWN) is OWN
    own = Flyte(config=Config(platform=OWN), rpcs={})
    with open_stage("", own, {}) as flyte:
        assert flyte is own


def test_another_one_gets_its_own_credentials_and_tls() -> None:
    platform = platform_of(OTHER, OWN, KNOWN)
    assert (platform.endpoint, platform.insecure) == (OTHER, False)
    assert (platform.client_id, platform.client_credentials_secret) == ("eu", "eu-secret")
    assert platform.auth_mode is AuthType.CLIENTSECRET
    assert platform.ca_cert_file_path == OWN.ca_cert_file_path


@pytest.mark.parametrize("endpoint", ["us.example.com:443", "127.0.0.1:30080"])
def test_ours_are_sent_to_no_other(endpoint: str) -> None:
    platform = platform_of(endpoint, OWN, KNOWN)
    assert platform.client_id is platform.client_credentials_secret is None
    assert platform.insecure is is_loopback(endpoint)


class Kept:
    def __init__(self, text: str | None) -> None:
        self.text = text

    def get(self, group: str, key: str) -> str:
        if self.text is None:
            raise ValueError("there is no such secret")
        return self.text


def test_credentials_are_a_table_for_each_endpoint() -> None:
    text = f'note = "not a table"\n["{OTHER}"]\nclient_id = "eu"\nclient_secret = "eu-secret"\n'
    assert read_stage_credentials(Kept(text)) == KNOWN
    assert read_stage_credentials(Kept(None)) == {}


def test_a_secret_that_is_no_toml_is_not_quoted() -> None:
    with pytest.raises(BadUsage) as caught:
        read_stage_credentials(Kept("hunter2"))
    assert "hunter2" not in str(caught.value)


@pytest.mark.parametrize("known", [{"client_id": "eu"}, {"client_secret": "eu-secret"}, {"client_id": ""}])
def test_half_a_pair_is_refused_and_not_quoted(known: dict[str, str]) -> None:
    with pytest.raises(BadUsage, match=OTHER) as caught:
        platform_of(OTHER, OWN, {OTHER: known})
    assert "eu-secret" not in str(caught.value)


@pytest.mark.parametrize(("known", "remedy"), [({}, "Add a table"), (KNOWN, "Correct the table")])
def test_whom_another_flyte_does_not_know_is_told_of_the_secret(
    known: dict[str, dict[str, str]], remedy: str
) -> None:
    own = Flyte(config=Config(platform=PlatformConfig()), rpcs={})
    with open_stage(OTHER, own, known) as flyte:
        assert flyte.login.startswith(remedy)
        assert OTHER in flyte.login and "secret taxiway/flyte_credentials" in flyte.login
