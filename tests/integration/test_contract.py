"""What containers of real images say about whether Flyte can use them."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator
from pathlib import Path

import docker
import pytest

from tasks._contract import Contract, check_contract
from tasks._engine import Engine, EngineAddress, open_engine
from tasks._errors import RegistryRefused
from tests.engine.base_image import derived
from tests.engine.building import PLATFORM, forget

pytestmark = pytest.mark.engine

Check = Callable[..., Contract]


@pytest.fixture(scope="module")
def opened(engine_host: str) -> Iterator[Engine]:
    with open_engine(EngineAddress(host=engine_host), environ=os.environ) as engine:
        yield engine


@pytest.fixture
def check(
    opened: Engine, engine: docker.APIClient, flytekit_image: str, request: pytest.FixtureRequest
) -> Iterator[Check]:
    """Check an image that these lines make of the one with flytekit, or of `base`."""
    name = f"taxiway-test/contract-{os.getpid()}:{abs(hash(request.node.name))}"

    def checked(*lines: str, base: str = "", non_root: bool = False, destination: str = ".") -> Contract:
        derived(engine, name, "\n".join([f"FROM {base or flytekit_image}", *lines, ""]))
        return check_contract(opened, name, destination=destination, platform=PLATFORM, non_root=non_root)

    yield checked
    left = engine.containers(all=True, filters={"label": f"taxiway.probe={name}"})
    forget(opened, name)
    assert left == []


def problems(contract: Contract) -> list[str]:
    return [finding.problem for finding in contract.fatal]


def test_an_image_that_flyte_can_use(check: Check) -> None:
    contract = check("RUN mkdir /code && chown 1000 /code", "WORKDIR /code", "USER 1000")
    assert contract.findings == ()
    assert contract.kept
    assert (contract.user, contract.platform, contract.entrypoint) == ("1000", PLATFORM, ())
    assert contract.flytekit.startswith("1.16.")
    assert contract.python == "3.11"


@pytest.mark.parametrize(("non_root", "kept"), [(False, True), (True, False)])
def test_root_is_a_warning_and_a_refusal_where_it_is_not_wanted(
    check: Check, non_root: bool, kept: bool
) -> None:
    contract = check(non_root=non_root)
    assert contract.kept is kept
    assert [finding.problem for finding in contract.findings] == ["Its tasks run as root."]


def test_a_folder_for_the_code_that_the_user_cannot_write(check: Check) -> None:
    lines = ("RUN mkdir -m 755 /code", "WORKDIR /code", "USER 1000")
    assert problems(check(*lines)) == ["Its user 1000 cannot write /code, where the code is unpacked."]
    assert problems(check(*lines, destination="/root")) == [
        "Its user 1000 cannot write /root (from /code), where the code is unpacked."
    ]
    assert check(*lines, destination="/tmp/new/folder").kept


def test_an_image_without_flytekit(check: Check, python_image: str) -> None:
    contract = check(base=python_image)
    assert problems(contract) == ["pyflyte-execute and pyflyte-fast-execute are not on its PATH."]
    assert contract.flytekit == ""


def test_commands_whose_flytekit_is_gone(check: Check) -> None:
    contract = check("ENV PYTHONPATH=", "RUN rm -rf /usr/local/lib/python3.11/dist-packages/flytekit*")
    assert problems(contract) == ["Its pyflyte-execute does not find flytekit, or the Python that it names."]


def test_an_image_without_tar(check: Check) -> None:
    assert problems(check("RUN rm -f /bin/tar /usr/bin/tar")) == [
        "tar is not on its PATH, and flytekit unpacks the code with it."
    ]


def test_an_entrypoint_that_ends_with_what_it_is_given_passes_it_through(check: Check) -> None:
    lines = (
        "RUN printf '#!/bin/sh\\necho hello\\nexec \"$@\"\\n' > /entry && chmod 755 /entry",
        'ENTRYPOINT ["/entry"]',
    )
    contract = check(*lines)
    assert contract.kept
    assert contract.entrypoint == ("/entry",)


@pytest.mark.parametrize(
    ("entrypoint", "said"),
    [
        pytest.param('["python3", "-c", "print(1)"]', "it ended with exit code 0 and printed '1'", id="own"),
        pytest.param('["python3"]', "it ended with exit code 2", id="takes it for its own arguments"),
        pytest.param("echo hello", "it ended with exit code 0 and printed 'hello'", id="in a shell"),
        pytest.param('["/nosuch"]', "no such file", id="not there"),
    ],
)
def test_an_entrypoint_that_interferes(check: Check, entrypoint: str, said: str) -> None:
    contract = check(f"ENTRYPOINT {entrypoint}")
    [problem] = problems(contract)
    assert problem.startswith("Its ENTRYPOINT")
    assert said in problem
    assert contract.flytekit, "the rest is found out nevertheless"


def test_an_entrypoint_that_never_ends_is_ended(check: Check, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tasks._contract_probe._TIMEOUT_S", 3)
    [problem] = problems(check('ENTRYPOINT ["sleep", "1000", "#"]', "USER 1000", "WORKDIR /tmp"))
    assert "sleep 1000" in problem


def test_an_image_without_a_shell(check: Check, opened: Engine, python_image: str) -> None:
    [problem] = problems(check("RUN rm /bin/sh", base=python_image))
    assert problem.startswith("No command could be run in it")


def test_a_probe_that_prints_and_forks_without_end_says_nothing_for_the_image(check: Check) -> None:
    entry = (
        "#!/bin/sh\\nfor i in $(seq 300); do sleep 100 & done\\necho taxiway-probe ended=maybe\\nexit 3\\n"
    )
    lines = (f"RUN printf '{entry}' > /entry && chmod 755 /entry", 'ENTRYPOINT ["/entry"]')
    [problem] = problems(check(*lines))
    assert problem.startswith("Its ENTRYPOINT '/entry' does not run the command")


def test_a_probe_is_not_given_the_proxies_that_docker_gives_to_containers(
    engine_host: str,
    engine: docker.APIClient,
    python_image: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    proxies = {"proxies": {"default": {"httpProxy": "http://user:c4n4ry@proxy.example.com"}}}
    (tmp_path / "config.json").write_text(json.dumps(proxies))
    monkeypatch.setenv("DOCKER_CONFIG", str(tmp_path))
    says = derived(engine, "taxiway-test/says", f'FROM {python_image}\nENTRYPOINT ["/bin/sh", "-c", "env"]\n')
    with open_engine(EngineAddress(host=engine_host), environ=os.environ) as opened:
        contract = check_contract(opened, says, destination=".", platform=PLATFORM, non_root=False)
    [problem, *_] = problems(contract)
    assert "PATH=" in problem
    assert "c4n4ry" not in problem


def test_a_probe_whose_asker_was_killed_is_removed_by_a_later_one(
    check: Check, engine: docker.APIClient, python_image: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    label = f"taxiway-test.probe-{os.getpid()}"
    monkeypatch.setattr("tasks._contract_probe._LABEL", label)
    made = engine.create_container(python_image, ["sleep", "600"], labels={label: "x"})["Id"]
    engine.start(made)
    check()
    assert engine.inspect_container(made)["State"]["Running"]
    monkeypatch.setattr("tasks._contract_probe._ABANDONED_S", -1)
    check()
    assert engine.containers(all=True, filters={"label": label}) == []


def test_an_image_for_another_machine_is_not_started(opened: Engine, flytekit_image: str) -> None:
    contract = check_contract(opened, flytekit_image, destination=".", platform="linux/arm64", non_root=True)
    assert problems(contract) == ["It is for linux/amd64, and linux/arm64 is wanted."]


def test_an_image_that_is_nowhere(opened: Engine) -> None:
    with pytest.raises(RegistryRefused, match="cannot be looked into"):
        check_contract(opened, "127.0.0.1:1/nothing:1", destination=".", platform="", non_root=False)
