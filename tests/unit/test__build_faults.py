from __future__ import annotations

import pytest

from tasks._build_faults import build_fault, last_lines, push_fault
from tasks._errors import (
    BuildFailed,
    CredentialHelperMissing,
    DiskFull,
    EngineUnavailable,
    PackageIndexUnavailable,
    RegistryDenied,
    RegistryNotFound,
    RegistryUnavailable,
    RegistryUntrusted,
    TaxiwayError,
)

LLB = "failed to solve with frontend dockerfile.v0: failed to create LLB definition: "
STEP = "------\n > [2/2] RUN x:\n------\nexecutor failed running [/bin/sh -c x]: exit code: 1"


@pytest.mark.parametrize(
    ("printed", "kind", "said"),
    [
        pytest.param(
            f"{LLB}dockerfile parse error line 3: unknown instruction: FOO",
            BuildFailed,
            "line 3",
            id="syntax",
        ),
        pytest.param(
            "Error response from daemon: dockerfile parse error line 2: unknown instruction: FOO",
            BuildFailed,
            "line 2: unknown instruction: FOO",
            id="syntax, classic",
        ),
        pytest.param(
            ' > [3/3] COPY a b c d:\nfailed to compute cache key: "/c" not found: not found',
            BuildFailed,
            "copies `c`",
            id="missing file",
        ),
        pytest.param(
            'ERROR: failed to solve: failed to calculate checksum of ref x::y: "/c": not found',
            BuildFailed,
            "copies `c`",
            id="missing file, in newer words",
        ),
        pytest.param(
            "COPY failed: file not found in build context or excluded by .dockerignore: stat ff: no file",
            BuildFailed,
            "copies `ff`",
            id="missing file, classic",
        ),
        pytest.param(f"#5 1.7 x: not found\n{STEP}", BuildFailed, "x: not found", id="a command"),
        pytest.param(
            'ERROR: failed to solve: process "/bin/sh -c false" did not complete successfully: exit code: 1',
            BuildFailed,
            "command of the Dockerfile",
            id="a command, in newer words",
        ),
        pytest.param(f"#5 x: exec format error\n{STEP}", BuildFailed, "linux/arm64", id="foreign machine"),
        pytest.param(f"#5 No space left on device\n{STEP}", DiskFull, "no room", id="a command without room"),
        pytest.param(
            "failed to copy files: copy file range failed: no space left on device",
            DiskFull,
            "no room",
            id="no room",
        ),
        pytest.param(
            f"#5 NewConnectionError(...)\n{STEP}", PackageIndexUnavailable, "packages", id="no index"
        ),
        pytest.param(f"#5 permission denied\n{STEP}", BuildFailed, "permission", id="denied to a command"),
        pytest.param(
            f'{LLB}failed to do request: Head "http://a/v2/": dial tcp: connect: connection refused',
            RegistryUnavailable,
            "starts from",
            id="registry down",
        ),
        pytest.param(
            f"{LLB}127.0.0.1:5871/a/b:2: not found", RegistryNotFound, "starts from", id="no such base"
        ),
        pytest.param(
            f"{LLB}pulling from host 127.0.0.1:1 failed with status code [manifests 2]: 401 Unauthorized",
            RegistryDenied,
            "starts from",
            id="base denied",
        ),
        pytest.param(
            f"{LLB}rpc error: code = Unknown desc = error getting credentials - err: exec: "
            '"docker-credential-nosuch": executable file not found in $PATH, out: ``',
            CredentialHelperMissing,
            "`docker-credential-nosuch`",
            id="no helper",
        ),
        pytest.param("error during connect: Post: EOF", EngineUnavailable, "broke off", id="engine gone"),
        pytest.param("something new", BuildFailed, "something new", id="unknown words"),
        pytest.param("", BuildFailed, "could not be built", id="nothing"),
    ],
)
def test_a_failed_build_is_told_by_what_was_printed(
    printed: str, kind: type[TaxiwayError], said: str
) -> None:
    fault = build_fault(printed, engine="unix:///x", engine_answers=True, platform="linux/arm64")
    assert type(fault) is kind
    assert said in str(fault)


@pytest.mark.parametrize(
    ("printed", "kind"),
    [
        pytest.param("no basic auth credentials", RegistryDenied, id="no login"),
        pytest.param("unauthorized: authentication required", RegistryDenied, id="wrong login"),
        pytest.param("denied: requested access to the resource is denied", RegistryDenied, id="not allowed"),
        pytest.param(
            "received unexpected HTTP status: 500 Internal Server Error", RegistryUnavailable, id="500"
        ),
        pytest.param("toomanyrequests: slow down", RegistryUnavailable, id="429"),
        pytest.param(
            'Get "http://x/v2/": dial tcp: connect: connection refused', RegistryUnavailable, id="down"
        ),
        pytest.param(
            "x509: certificate signed by unknown authority", RegistryUntrusted, id="its certificate"
        ),
        pytest.param("Cannot connect to the Docker daemon at unix:///x", EngineUnavailable, id="no engine"),
        pytest.param("write /var/lib/docker/x: no space left on device", DiskFull, id="no room"),
        pytest.param("something new", RegistryUnavailable, id="unknown words"),
    ],
)
def test_a_failed_push_is_told_by_what_was_printed(printed: str, kind: type[TaxiwayError]) -> None:
    fault = push_fault(f"1d56: Preparing\n{printed}", "a/b:1", engine="unix:///x", engine_answers=True)
    assert type(fault) is kind
    assert printed in str(fault)


def test_where_the_engine_is_gone_it_does_not_matter_what_was_printed() -> None:
    words = "executor failed running [/bin/sh -c x]: exit code: 1"
    fault = build_fault(words, engine="unix:///x", engine_answers=False, platform="")
    assert isinstance(fault, EngineUnavailable)
    assert isinstance(push_fault("denied", "a:1", engine="x", engine_answers=False), EngineUnavailable)


def test_the_last_lines_leave_out_what_says_nothing() -> None:
    assert last_lines(f"a\n\n------\n#5 sha256:{'0' * 64}\nb\n") == "a\nb"
