"""One release into one stage: the same bytes, registered, proved, then made the ones that run.

    enter    the release, the policy in force, the stage as it is; every entry gate
    prove    register in the stage, smoke-test there, result gates; every entry gate once more
    switch   take the stage's next generation, activate, verify; back out where the policy says so
    report   a deck with the gates and their evidence, what changed, and how it ended

What always holds: no code of the release runs in a stage before its entry gates are open, and nothing of it
is ACTIVE before it was proved there. A gate that can open later ends the promotion as waiting, and the
execution succeeds; one that is refused or fails fails the execution, with its deck. What is ACTIVE changes
through the stage's next generation alone, whose name only one execution can have.
"""

from flytekit import workflow

from tasks._enrolment import Enrolment
from tasks.promotion import enter
from tasks.promotion_records import PromotionReport
from tasks.promotion_report import report_broken_promotion, report_promotion
from tasks.proving import prove
from tasks.switching import switch


@workflow(on_failure=report_broken_promotion)
def promote(enrolment: Enrolment, sha: str, stage: str, attempt: int = 1) -> PromotionReport:
    """Promote the release of `sha` into `stage`; callers of its launch plan cannot set `enrolment`."""
    entered = enter(enrolment=enrolment, sha=sha, stage=stage, attempt=attempt).with_overrides(
        node_name="enter"
    )
    proved = prove(enrolment=enrolment, entered=entered).with_overrides(node_name="prove")
    switched = switch(enrolment=enrolment, entered=entered, proved=proved).with_overrides(node_name="switch")
    reported: PromotionReport = report_promotion(
        enrolment=enrolment, entered=entered, proved=proved, switched=switched
    ).with_overrides(node_name="report")
    return reported
