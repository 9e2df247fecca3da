"""Fetching from real git: over file, and over https from git's own http-backend."""

from __future__ import annotations

import logging
import os
import shutil
import stat
from collections.abc import Iterator
from pathlib import Path

import pytest

from tasks import _errors
from tasks._git_credentials import Credentials
from tasks._run import run
from tasks._settings import Settings
from tasks._types import Revision
from tasks.bundle import examine, make_bundle
from tasks.source import Source, fetch
from tests.integration.git_server import GitServer, serve
from tests.repositories import ENVIRON, Made, Repository

TOKEN = "s3cret/token+with odd%signs"
FILES: dict[str, str | Made] = {
    "taxiway.toml": "[package]\n",
    "src/flows/__init__.py": "",
    "src/flows/train.py": "print('train')\n",
    "data/large.bin": "0123456789" * 20_000,
    "bin/run": Made(content=b"#!/bin/sh\n", mode="100755"),
}


@pytest.fixture(scope="module")
def hosted(tmp_path_factory: pytest.TempPathFactory) -> Repository:
    """A repository with 40 commits on main, and a branch that left it 10 commits before its tip."""
    folder = tmp_path_factory.mktemp("hosted")
    repository = Repository.create(folder / "fraud.git", uploadpack_allowFilter="true")
    history = repository.history(30)
    base = repository.commit(FILES, parent=history[-1])
    repository.history(10, parent=base)
    first = repository.commit({**FILES, "src/flows/new.py": "1"}, branch="topic", parent=base)
    repository.commit({**FILES, "src/flows/new.py": "2"}, branch="topic", parent=first, subject="Add a flow")
    return repository


@pytest.fixture
def server(hosted: Repository, tmp_path: Path) -> Iterator[GitServer]:
    with serve(hosted.path.parent, tmp_path / "tls") as state:
        yield state


def get(
    url: str,
    sha: str,
    into: Path,
    *,
    branch: str = "main",
    credentials: Credentials | None = None,
    certificate: Path | None = None,
    limit: int = 10**8,
    path: str = os.environ["PATH"],
) -> Source:
    environ = {"PATH": path}
    if certificate is not None:
        environ["GIT_SSL_CAINFO"] = str(certificate)
    return fetch(
        Revision(repository=url, sha=sha),
        base_branch=branch,
        into=into,
        settings=Settings(allow_file_urls=True, max_repository_bytes=limit, fetch_timeout_s=60),
        credentials=credentials or Credentials(),
        environ=environ,
    )


def bundled(source: Source, into: Path) -> str:
    contents = examine(source, at=source.revision.sha, under="src", limit=10**6)
    assert contents.problems == []
    return make_bundle(source, contents, into=into).digest


def tip(repository: Repository, branch: str = "topic") -> str:
    return repository.git("rev-parse", branch)


def test_revision_comes_with_its_author_the_protected_tip_and_where_it_left(
    hosted: Repository, tmp_path: Path
) -> None:
    source = get(hosted.url, tip(hosted), tmp_path)

    assert source.commit.subject == "Add a flow"
    assert source.commit.author == "Ada Example"
    assert source.protected == tip(hosted, "main")
    assert source.base.sha == hosted.git("merge-base", "main", "topic")
    assert source.changed_paths() == ["src/flows/new.py"]
    assert source.read("src/flows/new.py", at=source.revision.sha) == b"2"


def test_repository_of_another_user_of_this_machine_is_read(hosted: Repository, tmp_path: Path) -> None:
    programs = tmp_path / "bin"
    programs.mkdir()
    real = shutil.which("git")
    (programs / "git").write_text(f'#!/bin/sh\nGIT_TEST_ASSUME_DIFFERENT_OWNER=1 exec {real} "$@"\n')
    (programs / "git").chmod(0o755)
    path = f"{programs}{os.pathsep}{os.environ['PATH']}"
    strict = {**ENVIRON, "PATH": path}
    refused = run(["git", "ls-remote", hosted.url], timeout_s=20, env=strict, expect=[128])
    assert "dubious ownership" in refused.stderr

    source = get(hosted.url, tip(hosted), tmp_path / "into", path=path)
    assert source.read("src/flows/new.py", at=source.revision.sha) == b"2"


def test_files_are_fetched_when_read_and_in_one_request(
    server: GitServer, hosted: Repository, tmp_path: Path
) -> None:
    source = get(server.url_of("fraud.git"), tip(hosted), tmp_path, certificate=server.certificate)
    before = len(server.requests)
    held = sum(file.stat().st_size for file in source.repository.path.rglob("*") if file.is_file())

    digest = bundled(source, tmp_path)
    assert digest == bundled(source, tmp_path)

    assert digest == bundled(get(hosted.url, tip(hosted), tmp_path / "file"), tmp_path)
    assert server.requests[before:] == [
        "/fraud.git/info/refs?service=git-upload-pack",
        "/fraud.git/git-upload-pack",
    ]
    assert held < 100_000, "data/large.bin, which the bundle does not hold, was fetched"


@pytest.mark.parametrize(
    ("config", "first_protocol", "commit"),
    [
        pytest.param({"uploadpack.allowFilter": "false"}, False, "topic", id="no filter"),
        pytest.param({}, True, "topic", id="first protocol, a branch's tip, blobs refused on demand"),
        pytest.param({}, True, "topic~1", id="first protocol, a commit that no branch names"),
        pytest.param({}, False, "topic~1", id="a commit that no branch names"),
    ],
)
def test_every_kind_of_server_gives_the_same_bundle(
    config: dict[str, str],
    first_protocol: bool,
    commit: str,
    server: GitServer,
    hosted: Repository,
    tmp_path: Path,
) -> None:
    sha = tip(hosted, commit)
    server.first_protocol_only = first_protocol
    for name, value in config.items():
        hosted.git("config", name, value)
    try:
        source = get(server.url_of("fraud.git"), sha, tmp_path, certificate=server.certificate)
        digest = bundled(source, tmp_path)
    finally:
        hosted.git("config", "uploadpack.allowFilter", "true")

    assert digest == bundled(get(hosted.url, sha, tmp_path / "file"), tmp_path)
    assert source.base.sha == hosted.git("merge-base", "main", "topic")


def test_token_reads_a_private_repository_and_shows_nowhere(
    server: GitServer, hosted: Repository, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    server.user_and_token = f"x-access-token:{TOKEN}"
    with caplog.at_level(logging.DEBUG):
        source = get(
            server.url_of("fraud.git"),
            tip(hosted),
            tmp_path,
            certificate=server.certificate,
            credentials=Credentials(token=TOKEN),
        )
        bundled(source, tmp_path)

    shown = caplog.text + repr(source) + repr(source.repository.env) + repr(source.repository.config)
    assert "s3cret" not in shown
    file = tmp_path / "credentials" / "git-credentials"
    assert stat.S_IMODE(file.stat().st_mode) == 0o600


@pytest.mark.parametrize("token", ["", "s3cret-but-wrong"], ids=["none", "wrong"])
def test_without_the_right_token_a_private_repository_is_denied(
    token: str, server: GitServer, hosted: Repository, tmp_path: Path
) -> None:
    server.user_and_token = f"x-access-token:{TOKEN}"
    with pytest.raises(_errors.RepositoryDenied, match="secret `taxiway`") as caught:
        get(
            server.url_of("fraud.git"),
            tip(hosted),
            tmp_path,
            certificate=server.certificate,
            credentials=Credentials(token=token),
        )
    assert "s3cret" not in f"{caught.value!r} {caught.value.__cause__}"


def test_token_may_come_with_its_user(server: GitServer, hosted: Repository, tmp_path: Path) -> None:
    server.user_and_token = "deployer:abc"
    credentials = Credentials(token="deployer:abc")
    url = server.url_of("fraud.git")
    assert get(url, tip(hosted), tmp_path, certificate=server.certificate, credentials=credentials).base.found


def test_redirect_to_another_host_carries_no_token(
    server: GitServer, hosted: Repository, tmp_path: Path
) -> None:
    with serve(hosted.path.parent, tmp_path / "other") as other:
        server.user_and_token, other.user_and_token = "x-access-token:abc", "x-access-token:abc"
        server.redirect_to = other.url
        both = tmp_path / "both.pem"
        both.write_text(server.certificate.read_text() + other.certificate.read_text())
        with pytest.raises(_errors.RepositoryDenied):
            get(
                server.url_of("fraud.git"),
                tip(hosted),
                tmp_path / "work",
                certificate=both,
                credentials=Credentials(token="abc"),
            )
        assert other.requests


def test_redirect_to_http_is_refused(server: GitServer, hosted: Repository, tmp_path: Path) -> None:
    server.redirect_to = "http://127.0.0.1:9"
    with pytest.raises((_errors.UrlRefused, _errors.SourceUnavailable)) as caught:
        get(server.url_of("fraud.git"), tip(hosted), tmp_path, certificate=server.certificate)
    assert caught.value.error_code == "TAXI:UrlRefused"


def test_unknown_revision_is_named(server: GitServer, tmp_path: Path) -> None:
    url = server.url_of("fraud.git")
    for name, first_protocol in (("second", False), ("first", True)):
        server.first_protocol_only = first_protocol
        with pytest.raises(_errors.UnknownRevision, match="dead"):
            get(url, "dead" * 10, tmp_path / name, certificate=server.certificate)


def test_tree_or_tag_in_place_of_a_commit_is_refused(hosted: Repository, tmp_path: Path) -> None:
    with pytest.raises(_errors.UnknownRevision, match="full SHA of a commit"):
        get(hosted.url, tip(hosted, "topic^{tree}"), tmp_path)


def test_unknown_branch_is_named(hosted: Repository, tmp_path: Path) -> None:
    with pytest.raises(_errors.UnknownBranch, match="no-such-branch"):
        get(hosted.url, tip(hosted), tmp_path, branch="no-such-branch")


def test_missing_repository_is_named(hosted: Repository, tmp_path: Path) -> None:
    with pytest.raises(_errors.RepositoryDenied, match=r"nothing\.git"):
        get(hosted.path.with_name("nothing.git").as_uri(), tip(hosted), tmp_path)


@pytest.mark.parametrize("limit", [1000], ids=["1000 bytes"])
def test_repository_over_the_limit_is_refused(limit: int, hosted: Repository, tmp_path: Path) -> None:
    with pytest.raises(_errors.RepositoryTooLarge, match="TAXIWAY_MAX_REPOSITORY_BYTES"):
        get(hosted.url, tip(hosted), tmp_path, limit=limit)


def test_failing_server_can_be_tried_again(server: GitServer, hosted: Repository, tmp_path: Path) -> None:
    url = server.url_of("fraud.git")
    server.failures = 1
    with pytest.raises(_errors.SourceUnavailable):
        get(url, tip(hosted), tmp_path / "first", certificate=server.certificate)
    assert get(url, tip(hosted), tmp_path / "second", certificate=server.certificate).base.found


def test_server_that_nobody_runs_can_be_tried_again(hosted: Repository, tmp_path: Path) -> None:
    with pytest.raises(_errors.SourceUnavailable):
        get("https://127.0.0.1:9/fraud.git", tip(hosted), tmp_path)


def test_unknown_authority_is_a_terminal_fault(server: GitServer, hosted: Repository, tmp_path: Path) -> None:
    with pytest.raises(_errors.RepositoryDenied, match="SSL_CERT_FILE"):
        get(server.url_of("fraud.git"), tip(hosted), tmp_path)


@pytest.mark.parametrize(
    ("at", "base", "because"),
    [
        pytest.param("main", "main~1", "on main already", id="tip of the branch"),
        pytest.param("main~3", "main~4", "on main already", id="on the branch"),
        pytest.param("old", "main~39", "left main", id="left long ago"),
        pytest.param("apart", "", "no commit in common", id="of another history"),
        pytest.param("main~40", "", "first commit", id="the first commit"),
    ],
)
def test_base_is_found_or_said_to_be_missing(
    at: str, base: str, because: str, hosted: Repository, tmp_path: Path
) -> None:
    hosted.history(120, branch="old", parent=tip(hosted, "main~39"))
    hosted.commit(FILES, branch="apart")

    found = get(hosted.url, tip(hosted, at), tmp_path).base

    assert found.sha == (tip(hosted, base) if base else "")
    assert because in found.because


def test_nothing_of_the_repository_is_run(tmp_path: Path) -> None:
    canary = tmp_path / "canary"
    repository = Repository.create(tmp_path / "hostile.git")
    repository.commit(
        {
            ".gitattributes": "* filter=x\nsrc/ignored.py export-ignore\nsrc/id.py export-subst\n",
            ".gitmodules": f'[submodule "m"]\n\tpath = src/m\n\turl = ext::touch {canary}\n',
            ".lfsconfig": f"[lfs]\n\turl = ext::touch {canary}\n",
            "src/m": Made(content=b"1" * 40, mode="160000"),
            "src/ignored.py": "1",
            "src/id.py": "$Format:%H$",
            "src/weights.bin": "version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 1\n",
        }
    )
    for setting in ("core.fsmonitor", "core.sshCommand", "uploadpack.packObjectsHook", "filter.x.smudge"):
        repository.git("config", setting, f"touch {canary}")
    for hook in ("post-checkout", "reference-transaction", "pre-auto-gc"):
        path = repository.path / "hooks" / hook
        path.parent.mkdir(exist_ok=True)
        path.write_text(f"#!/bin/sh\ntouch {canary}\n")
        path.chmod(0o755)
    home = tmp_path / "home"
    home.mkdir()
    (home / ".gitconfig").write_text(f'[url "ext::touch {canary} "]\n\tinsteadOf = file://\n')

    source = fetch(
        Revision(repository=repository.url, sha=tip(repository, "main")),
        base_branch="main",
        into=tmp_path / "work",
        settings=Settings(allow_file_urls=True),
        credentials=Credentials(),
        environ={"PATH": os.environ["PATH"], "HOME": str(home), "GIT_SSH_COMMAND": f"touch {canary}"},
    )
    contents = examine(source, at=source.revision.sha, under="src", limit=0)
    bundle = make_bundle(source, contents, into=tmp_path)

    assert not canary.exists()
    assert bundle.entries == 3
    assert {note.where: note.problem.split(",")[0][:20] for note in bundle.notes} == {
        "m": f"is a submodule (at {'1' * 40})"[:20],
        "weights.bin": "is a pointer of git-lfs"[:20],
    }


def test_tree_that_climbs_out_is_refused_by_git_itself(tmp_path: Path) -> None:
    repository = Repository.create(tmp_path / "evil.git")
    blob = repository.git("hash-object", "-w", "--stdin", stdin=b"x")
    entries = b"".join(b"100644 " + name + b"\0" + bytes.fromhex(blob) for name in (b"..", b"ok.py"))
    tree = repository.git("hash-object", "-t", "tree", "-w", "--literally", "--stdin", stdin=entries)
    outer = repository.git("mktree", stdin=f"040000 tree {tree}\tsrc\n".encode())
    when = "Ada <a@example.com> 1750000000 +0000"
    commit = f"tree {outer}\nauthor {when}\ncommitter {when}\n\nx\n".encode()
    sha = repository.git("hash-object", "-t", "commit", "-w", "--stdin", stdin=commit)
    repository.git("update-ref", "refs/heads/main", sha)

    with pytest.raises(_errors.RepositoryCorrupt, match="hasDotdot"):
        get(repository.url, sha, tmp_path / "work")


@pytest.mark.parametrize(
    ("files", "limit", "where"),
    [
        pytest.param({"src/a": Made(content=b"../../etc", mode="120000")}, 0, "a", id="link above the tree"),
        pytest.param({"src/a": Made(content=b"/etc/passwd", mode="120000")}, 0, "a", id="absolute link"),
        pytest.param(
            {"src/a": Made(content=b"../b", mode="120000"), "b": "1"}, 0, "a", id="link out of source"
        ),
        pytest.param({"src/a": "1" * 50, "src/b": "1" * 60}, 100, "b", id="too large"),
        pytest.param({"a": "1"}, 0, "package.source", id="no such folder"),
    ],
)
def test_contents_that_cannot_be_bundled_are_found(
    files: dict[str, str | Made], limit: int, where: str, tmp_path: Path
) -> None:
    repository = Repository.create(tmp_path / "r.git")
    sha = repository.commit(files)
    contents = examine(get(repository.url, sha, tmp_path / "work"), at=sha, under="src", limit=limit)
    assert [finding.where for finding in contents.problems] == [where]


def test_same_revision_gives_the_same_bytes(tmp_path: Path) -> None:
    repository = Repository.create(tmp_path / "r.git")
    long = "src/" + "deep/" * 30 + "módulo.py"
    link = Made(content=b"flows/train.py", mode="120000")
    sha = repository.commit({**FILES, "src/link": link, long: "1\n"})

    digest = bundled(get(repository.url, sha, tmp_path / "work"), tmp_path)

    # Written down: another machine, Python or zlib has to come to the same.
    assert digest == "sha256:3352420a6c1fc0dff89aab00fc3a87a9be641761a8b2fe3ad949fec999e641a1"
