"""`taxiway approve`: approve one release for one stage under one policy, or withdraw that."""

from __future__ import annotations

import click

from scripts.cli import PASSED
from scripts.connection import flyte_at
from scripts.deciding import Decision, decide, recorded, say, waiting_policy
from scripts.ending import follow_to_end, say_ended
from scripts.enrolments import find_enrolled
from scripts.options import examples, flyte_options, json_option
from scripts.promoting import promote
from tasks._home import Home
from tasks._people import NOBODY
from tasks.approval import Approval, checked
from tasks.source import checked_sha


@click.command(
    "approve",
    short_help="Approve a release for a stage.",
    epilog=examples(
        "taxiway approve fraud 4f0c1d2e3b5a69788796a5b4c3d2e1f001122334 production",
        "taxiway approve fraud 4f0c1d2e3b5a69788796a5b4c3d2e1f001122334 production --withdraw",
    ),
)
@click.argument("target")
@click.argument("sha")
@click.argument("stage")
@click.option("--withdraw", is_flag=True, help="Take an approval back.")
@click.option("--comment", default="", help="What is to be kept with it.")
@click.option(
    "--policy",
    default="",
    metavar="DIGEST",
    help="The policy it is approved under; left out, the one that the waiting promotion names.",
)
@click.option(
    "--promote/--no-promote",
    "go_on",
    default=False,
    show_default=True,
    help="Take up the promotion that waits for it, and follow that to its end.",
)
@flyte_options
@json_option
def command(
    target: str,
    sha: str,
    stage: str,
    withdraw: bool,
    comment: str,
    policy: str,
    go_on: bool,
    config_file: str | None,
    project: str,
    domain: str,
    as_json: bool,
) -> int:
    """Approve that the release SHA of TARGET goes into STAGE, under the policy that is in force.

    An approval is an execution of taxiway.approve.TARGET, and who launched it is on Flyte's record. It is
    evidence, which each promotion weighs anew; who may launch anything is Flyte's access control.

    Ends with 0 once it is recorded, 2 on a fault or bad usage; with --promote as `taxiway promote` does.
    """
    checked_sha(sha)
    with flyte_at(config_file) as flyte:
        enrolled = find_enrolled(flyte, project, domain, target)
        home = Home(flyte=flyte, project=project, domain=domain, target=target)
        digest = policy or waiting_policy(home, sha, stage)
        checked(sha=sha, stage=stage, policy=digest, comment=comment)
        inputs = {"sha": sha, "stage": stage, "policy": digest, "approve": not withdraw, "comment": comment}
        decision = Decision(
            flow="approve",
            act="withdraw" if withdraw else "approve",
            stage=stage,
            sha=sha,
            inputs=inputs,
            reason=comment,
        )
        approval = recorded(flyte, home, decide(home, enrolled, decision), Approval)
        anonymous = enrolled.enrolment.anonymous_approvals
        if go_on and not withdraw:
            click.echo(text_of(approval, anonymous=anonymous), err=True)
            launched = promote(home, enrolled, sha=sha, stage=stage)
            return say_ended(follow_to_end(flyte, launched, timeout=0), as_json=as_json)
    say(approval, lambda: text_of(approval, anonymous=anonymous), as_json=as_json)
    return PASSED


def text_of(approval: Approval, *, anonymous: bool) -> str:
    """Return an approval for a person, and whether it can count."""
    who = approval.person or approval.principal or NOBODY
    act = "approves" if approval.approve else "does not approve"
    lines = [f"{who} {act} {approval.sha} for {approval.stage} ({approval.execution})."]
    if approval.approve and not approval.person and not (anonymous and not approval.principal):
        lines.append(
            "It does not count: the enrolment's identity map does not know "
            f"{approval.principal or 'anybody whom Flyte does not name'}."
        )
    return "\n".join(lines)
