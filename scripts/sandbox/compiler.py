"""Compilation of tasks and workflows: what is registered is what propeller could run.

Source: propeller `compiler/workflow_compiler.go`, `task_compiler.go`, `validators/node.go`.
"""

from __future__ import annotations

from collections.abc import Sequence

from flyteidl.admin.launch_plan_pb2 import LaunchPlan
from flyteidl.core.compiler_pb2 import CompiledTask, CompiledWorkflow, CompiledWorkflowClosure
from flyteidl.core.interface_pb2 import TypedInterface
from flyteidl.core.tasks_pb2 import Resources, TaskTemplate
from flyteidl.core.workflow_pb2 import Node, WorkflowTemplate

from scripts.sandbox.compile_bindings import Checker, Edges, output_variable
from scripts.sandbox.compile_interfaces import check_condition, complete, find_interface
from scripts.sandbox.compile_problems import Problems
from scripts.sandbox.compile_requirements import collect, index_of
from scripts.sandbox.compiled_graph import END, START, BuiltNode, Graph, Library, key
from scripts.sandbox.errors import InvalidArgument
from scripts.sandbox.gotext import message_text
from scripts.sandbox.quantities import BadQuantity, parse_quantity


def compile_task(template: TaskTemplate) -> CompiledTask:
    """Return the compiled task.

    Raises:
        InvalidArgument: the container has no image or no command, or asks for resources in no known form.
    """
    problems = Problems()
    if template.WhichOneof("target") == "container":
        _check_container(template, problems)
    if len(problems):
        raise InvalidArgument(f"task failed compilation with {problems}")
    return CompiledTask(template=template)


def compile_workflow(
    template: WorkflowTemplate,
    sub_workflows: Sequence[WorkflowTemplate],
    tasks: Sequence[CompiledTask],
    launch_plans: Sequence[LaunchPlan],
) -> CompiledWorkflowClosure:
    """Return the closure of a workflow; nothing that is passed in is changed.

    `tasks` come into the closure as they are, each once; `launch_plans` need their expected inputs and
    outputs.

    Raises:
        InvalidArgument: the workflow cannot run; the text lists everything that is wrong with it.
    """
    problems = Problems()
    closure = CompiledWorkflowClosure()
    closure.primary.template.CopyFrom(template)
    seen: set[bytes] = set()
    for task in tasks:
        if (known := key(task.template.id)) not in seen:
            seen.add(known)
            closure.tasks.add().template.CopyFrom(task.template)
    for sub in sub_workflows:
        closure.sub_workflows.add().template.CopyFrom(sub)
    library = Library(
        tasks={key(task.template.id): task.template for task in closure.tasks},
        launch_plans={key(plan.id): plan for plan in launch_plans},
        workflows=index_of(closure.sub_workflows, problems),
    )
    if not len(problems):
        _check_requirements(closure.primary.template, library, problems)
    if not len(problems):
        _compile(closure.primary, library, problems)
    if len(problems):
        raise InvalidArgument(str(problems))
    return closure


def _check_container(template: TaskTemplate, problems: Problems) -> None:
    container, interface = template.container, template.interface
    has_variables = bool(interface.inputs.variables or interface.outputs.variables)
    if has_variables and not container.command and not container.args:
        problems.value_required("container", "command")
    if not container.image:
        problems.value_required("container", "image")
    for entry in (*container.resources.requests, *container.resources.limits):
        try:
            parse_quantity(entry.value)
        except BadQuantity:
            problems.add(
                "UnrecognizedValue",
                f"resources.{Resources.ResourceName.Name(entry.name)}",
                f"Unrecognized value [{entry.value}].",
            )


def _check_requirements(template: WorkflowTemplate, library: Library, problems: Problems) -> None:
    needed = collect(template, library.workflows, problems)
    for plan in needed.launch_plans:
        if key(plan) not in library.launch_plans:
            problems.workflow_not_found(START, message_text(plan))
    for task in needed.tasks:
        if key(task) not in library.tasks:
            problems.task_not_found(START, message_text(task))


def _compile(workflow: CompiledWorkflow, library: Library, problems: Problems) -> bool:
    """Compile one workflow in place: nodes at both ends, edges, checks. False where something is wrong."""
    template, before = workflow.template, len(problems)
    if not template.nodes:
        id_ = message_text(template.id)
        problems.add("NoNodesFound", id_, f"Can't find any nodes in workflow [{id_}].")
        return False
    complete(START, template.interface, problems)
    if len(problems) > before:
        return False
    graph = Graph(workflow=workflow, library=library)
    own = _add_nodes(graph, template)
    for node in own:
        _check_node(graph, node, problems)
    for name in sorted(graph.nodes):
        if name != START:
            _add_edges(graph, graph.nodes[name], Edges.BOTH, problems)
    if template.HasField("failure_node"):
        failure = BuiltNode(template.failure_node)
        _check_node(graph, failure, problems)
        _add_edges(graph, failure, Edges.UPSTREAM, problems)
    _connect_orphans(graph, {node.id for node in own})
    _check_reachable(graph, problems)
    graph.write_connections()
    return len(problems) == before


def _add_nodes(graph: Graph, template: WorkflowTemplate) -> list[BuiltNode]:
    """Put start and end before the workflow's own nodes; of two nodes with one id the first counts."""
    given = [Node.FromString(node.SerializeToString()) for node in template.nodes]
    del template.nodes[:]
    start, end = BuiltNode(template.nodes.add(id=START)), BuiltNode(template.nodes.add(id=END))
    start.interface = TypedInterface(outputs=template.interface.inputs)
    end.interface = TypedInterface(inputs=template.interface.outputs)
    end.core.inputs.extend(template.outputs)
    graph.nodes |= {START: start, END: end}
    own = []
    for node in given:
        if node.id in graph.nodes:
            own.append(BuiltNode(node))
            continue
        built = BuiltNode(template.nodes.add())
        built.core.CopyFrom(node)
        graph.nodes[node.id] = built
        own.append(built)
    return own


def _check_node(graph: Graph, node: BuiltNode, problems: Problems) -> bool:
    before = len(problems)
    if not node.id:
        problems.value_required("<node>", "Id")
    if node.id in (START, END):
        return True
    if find_interface(graph, node, problems) is not None and node.core.output_aliases:
        output_variable(node, "", Problems())
    node.core.upstream_node_ids.sort()
    target = node.core.WhichOneof("target")
    if target == "branch_node":
        _check_branch(graph, node, problems)
    elif target == "workflow_node" and node.core.workflow_node.HasField("sub_workflow_ref"):
        _compile_sub_workflow(graph, node, problems)
    return len(problems) == before


def _compile_sub_workflow(graph: Graph, node: BuiltNode, problems: Problems) -> None:
    reference = node.core.workflow_node.sub_workflow_ref
    known, library = key(reference), graph.library
    if known in library.open:
        text = f"A cycle has been detected while traversing the Workflow [{message_text(reference)}]."
        problems.add("CycleDetected", node.id, text)
    elif known in library.workflows and known not in graph.compiled:
        library.open.add(known)
        if _compile(library.workflows[known], library, problems):
            graph.compiled.add(known)
        library.open.discard(known)


def _check_branch(graph: Graph, node: BuiltNode, problems: Problems) -> None:
    if_else = node.core.branch_node.if_else
    before = len(problems)
    blocks = [*([if_else.case] if if_else.HasField("case") else []), *if_else.other]
    if not if_else.HasField("case"):
        text = "One of the branches on the node doesn't have a condition."
        problems.add("BranchNodeHasNoCondition", node.id, text)
    for block in blocks:
        check_condition(node, block.condition if block.HasField("condition") else None, problems)
        if not block.HasField("then_node"):
            problems.add("BranchNodeIdNotFound", node.id, "BranchNode not assigned")
    if if_else.WhichOneof("default") is None:
        text = "Branch Node must have either the else case set or a default error."
        problems.add("BranchNodeHasNoDefault", node.id, text)
    sound = [inner for inner in node.inner if _check_node(graph, inner, problems)]
    if len(problems) == before:
        for inner in sound:
            _add_edges(graph, inner, Edges.UPSTREAM, problems)


def _add_edges(graph: Graph, node: BuiltNode, edges: Edges, problems: Problems) -> None:
    """Add the edges that a node states and those that follow from its bindings."""
    if node.interface is None:
        return
    if edges is Edges.BOTH:
        for provider in node.core.upstream_node_ids:
            graph.connect(provider, node.id)
    checker = Checker(graph=graph, node=node, typed=True, problems=problems)
    checker.check(node.core.inputs, node.interface.inputs.variables, edges)


def _connect_orphans(graph: Graph, own: set[str]) -> None:
    """Whatever waits for nothing starts at once; whatever nothing waits for is waited for by the end."""
    for name in sorted(own & graph.nodes.keys() - {START, END}):
        if name not in graph.upstream:
            graph.connect(START, name)
        if name not in graph.downstream:
            graph.connect(name, END)


def _check_reachable(graph: Graph, problems: Problems) -> None:
    cycle, seen = graph.cycle()
    if cycle:
        text = f"A cycle has been detected while traversing the Workflow [{'>'.join(cycle)}]."
        problems.add("CycleDetected", START, text)
    elif missed := sorted(graph.nodes.keys() - seen - {END}):
        text = f"The Workflow contain unreachable nodes [{','.join(missed)}]."
        problems.add("UnreachableNodes", START, text)
