"""What is decided about an execution, from snapshots put together by hand; nothing runs here."""

from collections.abc import Sequence
from datetime import datetime, timedelta, timezone

import pytest
from flyteidl.core.compiler_pb2 import CompiledWorkflow, CompiledWorkflowClosure
from flyteidl.core.execution_pb2 import ExecutionError, NodeExecution, WorkflowExecution
from flyteidl.core.identifier_pb2 import TASK, WORKFLOW, Identifier
from flyteidl.core.workflow_pb2 import Node, WorkflowMetadata

from scripts.sandbox.actions import (
    AbortNode,
    Action,
    BeginExecution,
    ChooseBranch,
    CompleteNode,
    EndExecution,
    EnterScope,
    ExpandDynamic,
    FailExecution,
    FailNode,
    HoldFailure,
    LaunchChild,
    RetryNode,
    SkipNode,
    StartAttempt,
    StartNode,
    TimeOutNode,
)
from scripts.sandbox.graph import Program
from scripts.sandbox.ids import ExecutionKey
from scripts.sandbox.nodes import ChildState, Kind, NodeState, Outcome, Snapshot
from scripts.sandbox.transitions import ABORT_REASON, FAILURE_REASON, Decision, decide

NOW = datetime(2026, 1, 2, tzinfo=timezone.utc)
BOOM = ExecutionError(code="USER:X", message="boom", kind=ExecutionError.USER)
SYSTEM = ExecutionError(code="Error", message="gone", kind=ExecutionError.SYSTEM)
RUNNING, FAILING, ABORTING = WorkflowExecution.RUNNING, WorkflowExecution.FAILING, WorkflowExecution.ABORTING
QUEUED, SUCCEEDED, FAILED = NodeExecution.QUEUED, NodeExecution.SUCCEEDED, NodeExecution.FAILED
NODE_RUNNING = NodeExecution.RUNNING


def task_node(node_id: str, *, timeout: float = 0, retries: int = 0) -> Node:
    node = Node(id=node_id)
    node.task_node.reference_id.CopyFrom(Identifier(resource_type=TASK, name="t"))
    node.metadata.retries.retries = retries
    if timeout:
        node.metadata.timeout.FromTimedelta(timedelta(seconds=timeout))
    return node


def sub_node(node_id: str, name: str = "sub") -> Node:
    node = Node(id=node_id)
    node.workflow_node.sub_workflow_ref.CopyFrom(Identifier(resource_type=WORKFLOW, name=name))
    return node


def plan_node(node_id: str) -> Node:
    node = Node(id=node_id)
    node.workflow_node.launchplan_ref.name = "plan"
    return node


def branch_node(node_id: str, then: Node, otherwise: Node) -> Node:
    node = Node(id=node_id)
    node.branch_node.if_else.case.then_node.CopyFrom(then)
    node.branch_node.if_else.else_node.CopyFrom(otherwise)
    return node


def workflow(
    nodes: Sequence[Node],
    *,
    name: str = "main",
    after: dict[str, list[str]] | None = None,
    failure: Node | None = None,
    finishes_others: bool = False,
) -> CompiledWorkflow:
    made = CompiledWorkflow()
    made.template.id.name = name
    made.template.nodes.extend([Node(id="start-node"), Node(id="end-node"), *nodes])
    made.template.outputs.add(var="o0")
    if failure is not None:
        made.template.failure_node.CopyFrom(failure)
    if finishes_others:
        made.template.metadata.on_failure = WorkflowMetadata.FAIL_AFTER_EXECUTABLE_NODES_COMPLETE
    for node in nodes:
        made.connections.upstream[node.id].ids.extend((after or {}).get(node.id, ["start-node"]))
    made.connections.upstream["end-node"].ids.extend(node.id for node in nodes)
    return made


def program(main: CompiledWorkflow, *subs: CompiledWorkflow) -> Program:
    closure = CompiledWorkflowClosure(primary=main, sub_workflows=subs)
    closure.tasks.add().template.id.CopyFrom(Identifier(resource_type=TASK, name="t"))
    return Program(closure)


def state(
    unique_id: str,
    phase: NodeExecution.Phase = SUCCEEDED,
    *,
    kind: Kind = Kind.TASK,
    parent: str = "",
    queued: float | None = None,
    began: float | None = None,
    **more: object,
) -> NodeState:
    """A node's state; `queued` and `began` are seconds ago."""

    def ago(seconds: float | None) -> datetime | None:
        return None if seconds is None else NOW - timedelta(seconds=seconds)

    return NodeState(
        unique_id=unique_id,
        node_id=unique_id.rpartition("-")[2],
        kind=kind,
        phase=phase,
        data_dir=f"base/{unique_id}",
        parent_id=parent,
        queued_at=ago(queued),
        attempt_at=ago(began),
        **more,  # type: ignore[arg-type]
    )


START = state("start-node", kind=Kind.START)


def decided(
    made: Program,
    *nodes: NodeState,
    phase: int = RUNNING,
    error: ExecutionError | None = None,
    **more: object,
) -> Decision:
    snapshot = Snapshot(
        key=ExecutionKey("p", "d", "x"),
        phase=phase,
        program=made,
        folder="base",
        error=error,
        nodes={node.unique_id: node for node in nodes},
        **more,  # type: ignore[arg-type]
    )
    return decide(snapshot, NOW)


def shown(decision: Decision) -> list[tuple[type[Action], str]]:
    """The actions by type and node."""

    def node_of(action: Action) -> str:
        if isinstance(action, EnterScope):
            return action.scope.parent
        place = getattr(action, "place", None)
        return str(getattr(action, "unique_id", "") if place is None else place.unique_id)

    return [(type(action), node_of(action)) for action in decision.actions]


ONE = program(workflow([task_node("n0")]))
TWO = program(workflow([task_node("n0"), task_node("n1")]))
CHAIN = program(workflow([task_node("n0"), task_node("n1")], after={"n1": ["n0"]}))


@pytest.mark.parametrize("phase", [WorkflowExecution.UNDEFINED, WorkflowExecution.QUEUED])
def test_a_new_execution_begins(phase: int) -> None:
    assert shown(decided(ONE, phase=phase)) == [(BeginExecution, "")]


def test_nodes_start_when_all_before_them_have_succeeded() -> None:
    assert shown(decided(TWO, START)) == [(StartNode, "n0"), (StartNode, "n1")]
    assert shown(decided(CHAIN, START)) == [(StartNode, "n0")]
    assert shown(decided(CHAIN, START, state("n0"))) == [(StartNode, "n1")]
    assert shown(decided(CHAIN, START, state("n0", NodeExecution.RECOVERED))) == [(StartNode, "n1")]


def test_the_end_node_comes_after_all_others_and_ends_the_execution() -> None:
    done = (START, state("n0"), state("n1"))
    assert shown(decided(TWO, *done)) == [(StartNode, "end-node")]
    (action,) = decided(TWO, *done, state("end-node", kind=Kind.END)).actions
    assert action == EndExecution(phase=WorkflowExecution.SUCCEEDED, end="end-node")


@pytest.mark.parametrize(
    ("node", "action"),
    [
        pytest.param(state("n0", QUEUED), StartAttempt, id="queued"),
        pytest.param(state("n0", NODE_RUNNING, outcome=Outcome.SUCCEEDED), CompleteNode, id="succeeded"),
        pytest.param(state("n0", NODE_RUNNING, outcome=Outcome.FAILED, error=BOOM), FailNode, id="failed"),
        pytest.param(state("n0", NODE_RUNNING, outcome=Outcome.DYNAMIC), ExpandDynamic, id="a dynamic"),
        pytest.param(
            state("n0", NODE_RUNNING, outcome=Outcome.RETRYABLE, error=SYSTEM),
            RetryNode,
            id="another attempt",
        ),
        pytest.param(
            state("n0", NODE_RUNNING, outcome=Outcome.RETRYABLE, error=BOOM), FailNode, id="no attempt left"
        ),
        pytest.param(state("n0", NODE_RUNNING), None, id="still running"),
    ],
)
def test_a_task_goes_on_by_how_its_attempt_stands(node: NodeState, action: type[Action] | None) -> None:
    assert shown(decided(ONE, START, node)) == ([] if action is None else [(action, "n0")])


def test_only_so_many_run_at_once() -> None:
    many = program(workflow([task_node(f"n{i}") for i in range(4)]))
    nodes = [state("n0", NODE_RUNNING), *(state(f"n{i}", QUEUED) for i in (1, 2, 3))]
    assert shown(decided(many, START, *nodes, max_parallelism=2)) == [(StartAttempt, "n1")]
    assert len(decided(many, START, *nodes, max_parallelism=0).actions) == 3


def test_what_holds_others_does_not_count_as_running() -> None:
    made = program(workflow([sub_node("n0"), task_node("n1")]), workflow([task_node("n0")], name="sub"))
    holder = state("n0", NODE_RUNNING, kind=Kind.WORKFLOW)
    inside = state("n0-0-start-node", kind=Kind.START, parent="n0"), state("n0-0-n0", QUEUED, parent="n0")
    decision = decided(made, START, holder, *inside, state("n1", QUEUED), max_parallelism=2)
    assert shown(decision) == [(StartAttempt, "n0-0-n0"), (StartAttempt, "n1")]


def test_a_failed_node_fails_the_execution_at_once() -> None:
    decision = decided(TWO, START, state("n0", FAILED, error=BOOM), state("n1", QUEUED))
    assert decision.actions == (FailExecution(error=BOOM),)


def test_a_node_out_of_time_fails_it_with_an_error_of_its_own() -> None:
    (action,) = decided(TWO, START, state("n0", NodeExecution.TIMED_OUT)).actions
    assert action == FailExecution(
        error=ExecutionError(code="Timeout", message="Timeout in node", kind=ExecutionError.USER)
    )


class TestFinishingOthers:
    made = program(
        workflow(
            [task_node("n0"), task_node("n1"), task_node("n2")], after={"n1": ["n0"]}, finishes_others=True
        )
    )
    failed = state("n0", FAILED, error=BOOM)

    def test_what_depends_on_the_failure_is_skipped_and_the_rest_goes_on(self) -> None:
        decision = decided(self.made, START, self.failed, state("n2", QUEUED))
        assert shown(decision) == [(SkipNode, "n1"), (StartAttempt, "n2")]

    def test_the_end_node_is_skipped_too(self) -> None:
        skipped = state("n1", NodeExecution.SKIPPED)
        assert shown(decided(self.made, START, self.failed, skipped, state("n2"))) == [(SkipNode, "end-node")]

    def test_then_the_execution_fails(self) -> None:
        skipped = state("n1", NodeExecution.SKIPPED), state("end-node", NodeExecution.SKIPPED, kind=Kind.END)
        decision = decided(self.made, START, self.failed, *skipped, state("n2"))
        assert decision.actions == (FailExecution(error=BOOM),)


class TestFailing:
    handled = program(workflow([task_node("n0"), task_node("n1")], failure=task_node("fn0")))

    def test_what_runs_is_ended_and_then_it_has_failed(self) -> None:
        decision = decided(TWO, START, state("n1", NODE_RUNNING), phase=FAILING, error=BOOM)
        assert decision.actions == (
            AbortNode(unique_id="n1", reason=FAILURE_REASON),
            EndExecution(phase=WorkflowExecution.FAILED, error=BOOM),
        )

    def test_a_failure_node_is_started_with_the_error(self) -> None:
        decision = decided(self.handled, START, state("n0", FAILED, error=BOOM), phase=FAILING, error=BOOM)
        (action,) = decision.actions
        assert isinstance(action, StartNode)
        assert (action.place.unique_id, action.failure) == ("fn0", BOOM)

    def test_it_is_spared_when_the_others_are_ended(self) -> None:
        nodes = START, state("n1", NODE_RUNNING), state("fn0", QUEUED)
        decision = decided(self.handled, *nodes, phase=FAILING, error=BOOM)
        assert shown(decision) == [(AbortNode, "n1"), (StartAttempt, "fn0")]

    @pytest.mark.parametrize(
        ("node", "error"),
        [
            pytest.param(state("fn0"), BOOM, id="it succeeds"),
            pytest.param(state("fn0", FAILED, error=SYSTEM), SYSTEM, id="it fails"),
            pytest.param(
                state("fn0", NodeExecution.TIMED_OUT),
                ExecutionError(code="TimedOut", message="FailureNode Timed-out", kind=ExecutionError.USER),
                id="it takes too long",
            ),
        ],
    )
    def test_its_end_ends_the_execution(self, node: NodeState, error: ExecutionError) -> None:
        decision = decided(self.handled, START, node, phase=FAILING, error=BOOM)
        assert decision.actions == (EndExecution(phase=WorkflowExecution.FAILED, error=error),)


def test_aborting_ends_all_that_runs_at_any_depth() -> None:
    made = program(workflow([sub_node("n0")]), workflow([task_node("n0")], name="sub"))
    nodes = state("n0", NODE_RUNNING, kind=Kind.WORKFLOW), state("n0-0-n0", NODE_RUNNING, parent="n0")
    decision = decided(made, START, *nodes, phase=ABORTING)
    assert decision.actions == (
        AbortNode(unique_id="n0", reason=ABORT_REASON),
        AbortNode(unique_id="n0-0-n0", reason=ABORT_REASON),
        EndExecution(phase=WorkflowExecution.ABORTED),
    )


class TestTimeLimits:
    made = program(workflow([task_node("n0", timeout=10, retries=1)]))

    def test_before_them_nothing_happens_but_the_next_is_known(self) -> None:
        decision = decided(self.made, START, state("n0", NODE_RUNNING, queued=12, began=4))
        assert decision.actions == ()
        assert decision.look_again_at == NOW + timedelta(seconds=6)

    def test_an_attempt_past_its_own_is_followed_by_another(self) -> None:
        decision = decided(self.made, START, state("n0", NODE_RUNNING, queued=11, began=10))
        assert decision.actions == (RetryNode(unique_id="n0", system=False),)

    def test_the_last_attempt_past_its_own_fails_the_node(self) -> None:
        node = state("n0", NODE_RUNNING, queued=15, began=10, attempt=1)
        (action,) = decided(self.made, START, node).actions
        assert isinstance(action, FailNode)
        assert action.error.code == "RetriesExhausted|TimeoutExpired"

    def test_past_twice_the_limit_the_node_is_out_of_time(self) -> None:
        node = state("n0", NODE_RUNNING, queued=20, began=5, attempt=1)
        assert decided(self.made, START, node).actions == (TimeOutNode(unique_id="n0"),)

    def test_waiting_counts_for_the_whole(self) -> None:
        decision = decided(self.made, START, state("n0", QUEUED, queued=20))
        assert decision.actions == (TimeOutNode(unique_id="n0"),)

    def test_a_result_that_is_there_comes_first(self) -> None:
        node = state("n0", NODE_RUNNING, queued=30, began=25, outcome=Outcome.SUCCEEDED)
        assert shown(decided(self.made, START, node)) == [(CompleteNode, "n0")]

    def test_what_a_dynamic_holds_is_ended_with_it(self) -> None:
        dynamic = state(
            "n0",
            NodeExecution.DYNAMIC_RUNNING,
            queued=11,
            began=10,
            is_dynamic=True,
            outcome=Outcome.DYNAMIC,
        )
        inside = state("n0-0-dn0", NODE_RUNNING, parent="n0")
        assert shown(decided(self.made, START, dynamic, inside)) == [
            (AbortNode, "n0-0-dn0"),
            (RetryNode, "n0"),
        ]


class TestSubWorkflow:
    made = program(workflow([sub_node("n0")]), workflow([task_node("n0")], name="sub"))
    guarded = program(
        workflow([sub_node("n0")]), workflow([task_node("n0")], name="sub", failure=task_node("fn0"))
    )
    holder = state("n0", NODE_RUNNING, kind=Kind.WORKFLOW)
    start = state("n0-0-start-node", kind=Kind.START, parent="n0")

    def test_it_is_entered(self) -> None:
        node = state("n0", QUEUED, kind=Kind.WORKFLOW)
        assert shown(decided(self.made, START, node)) == [(EnterScope, "n0")]

    def test_its_nodes_are_named_and_kept_below_it(self) -> None:
        (action,) = decided(self.made, START, self.holder, self.start).actions
        assert isinstance(action, StartNode)
        assert (action.place.unique_id, action.place.data_dir) == ("n0-0-n0", "base/n0/0/n0")

    def test_its_outputs_are_those_of_its_end_node(self) -> None:
        inside = state("n0-0-n0", parent="n0"), state("n0-0-end-node", kind=Kind.END, parent="n0")
        (action,) = decided(self.made, START, self.holder, self.start, *inside).actions
        assert action == CompleteNode(unique_id="n0", source="n0-0-end-node")

    def test_its_failure_is_held_and_then_shown(self) -> None:
        failed = state("n0-0-n0", FAILED, parent="n0", error=BOOM)
        decision = decided(self.made, START, self.holder, self.start, failed)
        assert decision.actions == (HoldFailure(unique_id="n0", error=BOOM),)
        holder = state("n0", NODE_RUNNING, kind=Kind.WORKFLOW, outcome=Outcome.FAILING, error=BOOM)
        decision = decided(self.made, START, holder, self.start, failed)
        assert decision.actions == (FailNode(unique_id="n0", error=BOOM),)

    def test_its_failure_node_comes_in_between(self) -> None:
        holder = state("n0", NODE_RUNNING, kind=Kind.WORKFLOW, outcome=Outcome.FAILING, error=BOOM)
        failed = state("n0-0-n0", FAILED, parent="n0", error=BOOM)
        assert shown(decided(self.guarded, START, holder, failed)) == [(StartNode, "n0-0-fn0")]
        cleaned = state("n0-0-fn0", parent="n0")
        decision = decided(self.guarded, START, holder, failed, cleaned)
        assert decision.actions == (FailNode(unique_id="n0", error=BOOM),)


class TestBranch:
    made = program(workflow([branch_node("n0", task_node("n0-n0"), task_node("n0-n1"))]))
    chosen = state("n0", NODE_RUNNING, kind=Kind.BRANCH, choice="n0-n1")

    def test_it_is_evaluated(self) -> None:
        node = state("n0", QUEUED, kind=Kind.BRANCH)
        assert shown(decided(self.made, START, node)) == [(ChooseBranch, "n0")]

    def test_only_the_chosen_node_starts(self) -> None:
        assert shown(decided(self.made, START, self.chosen)) == [(StartNode, "n0-0-n0-n1")]

    def test_its_outputs_are_those_of_the_chosen_node(self) -> None:
        (action,) = decided(self.made, START, self.chosen, state("n0-0-n0-n1", parent="n0")).actions
        assert action == CompleteNode(unique_id="n0", source="n0-0-n0-n1")

    def test_the_chosen_nodes_failure_is_its_own(self) -> None:
        inner = state("n0-0-n0-n1", FAILED, parent="n0", error=BOOM)
        assert decided(self.made, START, self.chosen, inner).actions == (
            FailNode(unique_id="n0", error=BOOM),
        )


class TestLaunchPlan:
    made = program(workflow([plan_node("n0"), task_node("n1")]))

    def test_it_is_launched_if_one_more_may_run(self) -> None:
        queued = state("n0", QUEUED, kind=Kind.LAUNCH_PLAN)
        running = state("n1", NODE_RUNNING)
        assert shown(decided(self.made, START, queued, running, max_parallelism=2)) == [(LaunchChild, "n0")]
        assert decided(self.made, START, queued, running, max_parallelism=1).actions == ()

    @pytest.mark.parametrize(
        ("child", "expected"),
        [
            pytest.param(ChildState(phase=RUNNING), None, id="running"),
            pytest.param(ChildState(phase=ABORTING), None, id="being ended"),
            pytest.param(ChildState(phase=WorkflowExecution.SUCCEEDED), "", id="succeeded"),
            pytest.param(ChildState(phase=WorkflowExecution.FAILED, error=BOOM), "USER:X", id="failed"),
            pytest.param(
                ChildState(phase=WorkflowExecution.FAILED), "LaunchPlanExecutionFailed", id="failed, no error"
            ),
            pytest.param(
                ChildState(phase=WorkflowExecution.ABORTED),
                "RemoteChildWorkflowExecutionFailed",
                id="aborted",
            ),
            pytest.param(ChildState(phase=None), "NotFound", id="gone"),
        ],
    )
    def test_it_ends_as_its_child_does(self, child: ChildState, expected: str | None) -> None:
        node = state("n0", NODE_RUNNING, kind=Kind.LAUNCH_PLAN, child="f1")
        actions = decided(self.made, START, node, state("n1"), children={"f1": child}).actions
        codes = [action.error.code if isinstance(action, FailNode) else "" for action in actions]
        assert codes == ([] if expected is None else [expected])


class TestDynamic:
    made = ONE
    inner = program(workflow([task_node("dn0")], name="dynamic_n0"))
    node = state("n0", NodeExecution.DYNAMIC_RUNNING, outcome=Outcome.DYNAMIC, is_dynamic=True)
    start = state("n0-0-start-node", kind=Kind.START, parent="n0")

    def test_it_runs_what_it_made(self) -> None:
        decision = decided(self.made, START, self.node, self.start, dynamics={"n0": self.inner})
        assert shown(decision) == [(StartNode, "n0-0-dn0")]

    def test_a_failure_in_it_fails_it_without_another_attempt(self) -> None:
        failed = state("n0-0-dn0", FAILED, parent="n0", error=BOOM)
        decision = decided(self.made, START, self.node, self.start, failed, dynamics={"n0": self.inner})
        assert decision.actions == (FailNode(unique_id="n0", error=BOOM),)

    def test_its_outputs_are_those_of_the_end_node_it_made(self) -> None:
        inside = state("n0-0-dn0", parent="n0"), state("n0-0-end-node", kind=Kind.END, parent="n0")
        decision = decided(self.made, START, self.node, self.start, *inside, dynamics={"n0": self.inner})
        assert decision.actions == (CompleteNode(unique_id="n0", source="n0-0-end-node"),)


@pytest.mark.parametrize("kind", [Kind.GATE])
def test_kinds_that_cannot_be_run_fail_with_a_sentence(kind: Kind) -> None:
    (action,) = decided(ONE, START, state("n0", QUEUED, kind=kind)).actions
    assert isinstance(action, FailNode)
    assert action.error.message == f"The sandbox does not run {kind.value} nodes yet; node n0 is one."
