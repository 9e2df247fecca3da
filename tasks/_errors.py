"""What can go wrong, one class each: a stable code, and whether waiting can mend it.

Flyte retries a FlyteRecoverableException and nothing else, so that class is the whole retry policy: an
error that passes by waiting derives from `Recoverable`, all others from `Terminal`. The code reaches the
execution's record through the attribute that flytekit reads: `error_code` on a terminal error,
`_ERROR_CODE` on a recoverable one (`flytekit.exceptions`).

Every message has three parts: what failed, on which thing, what to do.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

from flytekit.exceptions.user import FlyteRecoverableException


class TaxiwayError(Exception):
    """Base of all of Taxiway's own errors. `remedy` is the next action, in one sentence."""

    error_code: ClassVar[str] = "TAXI:Error"

    def __init__(self, problem: str, *, remedy: str) -> None:
        super().__init__(problem)
        self.problem = problem
        self.remedy = remedy

    def __str__(self) -> str:
        return f"{self.problem} {self.remedy}"


class Terminal(TaxiwayError):
    """Waiting does not help; Flyte does not retry it."""

    error_code = "TAXI:Terminal"


class Recoverable(TaxiwayError, FlyteRecoverableException):
    """It may pass by waiting; Flyte retries it as often as the task allows."""

    error_code = "TAXI:Recoverable"
    _ERROR_CODE = "TAXI:Recoverable"
    after_s: float = 0.0
    """How long the other side asks to be left alone, in seconds; 0 where it says nothing."""

    def __init_subclass__(cls, **keywords: object) -> None:
        super().__init_subclass__(**keywords)
        # Not `cls.error_code`: flytekit's metaclass answers that one, with `_ERROR_CODE`.
        cls._ERROR_CODE = cls.__dict__.get("error_code", cls._ERROR_CODE)


class BadUsage(Terminal):
    """The caller asked for something that cannot be."""

    error_code = "TAXI:BadUsage"


class CommandFailed(Terminal):
    """A process ended with an exit code that its caller did not expect."""

    error_code = "TAXI:CommandFailed"

    def __init__(self, argv: str, code: int, stdout: str, stderr: str) -> None:
        said = (stderr.strip() or stdout.strip() or "(it printed nothing)")[-4000:]
        super().__init__(f"`{argv}` ended with exit code {code}: {said}", remedy="See what it printed.")
        self.argv, self.code, self.stdout, self.stderr = argv, code, stdout, stderr


class CommandTimedOut(Recoverable):
    """A process was ended because it ran past its limit."""

    error_code = "TAXI:CommandTimedOut"


class CommandMissing(Terminal):
    """A program that a step needs is not installed."""

    error_code = "TAXI:CommandMissing"


# The port to Flyte.


class FlyteUnavailable(Recoverable):
    """Flyte, or the storage behind it, did not answer, or is too busy to."""

    error_code = "TAXI:FlyteUnavailable"


class FlyteUnauthenticated(Terminal):
    """Flyte does not know who we are, or does not let us."""

    error_code = "TAXI:FlyteUnauthenticated"


class FlyteRefused(Terminal):
    """Flyte answered with an error. `status` is the gRPC code's name, `details` Flyte's own words."""

    error_code = "TAXI:FlyteRefused"

    def __init__(self, problem: str, *, remedy: str, status: str, details: str) -> None:
        super().__init__(problem, remedy=remedy)
        self.status, self.details = status, details


class FlyteNotFound(FlyteRefused):
    """What was asked for is not there."""

    error_code = "TAXI:FlyteNotFound"


class FlyteExists(FlyteRefused):
    """What was to be made is there already."""

    error_code = "TAXI:FlyteExists"


class FlyteInvalid(FlyteRefused):
    """What was sent is not valid."""

    error_code = "TAXI:FlyteInvalid"


class StorageRefused(Terminal):
    """The storage did not take or give a file, and says why."""

    error_code = "TAXI:StorageRefused"


class WaitTimedOut(Terminal):
    """Something was waited for and did not happen in time."""

    error_code = "TAXI:WaitTimedOut"


# Registration.


class DifferentStructure(Terminal):
    """This version is registered already, with other content."""

    error_code = "TAXI:DifferentStructure"


class RegistrationRefused(Terminal):
    """Entities cannot be registered as they are. `refusals` gives the reason for each, by its name."""

    error_code = "TAXI:RegistrationRefused"

    def __init__(self, problem: str, *, remedy: str, refusals: Mapping[str, str]) -> None:
        super().__init__(problem, remedy=remedy)
        self.refusals = refusals


class BundleChanged(Terminal):
    """A code bundle is not the one that was made of the revision."""

    error_code = "TAXI:BundleChanged"


class ReferenceCycle(Terminal):
    """Workflows refer to each other's launch plans in a circle, so that none can be registered first."""

    error_code = "TAXI:ReferenceCycle"


# --- source: fetching a revision ---


class UrlRefused(Terminal):
    """A repository's URL is of a kind that is not taken."""

    error_code = "TAXI:UrlRefused"


class CredentialsInUrl(Terminal):
    """A repository's URL holds a user, a password or a token."""

    error_code = "TAXI:CredentialsInUrl"


class UnknownRevision(Terminal):
    """The repository has no such commit, or what was given is not a commit's full SHA."""

    error_code = "TAXI:UnknownRevision"


class UnknownBranch(Terminal):
    """The repository has no such branch."""

    error_code = "TAXI:UnknownBranch"


class RepositoryDenied(Terminal):
    """The repository does not exist, or may not be read with the credentials at hand."""

    error_code = "TAXI:RepositoryDenied"


class RepositoryTooLarge(Terminal):
    """Fetching the revision would bring more than the installation allows."""

    error_code = "TAXI:RepositoryTooLarge"


class RepositoryCorrupt(Terminal):
    """What the repository sent fails git's own checks."""

    error_code = "TAXI:RepositoryCorrupt"


class SourceUnavailable(Recoverable):
    """The server of the repository could not be reached, or broke off."""

    error_code = "TAXI:SourceUnavailable"


class FileMissing(Terminal):
    """A commit has no such file."""

    error_code = "TAXI:FileMissing"


# --- image: building and keeping ---


class BuildFailed(Terminal):
    """An image could not be built from its inputs; the message ends with the builder's last lines."""

    error_code = "TAXI:BuildFailed"


class BuildBusy(Recoverable):
    """Another build of the same image took longer than this one could wait."""

    error_code = "TAXI:BuildBusy"


class PackageIndexUnavailable(Recoverable):
    """The server of an image's packages could not be reached, or broke off."""

    error_code = "TAXI:PackageIndexUnavailable"


class DiskFull(Terminal):
    """There was no room left to write to."""

    error_code = "TAXI:DiskFull"


class BuildTimedOut(Terminal):
    """A build ran past its limit and was ended; the message ends with the builder's last lines."""

    error_code = "TAXI:BuildTimedOut"


class BuildTooLarge(Terminal):
    """What an image is built from, or the image itself, is larger than the installation allows."""

    error_code = "TAXI:BuildTooLarge"


class EngineUnavailable(Recoverable):
    """The container engine did not answer, or broke off."""

    error_code = "TAXI:EngineUnavailable"


class EngineDenied(Terminal):
    """The container engine does not take our certificate: it is missing, expired or a stranger's."""

    error_code = "TAXI:EngineDenied"


class EngineUntrusted(Terminal):
    """The container engine cannot be spoken to safely: we do not trust its certificate, or it has none."""

    error_code = "TAXI:EngineUntrusted"


class EngineUnsuitable(Terminal):
    """The container engine, or the docker command beside us, cannot do what is asked of it."""

    error_code = "TAXI:EngineUnsuitable"


class ImageContextChanged(Terminal):
    """The files to build from are not those that were planned with."""

    error_code = "TAXI:ImageContextChanged"


class BuildSecretMissing(Terminal):
    """A build is to be given a secret that does not exist."""

    error_code = "TAXI:BuildSecretMissing"


class BuilderMissing(Terminal):
    """The installation says nowhere how images are built."""

    error_code = "TAXI:BuilderMissing"


# --- registry: keeping images where others find them ---


class ReferenceInvalid(Terminal):
    """What was given does not name an image, a repository, a tag or a digest as the OCI spec spells them."""

    error_code = "TAXI:ReferenceInvalid"


class RegistryUnavailable(Recoverable):
    """A registry, or who issues its tokens, did not answer, broke off, or is too busy to answer."""

    error_code = "TAXI:RegistryUnavailable"

    def __init__(self, problem: str, *, remedy: str, after_s: float = 0.0) -> None:
        super().__init__(problem, remedy=remedy)
        self.after_s = after_s


class RegistryRefused(Terminal):
    """A registry answered with an error: HTTP `status`, and the spec's `codes`, as far as it gave any."""

    error_code = "TAXI:RegistryRefused"

    def __init__(self, problem: str, *, remedy: str, status: int, codes: tuple[str, ...] = ()) -> None:
        super().__init__(problem, remedy=remedy)
        self.status, self.codes = status, codes


class RegistryDenied(RegistryRefused):
    """A registry does not know who we are, or does not let us."""

    error_code = "TAXI:RegistryDenied"


class RegistryNotFound(RegistryRefused):
    """A registry has no such manifest, blob or repository."""

    error_code = "TAXI:RegistryNotFound"


class RegistryMismatch(Terminal):
    """What a registry gave or took is not what its digest says."""

    error_code = "TAXI:RegistryMismatch"


class RegistryInvalid(Terminal):
    """A registry answered with what the OCI spec does not allow."""

    error_code = "TAXI:RegistryInvalid"


class RegistryTooLarge(Terminal):
    """A registry's answer is larger than anything of its kind should be."""

    error_code = "TAXI:RegistryTooLarge"


class RegistryUntrusted(Terminal):
    """A registry cannot be spoken to safely: its certificate is not trusted, or it would be plain http."""

    error_code = "TAXI:RegistryUntrusted"


class RegistryCredentialsInvalid(Terminal):
    """A docker configuration with a registry's credentials cannot be read."""

    error_code = "TAXI:RegistryCredentialsInvalid"


class CredentialHelperMissing(Terminal):
    """A program that a docker configuration names for a registry's credentials is not installed."""

    error_code = "TAXI:CredentialHelperMissing"


class CredentialHelperFailed(Terminal):
    """A program that keeps a registry's credentials did not give them."""

    error_code = "TAXI:CredentialHelperFailed"


# --- releases and promotions ---


class ManifestChanged(Terminal):
    """A release manifest, or what it names, is not what its digest says."""

    error_code = "TAXI:ManifestChanged"


class NotReleased(Terminal):
    """There is no release of this revision."""

    error_code = "TAXI:NotReleased"


class NotOnBranch(Terminal):
    """A revision is not on the protected branch."""

    error_code = "TAXI:NotOnBranch"


class UnknownStage(Terminal):
    """The policy has no such stage."""

    error_code = "TAXI:UnknownStage"


class PolicyInvalid(Terminal):
    """The protected branch has no policy that can be used."""

    error_code = "TAXI:PolicyInvalid"


class GenerationTaken(Recoverable):
    """Another execution changes what is ACTIVE in this stage now."""

    error_code = "TAXI:GenerationTaken"


class ActivationRefused(Terminal):
    """An activation asks for what no promotion or earlier generation vouches for."""

    error_code = "TAXI:ActivationRefused"


class StageDisturbed(Recoverable):
    """Somebody else changes what is ACTIVE in a stage while an activation does."""

    error_code = "TAXI:StageDisturbed"


class ActivationBroken(Terminal):
    """A generation's execution ended before all of it was done; the next generation goes on from there."""

    error_code = "TAXI:ActivationBroken"


class NothingToRollBackTo(Terminal):
    """No earlier generation of a stage is what a rollback asks for."""

    error_code = "TAXI:NothingToRollBackTo"


class NotRecorded(Terminal):
    """An approval or a hold was launched, and its execution did not succeed."""

    error_code = "TAXI:NotRecorded"


# --- installation and commands ---


class NotInstalled(Terminal):
    """This Flyte has no Taxiway, or not this target."""

    error_code = "TAXI:NotInstalled"


class StageMissing(Terminal):
    """A project or domain that something is to go to does not exist, or is archived."""

    error_code = "TAXI:StageMissing"


class OtherInputs(Terminal):
    """An execution of the same name was launched with other inputs."""

    error_code = "TAXI:OtherInputs"


class ReportMissing(Terminal):
    """An execution has no report (yet)."""

    error_code = "TAXI:ReportMissing"


class VerdictFailed(Terminal):
    """A preview or release ran to its end, and its verdict is not passed; its report says why."""

    error_code = "TAXI:VerdictFailed"
