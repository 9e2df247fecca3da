"""Read a TOML file into a record, or say everything that is wrong with it at once, in plain words.

Each finding has its place as `file:line path`, where the path is the one in the file: `stage[1].domain`.
"""

from __future__ import annotations

import difflib
import json
import re
import sys
import typing
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import date, datetime, time
from typing import Any, TypeAlias, TypeVar

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from tasks._described import descriptions
from tasks._types import Finding, Record

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib  # type: ignore[import-not-found]

MAX_BYTES = 256 * 1024
Path: TypeAlias = tuple["int | str", ...]
R = TypeVar("R", bound=Record)

_KEY = r"""(?:[A-Za-z0-9_-]+|"[^"]*"|'[^']*')"""
_HEADER = re.compile(rf"\s*(\[\[?)\s*({_KEY}(?:\s*\.\s*{_KEY})*)\s*\]")
_ENTRY = re.compile(rf"\s*({_KEY}(?:\s*\.\s*{_KEY})*)\s*=")
_KINDS = {
    bool: "true or false",
    int: "a whole number",
    float: "a number",
    str: "a text",
    list: "a list",
    dict: "a table",
}
_WANTED = {
    "string": "a text in quotes",
    "int": "a whole number",
    "float": "a number",
    "bool": "true or false",
    "list": "a list in square brackets",
    "dict": "a table",
    "model": "a table",
}


@dataclass(frozen=True, kw_only=True)
class Invalid:
    """A file that is not what it should be, and all that is wrong with it."""

    findings: list[Finding]


@dataclass(frozen=True, kw_only=True)
class Document:
    """A parsed file: its data, and where in the text each of its paths stands."""

    name: str
    data: dict[str, Any]
    lines: Mapping[Path, int] = field(default_factory=dict)

    def place(self, path: Path) -> str:
        """Return `file:line path`; the line is that of the nearest table that stands in the text."""
        known = next((self.lines[path[:n]] for n in range(len(path), 0, -1) if path[:n] in self.lines), 0)
        return f"{self.name}{f':{known}' if known else ''} {shown(path)}".rstrip()


def parse(content: bytes, name: str) -> Document | Invalid:
    """Parse TOML; a file that cannot be is one finding, with its line."""

    def invalid(problem: str, remedy: str, line: str = "") -> Invalid:
        return Invalid(findings=[Finding(where=name + line, problem=problem, remedy=remedy)])

    if len(content) > MAX_BYTES:
        return invalid(f"It is larger than {MAX_BYTES // 1024} KiB.", "Take out what is not policy.")
    try:
        text = content.decode()
        data = tomllib.loads(text)
    except UnicodeDecodeError as error:
        return invalid(f"It is not UTF-8 at byte {error.start}.", "Save it as UTF-8.")
    except tomllib.TOMLDecodeError as error:
        line = re.search(r"\(at line ([0-9]+)", str(error))
        return invalid(
            f"It is not TOML: {error}.", "Correct the syntax there.", f":{line[1]}" if line else ""
        )
    except RecursionError:
        return invalid("It is nested too deeply.", "Write it without deep nesting.")
    return Document(name=name, data=data, lines=dict(_lines(text)))


def validate(document: Document, model: type[R]) -> R | Invalid:
    """Make `model` of a document, or list every way in which it is none."""
    try:
        return model.model_validate_json(json.dumps(document.data, default=_iso), strict=True)
    except ValidationError as error:
        return Invalid(findings=[_finding(document, model, one) for one in error.errors()])


def shown(path: Path) -> str:
    """Write a path as people do: `stage[1].domain`; a key that is not a plain word in quotes."""
    words = ""
    for part in path:
        if isinstance(part, int):
            words += f"[{part}]"
        else:
            words += ("." if words else "") + (
                part if re.fullmatch(r"[A-Za-z0-9_-]+", part) else json.dumps(part)
            )
    return words


def _finding(document: Document, model: type[BaseModel], error: ErrorDetails) -> Finding:
    path: Path = tuple(part for part in error["loc"] if part != "[key]")
    problem, remedy = _words(model, path, error)
    return Finding(where=document.place(path), problem=problem, remedy=remedy)


def _words(model: type[BaseModel], path: Path, error: ErrorDetails) -> tuple[str, str]:
    kind, context, name = error["type"], error.get("ctx", {}), str(path[-1]) if path else "the file"
    if kind == "missing":
        return f"`{name}` is missing.", f"Add it. {_about(model, path)}".rstrip()
    if kind == "extra_forbidden":
        known = _names(model, path[:-1])
        close = difflib.get_close_matches(name, known, n=1)
        hint = f"Did you mean `{close[0]}`?" if close else f"Known here: {', '.join(sorted(known))}."
        return f"`{name}` is not known here.", hint if known else "Take it out."
    if kind == "value_error":
        said = str(context["error"])
        return f"{said}.", "Write it in that form." if " is not " in said else "Correct it."
    wanted = _WANTED.get(kind.partition("_")[0])
    if kind.endswith(("_type", "_from_float")) and wanted:
        return f"It is {_KINDS.get(type(error['input']), 'of another kind')}.", f"Make it {wanted}."
    if kind in ("too_short", "string_too_short"):
        return f"`{name}` is empty.", f"Give it at least {context['min_length']}."
    if kind == "too_long":
        return f"`{name}` has more than {context['max_length']} entries.", "Keep those that are needed."
    return f"{error['msg']}.", "Correct the value."


def _model(annotation: Any) -> type[BaseModel] | None:
    """Return the record inside an annotation such as `list[Stage]`, if there is one."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    return next(filter(None, map(_model, typing.get_args(annotation))), None)


def _names(model: type[BaseModel], path: Path) -> list[str]:
    """Return the keys that the record at `path` has."""
    at = _at(model, path)
    return list(at.model_fields) if at else []


def _about(model: type[BaseModel], path: Path) -> str:
    """Return the description of the field at `path`."""
    at = _at(model, path[:-1])
    about = descriptions(at).get(str(path[-1]), "") if at else ""
    return " ".join(about.split())


def _at(model: type[BaseModel], path: Path) -> type[BaseModel] | None:
    at: type[BaseModel] | None = model
    for part in path:
        if at is not None and part in at.model_fields:
            at = _model(at.model_fields[str(part)].annotation)
    return at


def _iso(value: object) -> str:
    if isinstance(value, (datetime, date, time)):
        return value.isoformat()
    raise TypeError(f"TOML has no {type(value).__name__}")


def _lines(text: str) -> Iterator[tuple[Path, int]]:
    """Yield the path of every table and entry with its line, the last one first.

    It looks at the beginnings of lines only, which is enough to point at a place.
    """
    table: Path = ()
    counts: dict[Path, int] = {}
    found: list[tuple[Path, int]] = []
    for number, line in enumerate(text.splitlines(), start=1):
        if header := _HEADER.match(line):
            table = _resolved(_split(header[2]), counts, counted=header[1] == "[[")
            found.append((table, number))
        elif entry := _ENTRY.match(line):
            found.append((table + _split(entry[1]), number))
    yield from reversed(found)


def _resolved(keys: Path, counts: dict[Path, int], *, counted: bool) -> Path:
    """Put the indices of the innermost arrays into a header's path; `counts` holds their lengths."""
    path: Path = ()
    for last, key in ((i == len(keys) - 1, key) for i, key in enumerate(keys)):
        path += (key,)
        if last and counted:
            counts[path] = counts.get(path, 0) + 1
        if path in counts:
            path += (counts[path] - 1,)
    return path


def _split(keys: str) -> Path:
    return tuple(key.strip("\"'") for key in re.findall(_KEY, keys))
