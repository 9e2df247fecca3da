"""A pull request's revision, tried out: what it would do if it were merged, without anything of it merged.

    prepare            end older previews of the pull request; fetch, policy within the limits, plan, bundle
    build_and_package  build the image or reuse one; then serialise the target's code inside it
    register           admit what came out, register it in the preview project, compare with the first stage
    smoke              launch the policy's smoke tests at exactly this version
    report             a deck with the verdict, what to do, and everything above

What always holds: the target's code runs in its own image and in its own project only. Nothing is ever
activated. A step that finds an earlier verdict not passed does nothing, so that the report is always
reached; the execution succeeds if, and only if, the verdict is passed. A step that breaks off is reported
by `report_broken`, and its own error stays the execution's.
"""

from flytekit import workflow

from tasks._enrolment import Enrolment
from tasks.package import build_and_package
from tasks.prepare import prepare
from tasks.registration import register
from tasks.report import report, report_broken
from tasks.report_records import Report
from tasks.smoke import smoke


@workflow(on_failure=report_broken)
def preview(enrolment: Enrolment, sha: str, pull_request: int = 0, attempt: int = 1) -> Report:
    """Preview the revision `sha` of an enrolled target; callers of its launch plan cannot set `enrolment`."""
    prepared = prepare(enrolment=enrolment, sha=sha, pull_request=pull_request).with_overrides(
        node_name="prepare"
    )
    packaging = build_and_package(prepared=prepared).with_overrides(node_name="build-and-package")
    registered = register(
        enrolment=enrolment,
        prepared=prepared,
        image=packaging.image,
        status=packaging.status,
        log=packaging.log,
        package=packaging.package,
        pull_request=pull_request,
    ).with_overrides(node_name="register")
    tested = smoke(
        enrolment=enrolment,
        prepared=prepared,
        registered=registered,
        pull_request=pull_request,
        attempt=attempt,
    ).with_overrides(node_name="smoke")
    reported: Report = report(
        enrolment=enrolment,
        prepared=prepared,
        image=packaging.image,
        registered=registered,
        smoke=tested,
        pull_request=pull_request,
        attempt=attempt,
    ).with_overrides(node_name="report")
    return reported
