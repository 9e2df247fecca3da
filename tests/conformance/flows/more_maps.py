"""What the recorded map tasks leave out: attempts, lengths, other places, ends."""
# flytekit demands a textual return, and its calls are untyped.
# mypy: disable-error-code="no-any-return, unreachable"

import os
import time

from flytekit import dynamic, map_task, task, workflow
from flytekit.exceptions.user import FlyteRecoverableException


@task
def add(x: int, y: int) -> int:
    return x + y


@task
def index_in(x: int) -> str:
    """Tell how an item learns which one it is."""
    name = os.environ["BATCH_JOB_ARRAY_INDEX_VAR_NAME"]
    return f"{x} {name}={os.environ[name]}"


@task(retries=2)
def second_time(x: int) -> int:
    attempt = int(os.environ["FLYTE_ATTEMPT_NUMBER"])
    if x == 1 and attempt == 0:
        raise FlyteRecoverableException("not the first time")
    return attempt


@task(retries=1)
def never(x: int) -> int:
    raise FlyteRecoverableException("at no time")
    return x


@task
def sleep(x: int) -> int:
    time.sleep(600)
    return x


@workflow
def pairs(xs: list[int], ys: list[int]) -> list[int]:
    return map_task(add)(x=xs, y=ys)


@workflow
def indices(xs: list[int]) -> list[str]:
    return map_task(index_in)(x=xs)


@workflow
def retried(xs: list[int]) -> list[int]:
    return map_task(second_time)(x=xs)


@workflow
def exhausted(xs: list[int]) -> list[int]:
    return map_task(never)(x=xs)


@workflow
def long(xs: list[int]) -> list[int]:
    return map_task(sleep)(x=xs)


@dynamic
def spread(n: int) -> list[int]:
    return map_task(add)(x=list(range(n)), y=list(range(n)))


@workflow
def elsewhere(n: int, xs: list[int]) -> tuple[list[int], list[int]]:
    return spread(n=n), pairs(xs=xs, ys=xs)
