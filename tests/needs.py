"""What a test needs of its machine: without it, the test is skipped, but not where CI promises to have it."""

from __future__ import annotations

import os
import shutil
from typing import NoReturn

import pytest


def need(*programs: str) -> None:
    """Skip the test where one of `programs` is not installed; with CI=true, fail it."""
    missing = [program for program in programs if shutil.which(program) is None]
    if missing:
        leave_out(f"needs {' and '.join(missing)}, not installed here")


def leave_out(reason: str) -> NoReturn:
    """Skip the test; with CI=true, fail it."""
    if os.environ.get("CI") == "true":
        pytest.fail(f"{reason}; CI=true says that it should be", pytrace=False)
    pytest.skip(reason)
