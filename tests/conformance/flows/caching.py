"""Task caching, with and without serialisation."""
# flytekit demands a textual return, and its calls are untyped.
# mypy: disable-error-code="no-any-return"

import time

from flytekit import Cache, map_task, task, workflow

ONE = 1


@task(cache=Cache(version="1"))
def cached(x: int) -> float:
    return x + time.time()


@task(cache=Cache(version="1", serialize=True))
def serialized(x: int) -> float:
    return x + time.time()


@task(cache=Cache(version="1", ignored_inputs=("y",)))
def careless(x: int, y: int) -> float:
    return x + time.time()


@workflow
def main(x: int = ONE) -> float:
    a = cached(x=x)
    b = serialized(x=x)
    a >> b
    return b


@workflow
def twins(x: int) -> tuple[float, float]:
    return serialized(x=x), serialized(x=x)


@workflow
def ignores(x: int, y: int) -> float:
    return careless(x=x, y=y)


@workflow
def items(xs: list[int]) -> list[float]:
    return map_task(cached)(x=xs)
