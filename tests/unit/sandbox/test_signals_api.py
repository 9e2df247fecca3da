from __future__ import annotations

from pathlib import Path

import pytest
from flyteidl.admin.signal_pb2 import SignalGetOrCreateRequest, SignalListRequest, SignalSetRequest
from flyteidl.core.identifier_pb2 import SignalIdentifier
from flyteidl.core.literals_pb2 import Literal
from google.protobuf.json_format import ParseDict

from scripts.sandbox.caller import Caller
from scripts.sandbox.errors import InvalidArgument
from scripts.sandbox.signals_api import SignalsApi
from tests.unit.sandbox.registry import registry

CALLER = Caller()
EXECUTION = {"project": "p", "domain": "development", "name": "e"}
YES = ParseDict({"scalar": {"primitive": {"boolean": True}}}, Literal())
ONE = ParseDict({"scalar": {"primitive": {"integer": 1}}}, Literal())


def identifier(signal: str = "approve") -> SignalIdentifier:
    return ParseDict({"execution_id": EXECUTION, "signal_id": signal}, SignalIdentifier())


@pytest.fixture
def api(tmp_path: Path) -> SignalsApi:
    return SignalsApi(registry(tmp_path).db)


def wanted(signal: str = "approve") -> SignalGetOrCreateRequest:
    request = SignalGetOrCreateRequest(id=identifier(signal))
    request.type.simple = 4
    return request


def test_a_signal_that_no_gate_has_asked_for_cannot_be_set(api: SignalsApi) -> None:
    with pytest.raises(InvalidArgument) as refused:
        api.SetSignal(SignalSetRequest(id=identifier(), value=YES), CALLER)
    assert refused.value.message == (
        "failed to validate that signal [{{p development e} approve}] exists, err: [signal does not exist]"
    )


def test_a_signal_keeps_its_last_value(api: SignalsApi) -> None:
    assert not api.GetOrCreateSignal(wanted(), CALLER).HasField("value")
    for _ in range(2):
        api.SetSignal(SignalSetRequest(id=identifier(), value=YES), CALLER)
    assert api.GetOrCreateSignal(wanted(), CALLER).value == YES


def test_a_value_of_another_type_is_refused(api: SignalsApi) -> None:
    api.GetOrCreateSignal(wanted(), CALLER)
    with pytest.raises(InvalidArgument, match="is not castable to existing signal type"):
        api.SetSignal(SignalSetRequest(id=identifier(), value=ONE), CALLER)


def test_signals_are_listed_by_execution(api: SignalsApi) -> None:
    for name in ("one", "two"):
        api.GetOrCreateSignal(wanted(name), CALLER)
    request = ParseDict({"workflow_execution_id": EXECUTION, "limit": 10}, SignalListRequest())
    assert [signal.id.signal_id for signal in api.ListSignals(request, CALLER).signals] == ["one", "two"]
    request.filters = "eq(signal_id,two)"
    assert [signal.id.signal_id for signal in api.ListSignals(request, CALLER).signals] == ["two"]
    request.workflow_execution_id.name = ""
    with pytest.raises(InvalidArgument, match="missing execution_id"):
        api.ListSignals(request, CALLER)
