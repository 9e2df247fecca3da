"""What a promotion goes by: its stage, its gates, the version and the set that are ACTIVE in the end."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from flyteidl.admin.launch_plan_pb2 import LaunchPlan, LaunchPlanList
from flytekit.configuration import Config, PlatformConfig

from tasks._entities import Entity
from tasks._errors import PolicyInvalid, UnknownStage
from tasks._flyte import Flyte
from tasks._rewrite import LaunchSettings, rewrite
from tasks._types import Status
from tasks.gates import GateState, GateVerdict
from tasks.policy import ImagePolicy, PackagePolicy, Policy
from tasks.promotion import (
    policy_in_force,
    runs_already,
    stages_of,
    verdict_of,
    version_in_stage,
    wanted_set,
)
from tasks.stage_state import StageState
from tests.unit.entities import PLACEMENT, a_plan, a_task
from tests.unit.promotions import ENROLMENT, MANIFEST, PLAN, SHA, activation, stage, state

POLICY = Policy(
    package=PackagePolicy(modules=["fraud"]),
    image=ImagePolicy(repository="registry.example.com/fraud"),
    stage=[stage("development"), stage("staging"), stage("production")],
)
VALID = """
[package]
modules = ["fraud"]
[image]
repository = "{image}"
[[stage]]
name = "development"
project = "fraud-previews"
domain = "development"
"""


@pytest.mark.parametrize(
    ("name", "before"), [("development", None), ("staging", "development"), ("production", "staging")]
)
def test_a_stage_and_the_one_before_it(name: str, before: str | None) -> None:
    found, previous = stages_of(POLICY, name)
    assert found.name == name
    assert (previous.name if previous else None) == before


def test_a_stage_that_the_policy_does_not_have() -> None:
    with pytest.raises(UnknownStage, match="development, staging, production"):
        stages_of(POLICY, "Production")


def gate(name: str, state_: GateState, opens: str = "") -> GateVerdict:
    return GateVerdict(gate=name, state=state_, because=f"{name} is so", opens=opens)


OPEN = gate("queue", GateState.OPEN)
WAITS = gate("soak", GateState.WAITING, "2026-03-05T12:00:00Z")
CLOSED = gate("stale", GateState.CLOSED)


@pytest.mark.parametrize(
    ("gates", "status", "summary"),
    [
        pytest.param([OPEN, OPEN], Status.PASSED, "every entry gate is open", id="all-open"),
        pytest.param([], Status.PASSED, "every entry gate is open", id="none"),
        pytest.param(
            [OPEN, WAITS],
            Status.SKIPPED,
            "waits for soak: soak is so (opens: 2026-03-05T12:00:00Z)",
            id="one-waits",
        ),
        pytest.param([CLOSED, OPEN], Status.FAILED, "refused by stale: stale is so", id="one-closed"),
        pytest.param(
            [WAITS, CLOSED],
            Status.FAILED,
            "refused by soak: soak is so (opens: 2026-03-05T12:00:00Z); stale: stale is so",
            id="closed-for-good-outweighs-waiting",
        ),
    ],
)
def test_gates_add_up_to_a_verdict(gates: list[GateVerdict], status: Status, summary: str) -> None:
    verdict = verdict_of(gates)
    assert (verdict.status, verdict.summary) == (status, summary)


def test_a_release_activates_what_the_policy_lists_and_nothing_else() -> None:
    wide = stage().model_copy(update={"activate": ["b", "a"]})
    assert list(wanted_set(wide, "v1").items()) == [("a", "v1"), ("b", "v1")]
    assert wanted_set(stage().model_copy(update={"activate": []}), "v1") == {}


@pytest.mark.parametrize(
    ("there", "version", "expected"),
    [
        pytest.param(state(activation()), SHA, True, id="the-same-release-and-version"),
        pytest.param(state(activation()), f"{SHA}-01234567", False, id="other-settings-since"),
        pytest.param(state(None), SHA, False, id="nothing-was-ever-promoted"),
        pytest.param(state(activation(manifest="sha256:00")), SHA, False, id="another-release"),
        pytest.param(state(activation(), active={PLAN: ["v0"]}), SHA, False, id="drifted"),
        pytest.param(state(activation(), active={}), SHA, False, id="stopped-by-hand"),
        pytest.param(state(activation(after={})), SHA, False, id="the-policy-activates-more-now"),
        pytest.param(
            state(activation(after={PLAN: SHA, "old": SHA})), SHA, False, id="the-policy-activates-less-now"
        ),
    ],
)
def test_whether_a_stage_runs_the_release_already(there: StageState, version: str, expected: bool) -> None:
    assert runs_already(there, MANIFEST, version) is expected


SETTINGS = LaunchSettings(labels={"team": "risk"})
PACKAGE: list[Entity] = [a_task("t"), a_plan("p", "w")]


def flyte_with(plans: list[LaunchPlan]) -> Flyte:
    rpcs: dict[str, Callable[..., Any]] = {
        "ListLaunchPlans": lambda request, timeout: LaunchPlanList(launch_plans=plans)
    }
    return Flyte(config=Config(platform=PlatformConfig(endpoint="here")), rpcs=rpcs)


def registered(settings: LaunchSettings) -> list[LaunchPlan]:
    messages = [one.message for one in rewrite(PACKAGE, PLACEMENT, settings)]
    return [message for message in messages if isinstance(message, LaunchPlan)]


def with_inputs(plans: list[LaunchPlan]) -> list[LaunchPlan]:
    for plan in plans:
        plan.spec.default_inputs.parameters["rows"].required = True
    return plans


@pytest.mark.parametrize(
    ("plans", "other"),
    [
        pytest.param([], False, id="not-registered-yet"),
        pytest.param(registered(SETTINGS), False, id="registered-just-so"),
        pytest.param(registered(LaunchSettings(labels={"team": "fraud"})), True, id="with-another-label"),
        pytest.param(registered(LaunchSettings()), True, id="without-settings"),
        pytest.param([LaunchPlan(id={"name": "somebody-elses"})], False, id="of-somebody-else"),
        pytest.param(with_inputs(registered(SETTINGS)), False, id="as-flyte-completes-it"),
    ],
)
def test_other_settings_are_another_version(plans: list[LaunchPlan], other: bool) -> None:
    version = version_in_stage(flyte_with(plans), PACKAGE, PLACEMENT, SETTINGS)
    assert (version != "v1") is other
    if other:
        assert version.startswith("v1-") and len(version) == len("v1-") + 8
        assert version == version_in_stage(flyte_with(plans), PACKAGE, PLACEMENT, SETTINGS)


class Tip:
    """A source of which only the tip's policy is read."""

    protected = "b" * 40

    def __init__(self, text: str | None) -> None:
        self.text = text


@pytest.mark.parametrize(
    ("text", "said"),
    [
        pytest.param(None, "there is none", id="missing"),
        pytest.param("stages = 3", "taxiway.toml", id="not-valid"),
        pytest.param(VALID.format(image="registry.example.com/others"), "beyond", id="beyond-the-limits"),
    ],
)
def test_a_policy_that_cannot_be_used(text: str | None, said: str, monkeypatch: pytest.MonkeyPatch) -> None:
    _serve(text, monkeypatch)
    with pytest.raises(PolicyInvalid, match=said):
        policy_in_force(Tip(text), ENROLMENT)  # type: ignore[arg-type]


def test_the_policy_on_the_tip_rules(monkeypatch: pytest.MonkeyPatch) -> None:
    text = VALID.format(image="registry.example.com/fraud")
    _serve(text, monkeypatch)
    limits = ENROLMENT.limits.model_copy(update={"images": ["registry.example.com/fraud"]})
    found = policy_in_force(Tip(text), ENROLMENT.model_copy(update={"limits": limits}))  # type: ignore[arg-type]
    assert [one.name for one in found.stage] == ["development"]


def _serve(text: str | None, monkeypatch: pytest.MonkeyPatch) -> None:
    from tasks import promotion
    from tasks.policy import read_policy

    def read(source: Tip, sha: str) -> object:
        assert sha == source.protected
        return None if text is None else read_policy(text.encode())

    monkeypatch.setattr(promotion, "read_policy_at", read)
