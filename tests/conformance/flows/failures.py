"""How tasks fail, what is retried, what a failure node sees."""
# flytekit demands a textual return, and its calls are untyped.
# mypy: disable-error-code="no-any-return, unreachable"

import os
import sys
import time
from datetime import timedelta

from flytekit import WorkflowFailurePolicy, task, workflow
from flytekit.exceptions.user import FlyteRecoverableException
from flytekit.types.error.error import FlyteError


@task(retries=2)
def plain() -> int:
    if True:
        raise ValueError("a plain user error")
    return 1


@task(retries=2)
def recoverable() -> int:
    attempt = int(os.environ.get("FLYTE_ATTEMPT_NUMBER", "0"))
    if attempt < 2:
        raise FlyteRecoverableException(f"try again, attempt {attempt}")
    return attempt


@task(retries=1)
def exhausted() -> int:
    if True:
        raise FlyteRecoverableException("never works")
    return 1


@task(retries=1)
def exits() -> int:
    sys.exit(3)
    return 1


@task(timeout=timedelta(seconds=8), retries=1)
def slow() -> int:
    time.sleep(60)
    return 1


@task
def clean_up(name: str, err: FlyteError | None = None) -> None:
    if err is None or err.failed_node_id != "fn0":
        raise AssertionError(f"{name}: {err}")


@workflow
def user_error() -> int:
    return plain()


@workflow
def recovers() -> int:
    return recoverable()


@workflow
def exhausts() -> int:
    return exhausted()


@workflow
def process_exits() -> int:
    return exits()


@workflow
def times_out() -> int:
    return slow()


@workflow(on_failure=clean_up)
def handled(name: str = "n") -> int:
    return plain()


@workflow(failure_policy=WorkflowFailurePolicy.FAIL_AFTER_EXECUTABLE_NODES_COMPLETE)
def finishes_others() -> tuple[int, int]:
    return plain(), recoverable()
