"""The RPCs of the signals that gate nodes wait for.

A signal exists once its gate has asked for it (GetOrCreateSignal); only then it can be set.
Source: flyteadmin `signal_manager.go`, `validation/signal_validator.go`.
"""

from __future__ import annotations

import sqlite3

from flyteidl.admin.signal_pb2 import (
    Signal,
    SignalGetOrCreateRequest,
    SignalList,
    SignalListRequest,
    SignalSetRequest,
    SignalSetResponse,
)
from flyteidl.core.identifier_pb2 import SignalIdentifier

from scripts.sandbox import lists
from scripts.sandbox.caller import Caller
from scripts.sandbox.clock import now, to_text
from scripts.sandbox.database import Database
from scripts.sandbox.errors import InvalidArgument
from scripts.sandbox.gotext import message_text
from scripts.sandbox.identifiers import check_present
from scripts.sandbox.literals import castable, named_type

_TABLE = lists.Table(
    entity="signal",
    source="signals",
    columns={
        "id": "rowid",
        "execution_project": "project",
        "execution_domain": "domain",
        "execution_name": "execution",
        "signal_id": "signal_id",
        "created_at": "created_at",
    },
    parsers={"id": lists.integer, "created_at": lists.moment},
)


class SignalsApi:
    """Answers for signals."""

    def __init__(self, db: Database) -> None:
        self._db = db

    def GetOrCreateSignal(self, request: SignalGetOrCreateRequest, caller: Caller) -> Signal:
        """Return a signal, made if it is not there."""
        if not request.HasField("id"):
            raise InvalidArgument("missing id")
        _check_id(request.id)
        if not request.HasField("type"):
            raise InvalidArgument("missing type")
        signal = Signal(id=request.id, type=request.type)
        message, created_at = signal.SerializeToString(deterministic=True), to_text(now())
        self._db.write("add_signal", message=message, created_at=created_at, **_key(request.id))
        row = self._row(request.id)
        return signal if row is None else Signal.FromString(row["message"])

    def ListSignals(self, request: SignalListRequest, caller: Caller) -> SignalList:
        """Return the signals of an execution."""
        execution = request.workflow_execution_id
        if not (execution.project and execution.domain and execution.name):
            raise InvalidArgument("missing execution_id")
        lists.check_limit(request.limit)
        page = lists.page(
            self._db,
            _TABLE,
            where={
                "project": execution.project,
                "domain": execution.domain,
                "execution": execution.name,
            },
            filters=request.filters,
            sort=request.sort_by if request.HasField("sort_by") else None,
            limit=request.limit,
            token=request.token,
            rpc="ListSignals",
        )
        return SignalList(signals=[Signal.FromString(row["message"]) for row in page.rows], token=page.token)

    def SetSignal(self, request: SignalSetRequest, caller: Caller) -> SignalSetResponse:
        """Give a signal its value; the last one before its gate looks counts."""
        if not request.HasField("id"):
            raise InvalidArgument("missing id")
        _check_id(request.id)
        if not request.HasField("value"):
            raise InvalidArgument("missing value")
        row = self._row(request.id)
        if row is None:
            execution = request.id.execution_id
            named = f"{{{{{execution.project} {execution.domain} {execution.name}}} {request.id.signal_id}}}"
            raise InvalidArgument(
                f"failed to validate that signal [{named}] exists, err: [signal does not exist]"
            )
        signal = Signal.FromString(row["message"])
        if not castable(signal.type, named_type("", request.value)):
            raise InvalidArgument(
                f"requested signal value [{message_text(request.value)}] is not castable to existing signal "
                f"type [{message_text(signal.type)}]"
            )
        signal.value.CopyFrom(request.value)
        self._db.write("set_signal", message=signal.SerializeToString(deterministic=True), **_key(request.id))
        return SignalSetResponse()

    def _row(self, id_: SignalIdentifier) -> sqlite3.Row | None:
        return self._db.row("signal", **_key(id_))


def _key(id_: SignalIdentifier) -> dict[str, str]:
    execution = id_.execution_id
    return {
        "project": execution.project,
        "domain": execution.domain,
        "execution": execution.name,
        "signal_id": id_.signal_id,
    }


def _check_id(id_: SignalIdentifier) -> None:
    if not id_.HasField("execution_id"):
        raise InvalidArgument("missing execution_id")
    check_present(signal_id=id_.signal_id)
    execution = id_.execution_id
    check_present(project=execution.project, domain=execution.domain, name=execution.name)
