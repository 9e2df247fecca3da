"""Code bundle and fingerprint of a repository of 20,000 files against `git archive` of the same tree.

The repository is fetched before; compared is what follows. Ours: list the tree, check names, links and
sizes, write the tar.gz with its digests, and fingerprint the image's inputs. Peers: `git archive` as it is
asked for a tar.gz, and, though ours has more to do, for a bare tar. Rounds alternate.

Figures: `ours_s`, `git_archive_targz_s` and `git_archive_tar_s` are what each took; `ratio` is ours as a
multiple of the tar.gz's (goal: at most 2), `ratio_to_bare_tar` of the bare tar's; `files` is how many.
"""

from __future__ import annotations

import os
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from tasks._git_credentials import Credentials
from tasks._settings import Settings
from tasks._types import Revision
from tasks.bundle import examine, make_bundle
from tasks.plan import find_inputs, fingerprint_of, ingredients_of
from tasks.policy import ImagePolicy
from tasks.source import Source, fetch
from tests.repositories import Repository

FILES, FOLDERS = 20_000, 400
_POLICY = ImagePolicy(repository="registry.example.com/bench", dependencies=["requirements.lock"])


def run(rounds: int) -> dict[str, float]:
    """Measure so many rounds; return the medians in seconds and our time as a multiple of each peer's."""
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        source = _fetched(folder)
        ours: list[float] = []
        targz: list[float] = []
        tar: list[float] = []
        for _ in range(rounds):
            ours.append(_timed(lambda: _bundle_and_fingerprint(source, folder)))
            targz.append(_timed(lambda: _archive(source, "tar.gz", folder)))
            tar.append(_timed(lambda: _archive(source, "tar", folder)))
    medians = {
        "ours_s": statistics.median(ours),
        "git_archive_targz_s": statistics.median(targz),
        "git_archive_tar_s": statistics.median(tar),
    }
    return {
        **medians,
        "ratio": medians["ours_s"] / medians["git_archive_targz_s"],
        "ratio_to_bare_tar": medians["ours_s"] / medians["git_archive_tar_s"],
        "files": FILES,
    }


def _fetched(folder: Path) -> Source:
    repository = Repository.create(folder / "bench.git")
    files = {"requirements.lock": "flytekit==1.16.31\n", "Dockerfile": "FROM scratch\n"}
    for number in range(FILES - len(files)):
        lines = (
            f"def step_{number}_{line}(rows: int) -> int:\n    return rows * {number + line}\n"
            for line in range(40)
        )
        files[f"src/part_{number % FOLDERS}/module_{number}.py"] = "\n\n".join(lines)
    sha = repository.commit(dict(files))
    return fetch(
        Revision(repository=repository.url, sha=sha),
        base_branch="main",
        into=folder / "work",
        settings=Settings(allow_file_urls=True),
        credentials=Credentials(),
        environ={"PATH": os.environ["PATH"]},
    )


def _bundle_and_fingerprint(source: Source, folder: Path) -> None:
    sha = source.revision.sha
    contents = examine(source, at=sha, under=".", limit=0)
    bundle = make_bundle(source, contents, into=folder)
    if bundle.entries != FILES:
        raise AssertionError(f"the bundle holds {bundle.entries} of {FILES} files")
    inputs = find_inputs(source, _POLICY, at=sha)
    fingerprint_of(ingredients_of(inputs.files, _POLICY, {}))


def _archive(source: Source, kind: str, folder: Path) -> None:
    output = folder / f"peer.{kind}"
    source.repository.git("archive", f"--format={kind}", "--output", str(output), source.revision.sha)


def _timed(do: Callable[[], None]) -> float:
    started = time.perf_counter()
    do()
    return time.perf_counter() - started
