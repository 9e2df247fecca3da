"""The last step of a release: its report as a deck; and what reports one that broke off."""

import logging

from flytekit import task
from flytekit.configuration import Config
from flytekit.types.error.error import FlyteError

from tasks._enrolment import Enrolment
from tasks._errors import VerdictFailed
from tasks._own import own_execution
from tasks._types import Status
from tasks.carrying import Carried
from tasks.image import ImageStep
from tasks.prepare import Prepared
from tasks.release_records import ReleaseReport, overall
from tasks.release_view import view_of
from tasks.releases import Released
from tasks.report import (
    LIMITS,
    REQUESTS,
    execution_name,
    own_steps,
    own_versions,
    publish,
    run_again,
    timings_of,
    unreported,
)

log = logging.getLogger(__name__)


@task(enable_deck=True, deck_fields=(), requests=REQUESTS, limits=LIMITS, retries=2)
def report_release(
    enrolment: Enrolment,
    prepared: Prepared,
    image: ImageStep | None,
    released: Released,
    carried: Carried,
    attempt: int,
    simulate: bool,
) -> ReleaseReport:
    """Report a release; fails the execution if it failed, once the deck is there. Waiting is no failure."""
    config, identifier = Config.auto(), own_execution()
    steps = own_steps(identifier, config)
    done = publish(
        ReleaseReport(
            verdict=overall(prepared, released, carried, notes=image.notes if image else ()),
            target=enrolment.name,
            repository=prepared.revision.repository,
            sha=prepared.revision.sha,
            attempt=attempt,
            simulated=simulate,
            execution=execution_name(identifier, config),
            prepared=prepared,
            image=image,
            released=released,
            carried=carried,
            timings=timings_of(steps),
            versions=own_versions(),
        ),
        view_of,
    )
    if done.verdict.status is Status.FAILED:
        raise VerdictFailed(
            f"{done.headline}: {done.verdict.summary}",
            remedy=f"See the deck, or run `taxiway report {identifier.name}`.",
        )
    return done


@task(enable_deck=True, deck_fields=(), requests=REQUESTS, limits=LIMITS)
def report_broken_release(
    enrolment: Enrolment, sha: str, attempt: int, simulate: bool, err: FlyteError | None = None
) -> None:
    """Report which step broke off, and with what error; nothing where the report step has spoken already."""
    try:
        found = unreported(err, remedy=run_again(attempt))
        if found is not None:
            publish(
                ReleaseReport(
                    verdict=found.verdict,
                    target=enrolment.name,
                    repository=enrolment.repository,
                    sha=sha,
                    attempt=attempt,
                    simulated=simulate,
                    execution=found.execution,
                    broken=found.broken,
                    timings=found.timings,
                    versions=found.versions,
                ),
                view_of,
            )
    except Exception:
        # An error here would take the place of the one that the release broke off with.
        log.exception("the release broke off, and so did its report")
