"""Development sessions: `nox -s lint types unit integration lock`, in the environment that holds nox."""

from __future__ import annotations

import nox

nox.options.default_venv_backend = "none"
nox.options.sessions = ["lint", "types", "unit"]

_COMPILE = ["uv", "pip", "compile", "--quiet", "--no-python-downloads", "--no-emit-index-url"]
_FOR_ALL = ["--universal", "--python-version=3.10", "--custom-compile-command=nox -s lock"]


@nox.session
def lint(session: nox.Session) -> None:
    """Check style and formatting; `nox -s lint -- --fix` repairs what can be repaired."""
    fix = "--fix" in session.posargs
    session.run("ruff", "check", *(["--fix"] if fix else []), ".", external=True)
    session.run("ruff", "format", *([] if fix else ["--check"]), ".", external=True)


@nox.session
def types(session: nox.Session) -> None:
    """Check types, strictly."""
    session.run("mypy", *session.posargs, external=True)


@nox.session
def unit(session: nox.Session) -> None:
    """Run the tests that need no sandbox, no git and no installs."""
    session.run("pytest", "-n", "2", "tests/unit", *session.posargs, external=True)


@nox.session
def integration(session: nox.Session) -> None:
    """Run the tests that use the real things: git, uv, the sandbox, Taxiway as a whole."""
    folders = ["tests/integration", "tests/conformance", "tests/acceptance"]
    session.run("pytest", *folders, *session.posargs, external=True)


@nox.session
def lock(session: nox.Session) -> None:
    """Write the lock files anew; pins stay unless they must move (`-- --upgrade` moves them all)."""
    ours = ["--extra=dev", "pyproject.toml", "--output-file=requirements.lock"]
    session.run(*_COMPILE, *_FOR_ALL, *ours, *session.posargs, external=True)
    # The target project of the tests installs from the same downloads as Taxiway itself.
    theirs = ["--constraints=../../../requirements.lock", "--no-annotate", "requirements.in"]
    with session.chdir("tests/fixtures/fraud"):
        session.run(*_COMPILE, *_FOR_ALL, *theirs, "--output-file=requirements.lock", external=True)
