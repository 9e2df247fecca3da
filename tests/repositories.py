"""Git repositories made to measure: any history, any tree, the same SHAs on every machine."""

from __future__ import annotations

import itertools
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from tasks._run import run

ENVIRON = {
    "PATH": os.environ.get("PATH", os.defpath),
    "HOME": os.devnull,
    "GIT_CONFIG_GLOBAL": os.devnull,
    "GIT_CONFIG_NOSYSTEM": "1",
}
_START = 1_750_000_000


@dataclass(frozen=True, kw_only=True)
class Made:
    """A file's bytes and git's mode of it: `100644`, `100755`, `120000` (a link), `160000` (a submodule)."""

    content: bytes
    mode: str = "100644"


@dataclass(frozen=True)
class Repository:
    """A bare repository in `path`."""

    path: Path
    _seconds: itertools.count[int] = field(default_factory=lambda: itertools.count(_START))

    @classmethod
    def create(cls, path: Path, **config: str) -> Repository:
        """Make it, with settings of git such as `uploadpack_allowFilter="true"`."""
        repository = cls(path)
        run(["git", "init", "--quiet", "--bare", "--initial-branch=main", path], timeout_s=60, env=ENVIRON)
        for name, value in config.items():
            repository.git("config", name.replace("_", "."), value)
        return repository

    @property
    def url(self) -> str:
        """Its `file://` URL."""
        return self.path.as_uri()

    def git(self, *words: str, stdin: bytes = b"") -> str:
        """Run git on it and return what it printed."""
        return run(["git", "-C", self.path, *words], timeout_s=60, env=ENVIRON, stdin=stdin).stdout.strip()

    def commit(
        self,
        files: Mapping[str, str | Made],
        *,
        branch: str = "main",
        parent: str = "",
        subject: str = "Change",
    ) -> str:
        """Add a commit of exactly `files` on top of `parent` and let `branch` name it; return its SHA."""
        when = f"Ada Example <ada@example.com> {next(self._seconds)} +0000"
        lines = [f"commit refs/heads/{branch}\nauthor {when}\ncommitter {when}\n".encode()]
        lines += [_data(subject.encode()), f"from {parent}\n".encode() if parent else b"", b"deleteall\n"]
        for path, given in files.items():
            made = Made(content=given.encode()) if isinstance(given, str) else given
            if made.mode == "160000":
                lines.append(b"M 160000 %b %b\n" % (made.content, path.encode()))
                continue
            lines += [b"M %b inline %b\n" % (made.mode.encode(), path.encode()), _data(made.content)]
        if not parent:
            lines.insert(0, f"reset refs/heads/{branch}\n".encode())
        self.git("fast-import", "--quiet", "--force", stdin=b"".join(lines))
        return self.git("rev-parse", f"refs/heads/{branch}")

    def history(self, count: int, *, branch: str = "main", parent: str = "") -> list[str]:
        """Add `count` commits on top of `parent`, each with another `README.md`; return their SHAs."""
        made: list[str] = []
        script = [f"reset refs/heads/{branch}\n".encode()]
        for number in range(count):
            when = f"Ada Example <ada@example.com> {next(self._seconds)} +0000"
            script.append(f"commit refs/heads/{branch}\nmark :{number + 1}\ncommitter {when}\n".encode())
            script.append(_data(b"Change"))
            if number or parent:
                script.append(f"from {parent if not number else f':{number}'}\n".encode())
            script += [b"M 100644 inline README.md\n", _data(f"{branch} {number}".encode())]
        marks = self.path / "marks"
        self.git("fast-import", "--quiet", "--force", f"--export-marks={marks}", stdin=b"".join(script))
        for line in sorted(marks.read_text().splitlines(), key=lambda line: int(line.split()[0][1:])):
            made.append(line.split()[1])
        return made


def _data(content: bytes) -> bytes:
    return b"data %d\n%b\n" % (len(content), content)
