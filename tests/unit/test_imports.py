"""The arrows of the design: scripts → workflows → tasks → tasks/_*, and the sandbox apart from all of it."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PACKAGES = ("scripts", "tasks", "workflows")

LAYERS = {
    "sandbox": {"sandbox"},
    "scripts": {"scripts", "sandbox", "workflows", "tasks", "shared"},
    "workflows": {"workflows", "tasks", "shared"},
    "tasks": {"tasks", "shared"},
    "shared": {"shared"},
}
"""A layer, and the layers that it may import. `shared` is tasks/_*."""

PROGRAM = "tasks._package_program"
"""Runs by itself in somebody else's image, where nothing of Taxiway's can be imported."""

STARTS_PROCESSES = {
    "tasks._run",
    "scripts.sandbox.process",
    "scripts.commands.sandbox",
    "scripts.demo",
    "scripts.local_registry",
    PROGRAM,
}
PROCESS_MODULES = {"subprocess", "pty", "multiprocessing"}
PROCESS_CALLS = {"system", "popen", "fork", "forkpty", "create_subprocess_exec", "create_subprocess_shell"}


def layer(module: str) -> str:
    """Return the layer of a module of ours."""
    package, _, rest = module.partition(".")
    if package == "scripts":
        return "sandbox" if rest.split(".")[0] == "sandbox" else "scripts"
    return "shared" if package == "tasks" and rest.startswith("_") else package


def modules(root: Path) -> Iterator[tuple[str, ast.Module]]:
    for package in PACKAGES:
        for path in sorted((root / package).rglob("*.py")):
            parts = path.relative_to(root).with_suffix("").parts
            name = ".".join(parts[:-1] if parts[-1] == "__init__" else parts)
            yield name, ast.parse(path.read_text(), str(path))


def imports(module: str, tree: ast.AST) -> Iterator[str]:
    """Yield the full names that a module imports, wherever it does so."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            parents = module.split(".")[: -node.level] if node.level else []
            base = ".".join([*parents, *([node.module] if node.module else [])])
            yield from (f"{base}.{alias.name}" for alias in node.names)


def wrong_arrows(root: Path) -> list[str]:
    return [
        f"{module} imports {name}"
        for module, tree in modules(root)
        for name in imports(module, tree)
        if name.split(".")[0] in PACKAGES and layer(name) not in LAYERS[layer(module)]
    ]


def process_starters(root: Path) -> list[str]:
    def starts(module: str, tree: ast.Module) -> bool:
        imported = {name.split(".")[0] for name in imports(module, tree)}
        called = {
            node.func.attr
            for node in ast.walk(tree)
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute)
            if isinstance(node.func.value, ast.Name) and node.func.value.id in {"os", "asyncio"}
        }
        spawned = {name for name in called if name.startswith(("exec", "spawn", "posix_spawn"))}
        return bool(imported & PROCESS_MODULES or called & PROCESS_CALLS or spawned)

    return [module for module, tree in modules(root) if starts(module, tree)]


def environment_readers(root: Path) -> list[str]:
    """Return the places that read the environment, but for entry points: commands, and Flyte's tasks."""
    found = []
    for module, tree in modules(root):
        entry_points = [
            node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef) and _is_entry_point(node)
        ]
        excused = {id(inner) for function in entry_points for inner in ast.walk(function)}
        if (layer(module) == "scripts") or module == PROGRAM:
            continue
        found += [
            f"{module}:{node.lineno}"
            for node in ast.walk(tree)
            if isinstance(node, ast.Attribute) and node.attr in {"environ", "environb", "getenv"}
            if isinstance(node.value, ast.Name) and node.value.id == "os" and id(node) not in excused
        ]
    return found


def _is_entry_point(function: ast.FunctionDef) -> bool:
    names = {
        part.func.id if isinstance(part, ast.Call) and isinstance(part.func, ast.Name) else ast.unparse(part)
        for part in function.decorator_list
    }
    return bool(names & {"task", "dynamic"})


def cycle(root: Path) -> list[str]:
    """Return modules of ours that need each other in a ring to run; nothing where there is no ring."""
    found = {module: _without_type_imports(tree) for module, tree in modules(root)}
    edges = {
        module: {
            name if name in found else name.rpartition(".")[0] for name in imports(module, tree)
        }.intersection(found)
        for module, tree in found.items()
    }
    done: set[str] = set()

    def visit(module: str, path: list[str]) -> list[str]:
        if module in path:
            return [*path[path.index(module) :], module]
        if module in done:
            return []
        for other in sorted(edges[module] - {module}):
            if ring := visit(other, [*path, module]):
                return ring
        done.add(module)
        return []

    return next(filter(None, (visit(module, []) for module in edges)), [])


def _without_type_imports(tree: ast.Module) -> ast.Module:
    kept = [
        node
        for node in tree.body
        if not (isinstance(node, ast.If) and ast.unparse(node.test).endswith("TYPE_CHECKING"))
    ]
    return ast.Module(body=kept, type_ignores=[])


def test_imports_follow_the_arrows() -> None:
    assert wrong_arrows(ROOT) == []


def test_no_modules_import_each_other_in_a_ring() -> None:
    assert cycle(ROOT) == []


def test_processes_go_through_their_doors() -> None:
    assert set(process_starters(ROOT)) <= STARTS_PROCESSES


def test_only_entry_points_read_the_environment() -> None:
    assert environment_readers(ROOT) == []


@pytest.mark.parametrize(
    ("module", "text"),
    [
        pytest.param("tasks/plan.py", "import scripts.sandbox.database", id="a task imports the sandbox"),
        pytest.param(
            "scripts/sandbox/nodes.py", "def f():\n    from tasks import _run", id="and the reverse"
        ),
        pytest.param("scripts/sandbox/nodes.py", "from ..commands import preview", id="relative import"),
        pytest.param("scripts/sandbox/nodes.py", "from workflows.preview import preview", id="the workflows"),
        pytest.param("tasks/_run.py", "from tasks.plan import Plan", id="a shared module imports a step"),
        pytest.param("tasks/plan.py", "import workflows", id="a step imports the workflows"),
        pytest.param("workflows/preview.py", "from scripts import cli", id="a workflow imports a script"),
    ],
)
def test_a_wrong_arrow_is_found(tmp_path: Path, module: str, text: str) -> None:
    _write(tmp_path, module, text)
    assert len(wrong_arrows(tmp_path)) == 1


def test_right_arrows_are_let_through(tmp_path: Path) -> None:
    _write(tmp_path, "scripts/commands/sandbox.py", "from scripts.sandbox.server import Sandbox")
    _write(tmp_path, "workflows/preview.py", "from tasks.plan import plan\nfrom tasks._types import Image")
    assert wrong_arrows(tmp_path) == []


def test_a_ring_is_found(tmp_path: Path) -> None:
    _write(tmp_path, "tasks/plan.py", "from tasks.image import Image")
    _write(tmp_path, "tasks/image.py", "def f():\n    import tasks.plan")
    assert cycle(tmp_path) == ["tasks.image", "tasks.plan", "tasks.image"]


@pytest.mark.parametrize(
    "text", ["import subprocess", "import os\nos.system('ls')", "import os\nos.execvp('ls', [])"]
)
def test_a_process_outside_the_doors_is_found(tmp_path: Path, text: str) -> None:
    _write(tmp_path, "tasks/plan.py", text)
    assert process_starters(tmp_path) == ["tasks.plan"]


def test_reading_the_environment_is_found_outside_a_task(tmp_path: Path) -> None:
    inside = "@task(retries=1)\ndef prepare() -> int:\n    return len(os.environ)\n"
    _write(
        tmp_path, "tasks/plan.py", f"import os\n{inside}\ndef decide() -> int:\n    return len(os.environ)\n"
    )
    assert environment_readers(tmp_path) == ["tasks.plan:7"]


def _write(root: Path, module: str, text: str) -> None:
    path = root / module
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
