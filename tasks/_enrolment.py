"""What an administrator laid down for one target; fixed inputs of its launch plans, which no caller sets."""

from __future__ import annotations

from pydantic import Field

from tasks import _values as v
from tasks._described import Described
from tasks._digests import json_digest
from tasks._types import Record

ANY = "*"
"""As the only entry of a list of limits: whatever a policy names is allowed."""


class PreviewStage(Described):
    """Where pull requests are tried out: nothing here is trusted, so nothing here is shared.

    `secret_groups` are the groups whose secrets a pull request's tasks may ask for, `build_secrets` those of
    `image.secrets` that its image is built with; usually none of either.
    """

    project: v.ProjectName
    """The Flyte project of previews, used for nothing else."""
    domain: v.DomainName
    """The Flyte domain of previews, such as `development`."""
    service_account: v.ServiceAccount = ""
    data_prefix: v.DataPrefix = ""
    secret_groups: list[str] = []
    build_secrets: list[str] = []


class Limits(Record):
    """The most that the target's policy and its packages may name; what is not listed is refused.

    Taxiway's own Flyte and the project's default service account need no entry. An image is within
    `images` if its repository is an entry or lies below one. `task_types` come on top of those that run
    in a container of the target's own image. `base_images` are repositories that a Dockerfile may start
    from, in full (`docker.io/library/python`), or what they lie below; any, unless some are listed.
    `build_networks` can hold `host`. `context_bytes` and `image_bytes` are the most that is sent to a
    container engine, and that comes of it; 0 is no limit.
    """

    endpoints: list[str] = []
    projects: list[str] = []
    domains: list[str] = []
    service_accounts: list[str] = []
    iam_roles: list[str] = []
    data_prefixes: list[str] = []
    images: list[str] = []
    secret_groups: list[str] = []
    task_types: list[str] = []
    base_images: list[str] = [ANY]
    build_networks: list[str] = []
    context_bytes: int = Field(default=64 * 1024**2, ge=0)
    image_bytes: int = Field(default=16 * 1024**3, ge=0)


class Identity(Record):
    """One person: the name that policies use, the addresses of their commits, their groups."""

    name: str
    git: list[str] = []
    groups: list[str] = []


class Enrolment(Described):
    """One target under Taxiway's care. `identities` go by the subject of the person's token in Flyte."""

    name: v.TargetName
    """What people call the target; its launch plans carry it."""
    repository: str = Field(min_length=1)
    """The URL of its git repository."""
    protected_branch: str = Field(default="main", min_length=1)
    preview: PreviewStage
    """Where its pull requests are tried out."""
    limits: Limits = Limits()
    identities: dict[str, Identity] = {}
    anonymous_approvals: bool = False
    """Whether an approval counts where Flyte knows nobody's name: without authentication, or for machines."""
    nightly: v.Cron = ""
    """When releases that are due are promoted by themselves, as cron's five fields in UTC; empty is never."""

    @property
    def digest(self) -> str:
        """`sha256:...` over the canonical JSON of all of it; versions of its launch plans are made of it."""
        return json_digest(self.model_dump(mode="json"))
