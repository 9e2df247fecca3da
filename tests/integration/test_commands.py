"""Installing, enrolling and examining, as a user does: by commands."""

from __future__ import annotations

import json
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from scripts.cli import main
from tests.running import Cluster, Sandbox

URL = "https://git.example.com/risk/fraud"
ENROL = ("enroll", URL, "--name", "fraud", "--preview-project", "commands-previews")


@dataclass(frozen=True, kw_only=True)
class Said:
    """How a command ended, and what it printed."""

    code: int
    stdout: str
    stderr: str


@dataclass(frozen=True, kw_only=True)
class Taxiway:
    """The command line in this process, configured for the Flyte under test: faster than a process each."""

    config: Path
    capture: pytest.CaptureFixture[str]

    def run(self, *words: str, expect: int = 0) -> Said:
        with pytest.raises(SystemExit) as ended:
            main([*words, "--config", str(self.config)])
        printed = self.capture.readouterr()
        said = Said(code=int(ended.value.code or 0), stdout=printed.out, stderr=printed.err)
        assert said.code == expect, said
        return said

    def json(self, *words: str, expect: int = 0) -> Any:
        return json.loads(self.run(*words, "--json", expect=expect).stdout)


CANARY = os.urandom(8).hex()
"""Of this run alone, for the sandbox may hold a bundle of these very tests."""


@pytest.fixture
def taxiway(cluster: Cluster, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Taxiway:
    for name in set(os.environ) - set(cluster.environ):
        monkeypatch.delenv(name)
    return Taxiway(config=cluster.config, capture=capsys)


@pytest.fixture(scope="module")
def installed(cluster: Cluster) -> dict[str, Any]:
    made: dict[str, Any] = json.loads(cluster.taxiway("install", "--json").stdout)
    return made


def test_installing_again_makes_nothing(taxiway: Taxiway, installed: dict[str, Any]) -> None:
    again = taxiway.json("install")
    assert again["version"] == installed["version"]
    assert (again["created"], again["activated"]) == (0, False)
    assert again["existing"] == installed["created"] + installed["existing"]


def test_other_settings_are_another_version(taxiway: Taxiway) -> None:
    plain = taxiway.json("install", "--domain", "staging")
    larger = taxiway.json("install", "--domain", "staging", "--memory", "900Mi")
    assert larger["version"] != plain["version"]


def test_settings_of_an_installation_reach_its_tasks_or_are_refused(taxiway: Taxiway) -> None:
    made = taxiway.json("install", "--domain", "staging", "--env", "TAXIWAY_FETCH_TIMEOUT_S=60")
    assert made["environment"]["TAXIWAY_FETCH_TIMEOUT_S"] == "60"
    refused = taxiway.run("install", "--domain", "staging", "--env", "TAXIWAY_FETCH_TIMEOUT_S=soon", expect=2)
    assert "TAXI:BadUsage" in refused.stderr


def test_doctor_names_what_is_missing_and_the_remedy(taxiway: Taxiway) -> None:
    found = taxiway.json("doctor", "--domain", "development", expect=1)
    [missing] = [check for check in found["checks"] if not check["ok"]]
    assert missing["name"] == "installation"
    assert "taxiway install" in missing["remedy"]


def test_doctor_finds_a_working_installation_well_also_from_a_task(
    taxiway: Taxiway, installed: dict[str, Any]
) -> None:
    found = taxiway.json("doctor", "--run")
    assert found["ok"]
    names = {check["name"] for check in found["checks"]}
    assert {"storage", "image", "platform limits", "Flyte from a task", "program git", "program uv"} <= names


def test_doctor_without_a_flyte_says_so(taxiway: Taxiway, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FLYTE_PLATFORM_URL", "localhost:1")
    found = taxiway.json("doctor", expect=1)
    [missing] = [check for check in found["checks"] if not check["ok"]]
    assert missing["name"] == "endpoint"
    assert "taxiway sandbox start" in missing["remedy"] and "FLYTECTL_CONFIG" in missing["remedy"]


def test_doctor_asks_the_container_engine_that_is_named(
    taxiway: Taxiway, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("TAXIWAY_DOCKER_HOST", f"unix://{tmp_path}/no.sock")
    monkeypatch.setenv("PATH", str(tmp_path))
    found = taxiway.json("doctor", "--domain", "development", expect=1)
    missing = {check["name"]: check for check in found["checks"] if not check["ok"]}
    assert {"container engine", "program docker"} <= set(missing)
    assert f"{tmp_path}/no.sock does not answer" in missing["container engine"]["found"]
    assert all(check["remedy"] for check in missing.values())


@pytest.mark.sandbox_only
@pytest.mark.parametrize(
    ("url", "code"),
    [
        pytest.param(f"https://me:{CANARY}@git.example.com/x", "TAXI:CredentialsInUrl", id="password"),
        pytest.param(f"https://{CANARY}@git.example.com/x", "TAXI:CredentialsInUrl", id="token"),
        pytest.param(f"ext::sh -c {CANARY}", "TAXI:UrlRefused", id="remote-helper"),
        pytest.param("http://git.example.com/x", "TAXI:UrlRefused", id="plain-http"),
    ],
)
def test_unsafe_url_is_refused_and_its_credentials_are_not_repeated(
    taxiway: Taxiway, sandbox: Sandbox, installed: dict[str, Any], url: str, code: str, tmp_path: Path
) -> None:
    file = tmp_path / "enrolment.toml"
    file.write_text(f'name = "unsafe"\nrepository = "{url}"\npreview = {{ project = "p", domain = "d" }}\n')
    for words in ([url, "--name", "unsafe"], ["--file", str(file)]):
        done = taxiway.run("enroll", *words, "--create-projects", expect=2)
        assert code in done.stderr
        assert CANARY not in done.stderr + done.stdout or "ext::" in url
    kept = [path for path in sandbox.state.rglob("*") if path.is_file() and not path.is_symlink()]
    assert kept
    assert [path for path in kept if CANARY.encode() in path.read_bytes()] == []


@pytest.mark.sandbox_only
def test_credentials_in_a_url_to_preview_reach_nothing(sandbox: Sandbox, installed: dict[str, Any]) -> None:
    words = ("preview", f"https://me:{CANARY}@git.example.com/x", "a" * 40)
    refused = sandbox.taxiway("-vv", *words, expect=(2,))
    assert "TAXI:CredentialsInUrl" in refused.stderr
    assert CANARY not in refused.stderr + refused.stdout
    kept = [path for path in sandbox.state.rglob("*") if path.is_file() and not path.is_symlink()]
    assert [path for path in kept if CANARY.encode() in path.read_bytes()] == []


def test_file_url_is_refused_where_the_installation_says_so(taxiway: Taxiway) -> None:
    place = ("--domain", "development", "--project", "strict")
    taxiway.run("install", "--no-allow-file-urls", *place)
    done = taxiway.run("enroll", "file:///srv/x.git", "--name", "x", *place, expect=2)
    assert "TAXI:UrlRefused" in done.stderr


def test_enrolment_lives_in_flyte_alone(taxiway: Taxiway, installed: dict[str, Any]) -> None:
    missing = taxiway.run(*ENROL, expect=2)
    assert "--create-projects" in missing.stderr

    first = taxiway.json(*ENROL, "--create-projects")
    assert first["installed_version"] == installed["version"]
    again = taxiway.json(*ENROL)
    assert (again["created"], again["activated"]) == (False, False)
    assert again["launch_plan"] == first["launch_plan"]

    wider = taxiway.json(*ENROL, "--limit-project", "fraud")
    assert wider["launch_plan"]["version"] != first["launch_plan"]["version"]
    shown = taxiway.json("enroll", "--show", "fraud")
    assert shown["enrolment"]["limits"]["projects"] == ["fraud"]
    assert "fraud" in [one["enrolment"]["name"] for one in taxiway.json("enroll", "--list")]

    back = taxiway.json(*ENROL)
    assert (back["created"], back["activated"]) == (False, True)


def test_several_targets_live_side_by_side(taxiway: Taxiway, installed: dict[str, Any]) -> None:
    for name in ("east", "west"):
        words = ("enroll", f"{URL}-{name}", "--name", name, "--create-projects")
        taxiway.run(*words)
    found = {
        one["enrolment"]["name"]: one["enrolment"]["repository"] for one in taxiway.json("enroll", "--list")
    }
    assert (found["east"], found["west"]) == (f"{URL}-east", f"{URL}-west")


@pytest.mark.parametrize(
    ("words", "code"),
    [
        pytest.param((*ENROL, "--domain", "development"), "TAXI:NotInstalled", id="enroll-before-install"),
        pytest.param(("enroll", "--show", "nobody"), "TAXI:NotInstalled", id="show-of-nobody"),
        pytest.param(("enroll", URL), "TAXI:BadUsage", id="enroll-without-a-name"),
        pytest.param(("enroll", URL, "--name", "No Name"), "TAXI:BadUsage", id="bad-name"),
        pytest.param(("preview", "nobody", "0" * 40), "TAXI:NotInstalled", id="preview-of-nobody"),
        pytest.param(("preview", "fraud", "main"), "TAXI:UnknownRevision", id="branch-as-sha"),
        pytest.param(("report", "preview-of-nothing"), "TAXI:FlyteNotFound", id="report-of-nothing"),
    ],
)
def test_mistake_is_a_fault_with_a_stable_code(
    taxiway: Taxiway, installed: dict[str, Any], words: tuple[str, ...], code: str
) -> None:
    assert code in taxiway.run(*words, expect=2).stderr


@pytest.mark.parametrize(
    "command", ["install", "enroll", "preview", "report", "doctor", "approve", "hold", "unhold"]
)
def test_help_shows_an_example_and_json(taxiway: Taxiway, command: str) -> None:
    text = taxiway.run(command, "--help").stdout
    assert f"taxiway {command}" in text.partition("Example")[2]
    assert "--json" in text
