"""The dockerd that the processes of a test run share: started once, and ended with the last of them."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.engine.daemon import NotHere, answers, dockerd, needed

pytestmark = pytest.mark.engine

ROOT = Path(__file__).parents[2]
USER = """
import sys
from pathlib import Path
from tests.engine.shared import shared
with shared(Path(sys.argv[1])) as host:
    print(host, flush=True)
    sys.stdin.read()
"""


@pytest.fixture(scope="module", autouse=True)
def _can_start() -> None:
    """Without root or dockerd there is nothing to share; the engine of this run may be somebody else's."""
    with needed(dockerd()):
        pass


@contextmanager
def user(run: Path) -> Iterator[subprocess.Popen[str]]:
    words = [sys.executable, "-c", USER, str(run)]
    pipe = subprocess.PIPE
    with subprocess.Popen(words, cwd=ROOT, stdin=pipe, stdout=pipe, text=True) as process:
        yield process


def host_of(process: subprocess.Popen[str]) -> str:
    assert process.stdout is not None
    return process.stdout.readline().strip()


def wait(holds: Callable[[], object]) -> None:
    end = time.monotonic() + 60
    while not holds():
        assert time.monotonic() < end, "waited 60 s"
        time.sleep(0.1)


def test_all_have_the_same_one_which_ends_with_the_last_who_may_be_killed(tmp_path: Path) -> None:
    with user(tmp_path) as first, user(tmp_path) as second:
        host = host_of(first)
        assert host.startswith("unix:///tmp/engine-")
        assert host_of(second) == host
        first.kill()
        first.wait()
        assert answers(host)
        second.kill()
    folder = Path(host.removeprefix("unix://")).parent
    wait(lambda: not folder.exists())
    mounts = Path("/proc/self/mounts").read_text()
    assert not answers(host)
    assert f"{folder}/" not in mounts
    with user(tmp_path) as later:
        assert host_of(later) not in ("", host)


def test_one_that_does_not_start_is_named() -> None:
    said = r"dockerd does not start: failed to start daemon: .*driver not supported"
    with pytest.raises(NotHere, match=said), dockerd("--storage-driver", "nonsense"):
        pass
