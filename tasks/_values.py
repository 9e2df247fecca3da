"""The grammar of single values in a policy or an enrolment, each with its pattern and its plain words.

A `Shape` goes into a field's `Annotated`: it refuses a text in words for people, and puts its pattern into
the JSON Schema, so that an editor refuses the same.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Annotated, Any

from pydantic import AfterValidator, GetCoreSchemaHandler, GetJsonSchemaHandler
from pydantic_core import CoreSchema, core_schema


@dataclass(frozen=True)
class Shape:
    """What a text has to look like: `pattern` over the whole of it, `wanted` in words with an example."""

    pattern: str
    wanted: str

    def check(self, value: str) -> str:
        """Return `value` if it has this shape.

        Raises:
            ValueError: it has not.
        """
        if not re.fullmatch(self.pattern, value):
            raise ValueError(f"{value!r} is not {self.wanted}")
        return value

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        return core_schema.no_info_after_validator_function(self.check, handler(source))

    def __get_pydantic_json_schema__(
        self, schema: CoreSchema, handler: GetJsonSchemaHandler
    ) -> dict[str, Any]:
        return {**handler(schema), "pattern": f"^(?:{self.pattern})$"}


class TableSchema:
    """On a dict's annotation: says the shape of its keys as `propertyNames`, not as `patternProperties`.

    flytekit reads `additionalProperties` alone when it guesses a type from a schema (`guess_python_type`),
    and only where it is a filled object.
    """

    def __get_pydantic_json_schema__(
        self, schema: CoreSchema, handler: GetJsonSchemaHandler
    ) -> dict[str, Any]:
        table: dict[str, Any] = {**handler(schema)}
        [(keys, values)] = table.pop("patternProperties").items()
        anything = "JsonValue" in values.get("$ref", "")
        values = {"description": "any value of TOML"} if anything else values
        return {**table, "propertyNames": {"pattern": keys}, "additionalProperties": values}


_NAME = r"[A-Za-z_][A-Za-z0-9_]*"
_DNS = r"[a-z0-9](?:[-a-z0-9]*[a-z0-9])?"
_SUBDOMAIN = rf"{_DNS}(?:\.{_DNS})*"
_LABEL = r"[A-Za-z0-9](?:[-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?"
_HOST = r"[A-Za-z0-9](?:[-A-Za-z0-9.]*[A-Za-z0-9])?(?::[0-9]+)?"
_PATH_PART = r"[a-z0-9]+(?:(?:[._]|__|-+)[a-z0-9]+)*"
_DAY = r"(?:Mon|Tue|Wed|Thu|Fri|Sat|Sun)"
_CLOCK = r"(?:(?:[01][0-9]|2[0-3]):[0-5][0-9]|24:00)"
_DURATION = Shape(r"(?:[0-9]{1,6}[dhms])+", "a duration such as `10m`, `24h` or `1h30m`")
_SECONDS = {"d": 86400, "h": 3600, "m": 60, "s": 1}

ModuleName = Annotated[str, Shape(rf"{_NAME}(?:\.{_NAME})*", "a Python module such as `fraud.workflows`")]
TargetName = Annotated[
    str, Shape(rf"(?=.{{1,63}}$){_DNS}", "a name of at most 63 lower-case letters, digits and dashes")
]
ProjectName = Annotated[str, Shape(rf"(?=.{{1,63}}$){_DNS}", "the id of a Flyte project such as `fraud`")]
DomainName = Annotated[str, Shape(rf"(?=.{{1,63}}$){_DNS}", "a Flyte domain such as `development`")]
EntityName = Annotated[
    str, Shape(r"[^\s:/]{1,255}", "a launch plan's full name such as `fraud.workflows.train`")
]
VariableName = Annotated[str, Shape(_NAME, "the name of an input or output such as `accuracy`")]
ServiceAccount = Annotated[
    str, Shape(rf"|(?=.{{1,253}}$){_SUBDOMAIN}", "a Kubernetes service account such as `fraud-prod`")
]
ImageRepository = Annotated[
    str,
    Shape(
        rf"(?=.{{1,255}}$){_HOST}(?:/{_PATH_PART})+",
        "an image repository with its registry, without tag or digest: `registry.example.com/fraud`",
    ),
]
Platform = Annotated[str, Shape(r"linux/[a-z0-9]+(?:/v[0-9]+)?", "a platform such as `linux/amd64`")]
SecretName = Annotated[
    str,
    Shape(
        r"[A-Za-z0-9][-A-Za-z0-9_.]*(?:/[A-Za-z0-9][-A-Za-z0-9_.]*)?",
        "a secret's group, or group and key, such as `pip_index` or `fraud/token`",
    ),
]
Endpoint = Annotated[
    str, Shape(r"|(?:dns:///)?[A-Za-z0-9[][^\s/@]*", "a Flyte endpoint such as `dns:///flyte.example.com`")
]
DataPrefix = Annotated[
    str, Shape(r"|[a-z][a-z0-9+.-]*://[^\s?#@]+", "a storage URI such as `s3://fraud-prod`")
]
EnvName = Annotated[str, Shape(_NAME, "the name of an environment variable such as `MODE`")]
LabelKey = Annotated[
    str,
    Shape(
        rf"(?:(?=[^/]{{1,253}}/){_SUBDOMAIN}/)?{_LABEL}",
        "a Kubernetes key such as `team` or `example.com/team`",
    ),
]
LabelValue = Annotated[
    str, Shape(rf"|{_LABEL}", "a Kubernetes label value: at most 63 letters, digits, `-`, `_` and `.`")
]
Window = Annotated[
    str,
    Shape(
        rf"{_DAY}(?:-{_DAY})?(?:,{_DAY}(?:-{_DAY})?)* {_CLOCK}-{_CLOCK} [A-Za-z][A-Za-z0-9_+/-]*",
        "days, times and a time zone, such as `Mon-Thu 08:00-16:00 UTC`",
    ),
]
Duration = Annotated[str, _DURATION]
Cron = Annotated[
    str,
    Shape(r"|[0-9*/,A-Za-z-]+(?: [0-9*/,A-Za-z-]+){4}", "the five fields of cron such as `0 2 * * *`"),
]
Email = Annotated[str, Shape(r"[^\s@<>,]+@[^\s@<>,]+", "an e-mail address such as `risk@example.com`")]
Day = Annotated[str, Shape(r"[0-9]{4}-[0-9]{2}-[0-9]{2}", "a day of the calendar such as `2026-12-24`")]
Tolerance = Annotated[
    str,
    Shape(
        r"same|(?:>=|<=) ?[+-]?[0-9]+(?:\.[0-9]+)?%?",
        "what a value may differ by from that of the version before, such as `>= -0.02`, `<= 5%` or `same`",
    ),
]
Text = Annotated[str, Shape(r"[^\x00-\x08\x0b-\x1f\x7f]*", "a text without control characters")]


def seconds(duration: str) -> int:
    """Return a duration in seconds: `90m` and `1h30m` are both 5400.

    Raises:
        ValueError: it is not a duration.
    """
    parts = re.findall(r"([0-9]+)([dhms])", _DURATION.check(duration))
    return sum(int(number) * _SECONDS[unit] for number, unit in parts)


def _relative(value: str) -> str:
    if "\\" in value or not value.isprintable():
        raise ValueError(f"{value!r} has a backslash or a control character in it; write paths with `/`")
    if value.startswith(("/", "~")) or re.match(r"[A-Za-z]:", value):
        raise ValueError(f"{value!r} is not relative to the root of the repository")
    parts = value.split("/")
    if ".." in parts:
        raise ValueError(f"{value!r} leaves the repository by `..`")
    if parts[0] == ".git":
        raise ValueError(f"{value!r} is git's own folder")
    if value != "." and not all(part not in ("", ".") for part in parts):
        raise ValueError(f"{value!r} is not a path in its plain form, such as `src/fraud` or `.`")
    return value


def _destination(value: str) -> str:
    if not value.isprintable() or not value.strip() or " " in value or ".." in value.split("/"):
        raise ValueError(f"{value!r} is not a folder in the image, such as `.` or `/app`")
    return value


def _version(value: str) -> str:
    rest = re.sub(r"\{(?:sha|short_sha|tag)\}", "", value)
    if not re.fullmatch(r"[A-Za-z0-9._-]*", rest):
        raise ValueError(
            f"{value!r} may hold {{sha}}, {{short_sha}}, {{tag}}, letters, digits, `.`, `_` and `-`"
        )
    if rest == value:
        raise ValueError(
            f"{value!r} is the same for every release; put {{sha}}, {{short_sha}} or {{tag}} in it"
        )
    return value


RelativePath = Annotated[str, AfterValidator(_relative)]
Destination = Annotated[str, AfterValidator(_destination)]
VersionTemplate = Annotated[str, AfterValidator(_version)]
