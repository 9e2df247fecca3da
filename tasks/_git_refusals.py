"""Why git could not fetch: what it printed, read once, and the error that each reason becomes."""

from __future__ import annotations

import enum
import re

from tasks._errors import (
    CommandFailed,
    CommandMissing,
    DiskFull,
    RepositoryCorrupt,
    RepositoryDenied,
    SourceUnavailable,
    TaxiwayError,
    UnknownBranch,
    UnknownRevision,
    UrlRefused,
)
from tasks._git_url import masked_urls


class Refusal(enum.Enum):
    """Why a fetch ended. The first three are mended by asking for more."""

    UNADVERTISED = enum.auto()
    NOT_SHALLOW = enum.auto()
    NO_FILTER = enum.auto()
    NO_REVISION = enum.auto()
    OTHER_HASH = enum.auto()
    NO_BRANCH = enum.auto()
    CORRUPT = enum.auto()
    DISK_FULL = enum.auto()
    TRANSPORT = enum.auto()
    NO_SSH = enum.auto()
    HOST_KEY = enum.auto()
    CERTIFICATE = enum.auto()
    DENIED = enum.auto()
    MISSING = enum.auto()
    UNAVAILABLE = enum.auto()
    OTHER = enum.auto()


# In this order: a refusal is often followed by words about the connection that it ended.
_SIGNS = (
    (Refusal.UNADVERTISED, r"unadvertised object"),
    (Refusal.NOT_SHALLOW, r"does not support shallow|dumb http transport does not support"),
    (Refusal.NO_FILTER, r"filter[^\n]*(not |un)support|(not |un)support[^\n]*filter|invalid filter"),
    (Refusal.NO_REVISION, r"not our ref"),
    (Refusal.OTHER_HASH, r"mismatched algorithms"),
    (Refusal.NO_SSH, r"cannot run ssh|ssh: (command )?not found"),
    (Refusal.NO_BRANCH, r"couldn't find remote ref"),
    (Refusal.DISK_FULL, r"No space left on device|Disk quota exceeded"),
    (Refusal.CORRUPT, r"fsck error|in packed object|error: object [0-9a-f]+: "),
    (Refusal.TRANSPORT, r"transport '[^']*' not allowed|Protocol \S+ .*(not supported|disabled)"),
    (Refusal.HOST_KEY, r"Host key verification failed"),
    (Refusal.CERTIFICATE, r"SSL certificate problem|certificate verif"),
    (
        Refusal.DENIED,
        r"Authentication failed|could not read (Username|Password)|Permission denied|error: 40[13]"
        r"|dubious ownership",
    ),
    (Refusal.MISSING, r"does not appear to be a git repository|does not exist|[Rr]epository .*not found"),
    (
        Refusal.UNAVAILABLE,
        r"Could(n't| not) (resolve|connect)|Failed to connect|Connection (refused|reset|closed)"
        r"|timed out|early EOF|RPC failed|hung up|unexpected disconnect|unreachable|error: (429|5\d\d)"
        r"|less than \d+ bytes|bad band|expected flush|expected packfile",
    ),
)
_BECOMES: dict[Refusal, tuple[type[TaxiwayError], str]] = {
    Refusal.UNADVERTISED: (RepositoryDenied, "Allow the server to give any reachable commit."),
    Refusal.NOT_SHALLOW: (RepositoryDenied, "Serve the repository through git's smart protocol."),
    Refusal.NO_FILTER: (RepositoryDenied, "Serve the repository through git's smart protocol."),
    Refusal.NO_REVISION: (UnknownRevision, "Push the commit to this repository, or give another SHA."),
    Refusal.OTHER_HASH: (UnknownRevision, "Give a SHA of the kind that the repository has."),
    Refusal.NO_SSH: (CommandMissing, "Install an ssh client, or give an https URL."),
    Refusal.NO_BRANCH: (UnknownBranch, "Enrol the target with a branch that the repository has."),
    Refusal.DISK_FULL: (DiskFull, "Make room, or raise the task's ephemeral storage."),
    Refusal.CORRUPT: (RepositoryCorrupt, "Mend the object that git names, as `git fsck` shows it."),
    Refusal.TRANSPORT: (UrlRefused, "Give a URL that leads to https or ssh without a detour."),
    Refusal.HOST_KEY: (
        RepositoryDenied,
        "Put the host's keys into the secret `taxiway`, key git_known_hosts.",
    ),
    Refusal.CERTIFICATE: (
        RepositoryDenied,
        "Set SSL_CERT_FILE to the certificates of the server's authority.",
    ),
    Refusal.DENIED: (
        RepositoryDenied,
        "Put a git_token or git_ssh_key that may read it into the secret `taxiway`.",
    ),
    Refusal.MISSING: (
        RepositoryDenied,
        "Correct the URL; if it is private, see that the secret `taxiway` may read it.",
    ),
    Refusal.UNAVAILABLE: (
        SourceUnavailable,
        "It is tried again; see whether the server can be reached from here.",
    ),
}


def refusal_of(printed: str) -> Refusal:
    """Return why git ended, by what it printed in English."""
    for refusal, sign in _SIGNS:
        if re.search(sign, printed):
            return refusal
    return Refusal.OTHER


def error_of(failed: CommandFailed, *, thing: str) -> TaxiwayError:
    """Return the error that a failed git command is; `thing` says what was asked for, of which repository."""
    refusal = refusal_of(failed.stderr)
    if refusal is Refusal.OTHER:
        # Without the twenty settings that every call is given.
        return CommandFailed(f"git for {thing}", failed.code, failed.stdout, masked_urls(failed.stderr))
    kind, remedy = _BECOMES[refusal]
    return kind(f"{thing} could not be fetched: {masked_urls(_last_words(failed.stderr))}.", remedy=remedy)


def _last_words(printed: str) -> str:
    """Return the lines in which git says what was wrong, as one."""
    lines = [line.strip() for line in printed.strip().splitlines()]
    telling = [line for line in lines if re.match(r"fatal|error|remote|ssh", line, re.IGNORECASE)]
    return "; ".join(telling or lines)[-1000:].rstrip(". ")
