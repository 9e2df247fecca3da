"""Map tasks: plain, with a bound input, with tolerated failures."""
# flytekit demands a textual return, and its calls are untyped.
# mypy: disable-error-code="no-any-return"

import functools

from flytekit import map_task, task, workflow

NUMBERS, TEN = [1, 2, 3], 10


@task
def scale(x: int, by: int) -> int:
    return x * by


@task
def picky(x: int) -> int:
    if x == 2:
        raise ValueError("two is not welcome")
    return x


@workflow
def main(xs: list[int] = NUMBERS, by: int = TEN) -> list[int]:
    return map_task(functools.partial(scale, by=by), concurrency=2)(x=xs)


@workflow
def tolerant(xs: list[int] = NUMBERS) -> list[int | None]:
    return map_task(picky, min_success_ratio=0.5)(x=xs)


@workflow
def strict(xs: list[int] = NUMBERS) -> list[int]:
    return map_task(picky)(x=xs)
