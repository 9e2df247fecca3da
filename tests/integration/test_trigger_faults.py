"""What goes wrong between a CI job and Flyte, against a server that does so on request."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tasks._run import Done
from tests.ci_job import CiImage
from tests.integration.fake_rest import CLIENT, MARKDOWN, RESET, SECRET, FakeFlyte, Fault, fake_flyte

SHA = "4f0c1d2e3b5a69788796a5b4c3d2e1f001122334"
PLAN = "/api/v1/active_launch_plans"
EXECUTIONS = "/api/v1/executions"


@pytest.fixture
def flyte() -> Iterator[FakeFlyte]:
    with fake_flyte() as served:
        yield served


def preview(
    image: CiImage, flyte: FakeFlyte, *words: str, code: int = 0, patience_s: int = 20, **environ: str
) -> Done:
    fixed = ("preview", "fraud", SHA, "--endpoint", flyte.url, "--patience", str(patience_s))
    return image.job(*fixed, *words, environ=environ, expect=[code], timeout_s=60)


def test_the_report_is_printed_and_the_verdict_passed_on(ci_image: CiImage, flyte: FakeFlyte) -> None:
    done = preview(ci_image, flyte)
    assert done.stdout == MARKDOWN
    assert "report" in done.stderr
    flyte.launched, flyte.phase, flyte.code = None, "FAILED", "TAXI:VerdictFailed"
    assert preview(ci_image, flyte, code=1).stdout == MARKDOWN
    flyte.launched, flyte.code = None, "TAXI:RegistryUnavailable"
    assert "--attempt 2" in preview(ci_image, flyte, code=2).stderr


@pytest.mark.parametrize("status", [500, 503, 429, 408])
@pytest.mark.parametrize("path", [PLAN, EXECUTIONS, "/deck.html"])
def test_trouble_that_passes_is_waited_for(
    ci_image: CiImage, flyte: FakeFlyte, status: int, path: str
) -> None:
    flyte.faults = [Fault(path=path, status=status, body=b"oops", times=2)]
    assert preview(ci_image, flyte).stdout == MARKDOWN


def test_a_server_says_how_long_to_wait(ci_image: CiImage, flyte: FakeFlyte) -> None:
    flyte.faults = [Fault(path=PLAN, status=429, headers={"Retry-After": "3"})]
    began = time.monotonic()
    preview(ci_image, flyte)
    assert time.monotonic() - began > 3
    assert len([one for one in flyte.seen if one.path.startswith(PLAN)]) == 2


def test_a_wait_longer_than_the_patience_is_a_fault_at_once(ci_image: CiImage, flyte: FakeFlyte) -> None:
    flyte.faults = [Fault(path=PLAN, status=503, headers={"Retry-After": "3600"})]
    assert "answers 503" in preview(ci_image, flyte, code=2).stderr


def test_a_connection_that_is_reset_is_made_again(ci_image: CiImage, flyte: FakeFlyte) -> None:
    flyte.faults = [Fault(path=PLAN, status=RESET), Fault(path="/api/v1/node_executions", status=RESET)]
    assert preview(ci_image, flyte).stdout == MARKDOWN


@pytest.mark.parametrize("status", [RESET, 500])
def test_a_launch_whose_answer_is_lost_is_taken_up(ci_image: CiImage, flyte: FakeFlyte, status: int) -> None:
    flyte.faults = [Fault(path=EXECUTIONS, status=status, late=True)]
    done = preview(ci_image, flyte)
    assert "attached to it" in done.stderr
    assert done.stdout == MARKDOWN


def test_an_execution_of_that_name_with_other_inputs_is_a_fault(ci_image: CiImage, flyte: FakeFlyte) -> None:
    preview(ci_image, flyte)
    flyte.inputs = {"attempt": {"scalar": {"primitive": {"integer": "9"}}}}
    said = preview(ci_image, flyte, code=2).stderr
    assert "with another attempt." in said
    assert "--attempt 2" in said


def test_a_server_that_is_not_there_is_a_fault(ci_image: CiImage, flyte: FakeFlyte) -> None:
    words = ("preview", "fraud", SHA, "--endpoint", "http://127.0.0.1:1", "--patience", "1")
    said = ci_image.job(*words, expect=[2], timeout_s=60).stderr
    assert "cannot be reached: Connection refused" in said


def test_501_is_not_waited_for(ci_image: CiImage, flyte: FakeFlyte) -> None:
    flyte.faults = [Fault(path=PLAN, status=501, times=9)]
    preview(ci_image, flyte, code=2)
    assert len(flyte.seen) == 1


def test_a_redirect_is_not_followed_and_no_token_leaves(ci_image: CiImage, flyte: FakeFlyte) -> None:
    with fake_flyte() as other:
        flyte.faults = [Fault(path=PLAN, status=302, headers={"Location": f"{other.url}/api?x=signed"})]
        said = preview(ci_image, flyte, code=2, FLYTE_TOKEN="hush-hush").stderr
        assert other.seen == []
        assert f"redirects to {other.url}; no token goes there" in said
        assert "signed" not in said


def test_the_object_store_gets_no_token(ci_image: CiImage, flyte: FakeFlyte, tmp_path: Path) -> None:
    flyte.tokens = {"hush-hush"}
    netrc = tmp_path / "netrc"
    netrc.write_text("machine 127.0.0.1 login somebody password else\n")
    netrc.chmod(0o600)
    preview(ci_image, flyte, FLYTE_TOKEN="hush-hush", NETRC=str(netrc))
    sent = {one.path.split("/")[1]: one.authorization for one in flyte.seen}
    assert sent == {"api": "Bearer hush-hush", "deck.html": ""}


def test_a_report_that_would_come_in_the_clear_is_left_and_the_verdict_stands(
    ci_image: CiImage, flyte: FakeFlyte
) -> None:
    flyte.deck_url = "http://store.example.com/deck.html?signature=s3cret"
    done = preview(ci_image, flyte)
    assert "left no report" in done.stdout
    assert "is plain HTTP: http://store.example.com" in done.stderr
    assert "s3cret" not in done.stderr


def test_a_token_that_is_not_accepted_is_a_fault_and_never_shown(ci_image: CiImage, flyte: FakeFlyte) -> None:
    flyte.tokens = {"other"}
    done = preview(ci_image, flyte, code=2, FLYTE_TOKEN="hush-hush")
    assert "renew them" in done.stderr
    assert "hush-hush" not in done.stderr + done.stdout
    assert len(flyte.seen) == 1


def test_a_flyte_that_wants_credentials_says_which_variables_to_set(
    ci_image: CiImage, flyte: FakeFlyte
) -> None:
    flyte.tokens = {"other"}
    assert "Set FLYTE_TOKEN, or FLYTE_CLIENT_ID" in preview(ci_image, flyte, code=2).stderr


def test_a_client_gets_its_token_and_another_when_that_is_over(ci_image: CiImage, flyte: FakeFlyte) -> None:
    flyte.tokens = {"nobody's yet"}
    flyte.faults = [Fault(path="/api/v1/node_executions", status=401)]
    done = preview(ci_image, flyte, FLYTE_CLIENT_ID=CLIENT, FLYTE_CLIENT_SECRET=SECRET)
    assert done.stdout == MARKDOWN
    assert flyte.issued == 2
    assert SECRET not in done.stderr
    assert "issued-" not in done.stderr


def test_a_client_whose_new_token_is_not_accepted_either_is_a_fault(
    ci_image: CiImage, flyte: FakeFlyte
) -> None:
    flyte.faults = [Fault(path=PLAN, status=401, times=9)]
    preview(ci_image, flyte, code=2, FLYTE_CLIENT_ID=CLIENT, FLYTE_CLIENT_SECRET=SECRET)
    assert flyte.issued == 2


def test_a_client_with_a_wrong_secret_is_a_fault(ci_image: CiImage, flyte: FakeFlyte) -> None:
    done = preview(ci_image, flyte, code=2, FLYTE_CLIENT_ID=CLIENT, FLYTE_CLIENT_SECRET="wrong-secret")
    assert "gives no token to the client ci job (HTTP 401)" in done.stderr
    assert "wrong-secret" not in done.stderr


def test_an_answer_that_is_none_of_flytes_is_a_fault(ci_image: CiImage, flyte: FakeFlyte) -> None:
    flyte.faults = [Fault(path=PLAN, status=200, body=b"<html>log in</html>")]
    assert "check that --endpoint is its HTTP endpoint" in preview(ci_image, flyte, code=2).stderr


def test_an_answer_of_another_shape_is_a_fault_and_no_verdict(ci_image: CiImage, flyte: FakeFlyte) -> None:
    body = b'{"spec": {"annotations": {"values": ["taxiway/repository"]}}}'
    flyte.faults = [Fault(path=PLAN, status=200, body=body)]
    assert "was not understood" in preview(ci_image, flyte, code=2).stderr


def test_a_job_without_requests_is_a_fault_and_no_verdict(ci_image: CiImage, flyte: FakeFlyte) -> None:
    assert "pip install requests" in ci_image.job("preview", bare=True, expect=[2], timeout_s=60).stderr


def test_commands_to_github_in_an_error_are_neither_taken_from_the_report_nor_the_log(
    ci_image: CiImage, flyte: FakeFlyte, tmp_path: Path
) -> None:
    flyte.phase, flyte.code = "FAILED", "USER:X"
    flyte.faults = [Fault(path="/api/v1/dataproxy", status=404)]
    summary = tmp_path / "summary.md"
    done = preview(ci_image, flyte, code=2, GITHUB_ACTIONS="true", GITHUB_STEP_SUMMARY=str(summary))
    lines = done.stdout.splitlines()
    assert lines[0].startswith("::stop-commands::")
    assert lines[-1] == f"::{lines[0].rpartition(':')[2]}::"
    assert "::error::broken" in lines
    assert all(line.startswith("taxiway: ") for line in done.stderr.splitlines())
    assert "::error::broken" in summary.read_text()


def test_plain_http_to_another_machine_is_refused(ci_image: CiImage, flyte: FakeFlyte) -> None:
    words = ("preview", "fraud", SHA, "--endpoint", "http://flyte.example.com")
    assert "plain HTTP" in ci_image.job(*words, expect=[2], timeout_s=60).stderr


def test_without_an_endpoint_nothing_begins(ci_image: CiImage) -> None:
    assert "FLYTE_ENDPOINT" in ci_image.job("preview", "fraud", SHA, expect=[2], timeout_s=60).stderr
