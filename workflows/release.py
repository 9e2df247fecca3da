"""A revision of the protected branch, released once and carried through the stages.

    prepare_release    fetch, see that it is on the branch, policy in force, plan, code bundle
    build_and_package  build the image or reuse one that a release made; serialise the code inside it
    make_release       admit what came out, write the manifest; a release is never made twice
    carry              simulate every stage; then one promotion after the other, until one has to wait
    report             a deck: how far it got, what it was going to do, what it is made of

What always holds: the same bytes go through every stage, and each promotion compares them by digest. With
`simulate` nothing is promoted. What has to wait ends the release as waiting, which is no failure; it is
taken up by `promote`, `approve` or the nightly run.
"""

from flytekit import workflow

from tasks._enrolment import Enrolment
from tasks.carrying import carry
from tasks.make_release import make_release
from tasks.package import build_and_package
from tasks.prepare_release import prepare_release
from tasks.release_records import ReleaseReport
from tasks.release_report import report_broken_release, report_release


@workflow(on_failure=report_broken_release)
def release(enrolment: Enrolment, sha: str, attempt: int = 1, simulate: bool = False) -> ReleaseReport:
    """Release the revision `sha` of an enrolled target; callers of its launch plan cannot set `enrolment`."""
    prepared = prepare_release(enrolment=enrolment, sha=sha).with_overrides(node_name="prepare")
    packaging = build_and_package(prepared=prepared).with_overrides(node_name="build-and-package")
    released = make_release(
        enrolment=enrolment,
        prepared=prepared,
        image=packaging.image,
        status=packaging.status,
        log=packaging.log,
        package=packaging.package,
    ).with_overrides(node_name="make-release")
    carried = carry(
        enrolment=enrolment, sha=sha, released=released, attempt=attempt, simulate=simulate
    ).with_overrides(node_name="carry")
    reported: ReleaseReport = report_release(
        enrolment=enrolment,
        prepared=prepared,
        image=packaging.image,
        released=released,
        carried=carried,
        attempt=attempt,
        simulate=simulate,
    ).with_overrides(node_name="report")
    return reported
