"""Lists of rows as flyteadmin gives them: request filters, a sort key, a limit, a token.

Source: flyteadmin `manager/impl/util/filters.go`, `common/filters.go`, `common/sorting.go`, `validation.go`.
"""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import timezone

from flyteidl.admin.common_pb2 import Sort

from scripts.sandbox.clock import to_text
from scripts.sandbox.database import Database
from scripts.sandbox.errors import InvalidArgument
from scripts.sandbox.gotext import parse_duration, parse_timestamp

_EXPRESSION = re.compile(r"(.+)\((.+),\s?(.+)\)")
_COMPARISONS = {"gt": ">", "gte": ">=", "lt": "<", "lte": "<=", "eq": "=", "ne": "<>"}
_SINGLE = {**_COMPARISONS, "contains": "GLOB", "not_like": "NOT GLOB"}
_REPEATED = {"value_in": "IN", "value_not_in": "NOT IN"}
_LETTERS = {
    "task": "t",
    "workflow": "w",
    "launch_plan": "l",
    "execution": "e",
    "node_execution": "ne",
    "task_execution": "te",
    "entities": "nen",
    "named_entity_metadata": "nem",
    "project": "p",
    "signal": "s",
    "admin_tag": "at",
    "execution_admin_tag": "eat",
    "execution_tag": "et",
}

Parse = Callable[[str], object]


@dataclass(frozen=True, kw_only=True)
class Table:
    """What can be listed: SQL that follows `FROM`, and the columns that requests may name.

    `entity` is flyteadmin's name of it (`task`, `execution`, ...). `columns` gives the SQL of each field
    that filters and sort keys name; a field of another entity has that entity's name before a dot.
    `parsers` turn a filter's text into what the column holds; a column without one holds text.
    """

    entity: str
    source: str
    columns: Mapping[str, str]
    parsers: Mapping[str, Parse] = field(default_factory=dict)
    tie: str = "rowid"
    """What orders rows that the sort key leaves equal, and all of them where no key is given."""


@dataclass(frozen=True, kw_only=True)
class Page:
    """Rows of one page and the token of the next one; it is empty where this page was not full."""

    rows: list[sqlite3.Row]
    token: str


def integer(text: str) -> int:
    """Read the value of a filter on a column of whole numbers.

    Raises:
        InvalidArgument: it is none.
    """
    try:
        return int(text)
    except ValueError as error:
        raise InvalidArgument(f'failed database operation with invalid integer "{text}"') from error


def moment(text: str) -> str:
    """Read the value of a filter on a column of times, RFC 3339.

    Raises:
        InvalidArgument: it is none.
    """
    try:
        stamp = parse_timestamp(text if "T" in text or " " not in text else text.replace(" ", "T", 1))
    except ValueError as error:
        raise InvalidArgument(f"Timestamp {text} must conform to RFC3339 Nano spec") from error
    return to_text(stamp.ToDatetime(tzinfo=timezone.utc))


def microseconds(text: str) -> int:
    """Read the value of a filter on a column of durations: seconds, or as Go writes durations.

    Raises:
        InvalidArgument: it is neither.
    """
    try:
        return round(float(text) * 1_000_000)
    except ValueError:
        pass
    try:
        return parse_duration(text).ToMicroseconds()
    except ValueError as error:
        raise InvalidArgument(f"Failed to parse duration [{text}]") from error


def page(
    db: Database,
    table: Table,
    *,
    select: str = "*",
    where: Mapping[str, object] | None = None,
    filters: str = "",
    sort: Sort | None = None,
    limit: int,
    token: str = "",
    rpc: str = "",
    group: str = "",
) -> Page:
    """Return one page of `table`.

    `where` fixes columns (as SQL names them) to values; `filters` and `sort` are the request's; `rpc` is
    named in the complaint about a token. A limit of 0 is no limit; say `check_limit` first where it is
    an error.

    Raises:
        InvalidArgument: a filter, the sort key or the token is not valid.
    """
    conditions, values = [], []
    for column, value in (where or {}).items():
        conditions.append(f"{column} = ?")
        values.append(value)
    for expression in filters.split("+") if filters else ():
        condition, arguments = _condition(table, expression)
        conditions.append(condition)
        values.extend(arguments)
    order = _order(table, sort, grouped=bool(group))
    offset = check_token(token, rpc)
    sql = f"SELECT {select} FROM {table.source}"  # noqa: S608 (parts are ours; values are bound)
    if conditions:
        sql += f" WHERE {' AND '.join(conditions)}"
    if group:
        sql += f" GROUP BY {group}"
    rows = db.query(f"{sql} ORDER BY {order} LIMIT ? OFFSET ?", [*values, limit or -1, offset])
    full = limit and len(rows) == limit
    return Page(rows=rows, token=str(offset + len(rows)) if full else "")


def check_limit(limit: int) -> None:
    """Check that a list is asked for with a limit.

    Raises:
        InvalidArgument: it is 0.
    """
    if limit == 0:
        raise InvalidArgument("invalid value for limit")


def check_token(token: str, rpc: str) -> int:
    """Return the offset that a token stands for.

    Raises:
        InvalidArgument: it is no token of ours.
    """
    if not token:
        return 0
    if not re.fullmatch(r"\+?\d+", token):
        where = f" for {rpc}" if rpc else ""
        raise InvalidArgument(f"invalid pagination token {token}{where}")
    return int(token)


def _order(table: Table, sort: Sort | None, *, grouped: bool) -> str:
    tie = f"min({table.tie})" if grouped else table.tie
    if sort is None:
        return tie
    if sort.key not in table.columns or "." in sort.key:
        raise InvalidArgument(f"invalid sort key '{sort.key}'")
    direction = "ASC" if sort.direction == Sort.ASCENDING else "DESC"
    return f"{table.columns[sort.key]} {direction}, {tie} {direction}"


def _condition(table: Table, expression: str) -> tuple[str, list[object]]:
    """Turn `func(field,value)` into SQL and its arguments."""
    match = _EXPRESSION.fullmatch(expression)
    if match is None:
        raise InvalidArgument("invalid value for filters")
    function, name, text = match.groups()
    column, parse = _column(table, name)
    texts = text.split(";")
    if function in _REPEATED:
        marks = ", ".join("?" * len(texts))
        return f"{column} {_REPEATED[function]} ({marks})", [parse(one) for one in texts]
    if function not in _SINGLE:
        raise InvalidArgument(f"unrecognized filter function: {function}")
    if function in ("contains", "not_like"):
        return f"{column} {_SINGLE[function]} ?", [_glob(f"%{text}%" if function == "contains" else text)]
    return f"{column} {_SINGLE[function]} ?", [parse(text)]


def _column(table: Table, name: str) -> tuple[str, Parse]:
    prefix, dot, plain = name.partition(".")
    entity, plain = (prefix, plain) if dot and prefix in _LETTERS else (table.entity, name)
    own = entity == table.entity
    key = plain if own else f"{entity}.{plain}"
    if not own and not any(other.startswith(f"{entity}.") for other in table.columns):
        raise InvalidArgument(f"'{_LETTERS[entity]}' entity is not allowed in filters")
    if key not in table.columns:
        raise InvalidArgument(f"'{_LETTERS[entity]}.{plain}' is invalid filter")
    return table.columns[key], table.parsers.get(key, str)


def _glob(pattern: str) -> str:
    """Turn a pattern of SQL's LIKE into one of GLOB, which like PostgreSQL's LIKE minds the case."""
    return "".join({"%": "*", "_": "?"}.get(c, f"[{c}]" if c in "*?[" else c) for c in pattern)
