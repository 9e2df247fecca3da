"""What Taxiway's image is made from."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from scripts.own import ROOT
from scripts.own_image import FILES, content_of, context_files, default_base, target_of
from tasks._dockerfile import read_dockerfile
from tasks._dockerfile_rules import Rules, findings_of
from tasks._errors import BadUsage
from tasks._references import parse_reference
from tasks._venv import install_arguments
from tasks.policy import Policy, read_policy
from tests.unit.test_imports import PACKAGES, imports, modules

BASE = parse_reference(f"python@sha256:{'0' * 64}")
DOCKERFILE = (ROOT / "Dockerfile").read_text()
COPIED = {
    source
    for line in re.findall(r"^COPY (?!--from)(.*)$", DOCKERFILE, re.MULTILINE)
    for source in line.split()[:-1]
}


def checkout(folder: Path) -> Path:
    for name in FILES:
        (folder / name).write_text(f"{name}\n")
    (folder / "tasks").mkdir()
    (folder / "tasks/one.py").write_text("1\n")
    (folder / "tasks/__pycache__").mkdir()
    (folder / "tasks/__pycache__/one.pyc").write_text("1\n")
    return folder


def test_the_dockerfile_copies_every_package_that_tasks_and_commands_import() -> None:
    left_out = re.findall(r'"(scripts/\w+\.py)"', (ROOT / "pyproject.toml").read_text())
    used = {
        name.partition(".")[0]
        for module, tree in modules(ROOT)
        if f"{module.replace('.', '/')}.py" not in left_out
        for name in imports(module, tree)
        if (ROOT / name.partition(".")[0]).is_dir()
    }
    assert used == set(PACKAGES)
    assert used <= COPIED


def test_what_the_dockerfile_copies_is_what_is_sent_and_what_is_not_ignored() -> None:
    sent = {path.relative_to(ROOT).parts[0] for path in context_files(ROOT)} - {"Dockerfile"}
    lines = (ROOT / ".dockerignore").read_text().splitlines()
    assert COPIED == sent == {line[1:] for line in lines if line.startswith("!")}


def test_its_policy_lists_what_the_dockerfile_copies() -> None:
    """So that an engine can build it for a release of Taxiway through itself."""
    policy = read_policy((ROOT / "taxiway.toml").read_bytes())
    assert isinstance(policy, Policy)
    sent = {path.relative_to(ROOT).as_posix() for path in context_files(ROOT)}
    named = set(policy.image.dependencies)
    listed = {path for path in sent if named & {path, path.partition("/")[0]}} | {policy.image.dockerfile}
    read = read_dockerfile(DOCKERFILE, platform=policy.image.platform)
    assert findings_of(read, Rules(name="Dockerfile", listed=frozenset(listed), tree=frozenset(sent))) == []
    assert install_arguments(ROOT, policy.image.dependencies) == ["-r", "requirements.lock"]


def test_nothing_compiled_is_sent(tmp_path: Path) -> None:
    sent = [path.relative_to(tmp_path).as_posix() for path in context_files(checkout(tmp_path))]
    assert sent == sorted([*FILES, "tasks/one.py"])


def test_the_base_is_pinned_by_an_argument_everywhere() -> None:
    assert set(re.findall(r"^FROM (\S+)", DOCKERFILE, re.MULTILINE)) == {"${BASE_IMAGE}", "dependencies"}
    assert default_base(ROOT) == "python:3.11-slim-bookworm"


def test_an_installed_taxiway_has_nothing_to_build_from(tmp_path: Path) -> None:
    checkout(tmp_path)
    (tmp_path / "Dockerfile").unlink()
    with pytest.raises(BadUsage, match="there is no Dockerfile"):
        context_files(tmp_path)


def test_the_tag_changes_with_content_and_base_alone(tmp_path: Path) -> None:
    files = context_files(checkout(tmp_path))
    first = content_of(files, tmp_path, BASE)
    assert content_of(files, tmp_path, BASE) == first
    assert content_of(files, tmp_path, parse_reference(f"python@sha256:{'1' * 64}")) != first
    (tmp_path / "tasks/one.py").write_text("2\n")
    assert content_of(files, tmp_path, BASE) != first


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        pytest.param("localhost:5000/taxiway", r"localhost:5000/taxiway:\d+\.\d+\.\d+-abc", id="made-up"),
        pytest.param("localhost:5000/taxiway:dev", "localhost:5000/taxiway:dev", id="given"),
    ],
)
def test_the_tag_is_the_one_that_was_given_or_made_of_version_and_content(name: str, expected: str) -> None:
    assert re.fullmatch(expected, str(target_of(name, "abc")))


def test_nobody_can_push_to_a_digest() -> None:
    with pytest.raises(BadUsage):
        target_of(str(BASE), "abc")
