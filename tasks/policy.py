"""The policy of a target repository, `taxiway.toml`: what to package, what an image is made of, the stages.

The records are the file: their names are its keys, so that the path of an error is a path in the file.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterator
from datetime import date
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, Field, JsonValue, field_validator, model_validator
from typing_extensions import Self

from tasks import _values as v
from tasks import expectation, windows
from tasks._described import Described
from tasks._digests import json_digest
from tasks._toml import Document, Invalid, parse, validate
from tasks._types import Finding

POLICY_FILE = "taxiway.toml"


def _expectation(text: str) -> str:
    expectation.parse(text)
    return text


def _window(text: str) -> str:
    windows.parse(text)
    return text


ExpectationText = Annotated[str, AfterValidator(_expectation)]
WindowText = Annotated[v.Window, AfterValidator(_window)]


class PackagePolicy(Described):
    """What is packaged."""

    modules: Annotated[list[v.ModuleName], Field(min_length=1)]
    """The modules that `pyflyte package` loads, with all that lies below them."""
    source: v.RelativePath = "."
    """The folder that becomes the code bundle; modules are imported from there."""
    version: v.VersionTemplate = "{sha}"
    """The version of a release, made of {sha}, {short_sha} and {tag}."""
    destination: v.Destination = "."
    """Where the code is unpacked in the image; the image's user must be able to write there."""


class ImagePolicy(Described):
    """What an image is made of, and where it is kept."""

    repository: v.ImageRepository
    """Where the images are kept, without tag or digest."""
    dockerfile: v.RelativePath = "Dockerfile"
    """What a container engine builds the image from."""
    dependencies: list[v.RelativePath] = []
    """All files that the image is made of, or folders of them; if none changes, neither does the image."""
    platform: v.Platform = "linux/amd64"
    """What the image runs on."""
    secrets: list[v.SecretName] = []
    """Secrets that are mounted while the image is built; the enrolment has to allow them."""
    build_args: Annotated[dict[v.EnvName, v.Text], v.TableSchema()] = {}
    """Values for the `ARG`s of the Dockerfile."""
    network: Literal["default", "none", "host"] = "default"
    """What a build may reach; `host`, the network of the engine's machine, needs the enrolment's leave."""


class SmokeTest(Described):
    """One launch plan to run, and what its outputs have to be."""

    launch_plan: v.EntityName
    """The full name of the launch plan."""
    inputs: Annotated[dict[v.VariableName, JsonValue], v.TableSchema()] = {}
    """Its inputs; what is left out is the launch plan's own default."""
    expect: Annotated[dict[v.VariableName, ExpectationText], v.TableSchema()] = {}
    """What each output has to be, such as `>= 0.5`."""
    timeout: v.Duration = "10m"
    """How long it may take; then it is terminated."""
    no_regression: Annotated[dict[v.VariableName, v.Tolerance], v.TableSchema()] = {}
    """What each output may differ by from that of the release that is active in the stage, when promoting."""

    @property
    def timeout_s(self) -> int:
        """How long it may take, in seconds."""
        return v.seconds(self.timeout)

    @field_validator("inputs")
    @classmethod
    def _storable(cls, inputs: dict[str, JsonValue]) -> dict[str, JsonValue]:
        for name, value in inputs.items():
            if not _storable(value):
                raise ValueError(f"`{name}` holds a number that Flyte cannot store")
        return inputs


class Approval(Described):
    """Who has to approve a promotion."""

    required: Annotated[int, Field(ge=0)] = 0
    """How many have to approve; 0 is nobody."""
    by: list[v.Text] = []
    """Groups and people of the enrolment's identity map."""
    not_author: bool = True
    """Whether the author of the release's commit does not count."""

    @model_validator(mode="after")
    def _possible(self) -> Self:
        if self.required and not self.by:
            raise ValueError("`required` asks for approvals, and `by` names nobody who could give them")
        return self


class Gates(Described):
    """What a promotion into a stage has to pass."""

    soak: v.Duration = "0s"
    """How long a release has to have been verified in the stage before."""
    approval: Approval = Approval()
    """Who has to approve."""
    window: list[WindowText] = []
    """When promotions may happen; none is always."""
    frozen: list[WindowText] = []
    """When they may not, whatever `window` says."""
    days: Annotated[dict[v.Day, Literal["open", "closed"]], v.TableSchema()] = {}
    """Days that `window` and `frozen` do not apply to, as the time zone of the first of these has them."""

    @field_validator("days")
    @classmethod
    def _of_the_calendar(cls, days: dict[str, str]) -> dict[str, str]:
        for day in days:
            try:
                date.fromisoformat(day)
            except ValueError as error:
                raise ValueError(f"{day} is no day of the calendar") from error
        return days


class Stage(Described):
    """A place to release to, its settings and its gates."""

    name: v.TargetName
    """What people call the stage."""
    project: v.ProjectName
    """The Flyte project."""
    domain: v.DomainName
    """The Flyte domain, such as `development`."""
    endpoint: v.Endpoint = ""
    """Another Flyte's endpoint; empty is the Flyte that Taxiway runs on."""
    service_account: v.ServiceAccount = ""
    """The Kubernetes service account of executions; empty is the project's default."""
    iam_role: v.Text = ""
    """The cloud role of executions; empty is none."""
    data_prefix: v.DataPrefix = ""
    """Where executions put their data; empty is Flyte's default."""
    labels: Annotated[dict[v.LabelKey, v.LabelValue], Field(max_length=16), v.TableSchema()] = {}
    """Kubernetes labels of executions, at most 16."""
    annotations: Annotated[dict[v.LabelKey, v.Text], v.TableSchema()] = {}
    """Kubernetes annotations of executions."""
    env: Annotated[dict[v.EnvName, v.Text], v.TableSchema()] = {}
    """Environment variables of executions."""
    non_root: bool = False
    """Whether an image whose user is root is refused, here and in previews."""
    max_parallelism: Annotated[int, Field(ge=0)] = 0
    """How many nodes of an execution may run at once; 0 is Flyte's default."""
    activate: list[v.EntityName] = []
    """The launch plans to activate."""
    smoke: list[SmokeTest] = []
    """What is run to find out whether a release works here."""
    gates: Gates = Gates()
    """What a promotion into this stage has to pass."""
    notify: list[v.Email] = []
    """Who is sent an e-mail by Flyte when an execution of a launch plan fails here."""
    on_conflict: Literal["wait", "supersede"] = "wait"
    """What a promotion does while another one of another release into this stage runs."""
    verify: v.EntityName = "smoke"
    """What is run after the activation: `smoke` for the smoke tests again, a launch plan, or `none`."""
    auto_rollback: bool = False
    """Whether the stage is rolled back by itself where that fails."""


class Policy(Described):
    """How a repository is packaged, tested and released. Written by hand, kept as `taxiway.toml`."""

    package: PackagePolicy
    """What is packaged, and where its code goes."""
    image: ImagePolicy
    """What the image is made of."""
    stage: Annotated[list[Stage], Field(min_length=1)]
    """The stages, in the order in which a release goes through them."""

    @property
    def digest(self) -> str:
        """`sha256:...` over all of it; approvals are given for one policy."""
        return json_digest(self.model_dump(mode="json"))


def read_policy(content: bytes, name: str = POLICY_FILE) -> Policy | Invalid:
    """Read a policy, or list all that is wrong with it, each with its place and its remedy."""
    document = parse(content, name)
    if isinstance(document, Invalid):
        return document
    policy = validate(document, Policy)
    clashes = list(_clashes(document))
    if isinstance(policy, Invalid):
        return Invalid(findings=[*policy.findings, *clashes])
    return Invalid(findings=clashes) if clashes else policy


def schema() -> dict[str, Any]:
    """Return the JSON Schema of the file: its keys and their meaning. Some rules only `read_policy` knows."""
    described = {**Policy.model_json_schema(), "title": POLICY_FILE}
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **described}


def missing(name: str = POLICY_FILE) -> Finding:
    """Return the finding for a revision that has no policy."""
    return Finding(
        where=name,
        problem=f"There is no `{name}` at the root of this revision.",
        remedy="Add one; `taxiway policy schema` describes it, and an editor can complete it from that.",
    )


def _clashes(document: Document) -> Iterator[Finding]:
    """Yield what two stages have in common and must not; looks at data that may be invalid otherwise."""
    listed = document.data.get("stage")
    stages: list[tuple[int, dict[str, Any]]] = [
        (index, stage)
        for index, stage in enumerate(listed if isinstance(listed, list) else [])
        if isinstance(stage, dict)
    ]
    names = Counter(str(stage["name"]) for _, stage in stages if "name" in stage)
    places = Counter(_place(stage) for _, stage in stages if "project" in stage and "domain" in stage)
    for index, stage in stages:
        if names[str(stage.get("name"))] > 1:
            yield Finding(
                where=document.place(("stage", index, "name")),
                problem=f"{stage['name']!r} is the name of more than one stage.",
                remedy="Give every stage a name of its own.",
            )
        if places[_place(stage)] > 1:
            yield Finding(
                where=document.place(("stage", index, "domain")),
                problem=f"More than one stage is {stage['project']}/{stage['domain']} of the same Flyte.",
                remedy="Give every stage its own project, domain or endpoint.",
            )


def _place(stage: dict[str, Any]) -> str:
    return repr([stage.get("endpoint", ""), stage.get("project"), stage.get("domain")])


def _storable(value: JsonValue) -> bool:
    if isinstance(value, list):
        return all(map(_storable, value))
    if isinstance(value, dict):
        return all(map(_storable, value.values()))
    if isinstance(value, int):
        return -(2**63) <= value < 2**63
    return not isinstance(value, float) or math.isfinite(value)
