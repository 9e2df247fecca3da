"""The packaging pod as Flyte gets it, and what the dynamic that places it hands on."""

from __future__ import annotations

import re
import subprocess
import sys
from collections import OrderedDict
from contextlib import nullcontext
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from flyteidl.core.tasks_pb2 import TaskTemplate
from flytekit import FlyteContextManager
from flytekit.configuration import FastSerializationSettings, ImageConfig, SerializationSettings
from flytekit.core.context_manager import ExecutionState
from flytekit.core.type_engine import TypeEngine
from flytekit.models.literals import LiteralMap
from flytekit.tools.translator import get_serializable
from flytekit.types.file import FlyteFile
from google.protobuf.json_format import MessageToDict

from tasks import package
from tasks._builder import Action, Checked, Usage
from tasks._errors import BuildFailed
from tasks._package_program import clean
from tasks._packaged import PackageStatus, written
from tasks._pods import excesses
from tasks._types import Image
from tasks._venv import VenvImages
from tasks.image import ImageStep
from tasks.package import build_and_package, labels_of, not_packaged, package_target
from tasks.policy import ImagePolicy, PackagePolicy, Policy, Stage
from tasks.prepare import Prepared
from tests.unit import samples

IMAGE = samples.IMAGE
SETTINGS = SerializationSettings(
    image_config=ImageConfig.from_images("localhost:30000/taxiway@sha256:" + "1" * 64),
    project="taxiway",
    domain="production",
    version="1",
    fast_serialization_settings=FastSerializationSettings(enabled=True, destination_dir="."),
)


def template() -> TaskTemplate:
    return get_serializable(OrderedDict(), SETTINGS, package_target).to_flyte_idl().template


def pod() -> dict[str, Any]:
    spec: dict[str, Any] = MessageToDict(template().k8s_pod.pod_spec)
    return spec


def test_the_pod_has_no_token_no_privilege_and_no_secret() -> None:
    spec = pod()
    assert spec["automountServiceAccountToken"] is False
    assert spec["securityContext"] == {
        "runAsNonRoot": True,
        "runAsUser": 65534,
        "runAsGroup": 65534,
        "seccompProfile": {"type": "RuntimeDefault"},
    }
    [container] = spec["containers"]
    assert container["securityContext"]["capabilities"] == {"drop": ["ALL"]}
    assert container["resources"]["limits"] == {"cpu": "1", "memory": "1Gi"}
    assert not list(excesses(spec))
    assert not template().security_context.secrets


def test_a_task_starts_without_the_client_of_kubernetes() -> None:
    program = "import sys, workflows.preview, workflows.release\nassert 'kubernetes' not in sys.modules"
    subprocess.run([sys.executable, "-c", program], check=True)


def test_flyte_and_kubernetes_leave_the_programs_text_alone() -> None:
    [container] = pod()["containers"]
    program = "".join(container["command"])
    assert not re.search(r"\{\{|\}\}|\$\(", program)
    assert container["args"] == [
        "/var/inputs/bundle",
        "/var/outputs",
        "{{.inputs.modules}}",
        "{{.inputs.image}}",
        "{{.inputs.destination}}",
        "{{.inputs.timeout_s}}",
    ]


def test_what_is_not_the_targets_is_hidden_from_it() -> None:
    kept = {"PATH": "/bin", "CUDA_HOME": "/cuda", "MODE": "live", "LANG": "C"}
    hidden = [
        "_F_SS_C",
        "FLYTE_INTERNAL_EXECUTION_ID",
        "FLYTE_AWS_ACCESS_KEY_ID",
        "AWS_SECRET_ACCESS_KEY",
        "GOOGLE_APPLICATION_CREDENTIALS",
        "TAXIWAY_IMAGE_ROOT",
        "KUBERNETES_SERVICE_HOST",
        "PIP_TOKEN",
        "my_password",
    ]
    assert clean({**kept, **dict.fromkeys(hidden, "x")}) == kept


def prepared(tmp_path: Path, **changes: Any) -> Prepared:
    (tmp_path / "file").write_text("x")
    policy = Policy(
        package=PackagePolicy(modules=["fraud.a", "fraud.b"], destination="/app"),
        image=ImagePolicy(repository="registry.example.com/fraud"),
        stage=[Stage(name="dev", project="fraud", domain="development")],
    )
    sample = samples.prepared()
    file = FlyteFile(str(tmp_path / "file"))
    assert sample.bundle is not None
    context = {"file": file, "digest": samples.DIGEST, "size_bytes": 1}
    bundle = sample.bundle.model_copy(update={"file": file})
    return Prepared.model_validate(
        {**dict(sample), "policy": policy, "bundle": bundle, "context": context, **changes}
    )


@dataclass(frozen=True)
class Images(VenvImages):
    """A builder whose check finds what it is told to."""

    found: Checked = field(default_factory=Checked)

    def check(self, image: Image, usage: Usage) -> Checked:
        assert usage.destination == "/app"
        return self.found


def placed(
    monkeypatch: pytest.MonkeyPatch,
    given: Prepared,
    answer: ImageStep | Exception,
    checked: Checked | None = None,
) -> Any:
    """Run the dynamic as Flyte does, with `answer` for what the builder says, and `checked` of the image."""

    def ensure(*_: object, **__: object) -> ImageStep:
        if isinstance(answer, Exception):
            raise answer
        return answer

    monkeypatch.setattr(build_and_package, "_wf", None)  # a pod compiles it once; here it would be kept
    monkeypatch.setattr(package, "ensure_image", ensure)
    images = Images(root=Path("/nowhere"), environ={}, timeout_s=1, found=checked or Checked())
    monkeypatch.setattr(package, "image_builder", lambda *_: nullcontext(images))
    base = FlyteContextManager.current_context()
    state = base.new_execution_state().with_params(mode=ExecutionState.Mode.TASK_EXECUTION)
    builder = base.with_execution_state(state).with_serialization_settings(SETTINGS)
    with FlyteContextManager.with_context(builder) as context:
        expected = TypeEngine.to_literal_type(Prepared)
        literal = TypeEngine.to_literal(context, given, Prepared, expected)
        return build_and_package.dispatch_execute(context, LiteralMap(literals={"prepared": literal}))


STEP = ImageStep(image=IMAGE, action=Action.REUSED, because="it was there", seconds=0.5, size_bytes=0)


def test_the_pod_runs_in_the_targets_image(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("TAXIWAY_PACKAGE_TIMEOUT_S", "77")
    spec = placed(monkeypatch, prepared(tmp_path), STEP).to_flyte_idl()
    [node] = [node for node in spec.nodes if node.HasField("task_node")]
    assert node.task_node.overrides.container_image == IMAGE.reference
    bound = {binding.var: binding.binding.scalar.primitive for binding in node.inputs}
    assert bound["modules"].string_value == "fraud.a fraud.b"
    assert bound["image"].string_value == IMAGE.reference
    assert bound["destination"].string_value == "/app"
    assert bound["timeout_s"].integer == 77
    outputs = {binding.var: binding.binding.WhichOneof("value") for binding in spec.outputs}
    assert outputs == {"image": "scalar", "status": "promise", "log": "promise", "package": "promise"}


def test_no_pod_is_started_after_a_failed_verdict(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    stopped = prepared(tmp_path, verdict=samples.FAILED)
    literals = placed(monkeypatch, stopped, AssertionError("no image is needed")).literals
    assert literals["status"].scalar.primitive.integer == PackageStatus.NOT_STARTED


def test_an_image_that_cannot_be_built_is_a_status_with_its_log(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    failed = BuildFailed("The image could not be built: no such package x.", remedy="Correct it.")
    literals = placed(monkeypatch, prepared(tmp_path), failed).literals
    assert literals["status"].scalar.primitive.integer == PackageStatus.IMAGE_FAILED
    log = TypeEngine.to_python_value(FlyteContextManager.current_context(), literals["log"], FlyteFile)
    assert "no such package x" in Path(log.download()).read_text()


def test_an_image_that_flyte_cannot_use_is_a_status_with_the_findings(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    checked = Checked(findings=[samples.FINDING], notes=[])
    literals = placed(monkeypatch, prepared(tmp_path), STEP, checked).literals
    assert literals["status"].scalar.primitive.integer == PackageStatus.IMAGE_UNFIT
    log = TypeEngine.to_python_value(FlyteContextManager.current_context(), literals["log"], FlyteFile)
    assert Path(log.download()).read_text() == written([samples.FINDING])


def test_a_note_about_the_image_goes_on_with_it(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    spec = placed(monkeypatch, prepared(tmp_path), STEP, Checked(notes=[samples.FINDING])).to_flyte_idl()
    [image] = [binding.binding for binding in spec.outputs if binding.var == "image"]
    assert samples.FINDING.problem.encode() in image.SerializeToString()


def test_an_image_says_which_revision_it_is_for(tmp_path: Path) -> None:
    labels = labels_of(prepared(tmp_path, version="v1"))
    assert sorted(label.rpartition(".")[2] for label in labels) == ["revision", "source", "version"]
    assert "version" not in str(labels_of(prepared(tmp_path)))


def test_what_stands_for_no_packaging_has_all_outputs() -> None:
    nothing = not_packaged(PackageStatus.NOT_STARTED, "")
    assert nothing.image is None
    assert Path(nothing.package.path).read_bytes() == b""
