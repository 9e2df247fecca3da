"""Where symbolic links of a tree lead, without a file system."""

from __future__ import annotations

from collections.abc import Mapping

_MOST_STEPS = 40


def outside(path: str, targets: Mapping[str, str]) -> bool:
    """Whether the link `path` leads out of the tree, step by step, through other links of `targets`.

    A link in a circle, or with what no file system takes in its target, counts as one that does.
    """
    todo = path.split("/")[::-1]
    here: list[str] = []
    steps = 0
    while todo:
        part = todo.pop()
        if part in ("", "."):
            continue
        if part == "..":
            if not here:
                return True
            here.pop()
            continue
        here.append(part)
        target = targets.get("/".join(here))
        if target is None:
            continue
        steps += 1
        if steps > _MOST_STEPS or not target or target.startswith("/") or not _sound(target):
            return True
        here.pop()
        todo += target.split("/")[::-1]
    return False


def _sound(target: str) -> bool:
    return "\0" not in target and not any("\ud800" <= letter <= "\udfff" for letter in target)
