"""The second step of a promotion: register the release in its stage, prove it there, ask the gates again."""

from __future__ import annotations

import os
import tempfile
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path

from flytekit import Resources, current_context, task

from tasks._enrolment import Enrolment
from tasks._errors import RegistrationRefused
from tasks._flyte import Flyte
from tasks._git_credentials import GIT_SECRETS
from tasks._home import Home
from tasks._registered import fetch_registered
from tasks._rewrite import rewrite
from tasks._stage_flyte import STAGE_SECRETS
from tasks._storage import sum_file, upload
from tasks._types import Finding, Record, Status, Verdict
from tasks.diff import EntityDiff, compare_with_stage
from tasks.entry_gates import ENTRY_GATES, judge_all
from tasks.gate_regression import judge_regression
from tasks.gates import Asked, GateState, GateVerdict
from tasks.manifest import Manifest
from tasks.policy import Stage
from tasks.preview_order import stage_settings
from tasks.promotion import Entered, entering, placement_of, verdict_of, version_in_stage, wanted_set
from tasks.registration import BUNDLE_NAME, register_all
from tasks.releases import read_bundle, read_entities
from tasks.same_bytes import SameBytes, compare
from tasks.smoke import TARGET_LABEL, SmokeReport, run_smoke
from tasks.smoke_case import SmokePlace

STAGE_LABEL = "taxiway-stage"
_AT_ONCE = 2


class Proved(Record):
    """A release in its stage: registered as `version`, tested, and its entry gates asked once more.

    `created` and `existing` count entities. `before` is how the same tests went on the version that is
    ACTIVE now, where their outputs are compared.
    """

    verdict: Verdict
    next: int = -1
    """The number of the stage's generation to come when the gates were asked last."""
    open: bool = False
    """Whether every gate and test let it through; what activates it believes nothing else."""
    project: str = ""
    domain: str = ""
    endpoint: str = ""
    after: dict[str, str] = {}
    """What is ACTIVE once it is activated, by launch plan."""
    version: str = ""
    bundle_uri: str = ""
    created: int = 0
    existing: int = 0
    diff: EntityDiff | None = None
    same: SameBytes | None = None
    smoke: SmokeReport | None = None
    before: SmokeReport | None = None
    result_gates: list[GateVerdict] = []
    gates: list[GateVerdict] = []


@dataclass(frozen=True, kw_only=True)
class Registering:
    """A release's entities registered in a stage."""

    version: str
    bundle_uri: str
    created: int
    existing: int
    diff: EntityDiff
    same: SameBytes


def register_release(home: Home, manifest: Manifest, stage: Stage, flyte: Flyte) -> Registering:
    """Copy the bundle under the stage's own prefix, register every entity, and compare what is there.

    Safe to repeat. Nothing is activated. What the stage runs is read and compared while Flyte registers.

    Raises:
        ManifestChanged: bundle or package are not those of the manifest.
        RegistrationRefused, DifferentStructure, StageMissing: see `register_all`.
    """
    with tempfile.TemporaryDirectory() as folder, ThreadPoolExecutor(max_workers=_AT_ONCE) as pool:
        uri = pool.submit(_copy_bundle, home, manifest, stage, flyte, Path(folder))
        entities = read_entities(home, manifest)
        settings = stage_settings(stage)
        own = placement_of(stage, manifest, version=manifest.version, bundle_uri=uri.result())
        version = version_in_stage(flyte, entities, own, settings)
        here = stage.model_copy(update={"endpoint": ""})
        diff = pool.submit(compare_with_stage, entities, flyte, here, version=version)
        sent = rewrite(entities, replace(own, version=version), settings)
        counts = register_all(sent, flyte)
        there = fetch_registered(flyte, stage.project, stage.domain, version)
        return Registering(
            version=version,
            bundle_uri=uri.result(),
            created=len(counts.created),
            existing=len(counts.existing),
            diff=diff.result(),
            same=compare(sent, there),
        )


def _copy_bundle(home: Home, manifest: Manifest, stage: Stage, flyte: Flyte, scratch: Path) -> str:
    """Copy a release's code bundle under the stage's own prefix, and return where it is then."""
    bundle = read_bundle(home, manifest, scratch)
    root = sum_file(bundle).sha256
    return upload(flyte, bundle, project=stage.project, domain=stage.domain, root=root, name=BUNDLE_NAME)


def smoke_place(asked: Asked, *, version: str, attempt: int, round_: str) -> SmokePlace:
    """Return where the stage's smoke tests run; `round_` tells several runs of one attempt apart."""
    return SmokePlace(
        project=asked.stage.project,
        domain=asked.stage.domain,
        version=version,
        attempt=attempt,
        round=round_,
        service_account=asked.stage.service_account,
        labels={TARGET_LABEL: asked.enrolment.name, STAGE_LABEL: asked.stage.name},
    )


def smoke_gate(report: SmokeReport) -> GateVerdict:
    """Return the gate that the stage's own smoke tests are; a stage without any is open, and says so."""
    state = GateState.CLOSED if report.verdict.status is Status.FAILED else GateState.OPEN
    evidence = [f"{one.name}: {one.status.value}, {one.phase.lower()}" for one in report.results]
    return GateVerdict(gate="smoke", state=state, because=report.verdict.summary, evidence=evidence)


def prove_release(asked: Asked, attempt: int) -> Proved:
    """Register a release in its stage and judge what its smoke tests say. What Flyte refuses is a verdict."""
    try:
        done = register_release(asked.home, asked.manifest, asked.stage, asked.flyte)
    except RegistrationRefused as error:
        findings = [
            Finding(where=name, problem=reason[:1000], remedy="Change what Flyte names in it.")
            for name, reason in error.refusals.items()
        ]
        refused = Verdict(status=Status.FAILED, summary=error.problem[:300], findings=findings)
        return Proved(verdict=refused)
    tests = asked.stage.smoke
    place = smoke_place(asked, version=done.version, attempt=attempt, round_="")
    smoke = run_smoke(tests, asked.flyte, place)
    before = _before(asked, attempt)
    results = [smoke_gate(smoke), judge_regression(tests, smoke, before)]
    closed = [gate for gate in results if gate.state is not GateState.OPEN]
    verdict = Verdict(status=Status.PASSED, summary="registered and proved")
    if closed:
        said = "; ".join(f"{gate.gate}: {gate.because}" for gate in closed)
        verdict = Verdict(status=Status.FAILED, summary=said, findings=smoke.verdict.findings)
    if not done.same.passed:
        astray = [*done.same.different, *done.same.missing, *done.same.foreign]
        findings = [
            Finding(
                where=name,
                problem=f"is not as the release has it, in {asked.stage.name} at version {done.version}",
                remedy="See who else registers under this version.",
            )
            for name in astray
        ]
        verdict = Verdict(status=Status.FAILED, summary=str(done.same), findings=findings)
    return Proved(
        verdict=verdict,
        project=asked.stage.project,
        domain=asked.stage.domain,
        endpoint=asked.stage.endpoint,
        after=wanted_set(asked.stage, done.version),
        version=done.version,
        bundle_uri=done.bundle_uri,
        created=done.created,
        existing=done.existing,
        diff=done.diff,
        same=done.same,
        smoke=smoke,
        before=before,
        result_gates=results,
    )


def _before(asked: Asked, attempt: int) -> SmokeReport | None:
    """Run those tests whose outputs are compared on the version that is active now; None without one."""
    record = asked.state.record
    compared = [test for test in asked.stage.smoke if test.no_regression]
    if record is None or not record.version or not compared:
        return None
    place = smoke_place(asked, version=record.version, attempt=attempt, round_="before")
    return run_smoke(compared, asked.flyte, place)


@task(
    requests=Resources(cpu="250m", mem="500Mi"),
    limits=Resources(cpu="1", mem="1Gi"),
    secret_requests=[*GIT_SECRETS, *STAGE_SECRETS],
    retries=2,
)
def prove(enrolment: Enrolment, entered: Entered) -> Proved:
    """Register and test the release in its stage; nothing where its entry gates are not open."""
    if not entered.verdict.passed:
        return Proved(
            verdict=Verdict(status=Status.SKIPPED, summary="not registered: the gates are not open")
        )
    folder = Path(current_context().working_directory)
    arguments = (enrolment, entered.sha, entered.stage.name)
    with entering(*arguments, into=folder / "before", environ=os.environ) as found:
        proved = prove_release(found.asked, entered.attempt)
    if not proved.verdict.passed:
        return proved
    with entering(*arguments, into=folder / "after", environ=os.environ) as again:
        gates = judge_all(ENTRY_GATES, again.asked)
    verdict = verdict_of(gates)
    return proved.model_copy(
        update={
            "gates": gates,
            "next": again.asked.state.next,
            "open": verdict.passed,
            "verdict": proved.verdict if verdict.passed else verdict,
        }
    )
