"""What runs in the target's image to package it: this file's text, given to the image's own Python.

It has the standard library only and nothing newer than Python 3.8, for the image is somebody else's; for
the same reason it runs its one process by itself. It always leaves all three outputs, `status`, `log` and
`package`, whatever the target's code does: flytecopilot loses everything otherwise, and says nothing. Its
text must hold no two braces in a row, which Flyte would fill in, and no dollar sign before a parenthesis,
which Kubernetes would.

    clean TEXT IN OUT MODULES IMAGE DESTINATION SECONDS   hides what is not the target's, starts `run`
    run IN OUT MODULES IMAGE DESTINATION SECONDS          unpacks the code, runs `pyflyte package` on it
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import re
import select
import shutil
import signal
import subprocess
import sys
import tarfile
import tempfile
import time
from pathlib import Path

PACKAGED, FLYTEKIT_MISSING, RAISED, NO_ENTITIES, TIMED_OUT, EXITED, KILLED, TOO_LARGE, BROKEN = range(9)
MAX_LOG_BYTES = 256 * 1024
MAX_PACKAGE_BYTES = 64 * 1024 * 1024
MAX_PROCESSES = 200
HIDDEN = re.compile(
    r"_F_|FLYTE|AWS_|S3_|GOOGLE_|GCP_|GCS_|AZURE_|MINIO_|KUBERNETES_|TAXIWAY_"
    r"|.*(SECRET|TOKEN|PASSWORD|PASSWD|CREDENTIAL|PRIVATE|ACCESS_KEY|API_?KEY|AUTH)",
    re.IGNORECASE,
)
NOTHING_FOUND = re.compile(rb"No flyte objects found")
NO_COPY_OPTION = re.compile(rb"[Nn]o such option:? .*--copy")


def clean(environ: dict[str, str]) -> dict[str, str]:
    """Return `environ` without Flyte's own variables, credentials and all that is named like one."""
    return {name: value for name, value in environ.items() if not HIDDEN.match(name)}


def restart(program: str, arguments: list[str]) -> None:
    """Replace this process by a shell with the clean environment, which runs `run` and ends with code 0.

    Leaving variables out of the target's own environment would not hide them: it can read the one that
    its parents began with.
    """
    again = [sys.executable, "-I", "-c", program, "run", *arguments]
    words = ["sh", "-c", '"$@"; exit 0', "taxiway-package", *again]
    os.execve("/bin/sh", words, clean(dict(os.environ)))  # noqa: S606  no shell reads these words


def run(bundle: str, outputs: str, modules: str, image: str, destination: str, seconds: str) -> None:
    """Package `modules` out of `bundle`, and leave in `outputs` what came of it."""
    out = Path(outputs)
    leave(out, KILLED, b"The packaging itself was killed.\n", Path())
    adopt_orphans()
    work = work_folder(out)
    package = work / "package.tgz"
    try:
        code = unpack(bundle, work)
        words = ["--image", image, "--in-container-source-path", destination, "--output", str(package)]
        status, log = attempt(modules.split(), words, code, package, float(seconds))
    except Exception as error:
        status, log = BROKEN, f"{type(error).__name__}: {error}\n".encode()
    end_descendants()
    leave(out, status, log, package)
    shutil.rmtree(work, ignore_errors=True)


def attempt(
    modules: list[str], words: list[str], code: Path, package: Path, seconds: float
) -> tuple[int, bytes]:
    """Run `pyflyte package` in the folder `code`; return its status and its log."""
    pyflyte = shutil.which("pyflyte")
    if not pyflyte:
        return FLYTEKIT_MISSING, b"There is no pyflyte on the PATH of this image.\n"
    deadline = time.monotonic() + seconds
    start = [
        pyflyte,
        *(word for module in modules for word in ("--pkgs", module)),
        "package",
        "--source",
        ".",
    ]
    # flytekit before 1.14 has no --copy. Either way the code that it bundles is thrown away, for ours is
    # reproducible; what is wanted is that tasks fetch their code.
    ended, log = supervise([*start, "--copy", "auto", *words], code, deadline)
    if ended == 2 and NO_COPY_OPTION.search(log):
        ended, log = supervise([*start, "--fast", *words], code, deadline)
    return judge(ended, log, package), log


def judge(ended: int | None, log: bytes, package: Path) -> int:
    """Return the status of a run that ended with this code; None stands for one that ran out of time."""
    if ended is None:
        return TIMED_OUT
    if ended < 0:
        return KILLED
    if ended == 0 and package.is_file():
        return PACKAGED if package.stat().st_size <= MAX_PACKAGE_BYTES else TOO_LARGE
    if ended == 0 and NOTHING_FOUND.search(log):
        return NO_ENTITIES
    return RAISED if ended == 1 else EXITED


def unpack(bundle: str, work: Path) -> Path:
    """Unpack the code below `work` and return its folder; refuse members that would land elsewhere."""
    folder = work / "code"
    folder.mkdir()
    with tarfile.open(bundle) as tar:
        if hasattr(tarfile, "data_filter"):
            tar.extractall(folder, filter="data")
            return folder
        for member in tar.getmembers():
            if member.name.startswith("/") or ".." in member.name.split("/") or member.isdev():
                raise ValueError(f"the code bundle holds {member.name!r}")
        tar.extractall(folder)  # noqa: S202  looked at just above
    return folder


def environment(work: Path) -> dict[str, str]:
    """Return what the target's code sees: our clean environment, with a home of its own.

    No terminal and a great width keep what is printed plain and unwrapped; the hash seed keeps sets in one
    order; an image that flytekit cannot look up is a failure there and then.
    """
    own = {"HOME": str(work), "TMPDIR": str(work), "PYTHONHASHSEED": "0", "PYTHONDONTWRITEBYTECODE": "1"}
    plain = {"PYTHONUNBUFFERED": "1", "TERM": "dumb", "NO_COLOR": "1", "COLUMNS": "1000"}
    flytekit = {"FLYTE_IMG_FAST_FAIL": "1"}
    if sys.version_info >= (3, 13):
        # flytekit 1.16 knows no default image for these, and its commands do not start without one.
        flytekit["FLYTE_INTERNAL_IMAGE"] = "none"
    return {**os.environ, **own, **plain, **flytekit}


def supervise(words: list[str], folder: Path, deadline: float) -> tuple[int | None, bytes]:
    """Run a process; return its code and its log. The code is None if `deadline` came first.

    It is negative, as for a process that a signal ended, if there came to be more processes than a
    packaging needs.
    """
    inward, outward = os.pipe()
    child = subprocess.Popen(
        words,
        cwd=folder,
        env=environment(folder.parent),
        stdin=subprocess.DEVNULL,
        stdout=outward,
        stderr=outward,
        start_new_session=True,
    )
    os.close(outward)
    log = Log()
    while child.poll() is None:
        if not log.take(inward, wait=0.2):
            time.sleep(0.05)
        if time.monotonic() > deadline:
            end_descendants()
            log.add(b"\n[taxiway] ended, for its time was up\n")
            return None, log.content()
        if len(descendants()) > MAX_PROCESSES:
            end_descendants()
            log.add(b"\n[taxiway] ended, for it had more than %d processes\n" % MAX_PROCESSES)
            return -signal.SIGKILL, log.content()
    end_descendants()
    while log.take(inward, wait=0):
        pass
    return child.returncode, log.content()


class Log:
    """The beginning and the end of what was printed; the middle of a long one is left out."""

    def __init__(self) -> None:
        self.head, self.tail, self.lost = b"", b"", 0

    def take(self, stream: int, wait: float) -> bool:
        """Read what comes within `wait` seconds, and return whether anything did."""
        if not select.select([stream], [], [], wait)[0]:
            return False
        chunk = os.read(stream, 65536)
        self.add(chunk)
        return bool(chunk)

    def add(self, chunk: bytes) -> None:
        """Append `chunk`."""
        room = max(MAX_LOG_BYTES // 4 - len(self.head), 0)
        self.head += chunk[:room]
        self.tail += chunk[room:]
        surplus = max(len(self.tail) - MAX_LOG_BYTES * 3 // 4, 0)
        self.lost += surplus
        self.tail = self.tail[surplus:]

    def content(self) -> bytes:
        """Return the whole, with a line where something is missing."""
        gap = f"\n[taxiway] {self.lost} bytes left out\n".encode() if self.lost else b""
        return self.head + gap + self.tail


def adopt_orphans() -> None:
    """Become the parent of descendants whose own parents end, so that they are found and ended too."""
    with contextlib.suppress(OSError, AttributeError):
        ctypes.CDLL(None).prctl(36, 1, 0, 0, 0)  # PR_SET_CHILD_SUBREAPER


def descendants() -> list[int]:
    """Return the ids of all processes below this one, the nearest first; zombies do not count."""
    children: dict[int, list[int]] = {}
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            state, parent = (folder / "stat").read_bytes().rpartition(b")")[2].split()[:2]
        except OSError:
            continue
        if state not in (b"Z", b"X"):
            children.setdefault(int(parent), []).append(int(folder.name))
    found = list(children.get(os.getpid(), []))
    for pid in found:
        found += children.get(pid, [])
    return found


def end_descendants() -> None:
    """Kill everything below this process: first held still, so that nothing multiplies meanwhile."""
    for number in [signal.SIGSTOP] * 3 + [signal.SIGKILL] * 50:
        left = descendants()
        if not left:
            return
        for pid in left:
            with contextlib.suppress(OSError):
                os.kill(pid, number)
        time.sleep(0.01)


def work_folder(outputs: Path) -> Path:
    """Make a folder: where temporary ones go, or beside the outputs if nothing else can be written."""
    try:
        return Path(tempfile.mkdtemp(prefix="taxiway-"))
    except OSError:
        return Path(tempfile.mkdtemp(prefix=".taxiway-", dir=outputs))


def leave(outputs: Path, status: int, log: bytes, package: Path) -> None:
    """Write the three outputs over whatever is there; the package is empty where there is none."""
    content = package.read_bytes() if status == PACKAGED else b""
    for name, data in (("package", content), ("log", log), ("status", str(status).encode())):
        with contextlib.suppress(FileNotFoundError):
            (outputs / name).unlink()
        (outputs / name).write_bytes(data)


if __name__ == "__main__":
    if sys.argv[1] == "clean":
        restart(sys.argv[2], sys.argv[3:])
    run(*sys.argv[2:])
