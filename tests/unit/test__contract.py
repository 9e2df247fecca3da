from __future__ import annotations

from typing import Any

import pytest

from tasks._contract import Contract, judge
from tasks._contract_probe import Probed, Ran, answers_of

GOOD = {
    "begun": "yes",
    "uid": "1000",
    "workdir": "/code",
    "pyflyte-execute": "/bin/pyflyte-execute",
    "pyflyte-fast-execute": "/bin/pyflyte-fast-execute",
    "tar": "/bin/tar",
    "writable": "yes",
    "python": "3.11",
    "flytekit": "1.16.0",
    "ended": "yes",
}


def judged(
    *, non_root: bool = False, entrypoint: tuple[str, ...] = (), plain: Ran | None = None, **more: Any
) -> Contract:
    code = more.pop("code", 0)
    answers = {**GOOD, **more}
    ran = Ran(answers={k: v for k, v in answers.items() if v is not None}, code=code)
    probed = Probed(
        platform="linux/amd64", user="app", entrypoint=entrypoint, as_flyte_does=ran, without_entrypoint=plain
    )
    return judge(probed, image="a@b", destination=".", platform="linux/amd64", non_root=non_root)


def test_an_image_as_it_should_be() -> None:
    contract = judged()
    assert contract.kept
    assert contract.findings == ()
    assert (contract.flytekit, contract.python, contract.user) == ("1.16.0", "3.11", "1000")


@pytest.mark.parametrize(
    ("more", "said"),
    [
        pytest.param({"pyflyte-execute": ""}, "pyflyte-execute is not on its PATH", id="a command"),
        pytest.param({"flytekit": None}, "does not find flytekit", id="flytekit"),
        pytest.param({"tar": ""}, "tar is not", id="tar"),
        pytest.param({"writable": "no"}, "cannot write /code", id="the folder"),
        pytest.param({"uid": "0", "non_root": True}, "run as root", id="root"),
        pytest.param({"ended": None, "code": 1}, "No command could be run", id="the shell"),
    ],
)
def test_what_is_missing_is_fatal_and_has_a_remedy(more: dict[str, Any], said: str) -> None:
    [finding] = judged(**more).fatal
    assert said in finding.problem
    assert finding.remedy
    assert finding.where == "a@b"


def test_an_entrypoint_in_the_way_hides_nothing_else() -> None:
    plain = Ran(answers={**GOOD, "tar": ""}, code=0)
    contract = judged(ended=None, entrypoint=("/entry",), plain=plain, code=0)
    assert [finding.problem.split()[1] for finding in contract.fatal] == ["ENTRYPOINT", "is"]
    assert contract.flytekit == "1.16.0"


def test_only_whole_lines_of_the_script_are_answers() -> None:
    printed = (
        "taxiway-probe uid=0\r\nx taxiway-probe tar=/bin/tar\ntaxiway-probe flytekit=\x1b[31m1\n"
        f"taxiway-probe python={'3' * 300}\ntaxiway-probe workdir=/a b\n"
    )
    assert answers_of(printed) == {"uid": "0", "workdir": "/a b"}
