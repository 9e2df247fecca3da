from __future__ import annotations

import pytest

from tasks._links import outside


@pytest.mark.parametrize(
    ("targets", "leaves"),
    [
        pytest.param({"a/l": "b"}, False, id="beside it"),
        pytest.param({"a/l": "../b"}, False, id="one up"),
        pytest.param({"a/l": ".."}, False, id="the root"),
        pytest.param({"l": "nowhere"}, False, id="to nothing"),
        pytest.param({"l": ".."}, True, id="above the root"),
        pytest.param({"a/l": "../../b"}, True, id="two up"),
        pytest.param({"l": "a/../../b"}, True, id="down and up"),
        pytest.param({"l": "/a"}, True, id="absolute"),
        pytest.param({"l": ""}, True, id="empty"),
        pytest.param({"l": "a\0b"}, True, id="with a zero byte"),
        pytest.param({"l": "l"}, True, id="to itself"),
        pytest.param({"l": "m", "m": "l"}, True, id="in a circle"),
        pytest.param({"l": "d/../../x", "d": "a/b"}, False, id="through a link that goes down"),
        pytest.param({"l": "a/b/up/../../x", "a/b/up": "../.."}, True, id="through a link that goes up"),
        pytest.param({"l": "m/x", "m": "../out"}, True, id="through a link that leaves"),
    ],
)
def test_link_leaves_only_if_following_it_does(targets: dict[str, str], leaves: bool) -> None:
    assert outside(next(iter(targets)), targets) is leaves
