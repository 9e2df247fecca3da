from __future__ import annotations

import ast
import sys
from pathlib import Path
from typing import Any

import pytest

from scripts import trigger
from scripts.trigger import Asked, Console, Credentials, Execution, Fault, Plan, State, Step
from tasks._errors import VerdictFailed
from tasks._names import execution_name
from tasks._render import to_html, to_markdown
from tasks.report_view import view_of
from tests.unit.samples import report
from tests.unit.test_imports import imports

SHA = "4f0c1d2e3b5a69788796a5b4c3d2e1f001122334"
SOURCE = Path(trigger.__file__).read_text()


def asked(flow: str = "preview", **other: Any) -> Asked:
    return Asked(
        **{"flow": flow, "target": "fraud", "sha": SHA, "pull_request": 0, "attempt": 1, **other},
    )


@pytest.mark.parametrize("target", ["a", "fraud", "a" * 63, "a" * 19 + "-" + "b" * 11])
@pytest.mark.parametrize(
    ("flow", "pull_request", "attempt"), [("preview", 12, 1), ("preview", 0, 3), ("release", 0, 1)]
)
def test_names_are_those_that_every_client_derives(
    target: str, flow: str, pull_request: int, attempt: int
) -> None:
    question = asked(flow, target=target, pull_request=pull_request, attempt=attempt)
    url = "https://git.example/risk/fräud"
    assert trigger.execution_name(question, url) == execution_name(
        flow, target=target, repository=url, sha=SHA, pull_request=pull_request, attempt=attempt
    )


def test_it_stands_alone() -> None:
    modules = {name.split(".")[0] for name in imports("scripts.trigger", ast.parse(SOURCE))}
    assert modules - {"__future__", "requests"} <= sys.stdlib_module_names


def test_it_is_written_for_python_3_9() -> None:
    tree = ast.parse(SOURCE, feature_version=(3, 9))
    imported = next(node for node in tree.body if isinstance(node, ast.ImportFrom))
    assert imported.module == "__future__"
    calls = [node for node in ast.walk(tree) if isinstance(node, ast.Call)]
    words = {keyword.arg for call in calls for keyword in call.keywords}
    # Arguments that dataclass and zip only know later.
    assert not words & {"kw_only", "slots", "strict"}


def test_the_code_of_a_failed_verdict_is_the_one_that_tasks_give() -> None:
    assert VerdictFailed.error_code == trigger.VERDICT_FAILED


@pytest.mark.parametrize(
    ("state", "code"),
    [
        (State("SUCCEEDED", "", ""), 0),
        (State("FAILED", "TAXI:VerdictFailed", "x"), 1),
        (State("FAILED", "TAXI:RegistryUnavailable", "x"), 2),
        (State("ABORTED", "", "enough"), 2),
        (State("TIMED_OUT", "TAXI:VerdictFailed", ""), 2),
    ],
    ids=lambda value: value.phase + value.code if isinstance(value, State) else None,
)
def test_the_exit_code_follows_from_how_it_ended(state: State, code: int) -> None:
    assert trigger.exit_code(state) == code
    said = trigger.conclusion(asked(attempt=2), Execution("p", "d", "n"), state)
    assert ("--attempt 3" in said) == (code == trigger.FAULT)


def test_inputs_of_an_execution_are_compared_with_what_a_launch_would_give_it() -> None:
    enrolment = {"scalar": {"binary": {"value": "AAE=", "tag": "msgpack"}}, "hash": ""}
    default = {"scalar": {"primitive": {"boolean": False}}, "hash": "", "metadata": {}}
    plan = Plan("v", "url", {"enrolment": enrolment, "attempt": default, "simulate": default})
    there = {name: {**literal, "hash": "", "metadata": {}} for name, literal in asked().literals.items()}
    there.update(enrolment=enrolment, simulate=default)
    assert trigger.differences(there, asked(), plan) == []
    assert trigger.differences(there, asked(pull_request=7), plan) == ["pull_request"]
    other = {**there, "enrolment": {"scalar": {}}, "more": default}
    assert trigger.differences(other, asked(), plan) == ["enrolment", "more"]
    assert trigger.differences({}, asked("release"), plan) == ["attempt", "enrolment", "sha", "simulate"]


def test_fields_are_read_by_either_of_their_names() -> None:
    assert trigger._get({"launch_plan": 1}, "launch_plan") == 1
    assert trigger._get({"launchPlan": 1}, "launch_plan") == 1
    assert trigger._get(None, "launch_plan") is None


@pytest.mark.parametrize(
    "url", ["https://flyte.example.com", "http://localhost:1/x", "http://127.0.0.1", "http://[::1]:80"]
)
def test_https_and_this_machine_are_let_through(url: str) -> None:
    assert trigger.checked_url(url, "It")


@pytest.mark.parametrize(
    "url",
    [
        "http://flyte.example.com",
        "http://127.0.0.1.example.com",
        "http://localhost.example.com",
        "http://localhost@example.com",
        "http://localhost:80\\@example.com",
        "dns:///flyte.example.com",
        "flyte.example.com",
        "https://user:secret@flyte.example.com",
        "https://",
        "http://[::1",
        "https://host:99999",
        "",
    ],
)
def test_other_urls_are_refused_and_their_passwords_not_shown(url: str) -> None:
    with pytest.raises(Fault) as caught:
        trigger.checked_url(url, "The endpoint")
    assert "secret" not in str(caught.value)


@pytest.mark.parametrize(
    ("failures", "header", "seconds"),
    [
        (0, "", 0.5),
        (2, "", 2.0),
        (1000, "", 15.0),
        (0, "7", 7.0),
        (0, "Thu, 01 Jan 1970 00:01:40 GMT", 90.0),
        (0, "Thu, 01 Jan 1970 00:00:01 GMT", 0.0),
        (1, "soon", 1.0),
    ],
)
def test_pauses_grow_unless_the_server_says_how_long(failures: int, header: str, seconds: float) -> None:
    assert trigger.pause(failures, header, now=10.0) == seconds


@pytest.mark.parametrize(
    ("environ", "says"),
    [
        ({"FLYTE_CLIENT_ID": "ci"}, "only one is set"),
        ({"FLYTE_CLIENT_SECRET": "hush"}, "only one is set"),
        ({"FLYTE_TOKEN": "hush\nX: y"}, "not one line"),
    ],
)
def test_credentials_that_are_not_whole_are_refused(environ: dict[str, str], says: str) -> None:
    with pytest.raises(Fault, match=says) as caught:
        Credentials.of(environ)
    assert "hush" not in str(caught.value)


def test_credentials_that_are_withheld_are_none() -> None:
    assert Credentials.of({"FLYTE_TOKEN": "", "FLYTE_CLIENT_ID": " "}) == Credentials()


def test_steps_are_news_when_they_are_in_another_phase() -> None:
    def step(node: str, phase: str) -> Step:
        return Step(node=node, id=node, phase=phase, time="", started="", has_deck=False)

    steps = [step("prepare", "SUCCEEDED"), step("smoke", "RUNNING"), step("report", "QUEUED")]
    lines = trigger.news({"prepare": "RUNNING", "smoke": "RUNNING"}, steps)
    assert [line.split() for line in lines] == [["prepare", "succeeded"]]


def test_the_markdown_in_a_deck_is_the_one_that_was_rendered() -> None:
    view = view_of(report())
    assert trigger.markdown_of(f"<html>{to_html(view, '{}')}</html>") == to_markdown(view)
    assert trigger.markdown_of("<html></html>") is None


def test_an_error_cannot_end_the_block_that_it_is_shown_in() -> None:
    state = State("FAILED", "USER:X", "text\n````\n# mine\x1b[31m")
    lines = trigger.substitute(asked(), Execution("p", "d", "n"), state).splitlines()
    assert lines[-1] == "`````"
    assert "\x1b" not in "".join(lines)


def test_what_is_said_hides_secrets_and_begins_no_command(capsys: pytest.CaptureFixture[str]) -> None:
    Console({"FLYTE_TOKEN": "hush"}).say("::add-mask::x\nthe token hush\x1b[0m")
    assert capsys.readouterr().err == "taxiway: ::add-mask::x\ntaxiway: the token ***[0m\n"


def test_commands_in_a_report_are_not_for_github(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsysbinary: pytest.CaptureFixture[bytes]
) -> None:
    summary = tmp_path / "summary.md"
    summary.write_text("before\n")
    environ = {"GITHUB_ACTIONS": "true", "GITHUB_STEP_SUMMARY": str(summary), "FLYTE_CLIENT_SECRET": "hush"}
    Console(environ).report("# Report ✓\n::error::hush\n")
    first, *between, last = capsysbinary.readouterr().out.decode().splitlines()
    token = first.removeprefix("::stop-commands::")
    assert len(token) == 32
    assert last == f"::{token}::"
    assert "::error::***" in between
    assert summary.read_text(encoding="utf-8") == "before\n# Report ✓\n::error::***\n\n"


def test_a_script_of_curl_shows_no_secret() -> None:
    text = trigger.curl_script(
        asked(), "https://flyte.example.com", "taxiway", "production", Credentials(token="hush-hush")
    )
    assert "hush-hush" not in text
    assert '-H "Authorization: Bearer $FLYTE_TOKEN"' in text
    client = Credentials(client="ci", secret="hush-hush")
    text = trigger.curl_script(asked(), "https://flyte.example.com", "taxiway", "production", client)
    assert "hush-hush" not in text
    assert '-u "$FLYTE_CLIENT_ID:$FLYTE_CLIENT_SECRET"' in text


@pytest.mark.parametrize(
    "words",
    [
        ["preview", "fraud", "main"],
        ["preview", "fraud", SHA[:7]],
        ["preview", "Fraud;id", SHA],
        ["preview", "fraud", SHA, "--attempt", "0"],
        ["release", "fraud", SHA, "--pull-request", "1"],
        ["rollback", "fraud", SHA],
        [],
    ],
)
def test_bad_usage_ends_with_2(words: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        trigger.parser().parse_args(words)
    assert caught.value.code == trigger.FAULT
    assert "usage:" in capsys.readouterr().err
