"""A folder that stands for a container's file system, for processes that have only the machine's.

An absolute path of the container's is the same path below this folder: `/root`, which is the working
directory, lies at `<attempt>/rootfs/root`. Only paths that pass through the sandbox are translated: the
`--dest-dir` of flytekit's entrypoint and a raw container's data paths in words and values.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

WORKING_DIRECTORY, HOME, TMP, SECRETS = "/root", "/home", "/tmp", "/etc/flyte/secrets"  # noqa: S108
_NAME = "rootfs"


@dataclass(frozen=True, kw_only=True)
class Rootfs:
    """The file system of one attempt, below the attempt's own folder.

    `mounted` says that its folders appear in a real container, under the container's own paths.
    """

    attempt: Path
    mounted: bool = False

    def make(self) -> None:
        """Make the folders that every container has."""
        for path in (WORKING_DIRECTORY, HOME, TMP):
            self.at(path).mkdir(parents=True, exist_ok=True)

    def at(self, path: str) -> Path:
        """Return where an absolute path of the container's lies."""
        return self.attempt / _NAME / PurePosixPath(path).relative_to("/")

    def seen(self, path: str) -> str:
        """Return the path under which the attempt's processes find an absolute path of the container's."""
        return path if self.mounted else str(self.at(path))

    def inside(self, path: str) -> str:
        """Return what the container calls `path`, if it lies in the file system of this or a sibling attempt.

        A dynamic task writes the destination directory that it was given into its children's commands.
        """
        _, mark, rest = path.rpartition(f"/{_NAME}/")
        return f"/{rest}" if mark and path.startswith(f"{self.attempt.parent}/") else path

    def destination(self, words: Sequence[str]) -> tuple[list[str], Path | None]:
        """Translate the `--dest-dir` of `pyflyte-fast-execute`, and return the words and that directory.

        A relative one is left to the working directory; None stands for that.
        """
        words = list(words)
        if not any(PurePosixPath(word).name == "pyflyte-fast-execute" for word in words):
            return words, None
        own = words.index("--") if "--" in words else len(words)
        for i, word in enumerate(words[:own]):
            option, equals, value = word.partition("=")
            if option != "--dest-dir" or (not equals and i + 1 >= own):
                continue
            path = self.inside(value if equals else words[i + 1])
            if not path.startswith("/"):
                return words, None
            target = self.at(path)
            words[i : i + (1 if equals else 2)] = ["--dest-dir", str(target)]
            return words, target
        return words, None


def translate(text: str, paths: Mapping[str, Path]) -> str:
    """Put the real path in wherever `text` names one of the container's `paths` or something below it."""
    for path, target in paths.items():
        text = re.sub(rf"(?<![\w./-]){re.escape(path)}(?![\w-])", lambda _, at=target: str(at), text)  # type: ignore[misc]
    return text
