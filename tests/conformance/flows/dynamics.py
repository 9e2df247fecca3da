"""Dynamic workflows: nested, with an image override, with a sub-workflow."""
# flytekit demands a textual return, and its calls are untyped.
# mypy: disable-error-code="no-any-return, unreachable"

import os

from flytekit import dynamic, task, workflow


@task
def double(x: int) -> int:
    return 2 * x


@task
def where() -> str:
    return os.environ.get("WHICH_IMAGE", "default image")


@workflow
def twice(x: int) -> int:
    return double(x=double(x=x))


@dynamic
def inner(n: int) -> list[int]:
    return [double(x=i) for i in range(n)]


@dynamic
def outer(n: int, image: str) -> tuple[list[int], int, str]:
    values = inner(n=n)
    placed = where().with_overrides(container_image=image, node_name="placed")
    return values, twice(x=n), placed


@workflow
def main(image: str, n: int = 2) -> tuple[list[int], int, str]:
    return outer(n=n, image=image)
