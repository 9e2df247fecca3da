"""The data of a raw container before and after it runs; says in the logs what flytecopilot keeps silent."""

from __future__ import annotations

import logging
from pathlib import Path

from flyteidl.core.errors_pb2 import ErrorDocument
from google.protobuf.message import Message

from scripts.sandbox.attempt_log import AttemptLog
from scripts.sandbox.copilot_inputs import InputDownloadFailed, lay_out, local_path
from scripts.sandbox.copilot_outputs import OutputUploadFailed, error_document, take
from scripts.sandbox.rootfs import Rootfs
from scripts.sandbox.runtime import Attempt, Files

log = logging.getLogger(__name__)

# Where a container that names no paths finds its data (flyteplugins, FlyteCoPilotConfig).
_DEFAULT_INPUTS, _DEFAULT_OUTPUTS = "/var/flyte/inputs", "/var/flyte/outputs"


def data_paths(files: Files | None, rootfs: Rootfs) -> dict[str, Path]:
    """Return the container's own data paths, each with its place on this machine."""
    if files is None:
        return {}
    return {path: rootfs.at(path) for path in (_inputs(files), _outputs(files))}


def before(attempt: Attempt, rootfs: Rootfs, output: AttemptLog) -> None:
    """Lay out the inputs and make the folder for the outputs.

    Inputs that cannot be laid out do not keep the container from starting, for copilot does not either.
    """
    files = attempt.files
    if files is None:
        return
    if files.interface.outputs.variables:
        rootfs.at(_outputs(files)).mkdir(parents=True, exist_ok=True)
    if not files.interface.inputs.variables:
        return
    try:
        path = _inputs(files)
        lay_out(files.inputs, rootfs.at(path), files.config.format, seen_as=rootfs.seen(path))
    except InputDownloadFailed as error:
        _complain(attempt, files, output, error_document("InputDownloadFailed", str(error)))


def after(attempt: Attempt, rootfs: Rootfs, output: AttemptLog) -> None:
    """Take the outputs and write `outputs.pb`, or `errors.pb` and the reason into both logs."""
    files = attempt.files
    if files is None or not files.interface.outputs.variables:
        return
    folder = rootfs.at(_outputs(files))
    try:
        taken = take(files.interface.outputs, folder, files.raw_output_prefix)
    except OutputUploadFailed as error:
        reason = str(error).replace(str(folder), _outputs(files))
        about = f"output {error.output}: " if error.output else ""
        _complain(attempt, files, output, error_document("OutputUploadFailed", reason), about)
    else:
        _write(files, "outputs.pb", taken)


def _complain(
    attempt: Attempt, files: Files, output: AttemptLog, document: ErrorDocument, about: str = ""
) -> None:
    said = f"{document.error.code}: {about}{document.error.message}"
    log.warning("%s: %s", attempt.name, said)
    output.remark(said)
    _write(files, "errors.pb", document)


def _write(files: Files, name: str, message: Message) -> None:
    folder = local_path(files.output_prefix)
    if folder is None:
        log.error("%s is not in the sandbox's storage", files.output_prefix)
        return
    folder.mkdir(parents=True, exist_ok=True)
    (folder / name).write_bytes(message.SerializeToString(deterministic=True))


def _inputs(files: Files) -> str:
    return files.config.input_path or _DEFAULT_INPUTS


def _outputs(files: Files) -> str:
    return files.config.output_path or _DEFAULT_OUTPUTS
