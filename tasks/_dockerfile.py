"""Dockerfiles, read without building: what a build starts from, and what it takes from its context.

It reads as BuildKit's own parser does (moby/buildkit, frontend/dockerfile): the escape directive, lines that
go on, here-documents, the JSON form, arguments before the first stage. Shell commands are not looked into.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

_DIRECTIVE = re.compile(r"#\s*([A-Za-z][A-Za-z0-9]*)\s*=\s*(.+?)\s*")
_FLAG = re.compile(r"--([a-z][a-z-]*)(?:=(\S*))?(?:\s+|$)")
_HEREDOC = re.compile(r"[0-9]*<<(-?)(['\"]?)([^<>\"'\s]+)\2")
_VARIABLE = re.compile(r"\$(?:(\w+)|\{(\w+)(?:(:?[-+])([^{}]*))?\}|(\{[^}]*\}?))")
_INSTRUCTIONS = frozenset(
    {
        *("ADD", "ARG", "CMD", "COPY", "ENTRYPOINT", "ENV", "EXPOSE", "FROM", "HEALTHCHECK", "LABEL"),
        *("MAINTAINER", "ONBUILD", "RUN", "SHELL", "STOPSIGNAL", "USER", "VOLUME", "WORKDIR"),
    }
)
_HEREDOC_WORDS = frozenset({"RUN", "COPY", "ADD"})
_URL = re.compile(r"(?:https?|git|ssh|ftp)://|git@|github\.com/", re.IGNORECASE)
SCRATCH = "scratch"


@dataclass(frozen=True, kw_only=True)
class Instruction:
    """One instruction: its word in capitals, its flags, the rest as one line; `line` and `end` are from 1."""

    word: str
    flags: tuple[tuple[str, str], ...]
    text: str
    line: int
    end: int
    documents: int = 0

    def flag(self, name: str) -> str:
        """Return the value of a flag that comes once at most; empty without it."""
        return dict(self.flags).get(name, "")

    @property
    def mounts(self) -> list[dict[str, str]]:
        """The options of each `--mount`."""
        found = (value for name, value in self.flags if name == "mount")
        return [dict(_pair(word) for word in value.split(",")) for value in found]


@dataclass(frozen=True, kw_only=True)
class BaseUse:
    """An image from elsewhere that a Dockerfile uses, as it is `written` and with arguments filled in."""

    written: str
    image: str
    line: int


@dataclass(frozen=True, kw_only=True)
class ContextUse:
    """What one instruction takes from the context: paths from its root, with wildcards."""

    word: str
    sources: tuple[str, ...]
    line: int


@dataclass(frozen=True, kw_only=True)
class Flaw:
    """Why a Dockerfile, or a part of it, cannot be read; `line` is from 1."""

    line: int
    problem: str


@dataclass(frozen=True, kw_only=True)
class Dockerfile:
    """What matters of a Dockerfile. With `flaws`, the rest of it is incomplete."""

    directives: Mapping[str, str] = field(default_factory=dict)
    instructions: tuple[Instruction, ...] = ()
    bases: tuple[BaseUse, ...] = ()
    takes: tuple[ContextUse, ...] = ()
    urls: tuple[ContextUse, ...] = ()
    flaws: tuple[Flaw, ...] = ()


class _Unreadable(ValueError):
    def __init__(self, line: int, problem: str) -> None:
        super().__init__(problem)
        self.flaw = Flaw(line=line, problem=problem)


def read_dockerfile(
    text: str, *, arguments: Mapping[str, str] | None = None, platform: str = ""
) -> Dockerfile:
    """Read a Dockerfile; `arguments` are the build's, which count before the defaults of `ARG`."""
    lines = text.removeprefix("\ufeff").replace("\r\n", "\n").split("\n")
    directives = dict(_directives(lines))
    escape = directives.get("escape", "\\")
    try:
        if escape not in ("\\", "`"):
            raise _Unreadable(1, f"{escape!r} cannot be the escape character")
        found = tuple(_instructions(lines, escape))
    except _Unreadable as error:
        return Dockerfile(directives=directives, flaws=(error.flaw,))
    reading = _Reading(given=dict(arguments or {}), platform=platform, escape=escape)
    for one in found:
        try:
            reading.read(one)
        except _Unreadable as error:
            reading.flaws.append(error.flaw)
    reading.flaws += _clashes(reading)
    if not reading.stages and not reading.flaws:
        reading.flaws.append(Flaw(line=1, problem="there is no FROM in it"))
    return Dockerfile(
        directives=directives,
        instructions=found,
        bases=tuple(reading.bases),
        takes=tuple(reading.takes),
        urls=tuple(reading.urls),
        flaws=tuple(reading.flaws),
    )


@dataclass(kw_only=True)
class _Reading:
    """The state between two instructions: which stages there are, and what variables are known where."""

    given: Mapping[str, str]
    platform: str
    escape: str
    fixed: dict[str, str] = field(default_factory=dict)
    globals: dict[str, str] = field(default_factory=dict)
    variables: dict[str, str] = field(default_factory=dict)
    stages: list[str] = field(default_factory=list)
    inherited: dict[str, dict[str, str]] = field(default_factory=dict)
    bases: list[BaseUse] = field(default_factory=list)
    takes: list[ContextUse] = field(default_factory=list)
    urls: list[ContextUse] = field(default_factory=list)
    flaws: list[Flaw] = field(default_factory=list)

    def __post_init__(self) -> None:
        system, _, rest = self.platform.partition("/")
        machine, _, variant = rest.partition("/")
        for side in ("TARGET", "BUILD") if self.platform else ():
            self.fixed |= {f"{side}PLATFORM": self.platform, f"{side}OS": system}
            self.fixed |= {f"{side}ARCH": machine, f"{side}VARIANT": variant}

    def read(self, one: Instruction) -> None:
        if not self.stages and one.word not in ("FROM", "ARG"):
            raise _Unreadable(one.line, f"{one.word} comes before the first FROM")
        handlers = {"FROM": self._from, "ARG": self._arg, "ENV": self._env, "RUN": self._run}
        handlers |= {"COPY": self._copy, "ADD": self._copy}
        if one.word in handlers:
            handlers[one.word](one)

    def _from(self, one: Instruction) -> None:
        words = one.text.split()
        if len(words) != 1 and not (len(words) == 3 and words[1].upper() == "AS"):
            raise _Unreadable(one.line, "FROM is to be followed by an image, and AS and a name if need be")
        image = self._filled(words[0], {**self.fixed, **self.globals}, one.line)
        if not image:
            raise _Unreadable(one.line, f"the base {words[0]} is empty, for its argument has no value")
        if image.lower() not in self.inherited:
            self._base(words[0], image, one.line)
        self.variables = dict(self.inherited.get(image.lower(), {}))
        self.stages.append(words[2].lower() if len(words) == 3 else "")
        if len(words) == 3:
            self.inherited[words[2].lower()] = self.variables

    def _arg(self, one: Instruction) -> None:
        for word in shell_words(one.text, self.escape):
            name, equals, default = word.partition("=")
            known = self.variables if self.stages else {**self.fixed, **self.globals}
            value = self._filled(unquoted(default), known, one.line) if equals else None
            value = self.given.get(name, value if equals else self.globals.get(name, self.fixed.get(name)))
            target = self.variables if self.stages else self.globals
            if value is not None:
                target[name] = value

    def _env(self, one: Instruction) -> None:
        words = shell_words(one.text, self.escape)
        pairs = [word.partition("=") for word in words]
        if words and "=" not in words[0]:
            pairs = [(words[0], "=", one.text.partition(words[0])[2].strip())]
        for name, _, value in pairs:
            try:
                self.variables[name] = self._filled(unquoted(value), self.variables, one.line)
            except _Unreadable:
                self.variables.pop(name, None)

    def _copy(self, one: Instruction) -> None:
        source = one.flag("from")
        if source:
            self._from_elsewhere(source, one)
            return
        words = _words_of(one, self.escape)
        if len(words) < 2:
            raise _Unreadable(one.line, f"{one.word} is to be followed by what is taken and where it goes")
        plain = [unquoted(word) for word in words[:-1] if not _HEREDOC.fullmatch(word)]
        filled = [
            word if _URL.match(word) else self._filled(word, self.variables, one.line) for word in plain
        ]
        urls = tuple(word for word in filled if one.word == "ADD" and _URL.match(word))
        paths = tuple(_from_root(word) for word in filled if word not in urls)
        if urls:
            self.urls.append(ContextUse(word=one.word, sources=urls, line=one.line))
        if paths:
            self.takes.append(ContextUse(word=one.word, sources=paths, line=one.line))

    def _run(self, one: Instruction) -> None:
        for mount in one.mounts:
            if mount.get("type", "bind") not in ("bind", "cache"):
                continue
            source = mount.get("from", "")
            if source:
                self._from_elsewhere(source, one)
            elif mount.get("type", "bind") == "bind":
                path = _from_root(mount.get("source", mount.get("src", "")))
                if path != ".":
                    self.takes.append(ContextUse(word="RUN --mount", sources=(path,), line=one.line))

    def _from_elsewhere(self, source: str, one: Instruction) -> None:
        """Note a base where `source` is neither the name nor the number of a stage."""
        if "$" in source:
            raise _Unreadable(one.line, f"`from={source}` cannot have a variable in it")
        numbered = source.isdecimal() and int(source) < len(self.stages)
        if not numbered and source.lower() not in self.inherited:
            self._base(source, source, one.line)

    def _base(self, written: str, image: str, line: int) -> None:
        if image != SCRATCH:
            self.bases.append(BaseUse(written=written, image=image, line=line))

    def _filled(self, text: str, known: Mapping[str, str], line: int) -> str:
        def value(found: re.Match[str]) -> str:
            plain, braced, operator, alternative, strange = found.groups()
            name = plain or braced
            if strange is not None:
                raise _Unreadable(line, f"`${strange}` is of a form that is not understood here")
            have = name in known and (operator in (None, "-", "+") or bool(known[name]))
            if operator and operator.endswith("+"):
                return self._filled(alternative, known, line) if have else ""
            if operator and not have:
                return self._filled(alternative, known, line)
            if not have and self.stages and known is self.variables:
                raise _Unreadable(line, f"`{found[0]}` has no value that could be known before the build")
            return known.get(name, "")

        return _VARIABLE.sub(value, text)


def _clashes(reading: _Reading) -> list[Flaw]:
    """Find stages that are called as an image is: what such a name means depends on where it stands."""
    return [
        Flaw(line=base.line, problem=f"{base.written} is an image here, and the name of a stage, too")
        for base in reading.bases
        if base.written.lower() in reading.inherited
    ]


def _directives(lines: Sequence[str]) -> Iterator[tuple[str, str]]:
    for line in lines:
        found = _DIRECTIVE.fullmatch(line.strip())
        if found is None:
            return
        yield found[1].lower(), found[2]


def _instructions(lines: Sequence[str], escape: str) -> Iterator[Instruction]:
    goes_on = re.compile(rf"{re.escape(escape)}[ \t]*$")
    number = 0
    while number < len(lines):
        if _is_passed_over(lines[number]):
            number += 1
            continue
        first = number
        parts: list[str] = []
        while number < len(lines):
            line, number = lines[number], number + 1
            if _is_passed_over(line) and parts:
                continue
            parts.append(goes_on.sub("", line))
            if not goes_on.search(line):
                break
        one = _instruction("".join(parts).strip(), first + 1, escape)
        documents = _heredocs(one, escape)
        for dashed, name in documents:
            number = _end_of_heredoc(lines, number, name, dashed=dashed, goes_on=goes_on, first=first + 1)
        yield Instruction(
            word=one.word,
            flags=one.flags,
            text=one.text,
            line=one.line,
            end=number,
            documents=len(documents),
        )


def _is_passed_over(line: str) -> bool:
    return not line.strip() or line.lstrip().startswith("#")


def _instruction(text: str, line: int, escape: str) -> Instruction:
    word, _, rest = text.partition(" ") if " " in text else text.partition("\t")
    word, _, tabbed = word.partition("\t")
    rest = f"{tabbed} {rest}".strip()
    if word.upper() not in _INSTRUCTIONS:
        raise _Unreadable(line, f"{word!r} is no instruction")
    if not rest:
        raise _Unreadable(line, f"{word.upper()} says nothing")
    flags = []
    while found := _FLAG.match(rest):
        flags.append((found[1], unquoted(found[2] or "")))
        rest = rest[found.end() :]
    return Instruction(word=word.upper(), flags=tuple(flags), text=rest.strip(), line=line, end=line)


def _heredocs(one: Instruction, escape: str) -> list[tuple[bool, str]]:
    """Return the here-documents that follow an instruction, each with whether tabs are taken off."""
    if one.word not in _HEREDOC_WORDS or _json_words(one.text) is not None:
        return []
    found = (_HEREDOC.fullmatch(word) for word in shell_words(one.text, escape))
    return [(bool(match[1]), match[3]) for match in found if match]


def _end_of_heredoc(
    lines: Sequence[str], number: int, name: str, *, dashed: bool, goes_on: re.Pattern[str], first: int
) -> int:
    """Return the number of the line after a here-document.

    Engines that know none take its lines for instructions, and must come upon its end as something that is
    none: else the two of us would read different Dockerfiles.
    """
    if name.upper() in _INSTRUCTIONS:
        raise _Unreadable(first, f"a here-document cannot be called {name}")
    for index in range(number, len(lines)):
        line = lines[index].lstrip("\t") if dashed else lines[index]
        if line == name:
            if index > number and goes_on.search(lines[index - 1]):
                raise _Unreadable(index, "the last line of a here-document cannot go on")
            return index + 1
    raise _Unreadable(first, f"the here-document {name} has no end")


def shell_words(text: str, escape: str = "\\") -> list[str]:
    """Split at blanks that are neither quoted nor escaped; quotes and escapes stay."""
    words, word, quote, skip = [], "", "", False
    for char in text:
        if skip:
            word, skip = word + char, False
        elif char == escape and quote != "'":
            word, skip = word + char, True
        elif quote:
            word, quote = word + char, "" if char == quote else quote
        elif char in "'\"":
            word, quote = word + char, char
        elif char in " \t":
            words += [word] if word else []
            word = ""
        else:
            word += char
    return [*words, *([word] if word else [])]


def unquoted(word: str) -> str:
    """Return a word without the quotes around it or its parts, and without its escapes."""
    return re.sub(r"\\(.)|[\"']", lambda found: found[1] or "", word)


def _words_of(one: Instruction, escape: str) -> list[str]:
    found = _json_words(one.text)
    return shell_words(one.text, escape) if found is None else found


def _json_words(text: str) -> list[str] | None:
    if not text.startswith("["):
        return None
    try:
        words = json.loads(text)
    except ValueError:
        return None
    return words if isinstance(words, list) and all(isinstance(word, str) for word in words) else None


def _pair(word: str) -> tuple[str, str]:
    name, _, value = word.partition("=")
    return name.strip().lower(), unquoted(value.strip())


def _from_root(path: str) -> str:
    """Return a path of the context in its plain form: from its root, without `.` and `..`."""
    parts: list[str] = []
    for part in path.split("/"):
        if part == "..":
            parts = parts[:-1]
        elif part not in ("", "."):
            parts.append(part)
    return "/".join(parts) or "."
