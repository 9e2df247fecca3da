"""The README's examples of CI jobs: as the CI systems' schemas want them, with commands that exist."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import pytest

from scripts import trigger
from tests import running
from tests.running import program

README = (Path(__file__).parents[2] / "README.md").read_text()
GITHUB, GITLAB = re.findall(r"```yaml\n(.*?)```", README.partition("## From CI")[2], re.DOTALL)
EXAMPLES = pytest.mark.parametrize(
    ("text", "words"),
    [
        pytest.param(GITHUB, ("vendor.github-workflows",), id="github"),
        pytest.param(GITLAB, ("vendor.gitlab-ci", "--data-transform", "gitlab-ci"), id="gitlab"),
    ],
)


def check(text: str, words: tuple[str, ...], folder: Path, *, expect: int) -> None:
    (folder / "ci.yml").write_text(text)
    schema = ("--builtin-schema", *words)
    program("check-jsonschema", *schema, folder / "ci.yml", env=running.clean_environ(), expect=[expect])


@EXAMPLES
def test_an_example_fits_the_schema_of_its_ci_system(
    text: str, words: tuple[str, ...], tmp_path: Path
) -> None:
    check(text, words, tmp_path, expect=0)


@EXAMPLES
def test_what_does_not_fit_would_be_found(text: str, words: tuple[str, ...], tmp_path: Path) -> None:
    check(
        text.replace("  preview:", "  preview:\n    stepz: 1").replace("script:", "script_:"),
        words,
        tmp_path,
        expect=1,
    )


@EXAMPLES
def test_the_commands_are_ones_that_trigger_takes(text: str, words: tuple[str, ...]) -> None:
    commands = re.findall(r"trigger\.py ((?:preview|release) .*)", text)
    assert len(commands) == 2
    for command in commands:
        numbered = re.sub(r'"\$(NUMBER|CI_MERGE_REQUEST_IID)"', "12", command)
        trigger.parser().parse_args(shlex.split(re.sub(r'"\$\w+"', "a" * 40, numbered)))
