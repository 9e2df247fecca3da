"""Puts an engine together from the sandbox's parts."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from scripts.sandbox.array_effects import ArrayEffects
from scripts.sandbox.attempt_table import AttemptTable, LogUri
from scripts.sandbox.attempts import AttemptMaker
from scripts.sandbox.caching import Caching
from scripts.sandbox.catalog import Catalog
from scripts.sandbox.database import Database
from scripts.sandbox.dynamics import Dynamics
from scripts.sandbox.effects import Effects
from scripts.sandbox.engine import Engine
from scripts.sandbox.entities import Entities
from scripts.sandbox.execution_rows import ExecutionRows
from scripts.sandbox.executions import Executions
from scripts.sandbox.item_effects import ItemEffects
from scripts.sandbox.item_table import ItemTable
from scripts.sandbox.launching import Launching
from scripts.sandbox.node_table import NodeTable
from scripts.sandbox.recovery import Recovery
from scripts.sandbox.runtime import Runtime
from scripts.sandbox.snapshots import Snapshots
from scripts.sandbox.storage import Storage
from scripts.sandbox.task_effects import TaskEffects


def build_engine(
    *,
    db: Database,
    entities: Entities,
    executions: Executions,
    storage: Storage,
    runtime: Runtime,
    work: Path,
    logs: Path,
    log_uri: LogUri,
    defaults: Iterable[tuple[str, str]] = (),
) -> Engine:
    """Return an engine that `executions` wakes.

    `work` and `logs` are the folders of attempts and of what they print, `log_uri` gives for a namespace
    and a pod where that is served, and `defaults` are variables that every task is given.
    """
    nodes, attempts, items = NodeTable(db, storage), AttemptTable(db), ItemTable(db)
    maker = AttemptMaker(storage, work=work, logs=logs, defaults=defaults)
    caching = Caching(Catalog(db), nodes, storage)
    arrays = ArrayEffects(
        storage=storage,
        nodes=nodes,
        attempts=attempts,
        items=items,
        effects=ItemEffects(storage=storage, items=items, maker=maker, caching=caching, log_uri=log_uri),
    )
    tasks = TaskEffects(
        storage=storage,
        nodes=nodes,
        attempts=attempts,
        maker=maker,
        dynamics=Dynamics(entities, storage),
        arrays=arrays,
        caching=caching,
        log_uri=log_uri,
    )
    effects = Effects(
        storage=storage,
        nodes=nodes,
        executions=ExecutionRows(db),
        tasks=tasks,
        arrays=arrays,
        caching=caching,
        launching=Launching(executions, nodes, storage),
        recovery=Recovery(db, nodes, storage),
    )
    engine = Engine(
        db=db,
        storage=storage,
        runtime=runtime,
        snapshots=Snapshots(db, nodes, storage),
        effects=effects,
        tasks=tasks,
    )
    executions.wake = engine.wake
    return engine
