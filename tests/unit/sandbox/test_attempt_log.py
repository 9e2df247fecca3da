from __future__ import annotations

from pathlib import Path

from scripts.sandbox.attempt_log import AttemptLog


def test_what_is_written_can_be_read_at_once(tmp_path: Path) -> None:
    with AttemptLog(tmp_path / "logs" / "a.log") as log:
        log.write(b"one\n")
        assert (tmp_path / "logs" / "a.log").read_bytes() == b"one\n"


def test_past_its_limit_only_the_end_is_kept(tmp_path: Path) -> None:
    with AttemptLog(tmp_path / "a.log", max_bytes=10) as log:
        for _ in range(1000):
            log.write(b"0123456789" * 100)
        log.write(b"\nthe end\n")
    text = (tmp_path / "a.log").read_text()
    assert len(text) < 3000
    assert text.startswith("0123456789\n[sandbox] a log is kept up to 10 bytes; 999999 more were left out.")
    assert text.endswith("\nthe end\n")


def test_the_tail_has_the_kubelets_limits(tmp_path: Path) -> None:
    with AttemptLog(tmp_path / "a.log") as log:
        log.write(b"".join(b"%d\n" % i for i in range(1000)))
        log.remark("not the container's")
        assert log.tail().splitlines() == [str(i) for i in range(920, 1000)]
        log.write(b"x" * 5000)
        assert log.tail() == "x" * 2048
