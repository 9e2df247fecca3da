from __future__ import annotations

import pytest

from tasks._errors import CredentialsInUrl, UrlRefused
from tasks._git_url import checked_url, masked_urls


@pytest.mark.parametrize(
    "url",
    [
        "https://git.example.com/risk/fraud",
        "https://git.example.com:8443/risk/fraud.git",
        "ssh://git@git.example.com:22/risk/fraud.git",
        "git@git.example.com:risk/fraud.git",
    ],
)
def test_https_and_ssh_are_taken(url: str) -> None:
    assert checked_url(url, allow_file=False) == url


@pytest.mark.parametrize(
    "url",
    [
        pytest.param("", id="empty"),
        pytest.param("http://git.example.com/fraud", id="http"),
        pytest.param("git://git.example.com/fraud", id="git"),
        pytest.param("ext::sh -c 'touch /tmp/x'", id="ext"),
        pytest.param("ext::https://git.example.com/fraud", id="ext around https"),
        pytest.param("file:///srv/fraud.git", id="file"),
        pytest.param("/srv/fraud.git", id="path"),
        pytest.param("--upload-pack=touch /tmp/x", id="option"),
        pytest.param("ssh://-oProxyCommand=x/fraud", id="option as host"),
        pytest.param("git@-oProxyCommand=x:fraud", id="option as host of scp"),
        pytest.param("https://git.example.com", id="no repository"),
        pytest.param("https://git.example.com/fraud?access_token=s3cret", id="query"),
        pytest.param("https://git.example.com/fraud\nx", id="two lines"),
        pytest.param("https://git.example.com:port/fraud", id="no port"),
    ],
)
def test_other_urls_are_refused(url: str) -> None:
    with pytest.raises(UrlRefused) as caught:
        checked_url(url, allow_file=False)
    assert "s3cret" not in str(caught.value)


@pytest.mark.parametrize(
    "url",
    [
        "https://user:s3cret@git.example.com/fraud",
        "https://s3cret@git.example.com/fraud",
        "ssh://git:s3cret@git.example.com/fraud",
    ],
)
def test_credentials_are_refused_and_not_repeated(url: str) -> None:
    with pytest.raises(CredentialsInUrl) as caught:
        checked_url(url, allow_file=True)
    assert "s3cret" not in str(caught.value)
    assert "git.example.com/fraud" in str(caught.value)


def test_file_urls_are_taken_where_settings_say_so() -> None:
    assert checked_url("file:///srv/fraud.git", allow_file=True) == "file:///srv/fraud.git"


@pytest.mark.parametrize("url", ["file://host/fraud", "file://fraud.git"])
def test_file_url_without_an_absolute_path_is_refused(url: str) -> None:
    with pytest.raises(UrlRefused):
        checked_url(url, allow_file=True)


def test_every_url_of_a_text_is_masked() -> None:
    text = "from https://a:b@x.example/y and ssh://c@z.example, mail to d@e.example"
    assert masked_urls(text) == "from https://***@x.example/y and ssh://***@z.example, mail to d@e.example"
