"""Tasks, named outputs, a sub-workflow, a conditional, launch plans."""
# flytekit demands a textual return, and its calls are untyped.
# mypy: disable-error-code="no-any-return, unreachable"

import typing

from flytekit import LaunchPlan, conditional, task, workflow

THREE, ONE = [1, 2, 3], [1]


class Stats(typing.NamedTuple):
    total: int
    mean: float


@task
def measure(values: list[int]) -> Stats:
    return Stats(total=sum(values), mean=sum(values) / len(values))


@task
def small(total: int) -> str:
    return f"small {total}"


@task
def large(total: int) -> str:
    return f"large {total}"


@workflow
def judge(total: int) -> str:
    return conditional("size").if_(total > 10).then(large(total=total)).else_().then(small(total=total))


@workflow
def main(values: list[int] = THREE) -> tuple[str, float]:
    stats = measure(values=values)
    return judge(total=stats.total), stats.mean


fixed = LaunchPlan.get_or_create(main, name="basic.fixed", fixed_inputs={"values": [5, 6, 7]})
defaults = LaunchPlan.get_or_create(main, name="basic.defaults", default_inputs={"values": [9]})


@workflow
def parent(values: list[int] = ONE) -> tuple[str, float]:
    return defaults(values=values)
