"""The packaging as the pod runs it: the real command, with this environment as the target's image."""

from __future__ import annotations

import json
import sys
import tarfile
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import pytest
from flytekit.configuration import SerializationSettings

from tasks._enrolment import Enrolment, PreviewStage
from tasks._packaged import Package, PackageStatus, read_package
from tasks._run import run
from tasks._types import Status
from tasks.admission import admit, preview_allowances
from tasks.package import package_target
from tests.fixtures import target

IMAGE = "registry.example.com/fraud@sha256:" + "a" * 64
BIN = Path(sys.prefix) / "bin"
FLOW = """
from flytekit import task, workflow

@task
def fit(rows: int = 1) -> int:
    return rows

@workflow
def train(rows: int = 1) -> int:
    return fit(rows=rows)
"""


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """What the pod left behind, and what is made of it."""

    status: PackageStatus
    log: str
    package: Package
    seconds: float

    @property
    def problem(self) -> str:
        return self.package.verdict.findings[0].problem


@dataclass(frozen=True, kw_only=True)
class Pod:
    """Runs the packaging's own command, its paths mapped below `folder`."""

    folder: Path

    def package(
        self,
        files: Mapping[str, str] | Path,
        *,
        modules: str = "flow",
        seconds: int = 60,
        path: str = f"{BIN}:/usr/bin:/bin",
        environ: Mapping[str, str] | None = None,
    ) -> Outcome:
        inputs, outputs, temporary = (self.folder / name for name in ("inputs", "outputs", "tmp"))
        for folder in (inputs, outputs, temporary):
            folder.mkdir(exist_ok=True)
        with tarfile.open(inputs / "bundle", "w:gz") as tar:
            if isinstance(files, Path):
                tar.add(files, arcname=".")
            else:
                for name, text in files.items():
                    (self.folder / "file").write_text(text)
                    tar.add(self.folder / "file", arcname=name)
        given = {"modules": modules, "image": IMAGE, "destination": ".", "timeout_s": str(seconds)}
        words = [self._mapped(word, given) for word in [*package_target._cmd, *package_target._args]]
        started = time.monotonic()
        run(words, timeout_s=120, env={"PATH": path, "TMPDIR": str(temporary), **(environ or {})})
        took = time.monotonic() - started
        status, log = int((outputs / "status").read_text()), (outputs / "log").read_text(errors="replace")
        if status != PackageStatus.KILLED:
            assert not list(temporary.iterdir())
        return Outcome(
            status=PackageStatus(status),
            log=log,
            package=read_package(outputs / "package", status=status, log=log, image=IMAGE, destination="."),
            seconds=took,
        )

    def _mapped(self, word: str, given: Mapping[str, str]) -> str:
        for name, value in given.items():
            if word == f"{{{{.inputs.{name}}}}}":
                return value
        return word.replace("/var/inputs", f"{self.folder}/inputs").replace(
            "/var/outputs", f"{self.folder}/outputs"
        )


@pytest.fixture
def pod(tmp_path: Path) -> Pod:
    return Pod(folder=tmp_path)


def test_two_packagings_of_one_revision_are_the_same_package(tmp_path: Path) -> None:
    source = Path(target.__file__).parent / "fraud" / "src"
    packages = []
    for name in ("one", "another"):
        (tmp_path / name).mkdir()
        outcome = Pod(folder=tmp_path / name).package(source, modules="fraud.workflows fraud.launch_plans")
        assert outcome.status is PackageStatus.PACKAGED, outcome.log
        packages.append(outcome.package)
    assert packages[0] == packages[1]
    assert packages[0].verdict.passed
    assert len(packages[0].entities) > 20


IMPORTS = {
    "a module that is missing": ("import numerics_of_nobody", PackageStatus.RAISED, "numerics_of_nobody"),
    "an error": ("raise RuntimeError('on import')", PackageStatus.RAISED, "RuntimeError: on import"),
    "no syntax": ("def", PackageStatus.RAISED, "SyntaxError"),
    "a type that Flyte has not": (
        "from flytekit import task\n@task\ndef f(a) -> int:\n    return 1",
        PackageStatus.RAISED,
        "type annotation",
    ),
    "sys.exit(0)": ("import sys; sys.exit(0)", PackageStatus.EXITED, "sys.exit"),
    "sys.exit(3)": ("import sys; sys.exit(3)", PackageStatus.EXITED, "sys.exit"),
    "os._exit(0)": ("import os; os._exit(0)", PackageStatus.EXITED, "sys.exit"),
    "a crash": ("import os, signal; os.kill(os.getpid(), signal.SIGSEGV)", PackageStatus.KILLED, "crashed"),
    "no entity": ("x = 1", PackageStatus.NO_ENTITIES, "No task, workflow or launch plan"),
    "ImageSpec": (
        "from flytekit import ImageSpec, task\n"
        "spec = ImageSpec(name='x', registry='localhost:1', packages=['numpy'])\n"
        "@task(container_image=spec)\ndef f() -> int:\n    return 1",
        PackageStatus.RAISED,
        "ImageSpec",
    ),
    "the end of its parent": (
        "import os, signal; os.kill(os.getppid(), signal.SIGKILL)",
        PackageStatus.KILLED,
        "The packaging itself was killed",
    ),
}  # fmt: skip


@pytest.mark.parametrize(("code", "status", "says"), IMPORTS.values(), ids=IMPORTS)
def test_what_code_does_on_import_is_said(pod: Pod, code: str, status: PackageStatus, says: str) -> None:
    outcome = pod.package({"flow.py": code})
    assert outcome.status is status, outcome.log
    assert outcome.package.verdict.status is Status.FAILED
    assert says in outcome.problem
    assert "taxiway-" not in outcome.problem, outcome.log


ASKS = {
    "another image": (
        "@task(container_image='evil.example.com/x:1')\ndef f() -> int:\n    return 1",
        "task flow.f: container.image",
    ),
    "a privileged pod template": (
        "from kubernetes.client import V1Container, V1PodSpec, V1SecurityContext\n"
        "primary = V1Container(name='primary', security_context=V1SecurityContext(privileged=True))\n"
        "@task(pod_template=PodTemplate(pod_spec=V1PodSpec(containers=[primary])))\n"
        "def f() -> int:\n    return 1",
        "task flow.f: k8s_pod.containers[0].securityContext.privileged",
    ),
    "a pod template by name": (
        "@task(pod_template_name='root')\ndef f() -> int:\n    return 1",
        "task flow.f: metadata.pod_template_name",
    ),
    "a service account": (
        "@task\ndef f() -> int:\n    return 1\n"
        "@workflow\ndef w() -> int:\n    return f()\n"
        "plan = LaunchPlan.get_or_create(w, 'plan', security_context="
        "SecurityContext(run_as=Identity(k8s_service_account='admin')))",
        "launch plan plan: security_context.run_as.k8s_service_account",
    ),
    "a secret": (
        "@task(secret_requests=[Secret(group='prod', key='token')])\ndef f() -> int:\n    return 1",
        "task flow.f: security_context.secrets[0]",
    ),
    "another project's launch plan": (
        "@reference_launch_plan(project='payments', domain='production', name='pay', version='1')\n"
        "def pay(amount: int) -> int:\n    return 1\n"
        "@workflow\ndef w() -> int:\n    return pay(amount=1)",
        "workflow flow.w: reference to pay",
    ),
}  # fmt: skip


@pytest.mark.parametrize(("code", "where"), ASKS.values(), ids=ASKS)
def test_what_code_asks_for_in_flytekits_own_words_is_refused(pod: Pod, code: str, where: str) -> None:
    names = "LaunchPlan, PodTemplate, Secret, reference_launch_plan, task, workflow"
    models = "from flytekit.models.security import Identity, SecurityContext\n"
    outcome = pod.package({"flow.py": f"from flytekit import {names}\n{models}{code}\n"})
    assert outcome.package.verdict.passed, outcome.log
    enrolment = Enrolment(
        name="fraud", repository="https://git.example.com", preview=PreviewStage(project="p", domain="d")
    )
    verdict = admit(outcome.package.entities, preview_allowances(enrolment, IMAGE))
    assert verdict.status is Status.FAILED
    assert where in [finding.where for finding in verdict.findings]


def test_megabytes_of_output_are_cut_and_harmless(pod: Pod) -> None:
    outcome = pod.package({"flow.py": "print('first'); print('x' * 30_000_000); print('last')" + FLOW})
    assert outcome.package.verdict.passed, outcome.log[-500:]
    assert len(outcome.log) < 300_000
    assert outcome.log.index("first") < outcome.log.index("bytes left out") < outcome.log.index("last")


def test_slow_code_is_ended_in_time(pod: Pod) -> None:
    outcome = pod.package({"flow.py": "print('waits'); import time; time.sleep(600)"}, seconds=10)
    assert outcome.status is PackageStatus.TIMED_OUT
    assert outcome.seconds < 30
    assert "waits" in outcome.problem


def test_processes_that_multiply_are_ended(pod: Pod) -> None:
    code = "import os, time\nfor _ in range(10):\n    os.fork()\ntime.sleep(600)\n"
    outcome = pod.package({"flow.py": code})
    assert outcome.status is PackageStatus.KILLED
    assert "too many processes" in outcome.problem


def test_a_process_left_behind_is_ended(pod: Pod) -> None:
    code = (
        "import subprocess, sys\n"
        "words = [sys.executable, '-c', 'import time; time.sleep(600)']\n"
        "print('daemon', subprocess.Popen(words, start_new_session=True).pid, flush=True)\n"
    )
    outcome = pod.package({"flow.py": code + FLOW})
    assert outcome.package.verdict.passed, outcome.log
    pid = outcome.log.partition("daemon ")[2].split()[0]
    assert not Path(f"/proc/{pid}").exists() or " Z " in Path(f"/proc/{pid}/stat").read_text()


def test_credentials_are_out_of_reach(pod: Pod) -> None:
    code = (
        "import json, os\nfrom pathlib import Path\n"
        "seen, pid = [dict(os.environ)], os.getpid()\n"
        "for _ in range(3):\n"
        "    seen.append(Path(f'/proc/{pid}/environ').read_bytes().decode())\n"
        "    pid = int(Path(f'/proc/{pid}/stat').read_text().rpartition(')')[2].split()[1])\n"
        "print('SEEN', json.dumps(seen))\n"
    )
    given = {
        "AWS_SECRET_ACCESS_KEY": "canary-1",
        "FLYTE_INTERNAL_EXECUTION_ID": "canary-2",
        "_F_SS_C": "canary-3",
        "MODE": "kept",
    }
    outcome = pod.package({"flow.py": code + FLOW}, environ=given)
    assert outcome.package.verdict.passed, outcome.log
    seen = json.loads(outcome.log.partition("SEEN ")[2].splitlines()[0])
    assert "canary" not in json.dumps(seen)
    assert [("MODE=kept" in text) for text in seen[1:]] == [True, True, True]


def test_a_forged_result_is_written_over(pod: Pod) -> None:
    code = f"open('{pod.folder}/outputs/status', 'w').write('0'); import nothing_at_all"
    assert pod.package({"flow.py": code}).status is PackageStatus.RAISED


def test_a_result_that_became_a_link_is_replaced_and_not_followed(pod: Pod) -> None:
    (pod.folder / "victim").write_text("untouched")
    out, victim = f"{pod.folder}/outputs/log", f"{pod.folder}/victim"
    code = f"import os; os.unlink('{out}'); os.symlink('{victim}', '{out}'); raise SystemExit(5)"
    assert pod.package({"flow.py": code}).status is PackageStatus.EXITED
    assert (pod.folder / "victim").read_text() == "untouched"


def test_an_image_without_python_or_flytekit_is_told_so(pod: Pod, tmp_path: Path) -> None:
    bare, python = tmp_path / "bare", tmp_path / "python"
    for folder in (bare, python):
        folder.mkdir()
    (python / "python3").symlink_to(Path(sys.base_prefix) / "bin" / "python3")
    for path in (bare, python):
        outcome = pod.package({"flow.py": FLOW}, path=str(path))
        assert outcome.status is PackageStatus.FLYTEKIT_MISSING
        assert "flytekit is not installed" in outcome.problem


def test_an_older_flytekit_without_copy_is_asked_the_old_way(pod: Pod, tmp_path: Path) -> None:
    old = tmp_path / "old"
    old.mkdir()
    (old / "pyflyte").write_text(
        "#!/bin/sh\n"
        'for word in "$@"; do\n'
        "    [ \"$word\" != --copy ] || { echo 'Error: No such option: --copy' >&2; exit 2; }\n"
        "done\n"
        f'exec {BIN}/pyflyte "$@"\n'
    )
    (old / "pyflyte").chmod(0o755)
    outcome = pod.package({"flow.py": FLOW}, path=f"{old}:{BIN}:/usr/bin:/bin")
    assert outcome.package.verdict.passed, outcome.log


def test_a_bundle_that_leaves_its_folder_is_refused(pod: Pod) -> None:
    outcome = pod.package({"../flow.py": FLOW})
    assert outcome.status is PackageStatus.BROKEN
    assert not (pod.folder / "tmp" / "flow.py").exists()


def test_a_dynamic_task_is_packaged_with_this_image_and_no_folder(pod: Pod) -> None:
    code = "from flytekit import dynamic\n@dynamic\ndef many(n: int) -> int:\n    return n\n"
    [entity] = pod.package({"flow.py": code}).package.entities
    [variable] = entity.message.template.container.env
    settings = SerializationSettings.from_transport(variable.value)
    assert settings.image_config.default_image.full == IMAGE
    assert settings.source_root is None
