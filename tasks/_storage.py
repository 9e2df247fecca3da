"""Files in the storage behind Flyte: uploads by signed URLs, downloads by whatever address it gives."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

import requests
from flyteidl.service.dataproxy_pb2 import CreateUploadLocationRequest
from flytekit.configuration import PlatformConfig
from flytekit.core.context_manager import FlyteContextManager

from tasks._errors import FlyteUnavailable, StorageRefused
from tasks._flyte import Flyte
from tasks._wait import patiently

_CHUNK = 1024 * 1024
_HTTP_TIMEOUT_S = (10, 120)


@dataclass(frozen=True, kw_only=True)
class Sum:
    """A file's size in bytes, its MD5, which signed URLs are bound to, and its SHA-256 in hexadecimal."""

    size: int
    md5: bytes
    sha256: str


def sum_file(path: Path) -> Sum:
    """Read a file through and return its size and checksums."""
    md5, sha256, size = hashlib.md5(usedforsecurity=False), hashlib.sha256(), 0
    with path.open("rb") as file:
        while chunk := file.read(_CHUNK):
            md5.update(chunk)
            sha256.update(chunk)
            size += len(chunk)
    return Sum(size=size, md5=md5.digest(), sha256=sha256.hexdigest())


def put_headers(given: Mapping[str, str], summed: Sum, native_url: str) -> dict[str, str]:
    """Return the headers of an upload: those that Flyte asks for, with the file's true length.

    Flyte lists a `Content-Length` of its own, that of the checksum, which must not be sent. Azure's blob
    storage wants its kind of blob named.
    """
    headers = {key: value for key, value in given.items() if key.lower() != "content-length"}
    headers["Content-Length"] = str(summed.size)
    headers["Content-MD5"] = base64.b64encode(summed.md5).decode()
    if urlsplit(native_url).scheme == "abfs":
        headers["x-ms-blob-type"] = "BlockBlob"
    return headers


def upload(flyte: Flyte, file: Path, *, project: str, domain: str, root: str, name: str = "") -> str:
    """Upload `file` under `<storage>/<project>/<domain>/<root>/<name>` and return its native URL.

    An empty `name` is the file's own. `root` names the content, such as its digest in hexadecimal:
    uploading the same again is fine and gives the same URL.

    Raises:
        FlyteUnavailable: Flyte or the storage does not answer.
        FlyteExists: another file has that root and name.
        StorageRefused: the storage refuses the file.
    """
    summed = sum_file(file)
    request = CreateUploadLocationRequest(
        project=project,
        domain=domain,
        filename=name or file.name,
        filename_root=root,
        content_md5=summed.md5,
        add_content_md5_metadata=True,
    )

    def attempt() -> str:
        location = flyte.once("CreateUploadLocation", request)
        headers = put_headers(location.headers, summed, location.native_url)
        _put(location.signed_url, file, headers, flyte.config.platform)
        return str(location.native_url)

    return patiently(attempt, patience_s=flyte.patience_s, clock=flyte.clock, sleep=flyte.sleep)


def _put(url: str, file: Path, headers: Mapping[str, str], platform: PlatformConfig) -> None:
    with file.open("rb") as content:
        try:
            answer = requests.put(
                url, data=content, headers=headers, verify=_verify(platform), timeout=_HTTP_TIMEOUT_S
            )
        except requests.RequestException as error:
            raise _unreachable(url, error) from error
    _check(answer, url, "upload")


def fetch(url: str, target: Path, platform: PlatformConfig) -> Path:
    """Write what `url` holds to `target` and return it.

    An http(s) URL is a signed one and read as it is; everything else (`s3`, `gs`, `abfs`, `file`) goes
    through flytekit's file access, with whatever credentials the environment has.

    Raises:
        FlyteUnavailable: the storage does not answer.
        StorageRefused: the storage refuses, or has no such file.
    """
    if urlsplit(url).scheme in ("http", "https"):
        _get(url, target, platform)
        return target
    access = FlyteContextManager.current_context().file_access
    try:
        access.get_data(url, str(target))
    except Exception as error:  # each storage has its own classes, under none of ours or flytekit's
        raise StorageRefused(
            f"{url} could not be read: {error}.", remedy="Check that it exists and that we may read it."
        ) from error
    return target


def _get(url: str, target: Path, platform: PlatformConfig) -> None:
    try:
        with requests.get(url, stream=True, verify=_verify(platform), timeout=_HTTP_TIMEOUT_S) as answer:
            _check(answer, url, "download")
            with target.open("wb") as file:
                for chunk in answer.iter_content(_CHUNK):
                    file.write(chunk)
    except requests.RequestException as error:
        raise _unreachable(url, error) from error


def _verify(platform: PlatformConfig) -> bool | str:
    return False if platform.insecure_skip_verify else (platform.ca_cert_file_path or True)


def _check(answer: requests.Response, url: str, doing: str) -> None:
    if answer.ok:
        return
    problem = f"The {doing} of {bare(url)} ended with HTTP {answer.status_code}: {answer.text[:1000]}."
    if answer.status_code >= 500 or answer.status_code in (408, 429):
        raise FlyteUnavailable(problem, remedy="Check the storage behind Flyte.")
    raise StorageRefused(problem, remedy="Check that the signed URL's clock and checksum are right.")


def _unreachable(url: str, error: Exception) -> FlyteUnavailable:
    # The error's own text would repeat the URL with its signature, so its class has to do.
    return FlyteUnavailable(
        f"The storage at {bare(url)} does not answer ({type(error).__name__}).",
        remedy="Check that it can be reached from here.",
    )


def bare(url: str) -> str:
    """Return a signed URL without its query, which holds the signature."""
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc}{parts.path}"
