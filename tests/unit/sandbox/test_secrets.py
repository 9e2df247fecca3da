from __future__ import annotations

from pathlib import Path

import pytest
from flyteidl.core.security_pb2 import Secret

from scripts.sandbox.secrets import mount


@pytest.fixture
def source(tmp_path: Path) -> Path:
    folder = tmp_path / "secrets"
    for path, value in {"Git/Token": "t0", "p-d/Git/Token": "t1", "Git/other": "o"}.items():
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_text(value)
    return folder


def files(target: Path) -> dict[str, str]:
    return {str(file.relative_to(target)): file.read_text() for file in target.rglob("*") if file.is_file()}


@pytest.mark.parametrize(("namespace", "value"), [("p-d", "t1"), ("q-d", "t0")])
def test_only_the_key_asked_for_is_mounted_in_lower_case(
    source: Path, tmp_path: Path, namespace: str, value: str
) -> None:
    target = tmp_path / "mounted"
    variables = mount([Secret(group="Git", key="Token")], source=source, namespace=namespace, target=target)
    assert files(target) == {"git/token": value}
    assert (target / "git" / "token").stat().st_mode & 0o777 == 0o600
    assert variables == (("FLYTE_SECRETS_DEFAULT_DIR", str(target)), ("FLYTE_SECRETS_FILE_PREFIX", ""))


def test_a_missing_secret_is_left_out(source: Path, tmp_path: Path) -> None:
    target = tmp_path / "mounted"
    wanted = [Secret(group="git", key="absent"), Secret(group="e", key="k", mount_requirement=Secret.ENV_VAR)]
    variables = dict(mount(wanted, source=source, namespace="p-d", target=target))
    assert files(target) == {}
    assert variables == {
        "FLYTE_SECRETS_DEFAULT_DIR": str(target),
        "FLYTE_SECRETS_FILE_PREFIX": "",
        "FLYTE_SECRETS_ENV_PREFIX": "_FSEC_",
    }


def test_a_secret_as_a_variable(source: Path, tmp_path: Path) -> None:
    secret = Secret(group="Git", key="Token", mount_requirement=Secret.ENV_VAR, env_var="MINE")
    variables = dict(mount([secret], source=source, namespace="q-d", target=tmp_path / "mounted"))
    assert variables == {"FLYTE_SECRETS_ENV_PREFIX": "_FSEC_", "_FSEC_GIT_TOKEN": "t0", "MINE": "t0"}


def test_a_file_secret_with_a_variable_of_its_own_gets_the_path(source: Path, tmp_path: Path) -> None:
    secret = Secret(group="Git", key="Token", mount_requirement=Secret.FILE, env_var="MINE")
    variables = dict(mount([secret], source=source, namespace="q-d", target=tmp_path))
    assert variables["MINE"] == str(tmp_path / "git" / "token")


@pytest.mark.parametrize(
    ("group", "key"), [("..", "x"), ("Git", "../../x"), ("", "x"), ("Git", ""), (".", "x")]
)
def test_nothing_outside_the_folder_is_read(source: Path, tmp_path: Path, group: str, key: str) -> None:
    (tmp_path / "x").write_text("outside")
    target = tmp_path / "mounted"
    mount([Secret(group=group, key=key)], source=source, namespace="p-d", target=target)
    assert files(target) == {}


def test_nothing_asked_for_sets_nothing(source: Path, tmp_path: Path) -> None:
    assert mount([], source=source, namespace="p-d", target=tmp_path) == ()


def test_variables_name_the_place_where_the_task_finds_them(source: Path, tmp_path: Path) -> None:
    secret = Secret(group="Git", key="Token", mount_requirement=Secret.FILE, env_var="MINE")
    target = tmp_path / "mounted"
    variables = dict(mount([secret], source=source, namespace="q-d", target=target, seen_as="/etc/secrets"))
    assert files(target) == {"git/token": "t0"}
    assert variables["FLYTE_SECRETS_DEFAULT_DIR"] == "/etc/secrets"
    assert variables["MINE"] == "/etc/secrets/git/token"
