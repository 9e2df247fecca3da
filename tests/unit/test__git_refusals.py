from __future__ import annotations

import pytest

from tasks._errors import CommandFailed, RepositoryDenied, SourceUnavailable, UnknownRevision
from tasks._git_refusals import Refusal, error_of, refusal_of


@pytest.mark.parametrize(
    ("printed", "refusal"),
    [
        ("error: Server does not allow request for unadvertised object 1", Refusal.UNADVERTISED),
        ("fatal: dumb http transport does not support shallow capabilities", Refusal.NOT_SHALLOW),
        ("fatal: remote error: upload-pack: not our ref 1", Refusal.NO_REVISION),
        ("fatal: mismatched algorithms: client sha1; server sha256", Refusal.OTHER_HASH),
        ("error: cannot run ssh: No such file or directory\nfatal: unable to fork", Refusal.NO_SSH),
        ("fatal: couldn't find remote ref refs/heads/x", Refusal.NO_BRANCH),
        ("fatal: write error: No space left on device\nfatal: early EOF", Refusal.DISK_FULL),
        ("error: object 1: hasDot: contains '.'\nfatal: fsck error in packed object", Refusal.CORRUPT),
        ("fatal: transport 'http' not allowed", Refusal.TRANSPORT),
        ("Host key verification failed.\nfatal: Could not read from remote repository.", Refusal.HOST_KEY),
        ("git@x: Permission denied (publickey).\nfatal: the remote end hung up", Refusal.DENIED),
        ("fatal: could not read Username for 'https://x': terminal prompts disabled", Refusal.DENIED),
        ("remote: Repository not found.\nfatal: repository 'https://x/' not found", Refusal.MISSING),
        ("fatal: unable to access 'https://x/': Could not resolve host: x", Refusal.UNAVAILABLE),
        ("error: RPC failed; HTTP 502\nfatal: early EOF", Refusal.UNAVAILABLE),
        ("fatal: the requested URL returned error: 503", Refusal.UNAVAILABLE),
        ("fatal: something new", Refusal.OTHER),
    ],
)
def test_refusal_is_read_from_what_git_printed(printed: str, refusal: Refusal) -> None:
    assert refusal_of(printed) is refusal


@pytest.mark.parametrize(
    ("printed", "kind"),
    [
        ("fatal: remote error: upload-pack: not our ref 1", UnknownRevision),
        ("fatal: repository 'https://u:s3cret@x/' not found", RepositoryDenied),
        ("fatal: early EOF", SourceUnavailable),
        ("fatal: something new", CommandFailed),
    ],
)
def test_refusal_becomes_its_error_without_credentials(printed: str, kind: type[Exception]) -> None:
    error = error_of(CommandFailed("git fetch", 128, "", printed), thing="x")
    assert type(error) is kind
    assert "s3cret" not in str(error)
