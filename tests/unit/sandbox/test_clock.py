from __future__ import annotations

from datetime import datetime, timezone

import pytest

from scripts.sandbox.clock import from_text, to_text


@pytest.mark.parametrize("microsecond", [0, 5, 250_000, 999_999])
def test_a_time_reads_back_as_it_was_written(microsecond: int) -> None:
    time = datetime(2026, 1, 5, 9, 30, 1, microsecond, tzinfo=timezone.utc)
    assert from_text(to_text(time)) == time
