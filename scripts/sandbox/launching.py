"""What is done for launch-plan nodes: their executions are launched, read and ended.

Source: flytepropeller `nodes/subworkflow/launchplan/admin.go`.
"""

from __future__ import annotations

import re

from flyteidl.admin.execution_pb2 import ExecutionCreateRequest, ExecutionMetadata
from flyteidl.core.execution_pb2 import ExecutionError, NodeExecution
from flyteidl.core.identifier_pb2 import WorkflowExecutionIdentifier
from flyteidl.core.literals_pb2 import LiteralMap

from scripts.sandbox.errors import AlreadyExists, FailedPrecondition, FlyteError, NotFound
from scripts.sandbox.executions import Executions
from scripts.sandbox.ids import ExecutionKey, child_execution_name
from scripts.sandbox.node_table import NodeTable
from scripts.sandbox.nodes import Outcome, Place
from scripts.sandbox.rounds import Round
from scripts.sandbox.storage import INPUTS, Storage

_NOT_IN_LABELS = re.compile(r"[^a-zA-Z0-9]+")
_MAX_LABEL = 63


class Launching:
    """Launches child executions, with the settings of their parent."""

    def __init__(self, executions: Executions, nodes: NodeTable, storage: Storage) -> None:
        self._executions = executions
        self._nodes = nodes
        self._storage = storage

    def launch(self, round_: Round, place: Place) -> None:
        """Create the execution of a node; one that has its name already is taken for it."""
        with self._nodes.changing(round_.key, place.unique_id, round_.at) as record:
            name = child_execution_name(round_.key.name, place.unique_id, record.attempt)
            inputs = self._storage.read_or_empty(f"{record.data_dir}/{INPUTS}", LiteralMap)
            record.child = name
            record.show(NodeExecution.RUNNING, round_.at)
            record.message.closure.workflow_node_metadata.executionId.CopyFrom(_id(round_.key, name))
            try:
                self._executions.create(_request(round_, place, name, inputs))
            except AlreadyExists:
                return
            except FlyteError as error:
                record.settle(Outcome.FAILED, _launch_error(error))

    def copy_outputs(self, round_: Round, child: str, path: str) -> None:
        """Store the outputs of a child as the outputs of its node."""
        self._storage.write(path, self._executions.data(_id(round_.key, child)).full_outputs)

    def end(self, round_: Round, child: str, reason: str) -> None:
        """Have a child ended with its parent; one that has ended, or never was, is left alone."""
        cause = f"cascading abort as parent execution id [{round_.key.name}] aborted, reason [{reason}]"
        try:
            self._executions.terminate(_id(round_.key, child), cause)
        except (NotFound, FailedPrecondition):
            return


def _id(key: ExecutionKey, name: str) -> WorkflowExecutionIdentifier:
    return WorkflowExecutionIdentifier(project=key.project, domain=key.domain, name=name)


def _request(round_: Round, place: Place, name: str, inputs: LiteralMap) -> ExecutionCreateRequest:
    config, key = round_.config, round_.key
    request = ExecutionCreateRequest(project=key.project, domain=key.domain, name=name, inputs=inputs)
    spec = request.spec
    spec.launch_plan.CopyFrom(place.node.workflow_node.launchplan_ref)
    spec.metadata.mode = ExecutionMetadata.CHILD_WORKFLOW
    spec.metadata.parent_node_execution.execution_id.CopyFrom(_id(key, key.name))
    spec.metadata.parent_node_execution.node_id = place.unique_id
    spec.labels.values.update(config.labels.values)
    spec.labels.values.update({"project": key.project, "domain": key.domain, "execution-id": key.name})
    spec.labels.values["workflow-name"] = _label(round_.snapshot.program.primary.template.id.name)
    spec.annotations.SetInParent()
    spec.annotations.values.update(config.annotations.values)
    spec.envs.SetInParent()
    spec.envs.values.extend(config.envs.values)
    spec.security_context.CopyFrom(config.security_context)
    spec.max_parallelism = config.max_parallelism
    if config.raw_output_data_config.output_location_prefix:
        spec.raw_output_data_config.CopyFrom(config.raw_output_data_config)
    if config.HasField("interruptible"):
        spec.interruptible.CopyFrom(config.interruptible)
    spec.overwrite_cache = config.overwrite_cache
    return request


def _label(name: str) -> str:
    """Return a name as propeller puts it into a label."""
    return _NOT_IN_LABELS.sub("-", name)[:_MAX_LABEL].strip("-").lower()


def _launch_error(error: FlyteError) -> ExecutionError:
    code = error.code.name.title().replace("_", "")
    cause = f"rpc error: code = {code} desc = {error.message}"
    message = f"[RemoteErrorUser] failed to launch workflow, caused by: {cause}"
    return ExecutionError(code="RuntimeExecutionError", message=message, kind=ExecutionError.USER)
