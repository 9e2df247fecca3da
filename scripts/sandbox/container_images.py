"""Images of the container runtime: those that the engine has; one that it lacks is pulled once."""

from __future__ import annotations

from collections.abc import Callable

import docker
from docker.errors import APIError, DockerException, ImageNotFound
from docker.utils import parse_repository_tag

from scripts.sandbox.attempt_log import AttemptLog


class ImageMissing(LookupError):
    """The engine has no such image and cannot get it; the message is the kubelet's, and the engine's."""


class ImageNameInvalid(ValueError):
    """The reference is none; the message is the engine's."""


def provide(
    client: docker.APIClient, reference: str, output: AttemptLog, stopped: Callable[[], bool]
) -> None:
    """See that the engine has an image. Gives up, without a word, once `stopped` says so.

    Raises:
        ImageMissing: it has it not and cannot pull it.
        ImageNameInvalid: there can be no such image.
    """
    try:
        client.inspect_image(reference)
    except ImageNotFound:
        output.remark(f"pulling {reference}")
        _pull(client, reference, stopped)
    except APIError as error:
        if error.is_server_error() and "invalid reference" not in str(error):
            raise
        raise _invalid(reference, str(error.explanation)) from error


def _pull(client: docker.APIClient, reference: str, stopped: Callable[[], bool]) -> None:
    repository, tag = parse_repository_tag(reference)
    try:
        for line in client.pull(repository, tag=tag or "latest", stream=True, decode=True):
            if stopped():
                return
            if "error" in line:
                raise ImageMissing(_back_off(reference, line["error"]))
    except APIError as error:
        said = str(error.explanation)
        if "invalid reference" in said:
            raise _invalid(reference, said) from error
        raise ImageMissing(_back_off(reference, said)) from error
    except DockerException as error:  # a credentials helper that is not there, for one
        raise ImageMissing(_back_off(reference, str(error))) from error


def _back_off(reference: str, said: str) -> str:
    return f'Back-off pulling image "{reference}": {said}'


def _invalid(reference: str, said: str) -> ImageNameInvalid:
    return ImageNameInvalid(f'Failed to apply default image tag "{reference}": {said}')
