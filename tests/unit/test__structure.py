from __future__ import annotations

from flyteidl.admin.task_pb2 import TaskSpec
from flyteidl.core.literals_pb2 import LiteralMap
from flyteidl.core.tasks_pb2 import TaskTemplate
from flyteidl.core.workflow_pb2 import ArrayNode, Node, WorkflowTemplate
from google.protobuf.message import Message
from google.protobuf.text_format import Parse

from tasks._structure import differences, sentences, tree, uncompile


def _template(text: str) -> WorkflowTemplate:
    return Parse(text, WorkflowTemplate())


def _lines(old: Message, new: Message) -> list[str]:
    return sentences(list(differences(tree(old), tree(new))), most=5)


KINDS = """
    id { resource_type: TASK name: "t" }
    type: "python-task"
    metadata { discoverable: true timeout { seconds: 60 } interruptible: false }
    interface { inputs { variables { key: "a" value { type { collection_type { simple: BOOLEAN } } } } } }
    container {
        args: ["one", "two"]
        env { key: "b" value: "2" }
        resources { requests { name: CPU value: "1" } }
    }
    custom { fields { key: "ratio" value { number_value: 1.5 } } fields { key: "of" value { list_value {
        values { bool_value: true } values { null_value: NULL_VALUE } values { string_value: "x" } } } } }
    config { key: "k" value: "v" }
"""


def test_a_tree_names_every_kind_of_value() -> None:
    assert tree(Parse(KINDS, TaskTemplate())) == {
        "id": "t",
        "type": "python-task",
        "metadata": {"discoverable": "true", "timeout": "60s", "interruptible": "false"},
        "interface": {"inputs": {"variables": {"a": {"type": {"collection_type": {"simple": "BOOLEAN"}}}}}},
        "container": {
            "args": "one two",
            "env": {"[b]": {"key": "b", "value": "2"}},
            "resources": {"requests": {"[CPU]": {"name": "CPU", "value": "1"}}},
        },
        "custom": {"ratio": "1.5", "of": "True None x"},
        "config": {"k": "v"},
    }


def test_bytes_fractions_and_numbers_are_values_as_in_json() -> None:
    literals = LiteralMap()
    literals.literals["raw"].scalar.binary.value = b"\x00\x01"
    literals.literals["half"].scalar.primitive.float_value = 0.5
    literals.literals["many"].scalar.primitive.integer = 2**53
    node = Node(id="n", array_node=ArrayNode(min_success_ratio=0.1, parallelism=4))
    assert tree(literals) == {
        "literals": {
            "raw": {"scalar": {"binary": {"value": "AAE="}}},
            "half": {"scalar": {"primitive": {"float_value": "0.5"}}},
            "many": {"scalar": {"primitive": {"integer": str(2**53)}}},
        }
    }
    assert tree(node) == {"id": "n", "array_node": {"min_success_ratio": "0.1", "parallelism": "4"}}


SOURCE = """
    id { resource_type: WORKFLOW project: "p" domain: "d" name: "w" version: "1" }
    nodes {
        id: "n0"
        inputs { var: "a" binding { promise { var: "a" } } }
        task_node {
            reference_id { resource_type: TASK project: "p" domain: "d" name: "t" version: "1" }
            overrides {}
        }
    }
"""
COMPILED = SOURCE.replace('promise { var: "a" }', 'promise { node_id: "start-node" var: "a" }') + """
    nodes { id: "start-node" }
    nodes { id: "end-node" inputs { var: "o" binding { promise { node_id: "n0" var: "o" } } } }
"""  # fmt: skip


def test_a_workflow_and_its_compiled_form_are_the_same() -> None:
    assert _lines(_template(SOURCE), _template(COMPILED)) == []


def test_a_compiled_workflow_without_what_the_compiler_adds_is_the_source_itself() -> None:
    compiled = _template(COMPILED)
    compiled.nodes[0].upstream_node_ids.append("start-node")
    uncompile(compiled)
    assert compiled == _template(SOURCE)


BRANCHES = """
    nodes {
        id: "n2"
        branch_node { if_else {
            case { then_node { id: "%(outer)sn0" task_node {} } }
            else_node { id: "%(outer)sn1" branch_node { if_else {
                case { then_node { id: "%(inner)sn0" task_node {} } }
                other { then_node { id: "%(inner)sn1" task_node {} } }
            } } }
        } }
    }
"""


def test_nodes_of_a_branch_are_the_same_under_their_compiled_ids() -> None:
    source = _template(BRANCHES % {"outer": "", "inner": ""})
    assert _lines(source, _template(BRANCHES % {"outer": "n2-", "inner": "n2-n1-"})) == []
    other = _template(BRANCHES % {"outer": "x-", "inner": "n2-n1-"})
    assert any("then_node.id: n0 → x-n0" in line for line in _lines(source, other))


def test_an_inserted_node_is_one_difference() -> None:
    more = 'nodes { id: "new" task_node { reference_id { resource_type: TASK name: "x" } } }' + SOURCE
    assert _lines(_template(SOURCE), _template(more)) == [
        "nodes[new]: added {id: new, task_node: {reference_id: x}}"
    ]


def test_a_changed_reference_reads_as_one_name() -> None:
    other = SOURCE.replace('name: "t" version: "1"', 'name: "t" version: "2"')
    assert _lines(_template(SOURCE), _template(other)) == [
        "nodes[n0].task_node.reference_id: p/d/t at 1 → p/d/t at 2"
    ]


def test_long_texts_are_cut_to_where_they_differ() -> None:
    old, new = TaskSpec(), TaskSpec()
    old.template.container.args.extend(["same"] * 100 + ["old"] + ["x"] * 100)
    new.template.container.args.extend(["same"] * 100 + ["new"] + ["x"] * 100)
    (line,) = _lines(old, new)
    assert len(line) < 400
    assert "same old x" in line
    assert "same new x" in line


def test_many_differences_are_counted() -> None:
    old, new = TaskSpec(), TaskSpec()
    for number in range(9):
        new.template.config[f"k{number}"] = "v"
    lines = _lines(old, new)
    assert len(lines) == 1
    old.template.config["other"] = "v"
    lines = _lines(old, new)
    assert len(lines) == 5
    assert lines[-1] == "... and 6 more"


def _branch(*ids: str) -> str:
    outer, inner, last = ids
    deepest = f'then_node {{ id: "{last}" task_node {{}} }}'
    within = f'then_node {{ id: "{inner}" branch_node {{ if_else {{ case {{ {deepest} }} }} }} }}'
    return f'nodes {{ id: "{outer}" branch_node {{ if_else {{ case {{ {within} }} }} }} }}'


def test_what_the_compiler_puts_before_the_ids_inside_branches_makes_no_difference() -> None:
    source = _template(_branch("n2", "n0", "n1"))
    assert tree(source) == tree(_template(_branch("n2", "n2-n0", "n2-n0-n1")))
    assert tree(source) != tree(_template(_branch("n2", "n2-n0", "n2-n0-n3")))
