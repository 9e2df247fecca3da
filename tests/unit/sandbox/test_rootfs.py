from __future__ import annotations

from pathlib import Path

import pytest

from scripts.sandbox.rootfs import Rootfs, translate

ROOTFS = Rootfs(attempt=Path("/state/attempts/f9-n0-0"))
BASE = "/state/attempts/f9-n0-0/rootfs"
FAST = ["pyflyte-fast-execute", "--additional-distribution", "s3://b/x.tar.gz"]


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        (["--dest-dir", "/root"], f"{BASE}/root"),
        (["--dest-dir=/opt/app"], f"{BASE}/opt/app"),
        (["--dest-dir", "."], None),
        ([], None),
        (["--dest-dir", "/state/attempts/f9-n1-0/rootfs/opt/app"], f"{BASE}/opt/app"),
    ],
    ids=["root", "one word", "working directory", "none", "a dynamic's child"],
)
def test_where_code_is_unpacked(given: list[str], expected: str | None) -> None:
    words, target = ROOTFS.destination([*FAST, *given, "--", "pyflyte-execute", "--dest-dir", "/root"])
    assert target == (Path(expected) if expected else None)
    if expected:
        assert words[3:5] == ["--dest-dir", expected]
    assert words[-4:] == ["--", "pyflyte-execute", "--dest-dir", "/root"]


def test_another_programs_option_of_that_name_is_left_alone() -> None:
    words = ["unpack", "--dest-dir", "/root"]
    assert ROOTFS.destination(words) == (words, None)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("/var/inputs", "/x/in"),
        ("wc -c < /var/inputs/data > /var/outputs/n", "wc -c < /x/in/data > /x/out/n"),
        ("--in=/var/inputs,", "--in=/x/in,"),
        ("/var/inputs2 /srv/var/inputs /var/inputs-old", "/var/inputs2 /srv/var/inputs /var/inputs-old"),
    ],
)
def test_data_paths_are_translated_as_whole_paths(text: str, expected: str) -> None:
    paths = {"/var/inputs": Path("/x/in"), "/var/outputs": Path("/x/out")}
    assert translate(text, paths) == expected
