"""The policy: what is valid, and every way of not being so, all at once, each with its place."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
from flytekit import FlyteContextManager, LaunchPlan, task, workflow
from flytekit.core.type_engine import TypeEngine

from tasks._enrolment import Enrolment, PreviewStage
from tasks._toml import Invalid
from tasks.policy import Policy, missing, read_policy, schema

ROOT = Path(__file__).parents[2]

WHOLE = """
[package]
modules = ["fraud.workflows"]
source = "src"
version = "{sha}"
destination = "."

[image]
repository = "registry.example.com/fraud"
dockerfile = "Dockerfile"
dependencies = ["requirements.lock", "pyproject.toml"]
platform = "linux/amd64"
secrets = ["pip_index"]

[[stage]]
name = "development"
project = "fraud"
domain = "development"
[[stage.smoke]]
launch_plan = "fraud.workflows.train"
inputs = { rows = 100, ratio = 1.0, when = 2026-01-05T09:00:00Z, deep = { list = [1, "a", true] } }
expect = { accuracy = ">= 0.5" }
timeout = "10m"

[[stage]]
name = "production"
endpoint = "dns:///flyte.prod.example.com"
project = "fraud"
domain = "production"
service_account = "fraud-prod"
iam_role = "arn:aws:iam::1:role/fraud"
data_prefix = "s3://fraud-prod"
labels = { team = "risk" }
annotations = { "example.com/cost" = "42" }
env = { MODE = "live" }
max_parallelism = 50
activate = ["fraud.workflows.nightly"]
[stage.gates]
soak = "24h"
approval = { required = 1, by = ["risk-leads"] }
window = ["Mon-Thu 08:00-16:00 UTC"]
"""


def policy_of(text: str) -> Policy:
    policy = read_policy(text.encode())
    assert isinstance(policy, Policy), policy
    return policy


def findings_of(text: str) -> dict[str, tuple[str, str]]:
    invalid = read_policy(text.encode())
    assert isinstance(invalid, Invalid)
    return {finding.where: (finding.problem, finding.remedy) for finding in invalid.findings}


def test_the_whole_of_it_is_read() -> None:
    policy = policy_of(WHOLE)
    smoke = policy.stage[0].smoke[0]
    assert smoke.timeout_s == 600
    assert smoke.inputs["when"] == "2026-01-05T09:00:00+00:00"
    assert policy.stage[1].gates.approval.by == ["risk-leads"]


@pytest.mark.parametrize("path", ["taxiway.toml", "tests/fixtures/fraud/taxiway.toml"])
def test_the_policies_of_this_repository_are_valid(path: str) -> None:
    policy_of((ROOT / path).read_text())


CHANGES = {
    "unknown key": ('source = "src"', 'sorce = "src"', "package.sorce", "not known", "`source`"),
    "unknown table": ("[package]", "[deploy]\n[package]", "deploy", "not known", "Known here: image"),
    "list for text": ('source = "src"', 'source = ["src"]', "package.source", "It is a list", "a text"),
    "text for list": ('["fraud.workflows"]', '"fraud"', "package.modules", "It is a text", "a list"),
    "text for table": ('labels = { team = "risk" }', 'labels = "risk"', "stage[1].labels", "text", "a table"),
    "text for number": ("= 50", '= "50"', "stage[1].max_parallelism", "a text", "a whole number"),
    "fraction for number": ("= 50", "= 1.5", "stage[1].max_parallelism", "a number", "a whole number"),
    "below zero": ("= 50", "= -1", "stage[1].max_parallelism", "greater than or equal", ""),
    "number in a list": ('["fraud.workflows"]', "[1]", "package.modules[0]", "whole number", "a text"),
    "no module": ('["fraud.workflows"]', "[]", "package.modules", "empty", "at least 1"),
    "module path": ('["fraud.workflows"]', '["fraud/w.py"]', "package.modules[0]", "Python module", ""),
    "path upwards": ('"src"', '"../src"', "package.source", "leaves the repository", ""),
    "path upwards inside": ('"src"', '"src/../.."', "package.source", "leaves the repository", ""),
    "absolute path": ('"Dockerfile"', '"/etc/passwd"', "image.dockerfile", "not relative", ""),
    "home path": ('"Dockerfile"', '"~/x"', "image.dockerfile", "not relative", ""),
    "drive path": ('"Dockerfile"', '"C:/x"', "image.dockerfile", "not relative", ""),
    "backslash": ('"Dockerfile"', "'a\\b'", "image.dockerfile", "backslash", ""),
    "control character": ('"Dockerfile"', '"a\\u0000b"', "image.dockerfile", "control character", ""),
    "git's folder": ('"Dockerfile"', '".git/config"', "image.dockerfile", "git's own folder", ""),
    "path not plain": ('"src"', '"./src/"', "package.source", "plain form", ""),
    "destination upwards": ('= "."', '= "../x"', "package.destination", "not a folder", ""),
    "version without a place": ('"{sha}"', '"1.0"', "package.version", "the same for every release", ""),
    "version of other parts": ('"{sha}"', '"{sha}-{user}"', "package.version", "may hold {sha}", ""),
    "image with tag": ("com/fraud\"", "com/fraud:1\"", "image.repository", "without tag", ""),
    "image with digest": ("com/fraud\"", "com/fraud@sha256:0\"", "image.repository", "without tag", ""),
    "image in capitals": ("com/fraud\"", "com/Fraud\"", "image.repository", "image repository", ""),
    "image without registry": ('"registry.example.com/fraud"', '"fraud"', "image.repository", "registry", ""),
    "no domain": ('domain = "development"', "", "stage[0].domain", "missing", "Flyte domain"),
    "no project": ('project = "fraud"\ndomain = "dev', 'domain = "dev', "stage[0].project", "missing", ""),
    "project in capitals": ('"fraud"\ndomain = "d', '"F"\ndomain = "d', "stage[0].project", "Flyte", ""),
    "same name": ('"production"\nendpoint', '"development"\nendpoint', "stage[1].name", "more than one", ""),
    "duration": ('"24h"', '"a day"', "stage[1].gates.soak", "a duration", ""),
    "timeout": ('"10m"', '"10"', "stage[0].smoke[0].timeout", "a duration", ""),
    "expectation": ('">= 0.5"', '"high"', "stage[0].smoke[0].expect.accuracy", "no expectation", ""),
    "expectation a number": ('">= 0.5"', "0.5", "stage[0].smoke[0].expect.accuracy", "a number", "a text"),
    "endless input": ("rows = 100", "rows = inf", "stage[0].smoke[0].inputs", "cannot store", ""),
    "huge input": ("rows = 100", f"rows = {2**70}", "stage[0].smoke[0].inputs", "cannot store", ""),
    "window": ("Mon-Thu 08:00", "Workdays 08:00", "stage[1].gates.window[0]", "a time zone", ""),
    "approval by nobody": (', by = ["risk-leads"]', "", "stage[1].gates.approval", "names nobody", ""),
    "label value": ('team = "risk"', 'team = "a b"', "stage[1].labels.team", "label value", ""),
    "label key": ("{ team =", '{ "a b" =', 'stage[1].labels."a b"', "Kubernetes key", ""),
    "annotation key": ('"example.com/cost"', '"a/b/c"', 'stage[1].annotations."a/b/c"', "Kubernetes key", ""),
    "variable": ("MODE", '"A-B"', "stage[1].env.A-B", "environment variable", ""),
    "data prefix": ('"s3://fraud-prod"', '"/data"', "stage[1].data_prefix", "storage URI", ""),
    "endpoint with user": ("flyte.prod", "me@flyte.prod", "stage[1].endpoint", "Flyte endpoint", ""),
}  # fmt: skip


@pytest.mark.parametrize(("old", "new", "path", "problem", "remedy"), CHANGES.values(), ids=CHANGES)
def test_an_error_has_its_place_problem_and_remedy(
    old: str, new: str, path: str, problem: str, remedy: str
) -> None:
    assert old in WHOLE
    text = WHOLE.replace(old, new, 1)
    found = {where.partition(" ")[2]: said for where, said in findings_of(text).items()}
    assert path in found
    assert problem in found[path][0]
    assert remedy in found[path][1]


def test_more_than_16_labels_are_refused() -> None:
    labels = ", ".join(f'k{n} = "v"' for n in range(17))
    found = findings_of(WHOLE.replace('{ team = "risk" }', f"{{ {labels} }}"))
    assert found == {
        "taxiway.toml:33 stage[1].labels": (
            "`labels` has more than 16 entries.",
            "Keep those that are needed.",
        )
    }


def test_two_stages_of_one_place_are_refused() -> None:
    text = WHOLE.replace('domain = "production"', 'domain = "development"')
    policy_of(text)  # another endpoint is another place
    found = findings_of(text.replace('endpoint = "dns:///flyte.prod.example.com"\n', ""))
    assert set(found) == {"taxiway.toml:18 stage[0].domain", "taxiway.toml:28 stage[1].domain"}


def test_all_errors_come_at_once_with_their_lines() -> None:
    text = (
        WHOLE.replace("modules", "module")
        .replace('"src"', '"/src"')
        .replace('name = "production"', 'name = "development"')
    )
    assert list(findings_of(text.replace('"24h"', "24"))) == [
        "taxiway.toml:2 package.modules",
        "taxiway.toml:4 package.source",
        "taxiway.toml:3 package.module",
        "taxiway.toml:39 stage[1].gates.soak",
        "taxiway.toml:16 stage[0].name",
        "taxiway.toml:26 stage[1].name",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("content", "where", "says"),
    [
        (b"a = [\n b =", "taxiway.toml:2", "not TOML"),
        (b"a = 1\na = 2", "taxiway.toml", "not TOML"),
        (b"a = " + b"[" * 100_000, "taxiway.toml", "nested too deeply"),
        (b"a = '\xff'", "taxiway.toml", "not UTF-8"),
        (b"#" * 300_000, "taxiway.toml", "larger than 256 KiB"),
    ],
    ids=["syntax", "key twice", "nesting", "encoding", "size"],
)
def test_what_is_not_toml_is_one_finding(content: bytes, where: str, says: str) -> None:
    invalid = read_policy(content)
    assert isinstance(invalid, Invalid)
    [finding] = invalid.findings
    assert finding.where == where
    assert says in finding.problem


@pytest.mark.parametrize("text", ["", "stage = 3", "stage = [1]", "package = []", "[[stage]]\nname = 1"])
def test_any_shape_of_file_gives_findings(text: str) -> None:
    assert findings_of(text)


def test_no_policy_has_a_finding_of_its_own() -> None:
    assert missing().where == "taxiway.toml"


def test_the_schema_describes_every_key_and_refuses_others() -> None:
    described = schema()
    objects = [described, *described["$defs"].values()]
    assert all(each["additionalProperties"] is False for each in objects)
    assert all(key.get("description") for each in objects for key in each["properties"].values())
    patterns = re.findall(r'"pattern": ("[^"]*(?:\\.[^"]*)*")', json.dumps(described))
    assert all(re.compile(json.loads(pattern)) for pattern in patterns)


def test_records_come_back_from_flyte_as_they_were() -> None:
    policy = policy_of(WHOLE)
    enrolment = Enrolment(
        name="fraud",
        repository="https://git.example.com/risk/fraud",
        preview=PreviewStage(project="fraud-previews", domain="development"),
    )
    context = FlyteContextManager.current_context()
    for record in (policy, enrolment):
        expected = TypeEngine.to_literal_type(type(record))
        literal = TypeEngine.to_literal(context, record, type(record), expected)
        assert TypeEngine.to_python_value(context, literal, type(record)) == record
        assert TypeEngine.guess_python_type(expected) is not None


@task
def repository_of(enrolment: Enrolment) -> str:
    return enrolment.repository


@workflow
def fixed(enrolment: Enrolment) -> str:
    found: str = repository_of(enrolment=enrolment)
    return found


def test_an_enrolment_can_be_a_fixed_input() -> None:
    enrolment = Enrolment(
        name="fraud", repository="https://git.example.com", preview=PreviewStage(project="p", domain="d")
    )
    plan = LaunchPlan.create("fixed", fixed, fixed_inputs={"enrolment": enrolment})
    literal = plan.fixed_inputs.literals["enrolment"]
    context = FlyteContextManager.current_context()
    assert TypeEngine.to_python_value(context, literal, Enrolment) == enrolment
