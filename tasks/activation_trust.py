"""Whether somebody vouches for what an activation asks: callers of its launch plan can write anything.

Flyte itself lets whoever may launch an execution give it any inputs. So nothing is activated that does not
come from a promotion that has proved it, from an earlier generation, or from what is ACTIVE anyway.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from flyteidl.admin.execution_pb2 import Execution
from flyteidl.admin.node_execution_pb2 import NodeExecutionGetDataRequest
from flyteidl.core.identifier_pb2 import NodeExecutionIdentifier
from pydantic import BaseModel, ConfigDict

from tasks._enrolment import Enrolment
from tasks._errors import ActivationBroken, ActivationRefused, FlyteNotFound, GenerationTaken
from tasks._executions import phase_of, steps
from tasks._home import Home
from tasks._names import generation_name, plan_name
from tasks._permits import permits
from tasks._typed import Unreadable, value_of
from tasks.stage_state import (
    GENERATION_FLOWS,
    WHOLE_NOTE,
    Activation,
    Cause,
    Generation,
    generation_of,
    generations,
    notes_of,
    record_of,
    tags_of,
)

PROVE = "prove"
"""The node of a promotion that registers and tests, before anything is activated."""


class Proof(BaseModel):
    """What a promotion's node `prove` has to say for its activation; its own record may say more.

    `open` is whether every gate and test let it through, `after` the complete set that it may make ACTIVE.
    """

    model_config = ConfigDict(frozen=True, extra="ignore")

    open: bool
    project: str
    domain: str
    endpoint: str = ""
    after: dict[str, str]


@dataclass(frozen=True, kw_only=True)
class Promotion:
    """The execution that asked for an activation, as Flyte has it. `proof` is None where there is none."""

    launch_plan: str
    version: str
    installed: str
    phase: str
    sha: str
    stage: str
    proof: Proof | None


def check_asked(
    home: Home, activation: Activation, own: Execution, enrolment: Enrolment, active: Mapping[str, list[str]]
) -> Activation | None:
    """Check what an activation was launched with; return the record of the stage's generation before it.

    `own` is the execution that this is, `active` what is ACTIVE in the stage.

    Raises:
        ActivationRefused: nobody vouches for it. Nothing was changed.
        ActivationBroken: an earlier try has begun, and the promotion that vouched for it ended since.
        GenerationTaken: the generation before it still runs.
    """
    problems = list(wrong_launch(activation, own, enrolment))
    if problems:
        raise _refused(activation, problems)
    earlier = (one for one in generations(home, activation.stage) if one.number < activation.generation)
    last = next((one for one in earlier if not one.refused), None)
    if last is not None and not last.ended:
        raise GenerationTaken(
            f"{last.execution} is {last.phase}, and changes the same stage.",
            remedy="Wait for its end, or abort it; then try again.",
        )
    if activation.cause is Cause.PROMOTION:
        promotion = _promotion(home, activation)
        problems = list(wrong_promotion(activation, promotion))
        if promotion is not None and broke_off(activation, promotion, active):
            raise ActivationBroken(
                f"{activation.asked_by} is {promotion.phase}, and its activation was not done to the end.",
                remedy="The next promotion or rollback of the stage goes on from there.",
            )
    elif activation.cause is Cause.ROLLBACK:
        problems = list(wrong_rollback(activation, *_generation(home, activation)))
    else:
        problems = list(wrong_adoption(activation, active))
    if problems:
        raise _refused(activation, problems)
    return record_of(home, last) if last is not None else None


def wrong_launch(activation: Activation, own: Execution, enrolment: Enrolment) -> Iterator[str]:
    """Yield what is wrong with how an activation was launched: its name is the lock, its notes the record."""
    name = generation_name(activation.target, activation.stage, activation.generation)
    if activation.generation < 0 or own.id.name != name:
        yield f"it runs as {own.id.name}, and not under its generation's name, {name}"
    if activation.target != enrolment.name:
        yield f"it is for the target {activation.target}, and this launch plan is {enrolment.name}'s"
    notes, wanted = own.spec.annotations.values, notes_of(activation)
    noted = generation_of(own)
    told = noted is not None and noted.record in (None, activation)
    if not told or any(notes[key] != wanted[key] for key in wanted.keys() - {WHOLE_NOTE}):
        yield "its annotations do not say what it does"
    if not set(tags_of(activation)) <= set(own.spec.tags):
        yield "it does not have its tags"
    limits, preview = enrolment.limits, enrolment.preview
    for what, value, entries in (
        ("project", activation.project, [*limits.projects, preview.project]),
        ("domain", activation.domain, [*limits.domains, preview.domain]),
        ("endpoint", activation.endpoint, limits.endpoints),
    ):
        if not permits(entries, value):
            yield f"the enrolment does not allow the {what} {value}"
    if not all([activation.project, activation.domain, *activation.after, *activation.after.values()]):
        yield "a project, domain, launch plan or version is empty"


def wrong_promotion(activation: Activation, promotion: Promotion | None) -> Iterator[str]:
    """Yield why a promotion does not vouch for an activation."""
    if promotion is None:
        yield f"there is no execution {activation.asked_by or 'that asked for it'}"
        return
    wanted = plan_name("promote", activation.target)
    if (promotion.launch_plan, promotion.version) != (wanted, promotion.installed):
        yield f"{activation.asked_by} is no execution of {wanted} as it is installed"
    if promotion.phase != "RUNNING":
        yield f"{activation.asked_by} is {promotion.phase}, and not running"
    if (promotion.sha, promotion.stage) != (activation.sha, activation.stage):
        yield f"{activation.asked_by} promotes another release, or into another stage"
    proof = promotion.proof
    if proof is None or not proof.open:
        yield f"{activation.asked_by} has not proved the release, or a gate is closed"
    elif (proof.project, proof.domain, proof.endpoint) != place_of(activation):
        yield f"{activation.asked_by} proved the release in another place"
    elif proof.after != activation.after:
        yield f"{activation.asked_by} proved another set of launch plans"


def broke_off(activation: Activation, promotion: Promotion, active: Mapping[str, Sequence[str]]) -> bool:
    """Whether a promotion that ended badly had vouched for an activation of which a part is ACTIVE.

    That one is not forgotten as refused ones are: what it says is how the stage came to be as it is.
    """
    if promotion.phase not in {"FAILING", "FAILED", "ABORTING", "ABORTED", "TIMED_OUT"}:
        return False
    begun = any(
        version in active.get(name, []) and activation.before.get(name) != version
        for name, version in activation.after.items()
    )
    return begun and not list(wrong_promotion(activation, replace(promotion, phase="RUNNING")))


def wrong_rollback(
    activation: Activation, earlier: Generation | None, record: Activation | None
) -> Iterator[str]:
    """Yield why an earlier generation does not vouch for a rollback."""
    if earlier is None or record is None:
        yield f"the stage has no earlier generation {activation.back_to}"
        return
    if earlier.phase != "SUCCEEDED":
        yield f"{earlier.execution} is {earlier.phase}, and did not succeed"
    if place_of(record) != place_of(activation):
        yield f"{earlier.execution} was in another place"
    if record.after != activation.after:
        yield f"{earlier.execution} activated another set of launch plans"
    if (record.sha, record.version, record.manifest) != (
        activation.sha,
        activation.version,
        activation.manifest,
    ):
        yield f"{earlier.execution} was of another release"


def wrong_adoption(activation: Activation, active: Mapping[str, Sequence[str]]) -> Iterator[str]:
    """Yield what an adoption says otherwise than Flyte."""
    if activation.before != activation.after:
        yield "an adoption changes nothing, and its sets differ"
    for name, version in activation.after.items():
        if list(active.get(name, [])) != [version]:
            found = " and ".join(active.get(name, [])) or "no version"
            yield f"{found} of {name} is ACTIVE, and not {version} alone"


def place_of(activation: Activation) -> tuple[str, str, str]:
    """Return where an activation's stage is: project, domain and endpoint."""
    return activation.project, activation.domain, activation.endpoint


def _promotion(home: Home, activation: Activation) -> Promotion | None:
    try:
        execution = home.execution(activation.asked_by) if activation.asked_by else None
    except FlyteNotFound:
        execution = None
    if execution is None:
        return None
    inputs = home.data(activation.asked_by).full_inputs
    try:
        sha, stage = value_of(inputs, "sha", str), value_of(inputs, "stage", str)
    except Unreadable:
        sha = stage = ""
    return Promotion(
        launch_plan=execution.spec.launch_plan.name,
        version=execution.spec.launch_plan.version,
        installed=home.plan("promote").id.version,
        phase=phase_of(execution),
        sha=sha,
        stage=stage,
        proof=_proof(home, activation.asked_by),
    )


def _proof(home: Home, name: str) -> Proof | None:
    execution = home.identifier(name)
    proved = [step for step in steps(home.flyte, execution, now=0) if step.node == PROVE and not step.parent]
    if not proved or proved[0].phase != "SUCCEEDED":
        return None
    identifier = NodeExecutionIdentifier(node_id=proved[0].id, execution_id=execution)
    data = home.flyte.call("GetNodeExecutionData", NodeExecutionGetDataRequest(id=identifier))
    try:
        return value_of(data.full_outputs, "o0", Proof)
    except Unreadable:
        return None


def _generation(home: Home, activation: Activation) -> tuple[Generation | None, Activation | None]:
    """Return the generation that a rollback goes back to, and its record."""
    if not 0 <= activation.back_to < activation.generation:
        return None, None
    name = generation_name(activation.target, activation.stage, activation.back_to)
    try:
        execution = home.execution(name)
    except FlyteNotFound:
        return None, None
    flows = {plan_name(flow, activation.target) for flow in GENERATION_FLOWS}
    found = generation_of(execution) if execution.spec.launch_plan.name in flows else None
    return found, record_of(home, found) if found is not None else None


def _refused(activation: Activation, problems: Sequence[str]) -> ActivationRefused:
    return ActivationRefused(
        f"Generation {activation.generation} of {activation.stage} is refused: {'; '.join(problems)}.",
        remedy="Promote or roll back by Taxiway's own launch plans; nothing was changed.",
    )
