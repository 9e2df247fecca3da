"""What a packaging left behind, judged: the entities of a revision, or the reason why there are none.

The pod that packages runs strangers' code, so nothing that it leaves is believed: the archive is checked,
its digest is made anew, and admission looks at every entity afterwards.
"""

from __future__ import annotations

import enum
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from flyteidl.admin.task_pb2 import TaskSpec
from pydantic import TypeAdapter

from tasks import _package_program as program
from tasks._entities import Entity
from tasks._pods import command_lines
from tasks._protos import BadArchive, digest, read_archive
from tasks._types import Finding, Status, Verdict

CODE_LOCATION = "{{ .remote_package_path }}"
"""Where a task's arguments name the code bundle; registration puts the bundle's URI there."""
_FINDINGS = TypeAdapter(list[Finding])
_FAST_EXECUTE = "pyflyte-fast-execute"
_TRACEBACK = "Traceback (most recent call last)"
_LONGEST_WORDS, _WORDS_LINES = 3000, 25
_NO_MODULE = re.compile(r"ModuleNotFoundError: No module named '([^']+)'")
_FRAMED = re.compile(r"│ (.*) │$")
_PATH = re.compile(r" ?/\S*$")
_PLACE = re.compile(r":[0-9]+$")
_CODE_FOLDER = re.compile(r"/\S*?/taxiway-[^/\s]+/code(/|\b)")
_IMAGE_SPEC = re.compile(r"flytekit/image_spec/|ImageSpec")
_IMAGE_SPEC_ASSUMED = re.compile(
    r"^(Flytekit assumes the image .* already exists|Image \S+ (not )?found\.)", re.MULTILINE
)


class PackageStatus(enum.IntEnum):
    """How a packaging ended. From 0 on it is the pod's own word; below it, no pod was started."""

    NOT_STARTED = -1
    IMAGE_FAILED = -2
    IMAGE_UNFIT = -3
    PACKAGED = program.PACKAGED
    FLYTEKIT_MISSING = program.FLYTEKIT_MISSING
    RAISED = program.RAISED
    NO_ENTITIES = program.NO_ENTITIES
    TIMED_OUT = program.TIMED_OUT
    EXITED = program.EXITED
    KILLED = program.KILLED
    TOO_LARGE = program.TOO_LARGE
    BROKEN = program.BROKEN


@dataclass(frozen=True, kw_only=True)
class Package:
    """Everything serialised from a revision, without project, domain and version.

    `entities` are sorted by kind and name; `digest` is the same for the same revision and image, whenever
    and wherever it was packaged. Both are empty where the verdict is not passed.
    """

    verdict: Verdict
    entities: list[Entity] = field(default_factory=list)
    digest: str = ""


def read_package(archive: Path, *, status: int, log: str, image: str, destination: str) -> Package:
    """Judge what a packaging left in `archive`, its `status` and its `log`."""
    outcome = next((one for one in PackageStatus if one == status), PackageStatus.BROKEN)
    if outcome is PackageStatus.NOT_STARTED:
        skipped = Verdict(status=Status.SKIPPED, summary="not packaged, for an earlier step did not pass")
        return Package(verdict=skipped)
    if outcome is PackageStatus.IMAGE_UNFIT:
        return _failed(_FINDINGS.validate_json(log))
    if outcome is not PackageStatus.PACKAGED:
        return _failed([refusal(outcome, log, image)])
    if _IMAGE_SPEC_ASSUMED.search(log):
        return _failed([_image_spec(log)])
    try:
        entities = read_archive(archive)
    except BadArchive as error:
        return _failed([_unreadable(error)])
    if not entities:
        return _failed([refusal(PackageStatus.NO_ENTITIES, log, image)])
    if astray := list(_astray(entities, destination)):
        return _failed(astray)
    summary = f"{len(entities)} entities packaged"
    return Package(
        verdict=Verdict(status=Status.PASSED, summary=summary), entities=entities, digest=digest(entities)
    )


def written(findings: Sequence[Finding]) -> str:
    """Return findings about an image as the log of a packaging that was not begun."""
    return _FINDINGS.dump_json(list(findings)).decode()


def refusal(outcome: PackageStatus, log: str, image: str) -> Finding:
    """Return the one finding about a packaging that gave no package; it ends with the target's last words."""
    if outcome is PackageStatus.RAISED and _IMAGE_SPEC.search(log):
        return _image_spec(log)
    where, problem, remedy = _REFUSALS[outcome]
    if outcome is PackageStatus.RAISED and (module := _NO_MODULE.search(log)):
        problem = f"The module {module[1]} is not in the image, nor in the code."
        remedy = (
            f"If {module[1]} is a dependency, add it to a file of `image.dependencies`; if it is the "
            "repository's own, see that `package.source` is the folder that it is imported from."
        )
    words = last_words(log)
    return Finding(where=where, problem=f"{problem.format(image=image)}\n{words}".rstrip(), remedy=remedy)


def last_words(log: str) -> str:
    """Return the end of a log as plain text: the target's own traceback, if there is one.

    The frames of rich tracebacks, terminal codes and the folder that the code lay in are taken out.
    """
    text = re.sub(r"\x1b\[[0-9;]*[A-Za-z]", "", log)
    lines = [_plain(line) for line in _unwrapped(text.splitlines())]
    lines = [_CODE_FOLDER.sub(lambda found: "" if found[1] else ".", line) for line in lines if line]
    starts = [i for i, line in enumerate(lines) if _TRACEBACK in line]
    kept = lines[starts[-1] :] if starts else lines
    return "\n".join(kept[-_WORDS_LINES:]).strip()[-_LONGEST_WORDS:]


def _unwrapped(lines: list[str]) -> Iterator[str]:
    """Put the paths together that a frame was too narrow for; what is not framed was not wrapped.

    Such a path fills its line up to the frame, and has no place in it yet.
    """
    path = ""
    for line in lines:
        framed = _FRAMED.match(line.rstrip())
        path += framed[1] if framed else line
        if framed and _PATH.match(path) and not _PLACE.search(path):
            continue
        yield path
        path = ""
    yield path


def _plain(line: str) -> str:
    line = re.sub(r"^[│╭╰][ ─]?|[ ─]*[│╮╯]$", "", line.rstrip())
    return "".join(c for c in line if c.isprintable()).strip("─").rstrip()


_IMPORTED = "Run `pyflyte package` on the same code in the same image, and correct what it says."
_REFUSALS: dict[PackageStatus, tuple[str, str, str]] = {
    PackageStatus.IMAGE_FAILED: (
        "image",
        "The image could not be had.",
        "Correct the files that `image` lists, or its `repository`.",
    ),
    PackageStatus.FLYTEKIT_MISSING: (
        "image.dependencies",
        "flytekit is not installed in {image}: there is no `pyflyte` on its PATH.",
        "Add flytekit to a file that `image.dependencies` lists.",
    ),
    PackageStatus.RAISED: ("package.modules", "The code could not be imported and serialised.", _IMPORTED),
    PackageStatus.NO_ENTITIES: (
        "package.modules",
        "No task, workflow or launch plan was found in these modules.",
        "Name the modules that define them in `package.modules`, and see what they import.",
    ),
    PackageStatus.TIMED_OUT: (
        "package.modules",
        "Importing and serialising the code took longer than it may.",
        "Move work out of modules into tasks, or raise TAXIWAY_PACKAGE_TIMEOUT_S.",
    ),
    PackageStatus.EXITED: (
        "package.modules",
        "The code ended the process while it was imported, by `sys.exit` or something like it.",
        "Put what is meant for the command line below `if __name__ == '__main__':`.",
    ),
    PackageStatus.KILLED: (
        "package.modules",
        "The packaging was killed: it crashed, ran out of memory or had too many processes.",
        "See what the code does while it is imported; start no processes there.",
    ),
    PackageStatus.TOO_LARGE: (
        "package.modules",
        "The package is larger than it may be.",
        "Keep large values out of the code's entities: pass them as files.",
    ),
    PackageStatus.BROKEN: (
        "package",
        "The packaging did not get as far as the code.",
        "See the log of this step; the image needs a working Python and a folder for temporary files.",
    ),
}


def _failed(findings: list[Finding]) -> Package:
    summary = findings[0].problem.splitlines()[0]
    return Package(verdict=Verdict(status=Status.FAILED, summary=summary, findings=findings))


def _image_spec(log: str) -> Finding:
    return Finding(
        where="package.modules",
        problem=f"The code asks flytekit to build images (ImageSpec).\n{last_words(log)}".rstrip(),
        remedy="Leave `container_image` out, so that tasks get the target's image, and list what the image "
        "needs in `image.dependencies`; building from ImageSpec is not supported yet.",
    )


def _unreadable(error: BadArchive) -> Finding:
    return Finding(
        where="package",
        problem=f"What `pyflyte package` wrote cannot be used: {error}.",
        remedy="See that no module changes flytekit or its output while it is imported.",
    )


def _astray(entities: list[Entity], destination: str) -> Iterator[Finding]:
    """Yield the tasks that would not unpack their code in `destination`, or would fetch other code."""
    tasks = [(entity, entity.message) for entity in entities if isinstance(entity.message, TaskSpec)]
    for entity, spec in tasks:
        for words in command_lines(spec.template):
            if _FAST_EXECUTE not in words[:1]:
                continue
            own = words[: words.index("--")] if "--" in words else words
            if own[1:] == ["--additional-distribution", CODE_LOCATION, "--dest-dir", destination]:
                continue
            yield Finding(
                where=f"{entity}: args",
                problem=f"It does not fetch the code into {destination}: {' '.join(own)}",
                remedy="Leave the command of tasks to flytekit.",
            )
