"""Whether Flyte can use an image: found out before anything is registered, not by a pod that cannot start."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from docker.errors import APIError

from tasks._contract_probe import PROGRAMS, Probed, Ran, probe
from tasks._engine import Engine
from tasks._errors import RegistryRefused
from tasks._registry_credentials import ANONYMOUS, Login
from tasks._types import Finding

_ROOT = "0"


@dataclass(frozen=True, kw_only=True)
class Contract:
    """What an image is, and what is wrong with it: `fatal` where no task could run, else `warnings`.

    `flytekit` and `python` are versions, empty where they are not found out. `user` is the number of the
    user that tasks run as, or the name in the image where that was not found out.
    """

    fatal: tuple[Finding, ...]
    warnings: tuple[Finding, ...]
    flytekit: str
    python: str
    user: str
    entrypoint: tuple[str, ...]
    platform: str

    @property
    def findings(self) -> tuple[Finding, ...]:
        """All of them, the fatal ones first."""
        return self.fatal + self.warnings

    @property
    def kept(self) -> bool:
        """Whether Flyte can use the image."""
        return not self.fatal


def check_contract(
    engine: Engine,
    reference: str,
    *,
    destination: str,
    platform: str,
    non_root: bool,
    login: Login = ANONYMOUS,
) -> Contract:
    """Find out whether Flyte can use an image, by containers of it on `engine`.

    `destination` is the folder that code is unpacked to, relative to the image's own; `platform` what the
    image should be for, or empty for the engine's own. `login` is for the pull of an image that the engine
    has not.

    Raises:
        EngineUnavailable: the engine broke off.
        RegistryRefused: the image cannot be had.
    """
    wanted = "/".join((platform or engine.platform).split("/")[:2])
    try:
        found = probe(engine, reference, destination=destination, runnable=wanted, login=login)
    except APIError as error:
        raise RegistryRefused(
            f"{reference} cannot be looked into: {error.explanation}.",
            remedy="Check the name, and that the engine may pull it.",
            status=error.status_code or 0,
        ) from error
    return judge(found, image=reference, destination=destination, platform=wanted, non_root=non_root)


def judge(probed: Probed, *, image: str, destination: str, platform: str, non_root: bool) -> Contract:
    """Say what `probed` means for Flyte."""
    ran = probed.as_flyte_does if probed.as_flyte_does.ended else probed.without_entrypoint
    ran = ran or probed.as_flyte_does
    fatal = list(_fatal(probed, ran, destination, platform))
    user = ran.answers.get("uid", probed.user)
    warnings: list[_Problem] = []
    if user in (_ROOT, "", "root") and probed.platform == platform:
        to = fatal if non_root else warnings
        to.append(("Its tasks run as root", "End the Dockerfile with `USER` and the number of another user."))
    return Contract(
        fatal=_findings(image, fatal),
        warnings=_findings(image, warnings),
        flytekit=ran.answers.get("flytekit", ""),
        python=ran.answers.get("python", ""),
        user=user,
        entrypoint=probed.entrypoint,
        platform=probed.platform,
    )


_Problem = tuple[str, str]


def _findings(image: str, problems: list[_Problem]) -> tuple[Finding, ...]:
    return tuple(Finding(where=image, problem=f"{problem}.", remedy=remedy) for problem, remedy in problems)


def _fatal(probed: Probed, ran: Ran, destination: str, platform: str) -> Iterator[_Problem]:
    if probed.platform != platform:
        yield (
            f"It is for {probed.platform}, and {platform} is wanted",
            "Correct image.platform, or the platform of what the Dockerfile starts from.",
        )
        return
    if not probed.as_flyte_does.ended and (ran.ended or probed.entrypoint):
        yield _entrypoint_problem(probed)
    if not ran.ended:
        if not probed.entrypoint or probed.without_entrypoint is ran:
            yield _no_shell(ran)
        return
    yield from _missing(ran)
    if ran.answers.get("writable") != "yes":
        where = ran.answers.get("workdir", "the working directory")
        folder = where if destination == "." else f"{destination} (from {where})"
        yield (
            f"Its user {ran.answers.get('uid', '')} cannot write {folder}, where the code is unpacked",
            "Give that folder to the user (`RUN chown`), or name another in package.destination.",
        )


def _entrypoint_problem(probed: Probed) -> _Problem:
    ran = probed.as_flyte_does
    how = ran.problem or f"it ended with exit code {ran.code}"
    said = f" and printed {ran.printed.strip()!r}" if ran.printed.strip() else ""
    words = " ".join(probed.entrypoint)
    return (
        f"Its ENTRYPOINT {words!r} does not run the command that Flyte gives it: {how}{said}",
        'Remove the ENTRYPOINT, or have it end with `exec "$@"`.',
    )


def _no_shell(ran: Ran) -> _Problem:
    how = ran.problem or f"it ended with exit code {ran.code}: {ran.printed.strip()!r}"
    return (
        f"No command could be run in it ({how})",
        "Start from an image with a shell, Python and flytekit.",
    )


def _missing(ran: Ran) -> Iterator[_Problem]:
    missing = [program for program in PROGRAMS if not ran.answers.get(program)]
    flytekit = [program for program in missing if program != "tar"]
    if flytekit:
        yield (
            f"{' and '.join(flytekit)} {'are' if flytekit[1:] else 'is'} not on its PATH",
            "Install flytekit, and put the folder with its commands on the PATH (`ENV PATH`).",
        )
    elif not ran.answers.get("flytekit"):
        yield (
            "Its pyflyte-execute does not find flytekit, or the Python that it names",
            "Install flytekit into the Python that the command was installed with.",
        )
    if "tar" in missing:
        yield ("tar is not on its PATH, and flytekit unpacks the code with it", "Install tar.")
