"""Who somebody is: what Flyte knows of a caller, and what the enrolment's identity map makes of it."""

from __future__ import annotations

from collections.abc import Iterable

from tasks._enrolment import Enrolment

NOBODY = "somebody whom Flyte does not name"


def shown_principal(principal: str, enrolment: Enrolment) -> str:
    """Return a name for people: the identity map's, else Flyte's own, which may be opaque or empty."""
    known = enrolment.identities.get(principal)
    return known.name if known else principal or NOBODY


def authors(addresses: Iterable[str], enrolment: Enrolment) -> set[str]:
    """Return the names of those whose commits carry one of these addresses; anybody can set an address."""
    wanted = {address.casefold() for address in addresses}
    return {
        one.name
        for one in enrolment.identities.values()
        if wanted & {address.casefold() for address in one.git}
    }
