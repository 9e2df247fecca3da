"""Every kind of value that a release workflow passes around."""
# flytekit demands a textual return, and its calls are untyped.
# mypy: disable-error-code="no-any-return, unreachable"

import enum
import pathlib
from dataclasses import dataclass, field
from datetime import datetime, timedelta, timezone

from flytekit import task, workflow
from flytekit.types.directory import FlyteDirectory
from flytekit.types.file import FlyteFile


class Level(enum.Enum):
    LOW = "low"
    HIGH = "high"


@dataclass(frozen=True)
class Point:
    x: int
    names: list[str] = field(default_factory=list)
    level: str | None = None


@task
def make(
    level: Level, when: datetime, wait: timedelta, note: str | None = None
) -> tuple[Point, FlyteFile, FlyteDirectory, dict[str, int], int | str]:
    pathlib.Path("out.txt").write_text(f"{level} {when} {wait} {note}")
    folder = pathlib.Path("folder")
    folder.mkdir()
    (folder / "a.txt").write_text("a")
    return (
        Point(x=1, names=["a"], level=level.value),
        FlyteFile("out.txt"),
        FlyteDirectory("folder"),
        {"a": 1},
        "text",
    )


@task
def use(p: Point, f: FlyteFile, d: FlyteDirectory, m: dict[str, int], u: int | str) -> str:
    names = sorted(path.name for path in pathlib.Path(d.download()).iterdir())
    return f"{p} {pathlib.Path(f.download()).read_text()} {names} {m} {u}"


@workflow
def main(
    level: Level = Level.HIGH,
    when: datetime = datetime(2026, 1, 2, tzinfo=timezone.utc),
    wait: timedelta = timedelta(minutes=1),
    note: str | None = None,
) -> str:
    p, f, d, m, u = make(level=level, when=when, wait=wait, note=note)
    return use(p=p, f=f, d=d, m=m, u=u)
