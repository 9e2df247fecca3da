"""Lists of many executions: what filters, tags and labels find, and in which order."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta, timezone

import pytest
from flyteidl.admin.common_pb2 import ResourceListRequest, Sort
from flyteidl.admin.execution_pb2 import Execution
from flyteidl.core.execution_pb2 import WorkflowExecution

from scripts.sandbox import clock
from scripts.sandbox.database import Database
from scripts.sandbox.execution_lists import list_executions

COUNT = 2_000
BEGIN = datetime(2026, 3, 1, tzinfo=timezone.utc)
PHASES = (WorkflowExecution.SUCCEEDED, WorkflowExecution.FAILED, WorkflowExecution.RUNNING)
CLOSURE = bytes(4000)


@pytest.fixture(scope="module")
def db(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Database]:
    """Executions `e00000`, `e00001`, ... one second apart; every one is tagged `all`, every 200th `rare`."""
    made = Database(tmp_path_factory.mktemp("lists") / "flyte.db")
    with made.transaction():
        for number in range(COUNT):
            insert(made, number)
    yield made
    made.close()


def insert(db: Database, number: int) -> None:
    execution = Execution()
    execution.id.project, execution.id.domain, execution.id.name = "p", "development", f"e{number:05}"
    db.write(
        "insert_execution",
        project="p",
        domain="development",
        name=execution.id.name,
        launch_plan=f"plan{number % 10}",
        workflow="w",
        version="v1",
        phase=PHASES[number % len(PHASES)],
        mode=0,
        principal="",
        message=execution.SerializeToString(),
        closure=CLOSURE,
        inputs=b"",
        user_inputs=b"",
        config=b"",
        parent_node=None,
        parent_name=None,
        at=clock.to_text(BEGIN + timedelta(seconds=number)),
    )
    tags = {
        "all": "",
        f"sha-{number}": "",
        "team": f"team{number % 3}",
        **({} if number % 200 else {"rare": ""}),
    }
    for key, value in tags.items():
        id_ = {"project": "p", "domain": "development", "execution": execution.id.name}
        db.write("insert_execution_tag", **id_, key=key, value=value)


def listed(db: Database, filters: str, token: str = "") -> list[str]:
    request = ResourceListRequest(limit=100, filters=filters, token=token)
    request.id.project, request.id.domain = "p", "development"
    request.sort_by.CopyFrom(Sort(key="created_at", direction=Sort.DESCENDING))
    return [execution.id.name for execution in list_executions(db, request).executions]


@pytest.mark.parametrize(
    ("filters", "token", "count"),
    [
        ("eq(admin_tag.name,all)", "", 100),
        ("eq(admin_tag.name,all)", "1900", 100),
        ("eq(admin_tag.name,rare)", "", 10),
        ("eq(admin_tag.name,sha-77)", "", 1),
        ("eq(admin_tag.name,absent)", "", 0),
        ("value_in(admin_tag.name,all;rare)", "", 100),
        ("eq(admin_tag.name,all)+eq(phase,FAILED)+eq(launch_plan.name,plan3)", "", 67),
        ("eq(admin_tag.name,all)+gte(execution_created_at,2026-03-01T00:32:40Z)", "", 40),
        ("eq(launch_plan.name,absent)", "", 0),
    ],
)
def test_a_page_holds_what_its_filters_name(db: Database, filters: str, token: str, count: int) -> None:
    assert len(listed(db, filters, token)) == count


def test_the_newest_of_a_tag_come_first(db: Database) -> None:
    assert listed(db, "eq(admin_tag.name,rare)")[:2] == ["e01800", "e01600"]


def test_a_label_is_found_by_its_key_and_value(db: Database) -> None:
    found = listed(db, "eq(execution_tag.key,team)+eq(execution_tag.value,team1)")
    assert found[:2] == ["e01999", "e01996"]
