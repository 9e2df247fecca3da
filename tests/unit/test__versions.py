"""Versions of what a step runs with."""

from __future__ import annotations

import flytekit

from tasks._versions import NOT_INSTALLED, version_of


def test_an_installed_distribution_has_its_version() -> None:
    assert version_of("flytekit") == flytekit.__version__


def test_code_that_came_as_a_bundle_is_not_installed() -> None:
    assert version_of("a-distribution-that-nobody-has") == NOT_INSTALLED
