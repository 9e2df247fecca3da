"""What the engine may be told to do to an execution; `transitions` decides, `effects` carries out."""

from __future__ import annotations

from dataclasses import dataclass

from flyteidl.core.execution_pb2 import ExecutionError

from scripts.sandbox.nodes import Place, Scope


@dataclass(frozen=True, kw_only=True)
class BeginExecution:
    """Show it RUNNING, and its inputs as the outputs of the start node."""

    scope: Scope


@dataclass(frozen=True, kw_only=True)
class FailExecution:
    """Show it FAILING with this error."""

    error: ExecutionError


@dataclass(frozen=True, kw_only=True)
class EndExecution:
    """Show its last phase, with the error if it failed; its outputs are those of `end`."""

    phase: int
    error: ExecutionError | None = None
    end: str = ""


@dataclass(frozen=True, kw_only=True)
class StartNode:
    """Resolve a node's inputs and queue it. `failure` is what a failure node is told went wrong."""

    place: Place
    failure: ExecutionError | None = None


@dataclass(frozen=True, kw_only=True)
class SkipNode:
    """Show a node as skipped, since one before it did not succeed."""

    place: Place


@dataclass(frozen=True, kw_only=True)
class StartAttempt:
    """Start the next attempt of a task."""

    place: Place


@dataclass(frozen=True, kw_only=True)
class RetryNode:
    """Give a node another attempt; `system` says which budget pays. An attempt that runs is ended."""

    unique_id: str
    system: bool


@dataclass(frozen=True, kw_only=True)
class EnterScope:
    """Start what a node holds: show it RUNNING, its inputs being the outputs of the start node inside.

    What a dynamic made has no inputs, so there `with_inputs` is false.
    """

    scope: Scope
    with_inputs: bool = True


@dataclass(frozen=True, kw_only=True)
class ChooseBranch:
    """Evaluate a branch node's conditions on its inputs."""

    place: Place


@dataclass(frozen=True, kw_only=True)
class ExpandDynamic:
    """Compile what a dynamic task wrote, and show the node as DYNAMIC_RUNNING."""

    place: Place


@dataclass(frozen=True, kw_only=True)
class CacheOutputs:
    """Keep the outputs of a task that has succeeded in the data catalog."""

    place: Place


@dataclass(frozen=True, kw_only=True)
class EnterArray:
    """Make items of the lists that an array node is given."""

    place: Place


@dataclass(frozen=True, kw_only=True)
class StartItem:
    """Start the next attempt of an item."""

    index: int


@dataclass(frozen=True, kw_only=True)
class RetryItem:
    """Give an item another attempt; `system` says which budget pays. An attempt that runs is ended."""

    index: int
    system: bool


@dataclass(frozen=True, kw_only=True)
class EndItem:
    """Show an item as succeeded, or with an error as failed. An attempt that runs is ended."""

    index: int
    error: ExecutionError | None = None


ItemStep = StartItem | RetryItem | EndItem


@dataclass(frozen=True, kw_only=True)
class StepItems:
    """Take some items of an array node further."""

    place: Place
    steps: tuple[ItemStep, ...]


@dataclass(frozen=True, kw_only=True)
class CompleteArray:
    """Gather what the items gave, and show the array node as succeeded."""

    place: Place


@dataclass(frozen=True, kw_only=True)
class LaunchChild:
    """Create the execution of a launch-plan node, or attach to the one that has its name."""

    place: Place


@dataclass(frozen=True, kw_only=True)
class CompleteNode:
    """Show a node as succeeded. Its outputs are copied from the node `source`, if that is not empty."""

    unique_id: str
    source: str = ""
    has_outputs: bool = True


@dataclass(frozen=True, kw_only=True)
class FailNode:
    """Show a node as failed."""

    unique_id: str
    error: ExecutionError


@dataclass(frozen=True, kw_only=True)
class HoldFailure:
    """Remember why a node fails until its failure node has ended."""

    unique_id: str
    error: ExecutionError


@dataclass(frozen=True, kw_only=True)
class TimeOutNode:
    """Show a node as timed out, and end what runs in it."""

    unique_id: str


@dataclass(frozen=True, kw_only=True)
class AbortNode:
    """End what runs in a node and show it as aborted."""

    unique_id: str
    reason: str


Action = (
    BeginExecution
    | FailExecution
    | EndExecution
    | StartNode
    | SkipNode
    | StartAttempt
    | RetryNode
    | EnterScope
    | ChooseBranch
    | ExpandDynamic
    | CacheOutputs
    | EnterArray
    | StepItems
    | CompleteArray
    | LaunchChild
    | CompleteNode
    | FailNode
    | HoldFailure
    | TimeOutNode
    | AbortNode
)
