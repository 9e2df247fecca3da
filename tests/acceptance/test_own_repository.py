"""Taxiway's own repository is a target like any other: previewed by its own taxiway.toml."""

from __future__ import annotations

import shutil
from pathlib import Path

from tasks._run import run
from tests.running import Sandbox

ROOT = Path(__file__).parents[2]


ENROLMENT = """
name = "taxiway"
repository = "{url}"
preview = {{ project = "taxiway-previews", domain = "development", secret_groups = ["taxiway"] }}
[limits]
projects = ["taxiway"]
domains = ["development", "production"]
images = ["localhost:30000/taxiway"]
"""


def test_taxiway_previews_itself(sandbox: Sandbox, tmp_path: Path) -> None:
    repository, sha = snapshot(tmp_path / "taxiway")
    (tmp_path / "enrolment.toml").write_text(ENROLMENT.format(url=repository.as_uri()))
    sandbox.taxiway("install")
    sandbox.taxiway("enroll", "--file", tmp_path / "enrolment.toml", "--create-projects")
    report = sandbox.preview("taxiway", sha, "--pull-request", "1")["report"]
    assert report["verdict"]["status"] == "passed"
    changes = {change["name"]: change["change"] for change in report["registered"]["diff"]["changes"]}
    assert changes["workflows.preview.preview"] == "added"


def snapshot(folder: Path) -> tuple[Path, str]:
    """Commit this checkout as it is, with what is not committed yet, and return that repository and SHA."""
    listed = run(["git", "-C", ROOT, "ls-files", "-z", "-co", "--exclude-standard"], timeout_s=30).stdout
    for name in filter(None, listed.split("\0")):
        if (ROOT / name).is_file():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(ROOT / name, folder / name)
    who = ["-c", "user.name=Ada Example", "-c", "user.email=ada@example.com"]
    for words in (["init", "-q", "-b", "main"], ["add", "-A"], [*who, "commit", "-q", "-m", "As it is"]):
        run(["git", "-C", folder, *words], timeout_s=30)
    return folder, run(["git", "-C", folder, "rev-parse", "HEAD"], timeout_s=30).stdout.strip()
