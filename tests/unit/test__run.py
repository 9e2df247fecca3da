"""The door to processes."""

from __future__ import annotations

import logging
import os
import sys
import time
from pathlib import Path

import pytest

from tasks._errors import CommandFailed, CommandMissing, CommandTimedOut
from tasks._run import masked, run


def python(program: str) -> list[str]:
    return [sys.executable, "-c", program]


def test_both_streams_and_the_code_are_kept() -> None:
    done = run(
        python("import sys; print('out'); print('err', file=sys.stderr); sys.exit(3)"),
        timeout_s=10,
        expect=[3],
    )
    assert (done.code, done.stdout, done.stderr) == (3, "out\n", "err\n")


def test_words_reach_the_program_as_they_are() -> None:
    words = ["a b; $(id)", "*", "-x", ""]
    done = run([*python("import sys; print(sys.argv[1:])"), *words], timeout_s=10)
    assert done.stdout.strip() == str(words)


def test_undecodable_bytes_are_escaped() -> None:
    done = run(python(r"import os; os.write(1, b'\xff!')"), timeout_s=10)
    assert done.stdout == "\\xff!"


def test_the_environment_given_is_the_whole_one() -> None:
    done = run(
        python("import os; print(sorted(set(os.environ) - {'LC_CTYPE'}))"), timeout_s=10, env={"A": "b"}
    )
    assert done.stdout.strip() == "['A']"


def test_standard_input_and_a_file_for_output(tmp_path: Path) -> None:
    with (tmp_path / "out").open("wb") as file:
        done = run(["cat"], timeout_s=10, stdin=b"\x00\xff", stdout=file)
    assert ((tmp_path / "out").read_bytes(), done.stdout) == (b"\x00\xff", "")


def test_an_unexpected_code_raises_with_what_was_said() -> None:
    with pytest.raises(CommandFailed, match=r"exit code 1: no such thing See what") as caught:
        run(python("import sys; print('ignored'); sys.exit('no such thing')"), timeout_s=10)
    assert (caught.value.code, caught.value.stdout) == (1, "ignored\n")


def test_secrets_are_masked_in_log_result_and_error(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    program = "import sys; print(sys.stdin.read()); sys.exit('s3cret-longer')"
    with pytest.raises(CommandFailed) as caught:
        run(
            [*python(program), "s3cret"],
            timeout_s=10,
            stdin=b"s3cret",
            secrets=["s3cret", "s3cret-longer", ""],
        )
    shown = f"{caught.value} {caught.value.argv} {caught.value.stdout} {caught.value.stderr} {caplog.text}"
    assert "***" in shown
    assert "s3cret" not in shown
    assert "longer" not in shown


def test_nothing_is_masked_without_secrets() -> None:
    assert masked("text", ["", ""]) == "text"


@pytest.mark.parametrize("program", ["taxiway-no-such-program", "./no/such/path"])
def test_a_program_that_is_not_there_is_named(program: str) -> None:
    with pytest.raises(CommandMissing, match=r"no-such-program|no/such/path"):
        run([program], timeout_s=10)


def test_a_file_that_is_not_a_program_is_named(tmp_path: Path) -> None:
    (tmp_path / "notes").write_text("text")
    with pytest.raises(CommandMissing, match="notes"):
        run([tmp_path / "notes"], timeout_s=10)


def test_a_process_past_its_limit_is_killed_with_its_children(tmp_path: Path) -> None:
    program = f"""
import pathlib, subprocess, time
child = subprocess.Popen(["sleep", "60"])
pathlib.Path({str(tmp_path / "child")!r}).write_text(str(child.pid))
time.sleep(60)
"""
    with pytest.raises(CommandTimedOut, match="ended after 1 s"):
        run(python(program), timeout_s=1)
    assert _ended(int((tmp_path / "child").read_text()))


def test_a_child_that_outlives_its_parent_and_keeps_the_pipe_is_killed_at_the_limit(tmp_path: Path) -> None:
    program = f"""
import pathlib, subprocess
child = subprocess.Popen(["sleep", "60"])
pathlib.Path({str(tmp_path / "child")!r}).write_text(str(child.pid))
"""
    with pytest.raises(CommandTimedOut):
        run(python(program), timeout_s=1)
    assert _ended(int((tmp_path / "child").read_text()))


def test_what_a_watcher_raises_ends_the_process() -> None:
    def watch() -> None:
        raise OverflowError

    started = time.monotonic()
    with pytest.raises(OverflowError):
        run(["sleep", "60"], timeout_s=60, watch=watch)
    assert time.monotonic() - started < 10


def test_a_watched_process_gets_all_of_its_input() -> None:
    text = b"x" * 1_000_000
    slow = "import sys, time; time.sleep(0.5); print(len(sys.stdin.read()))"
    assert (
        run([sys.executable, "-c", slow], timeout_s=60, stdin=text, watch=lambda: None).stdout == "1000000\n"
    )


def test_a_watched_process_still_has_its_limit() -> None:
    with pytest.raises(CommandTimedOut):
        run(["sleep", "60"], timeout_s=0.5, watch=lambda: None)


def _ended(pid: int) -> bool:
    """Whether a process is gone, or is a zombie that waits for its reaper; asked for at most 5 s."""
    for _ in range(50):
        try:
            os.kill(pid, 0)
            if Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z":
                return True
        except (ProcessLookupError, FileNotFoundError):
            return True
        time.sleep(0.1)
    return False
