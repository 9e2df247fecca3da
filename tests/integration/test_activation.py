"""What is ACTIVE in a stage, changed on a real Flyte: interrupted, repaired, refused, rolled back."""

from __future__ import annotations

import json
import zlib
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import pytest
from flyteidl.admin.execution_pb2 import ExecutionTerminateRequest

from scripts.pending import Pending, record, send
from tasks import policy
from tasks._errors import ActivationBroken, ActivationRefused, GenerationTaken
from tasks._home import Home
from tasks._launch import Launched, launch
from tasks._typed import literals
from tasks.converge import Activated, converge
from tasks.generations import follow_activation, launch_activation
from tasks.rollback import launch_rollback, plan_rollback
from tasks.stage_state import Cause, generations, read_stage, record_of
from tests.integration.staged import Killed, Stage, counted, force_active, killed_after, stage
from tests.running import Cluster, Sandbox

PLANS = ["p0", "p1", "p2"]
V1, V2 = dict.fromkeys(PLANS, "v1"), dict.fromkeys(PLANS, "v2")


@pytest.fixture(scope="module")
def enrolled(cluster: Cluster) -> str:
    cluster.install()
    cluster.taxiway("enroll", "https://git.example.com/risk/staged", "--name", "staged", "--create-projects",
                    "--limit-project", "*", "--limit-domain", "development")  # fmt: skip
    return "staged"


@pytest.fixture
def staged(cluster: Cluster, enrolled: str, request: pytest.FixtureRequest) -> Iterator[Stage]:
    """A stage of the test's own, with two versions registered and the first one ACTIVE."""
    name = f"s{zlib.crc32(request.node.name.encode()):08x}"
    with stage(cluster, target=enrolled, project=name) as made:
        made = Stage(home=made.home, flyte=made.flyte, project=name, name=name)
        made.register("v1", PLANS)
        made.register("v2", [*PLANS, "new"])
        converge(made.flyte, made.activation(0, V1, before={}))
        yield made


def test_converging_does_what_is_missing_and_nothing_twice(staged: Stage) -> None:
    after = {"p0": "v2", "p1": "v1", "new": "v2"}
    calls: list[str] = []
    done = converge(counted(staged.flyte, calls), staged.activation(1, after, before=V1))
    assert done.changed == {"p0": "v2", "new": "v2", "p2": ""}
    assert (done.repaired, done.calls, done.active) == ([], 3, dict(sorted(after.items())))
    assert staged.active == {name: [version] for name, version in after.items()}
    assert calls.count("UpdateLaunchPlan") == 3
    again = converge(staged.flyte, staged.activation(1, after, before=V1))
    assert (again.changed, again.calls) == ({}, 0)


@pytest.mark.parametrize("updates", [0, 1, 2])
def test_killed_between_two_it_goes_on_or_goes_back(staged: Stage, updates: int) -> None:
    forward = staged.activation(1, V2, before=V1)
    with pytest.raises(Killed):
        converge(killed_after(staged.flyte, updates), forward)
    assert sorted(versions for versions in staged.active.values()).count(["v2"]) == updates
    if updates == 1:
        converge(staged.flyte, staged.activation(2, V1, before=V2))
        assert staged.active == {name: ["v1"] for name in PLANS}
    else:
        converge(staged.flyte, forward)
        assert staged.active == {name: ["v2"] for name in PLANS}


@pytest.mark.sandbox_only
@pytest.mark.parametrize("wanted", ["v1", "v2"])
def test_two_active_versions_are_repaired_and_reported(sandbox: Sandbox, staged: Stage, wanted: str) -> None:
    force_active(sandbox, staged.project, "p1", "v2")
    assert staged.active["p1"] == ["v1", "v2"]
    done = converge(staged.flyte, staged.activation(1, {**V1, "p1": wanted}))
    assert staged.active["p1"] == [wanted]
    assert done.repaired == [f"p1 {'v1' if wanted == 'v2' else 'v2'}"]


def test_version_that_is_not_registered_changes_nothing(staged: Stage) -> None:
    with pytest.raises(ActivationRefused, match="p2 v3"):
        converge(staged.flyte, staged.activation(1, {**V2, "p2": "v3"}))
    assert staged.active == {name: ["v1"] for name in PLANS}


def test_five_hundred_launch_plans(staged: Stage) -> None:
    many = [f"many{number}" for number in range(500)]
    staged.register("v1", many)
    calls: list[str] = []
    done = converge(counted(staged.flyte, calls), staged.activation(1, {**V1, **dict.fromkeys(many, "v1")}))
    assert len(done.changed) == calls.count("UpdateLaunchPlan") == 500
    assert len(staged.active) == 503
    assert calls.count("ListActiveLaunchPlans") <= 2 * 6


def test_adoption_rollback_and_drift_through_generations(cluster: Cluster, staged: Stage) -> None:
    home = staged.home
    adopted = done_by(home, launch_activation(home, staged.activation(0, V1)))
    assert (adopted.changed, adopted.active) == ({}, V1)
    converge(staged.flyte, staged.activation(1, {**V2, "new": "v2"}))
    state = read_stage(home, staged.flyte, as_policy(staged))
    assert "p0: v2 is ACTIVE, and v1 should be" in state.drift
    done_by(home, launch_activation(home, staged.activation(1, {**V2, "new": "v2"})))
    planned = plan_rollback(home, staged.name, to="previous", reason="it scores everybody alike")
    assert (planned.generation, planned.back_to, planned.after) == (2, 0, V1)
    launched = launch_rollback(home, planned, "previous")
    done = done_by(home, launched)
    assert done.changed == {**V1, "new": ""}
    assert staged.active == {name: ["v1"] for name in PLANS}
    state = read_stage(home, staged.flyte, as_policy(staged))
    assert (state.drift, state.partial, state.next) == ([], False, 3)
    assert state.record == planned
    assert [one.cause for one in generations(home, staged.name)] == [
        Cause.ROLLBACK,
        Cause.ADOPTION,
        Cause.ADOPTION,
    ]


def test_what_nobody_vouches_for_is_refused_and_forgotten(staged: Stage) -> None:
    home = staged.home
    done_by(home, launch_activation(home, staged.activation(0, V1)))
    forged = [
        staged.activation(1, V2, before=V1, cause=Cause.PROMOTION, asked_by="promote-nothing"),
        staged.activation(2, V2, before=V1, cause=Cause.ROLLBACK, back_to=1),
        staged.activation(3, V2, before=V1),
    ]
    for activation in forged:
        with pytest.raises(ActivationBroken, match="is refused"):
            done_by(home, launch_activation(home, activation))
    assert staged.active == {name: ["v1"] for name in PLANS}
    state = read_stage(home, staged.flyte, as_policy(staged))
    assert state.record is not None
    assert (state.record.generation, state.drift, state.next) == (0, [], 4)


def test_of_two_activations_of_one_generation_one_wins(staged: Stage) -> None:
    home = staged.home
    both = [staged.activation(0, V1), staged.activation(0, {"p0": "v1"})]

    def attempt(number: int) -> str:
        try:
            return str(launch_activation(home, both[number]).id.name)
        except GenerationTaken:
            return ""

    with ThreadPoolExecutor(2) as pool:
        names = list(pool.map(attempt, range(2)))
    assert sorted(map(bool, names)) == [False, True]
    winner = next(iter(generations(home, staged.name)))
    assert record_of(home, winner) == both[names.index(winner.execution)]
    again = launch_activation(home, record_of(home, winner))
    assert again.attached


def test_rollback_by_hand_launches_its_generation_and_follows_it(cluster: Cluster, staged: Stage) -> None:
    _promoted(staged)
    plan = staged.home.plan("rollback")
    inputs = literals({"stage": staged.name, "to": "v-none", "reason": "by hand"})
    by_hand = launch(staged.home.flyte, plan, name=f"by-hand-{staged.name}", inputs=inputs)
    with pytest.raises(ActivationBroken, match="No earlier generation"):
        done_by(staged.home, by_hand)
    inputs = literals({"stage": staged.name, "to": "previous", "reason": "by hand"})
    by_hand = launch(staged.home.flyte, plan, name=f"by-hand-again-{staged.name}", inputs=inputs)
    assert done_by(staged.home, by_hand).changed == V1
    newest = next(generations(staged.home, staged.name))
    assert (newest.cause, newest.asked_by, newest.reason) == (Cause.ROLLBACK, by_hand.id.name, "by hand")


def done_by(home: Home, launched: Launched) -> Activated:
    return follow_activation(home, launched.id.name, timeout_s=90)


def _promoted(staged: Stage) -> None:
    """Leave two generations: the first version adopted, then the second one."""
    home = staged.home
    done_by(home, launch_activation(home, staged.activation(0, V1)))
    converge(staged.flyte, staged.activation(1, V2))
    done_by(home, launch_activation(home, staged.activation(1, V2)))


def as_policy(staged: Stage) -> policy.Stage:
    return policy.Stage(name=staged.name, project=staged.project, domain=staged.domain, activate=PLANS)


def test_rollback_command_follows_and_says_what_it_did(cluster: Cluster, staged: Stage) -> None:
    init = ("init", "staged", "--stage", staged.name, "--stage-project", staged.project,
            "--stage-domain", staged.domain, "--json")  # fmt: skip
    first = json.loads(cluster.taxiway(*init).stdout)
    assert (first["activation"]["generation"], first["activation"]["after"]) == (0, V1)
    assert "has generation 0 already" in cluster.taxiway(*init, expect=(2,)).stderr
    converge(staged.flyte, staged.activation(1, V2))
    cluster.taxiway(*init, "--again")
    back = ("rollback", "staged", staged.name, "--to", "previous")
    done = json.loads(cluster.taxiway(*back, "--reason", "it scores alike", "--json").stdout)
    assert done["execution"]["phase"] == "SUCCEEDED"
    assert done["activated"]["changed"] == V1
    assert staged.active == {name: ["v1"] for name in PLANS}
    assert "TAXI:NothingToRollBackTo" in cluster.taxiway(*back, "--reason", "again", expect=(2,)).stderr


def test_direct_rollback_leaves_its_record_once_flyte_takes_it(
    cluster: Cluster, staged: Stage, tmp_path: Path
) -> None:
    _promoted(staged)
    planned = plan_rollback(staged.home, staged.name, to="previous", reason="executions are broken")
    converge(staged.flyte, planned)

    def unable(request: object, timeout: float) -> object:
        raise ActivationRefused("No execution is taken.", remedy="Wait.")

    broken = replace(staged.flyte, rpcs={**staged.flyte.rpcs, "CreateExecution": unable})
    pending = Pending(
        endpoint=staged.flyte.endpoint,
        project=staged.home.project,
        domain=staged.home.domain,
        to="previous",
        activation=planned,
    )
    kept = record(broken, pending, tmp_path)
    assert isinstance(kept, Path)
    assert send(broken, tmp_path).kept == [pending.name]
    assert send(staged.flyte, tmp_path).sent == [pending.name]
    assert list(tmp_path.iterdir()) == []
    done = follow_activation(staged.home, pending.name, timeout_s=90)
    assert done.calls == 0
    newest = next(generations(staged.home, staged.name))
    assert (newest.cause, newest.reason) == (Cause.ROLLBACK, "executions are broken")


def test_direct_rollback_command_makes_the_calls_itself(cluster: Cluster, staged: Stage) -> None:
    _promoted(staged)
    words = ("rollback", "staged", staged.name, "--reason", "quick", "--direct", "--json")
    done = json.loads(cluster.taxiway(*words).stdout)
    assert done["activated"]["changed"] == V1
    assert staged.active == {name: ["v1"] for name in PLANS}
    recorded = follow_activation(staged.home, done["execution"]["name"], timeout_s=90)
    assert recorded.changed == {}


def test_activation_aborted_in_the_middle_is_partial_and_mended(staged: Stage) -> None:
    home = staged.home
    _promoted(staged)
    planned = plan_rollback(home, staged.name, to="previous", reason="abort it")
    with pytest.raises(Killed):
        converge(killed_after(staged.flyte, 2), planned)
    launched = launch_rollback(home, planned, "previous")
    staged.flyte.call("TerminateExecution", ExecutionTerminateRequest(id=launched.id, cause="by a test"))
    with pytest.raises(ActivationBroken, match="by a test"):
        done_by(home, launched)
    state = read_stage(home, staged.flyte, as_policy(staged))
    assert state.partial
    assert state.drift == ["p2: v2 is ACTIVE, and v1 should be"]
    again = plan_rollback(home, staged.name, to="previous", reason="finish it")
    assert (again.back_to, again.generation) == (0, 3)
    done = done_by(home, launch_rollback(home, again, "previous"))
    assert done.changed == {"p2": "v1"}
    assert read_stage(home, staged.flyte, as_policy(staged)).drift == []
