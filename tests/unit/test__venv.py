from __future__ import annotations

from pathlib import Path

import pytest

from tasks._errors import BuildFailed, DiskFull, PackageIndexUnavailable
from tasks._venv import build_error, install_arguments, uv_environment

HASHED = "iniconfig==2.0.0 --hash=sha256:" + "0" * 64 + "\n"


@pytest.mark.parametrize(
    ("files", "arguments"),
    [
        pytest.param({"requirements.txt": "x"}, ["-r", "requirements.txt"], id="requirements"),
        pytest.param({"deps/dev.in": "x"}, ["-r", "deps/dev.in"], id="in a folder"),
        pytest.param({"pyproject.toml": ""}, ["-r", "pyproject.toml"], id="pyproject alone"),
        pytest.param(
            {"pyproject.toml": "", "requirements.lock": "x"}, ["-r", "requirements.lock"], id="a lock decides"
        ),
        pytest.param({"pylock.toml": "x", "pyproject.toml": ""}, ["-r", "pylock.toml"], id="standard lock"),
        pytest.param({"a.lock": HASHED}, ["--require-hashes", "-r", "a.lock"], id="hashes"),
        pytest.param({"a.lock": HASHED, "b.txt": "x"}, ["-r", "a.lock", "-r", "b.txt"], id="some hashes"),
        pytest.param(
            {"constraints.txt": "x", "a.txt": "x", "Dockerfile": ""},
            ["-r", "a.txt", "-c", "constraints.txt"],
            id="constraints",
        ),
    ],
)
def test_what_is_listed_says_what_is_installed(
    files: dict[str, str], arguments: list[str], tmp_path: Path
) -> None:
    for name, text in files.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(text)
    assert install_arguments(tmp_path, tuple(files)) == arguments


@pytest.mark.parametrize(
    ("files", "said"),
    [
        (("Dockerfile",), "says what to install"),
        ((), "says what to install"),
        (("pyproject.toml", "uv.lock"), r"only its own tool reads uv\.lock"),
    ],
    ids=["a Dockerfile alone", "nothing", "a lock of another tool"],
)
def test_nothing_to_install_from_is_named(files: tuple[str, ...], said: str, tmp_path: Path) -> None:
    with pytest.raises(BuildFailed, match=said):
        install_arguments(tmp_path, files)


def test_uv_sees_the_network_and_the_indexes_alone() -> None:
    seen = uv_environment(
        {
            "PATH": "/bin",
            "HOME": "/root",
            "AWS_SECRET_ACCESS_KEY": "s3cret",
            "https_proxy": "http://proxy",
            "PIP_INDEX_URL": "https://pip",
            "UV_INDEX": "https://uv",
            "UV_CACHE_DIR": "/elsewhere",
            "UV_PYTHON": "3.9",
        }
    )
    assert set(seen) - {"LC_ALL", "NO_COLOR", "UV_NO_PROGRESS", "UV_PYTHON_DOWNLOADS"} == {
        "PATH",
        "https_proxy",
        "UV_DEFAULT_INDEX",
        "UV_INDEX",
    }


@pytest.mark.parametrize(
    ("printed", "kind"),
    [
        ("error: failed to write: No space left on device (os error 28)", DiskFull),
        (
            "error: Failed to fetch: `https://x`\n  Caused by: error sending request for url",
            PackageIndexUnavailable,
        ),
        ("error: No solution found when resolving dependencies", BuildFailed),
    ],
    ids=["disk full", "no index", "no solution"],
)
def test_words_of_uv_become_an_error(printed: str, kind: type[Exception]) -> None:
    assert type(build_error(printed, Path("/images"))) is kind


def test_error_shows_the_last_lines_and_no_credentials() -> None:
    printed = "first line\n" + "line\n" * 30 + "from https://user:s3cret@index.example.com/simple"
    text = str(build_error(printed, Path("/images")))
    assert "index.example.com" in text
    assert "s3cret" not in text
    assert "first line" not in text
