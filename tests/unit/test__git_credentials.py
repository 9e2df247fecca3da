from __future__ import annotations

import stat
from pathlib import Path

import pytest

from tasks._git_credentials import Credentials, grant, read_credentials
from tests.mounted import Mounted

HTTPS = "https://git.example.com/fraud"


def test_secret_that_is_not_there_is_empty() -> None:
    assert read_credentials(Mounted(git_token="abc\n")) == Credentials(token="abc")


@pytest.mark.parametrize(
    ("token", "line"),
    [
        ("abc", "https://x-access-token:abc@git.example.com\n"),
        ("deployer:abc", "https://deployer:abc@git.example.com\n"),
        ("a/b@c%d", "https://x-access-token:a%2Fb%40c%25d@git.example.com\n"),
    ],
    ids=["token", "user and token", "odd characters"],
)
def test_token_is_in_a_file_that_is_ours_alone(token: str, line: str, tmp_path: Path) -> None:
    access = grant(HTTPS, Credentials(token=token), folder=tmp_path / "c")

    file = tmp_path / "c" / "git-credentials"
    assert file.read_text() == line
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert not any(token in text for text in (*access.config, *access.env.values(), repr(access)))
    assert token in access.secrets


@pytest.mark.parametrize("url", ["ssh://git@git.example.com/fraud", "file:///srv/fraud.git"])
def test_token_is_for_https_alone(url: str, tmp_path: Path) -> None:
    grant(url, Credentials(token="abc"), folder=tmp_path / "c")
    assert not (tmp_path / "c" / "git-credentials").exists()


def test_ssh_takes_the_key_and_the_known_hosts_of_the_secret_alone(tmp_path: Path) -> None:
    credentials = Credentials(ssh_key="KEY", known_hosts="git.example.com ssh-ed25519 AAAA")
    access = grant("git@git.example.com:fraud", credentials, folder=tmp_path / "c")

    command = access.env["GIT_SSH_COMMAND"]
    assert "StrictHostKeyChecking=yes" in command
    assert f"-i {tmp_path / 'c' / 'ssh_key'}" in command
    assert (tmp_path / "c" / "ssh_key").read_text() == "KEY\n"
    assert (tmp_path / "c" / "known_hosts").read_text() == "git.example.com ssh-ed25519 AAAA\n"
    assert stat.S_IMODE((tmp_path / "c" / "ssh_key").stat().st_mode) == 0o600


def test_credentials_do_not_show_when_printed() -> None:
    assert "abc" not in repr(Credentials(token="abc", ssh_key="abc"))


def test_a_repository_of_this_machine_is_trusted_and_no_other(tmp_path: Path) -> None:
    access = grant("file:///srv/a%0A[core]%22.git", Credentials(), folder=tmp_path / "c")
    assert (tmp_path / "c" / "gitconfig").read_text() == '[safe]\n\tdirectory = "/srv/a\\n[core]\\".git"\n'
    assert access.env["GIT_CONFIG_GLOBAL"] == str(tmp_path / "c" / "gitconfig")
    assert "GIT_CONFIG_GLOBAL" not in grant(HTTPS, Credentials(), folder=tmp_path / "d").env
