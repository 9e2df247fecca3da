"""Registration: the package's entities under their preview's or release's identity, in waves."""

import os
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from flytekit import Resources, task
from flytekit.configuration import Config
from flytekit.types.file import FlyteFile

from tasks._create import Outcome, Refusal, create
from tasks._enrolment import Enrolment
from tasks._entities import Entity, Kind
from tasks._errors import BundleChanged, RegistrationRefused
from tasks._existing import Existing
from tasks._flyte import Flyte, connect
from tasks._packaged import Package, read_package
from tasks._rewrite import Placement, rewrite
from tasks._settings import read_settings
from tasks._storage import sum_file, upload
from tasks._types import Finding, Record, Status, Verdict
from tasks._waves import needs, waves
from tasks._window import Window, side_by_side
from tasks.admission import admit, preview_allowances
from tasks.bundle import CodeBundle
from tasks.diff import EntityDiff, compare_with_stage
from tasks.image import ImageStep
from tasks.policy import Policy
from tasks.prepare import Prepared
from tasks.preview_order import Order, plan_preview

BUNDLE_NAME = "code.tar.gz"
"""flytekit unpacks a bundle only if its name ends like this (`flytekit.tools.fast_registration`)."""
_SKIPPED = Verdict(status=Status.SKIPPED, summary="not done, for an earlier step did not pass")


class EntityName(Record):
    """One registered entity, by kind and name; its version is its registration's."""

    kind: Kind
    name: str


class Registered(Record):
    """What a registration left behind. `diff` is None where an earlier verdict stopped it."""

    package: Verdict
    admission: Verdict
    verdict: Verdict
    project: str
    domain: str
    version: str
    bundle_uri: str = ""
    created: list[EntityName] = []
    existing: list[EntityName] = []
    diff: EntityDiff | None = None
    seconds: float = 0


@dataclass(frozen=True, kw_only=True)
class Counts:
    """What a registration found: the entities that it made, and those that were there."""

    created: list[EntityName]
    existing: list[EntityName]


@dataclass(frozen=True, kw_only=True)
class Done:
    """What carrying out an order left behind."""

    bundle_uri: str
    counts: Counts
    diff: EntityDiff


def carry_out(order: Order, entities: Sequence[Entity], bundle: Path, flyte: Flyte) -> Done:
    """Upload the bundle, compare with the stage, register everything; safe to repeat.

    Raises:
        RegistrationRefused, ReferenceCycle, DifferentStructure, StageMissing: see `register_all`.
        FlyteUnavailable, FlyteUnauthenticated, StorageRefused: Flyte or its storage cannot be used.
    """
    diff = compare_with_stage(entities, flyte, order.stage, version=order.version)
    root = sum_file(bundle).sha256
    uri = upload(flyte, bundle, project=order.project, domain=order.domain, root=root, name=BUNDLE_NAME)
    placement = Placement(
        project=order.project,
        domain=order.domain,
        version=order.version,
        bundle_uri=uri,
        destination=order.destination,
    )
    counts = register_all(rewrite(entities, placement, order.settings), flyte)
    return Done(bundle_uri=uri, counts=counts, diff=diff)


def register_all(entities: Sequence[Entity], flyte: Flyte) -> Counts:
    """Register rewritten entities in waves, side by side; each begins once all that it needs is there.

    Safe to repeat: what is there with the same content counts as existing. Nothing is activated.

    Raises:
        ReferenceCycle, RegistrationRefused: the entities cannot be registered as they are; every refusal
            is named, and what needs a refused entity is not tried.
        DifferentStructure: one is there under this version with other content.
        FlyteUnavailable: nothing went through for the connection's patience.
    """
    ordered = [entity for wave in waves(entities) for entity in wave]
    existing = Existing(flyte)

    def register_one(entity: Entity) -> Outcome | Refusal:
        outcome = create(flyte, entity)
        if outcome is Outcome.EXISTING:
            existing.look(entity)
        return outcome

    outcomes = side_by_side(
        ordered,
        register_one,
        needs=needs(ordered),
        good=lambda outcome: not isinstance(outcome, Refusal),
        known=lambda entity: Outcome.EXISTING if existing.has(entity) else None,
        window=Window.over(flyte.trips.shortest_s),
        patience_s=flyte.patience_s,
        clock=flyte.clock,
        sleep=flyte.sleep,
    )
    _check([outcome for outcome in outcomes.values() if isinstance(outcome, Refusal)])
    return Counts(
        created=_names(ordered, outcomes, Outcome.CREATED),
        existing=_names(ordered, outcomes, Outcome.EXISTING),
    )


def _names(
    ordered: Sequence[Entity], outcomes: Mapping[int, Outcome | Refusal], outcome: Outcome
) -> list[EntityName]:
    return [
        EntityName(kind=entity.kind, name=entity.name)
        for at, entity in enumerate(ordered)
        if outcomes[at] is outcome
    ]


def _check(refusals: Sequence[Refusal]) -> None:
    if not refusals:
        return
    named = "; ".join(f"{one.entity}: {one.reason[:500]}" for one in refusals[:5])
    more = f" (and {len(refusals) - 5} more)" if len(refusals) > 5 else ""
    raise RegistrationRefused(
        f"Flyte refuses {len(refusals)} of the package's entities: {named}{more}.",
        remedy="Change what Flyte names; platform limits are an administrator's.",
        refusals={str(one.entity): one.reason for one in refusals},
    )


def register_package(
    enrolment: Enrolment,
    policy: Policy,
    package: Package,
    *,
    image: str,
    bundle: CodeBundle,
    sha: str,
    pull_request: int,
    flyte: Flyte,
) -> Registered:
    """Admit a package and register it for a preview. What Flyte refuses of it is a failed verdict.

    Raises:
        BundleChanged: the bundle is not the one that was made of the revision.
        For the rest, see `carry_out`.
    """
    began = time.monotonic()
    order = plan_preview(
        enrolment,
        policy,
        sha=sha,
        pull_request=pull_request,
        package=package.digest,
        bundle=bundle.digest,
    )
    admission = admit(package.entities, preview_allowances(enrolment, image))
    result = Registered(
        package=package.verdict,
        admission=admission,
        verdict=_SKIPPED,
        project=order.project,
        domain=order.domain,
        version=order.version,
    )
    if not admission.passed:
        return result
    try:
        done = carry_out(order, package.entities, checked_bundle(bundle), flyte)
    except RegistrationRefused as error:
        return result.model_copy(update={"verdict": _refused(error)})
    created, existing = len(done.counts.created), len(done.counts.existing)
    summary = f"{created} entities registered, {existing} were there already."
    return result.model_copy(
        update={
            "verdict": Verdict(status=Status.PASSED, summary=summary),
            "bundle_uri": done.bundle_uri,
            "created": done.counts.created,
            "existing": done.counts.existing,
            "diff": done.diff,
            "seconds": round(time.monotonic() - began, 3),
        }
    )


def checked_bundle(bundle: CodeBundle) -> Path:
    """Fetch a code bundle and return it, if it is what its digest says.

    Raises:
        BundleChanged: it is not.
    """
    path = Path(bundle.file.download())
    found = f"sha256:{sum_file(path).sha256}"
    if found != bundle.digest:
        raise BundleChanged(
            f"The code bundle at {bundle.file.remote_source} is {found}, and {bundle.digest} was made.",
            remedy="Start a new attempt; if it happens again, see who else writes to that storage.",
        )
    return path


def _refused(error: RegistrationRefused) -> Verdict:
    findings = [
        Finding(where=name, problem=reason[:1000], remedy="Change what Flyte names in it.")
        for name, reason in error.refusals.items()
    ]
    return Verdict(status=Status.FAILED, summary=error.problem[:300], findings=findings)


@task(requests=Resources(cpu="250m", mem="400Mi"), limits=Resources(cpu="1", mem="1Gi"), retries=2)
def register(
    enrolment: Enrolment,
    prepared: Prepared,
    image: ImageStep | None,
    status: int,
    log: FlyteFile,
    package: FlyteFile,
    pull_request: int,
) -> Registered:
    """Read the package, admit it and register it for a preview; stop at the first that does not pass."""
    policy, bundle = prepared.policy, prepared.bundle
    place = enrolment.preview
    read = read_package(
        Path(package.download()),
        status=status,
        log=Path(log.download()).read_text(encoding="utf-8", errors="replace"),
        image=image.image.reference if image else "",
        destination=policy.package.destination if policy else "",
    )
    if not read.verdict.passed or image is None or policy is None or bundle is None:
        return Registered(
            package=read.verdict,
            admission=_SKIPPED,
            verdict=_SKIPPED,
            project=place.project,
            domain=place.domain,
            version="",
        )
    settings = read_settings(os.environ)
    with connect(
        Config.auto(), timeout_s=settings.rpc_timeout_s, patience_s=settings.rpc_patience_s
    ) as flyte:
        return register_package(
            enrolment,
            policy,
            read,
            image=image.image.reference,
            bundle=bundle,
            sha=prepared.revision.sha,
            pull_request=pull_request,
            flyte=flyte,
        )
