"""The container engine's adapter of `ImageBuilder`: images in a registry, built where an engine is.

Whether an image is there takes one request to the registry that keeps it, for its record, and one for each
base, for its digest; the engine is opened where something is built or looked into. 20 who ask for one image
at once make one build: a claim on the engine lets one of them begin, and each looks once more when its turn
has come.
"""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta, timezone

from tasks._builder import (
    Absent,
    Action,
    BuildOrder,
    Built,
    Checked,
    Examined,
    Purpose,
    Recipe,
    StoredImage,
    Usage,
    home_of,
)
from tasks._contract import Contract, check_contract
from tasks._digests import json_digest
from tasks._dockerfile import BaseUse, read_dockerfile
from tasks._dockerfile_rules import Rules, findings_of
from tasks._engine import Engine
from tasks._engine_build import BuildLimits, EngineOrder, build_and_push
from tasks._engine_claims import EngineVolumes, only_one
from tasks._engine_record import (
    ImageRecord,
    by_folder,
    image_tag,
    is_record_tag,
    labels_of,
    manifest_of,
    record_in,
    record_tag,
)
from tasks._errors import (
    BuildBusy,
    BuildSecretMissing,
    RegistryDenied,
    RegistryNotFound,
    RegistryRefused,
    RegistryUnavailable,
)
from tasks._inline_cache import CACHE_TAGS, keep_as_cache
from tasks._references import Reference, parse_reference, parse_repository
from tasks._registry import RegistryClient
from tasks._types import Finding, Image

log = logging.getLogger(__name__)

_KIND = "engine 1"
_ROOT = frozenset({"", "0", "root", "0:0", "root:root"})


@dataclass(frozen=True, kw_only=True)
class EngineImages:
    """Builds on the engine that `open_engine` gives, and keeps images where `registry` can find them.

    `secrets` are by the names that policies use, `repositories` those that are listed and pruned, with
    what previews keep below them.
    """

    registry: RegistryClient
    open_engine: Callable[[], AbstractContextManager[Engine]]
    timeout_s: float
    docker_config: bytes | None = field(default=None, repr=False)
    secrets: Mapping[str, bytes] = field(default_factory=dict, repr=False)
    repositories: tuple[str, ...] = ()

    def examine(self, recipe: Recipe) -> Examined:
        """Read the Dockerfile, and ask for the digest of each image that it uses."""
        terms = recipe.terms
        if recipe.dockerfile is None:
            return Examined(traits={}, findings=[_no_dockerfile(terms.dockerfile)])
        read = read_dockerfile(
            recipe.dockerfile.decode("utf-8", "replace"),
            arguments=terms.build_args,
            platform=terms.platform,
        )
        rules = Rules(
            name=terms.dockerfile,
            listed=recipe.listed,
            tree=recipe.tree,
            base_images=terms.base_images,
            secrets=frozenset(map(secret_id, terms.secrets)),
            network_host=terms.network_host,
        )
        if findings := [*findings_of(read, rules), *clashing_secrets(terms.secrets)]:
            return Examined(traits={}, findings=findings)
        found: dict[str, str | Finding] = {}
        for base in read.bases:
            if base.image not in found:
                found[base.image] = self._pinned(base, terms.dockerfile)
        pins = {image: pin for image, pin in found.items() if isinstance(pin, str)}
        return Examined(
            traits={
                "builder": _KIND,
                **{f"base:{image}": pin.rpartition("@")[2] for image, pin in pins.items()},
                **{f"argument:{name}": value for name, value in terms.build_args.items()},
            },
            bases={base.written: pins[base.image] for base in read.bases if base.image in pins},
            findings=[pin for pin in found.values() if isinstance(pin, Finding)],
        )

    def _pinned(self, base: BaseUse, dockerfile: str) -> str | Finding:
        """Return a base as `repository@sha256:...`; a finding where it is not there, or not for us."""
        reference = parse_reference(base.image)
        if reference.digest:
            return str(reference.repository.at(reference.digest))
        try:
            digest = self.registry.resolve(reference).digest
        except (RegistryNotFound, RegistryDenied) as error:
            return Finding(
                where=f"{dockerfile}:{base.line}",
                problem=f"The base {reference} cannot be had: {error.problem}",
                remedy="Correct its name, or have an administrator let Taxiway pull it.",
            )
        return str(reference.repository.at(digest))

    def find(self, fingerprint: str, repository: str) -> Image | Absent:
        """Return the image that `repository` has a record of under `fingerprint`."""
        record = self._record(fingerprint, repository)
        if record is None:
            return Absent(because=f"{repository} has no image of {fingerprint}")
        return Image(reference=f"{repository}@{record.image.digest}", fingerprint=fingerprint)

    def holds(self, image: Image) -> bool:
        """Say whether exactly this image is still there."""
        try:
            self.registry.resolve(parse_reference(image.reference))
        except RegistryNotFound:
            return False
        return True

    def build(self, order: BuildOrder) -> Built:
        """Build and push the image and put down its record, or take the one that another built meanwhile.

        Raises:
            BuildFailed, BuildTimedOut, BuildTooLarge: it cannot be built from these files, within limits.
            BuildBusy: another one is at it, and takes too long.
            DiskFull: there was no room; nothing is left behind.
            EngineUnavailable, EngineDenied, EngineUntrusted, EngineUnsuitable: of the engine.
            RegistryDenied and others: of the registry.
        """
        key = json_digest([order.repository, order.fingerprint]).removeprefix("sha256:")[:32]
        with (
            self.open_engine() as engine,
            only_one(
                EngineVolumes(engine=engine),
                key,
                timeout_s=self.timeout_s,
                over=lambda: self._kept(order) is not None,
            ) as mine,
        ):
            kept = self._kept(order)
            if kept is not None:
                self.tag(kept, order.tags, home=order.repository)
                return Built(image=kept, action=Action.REUSED, because="built meanwhile", size_bytes=0)
            if not mine:
                raise BuildBusy(
                    f"The image {order.fingerprint} was built by another and is gone again.",
                    remedy="It is tried again; see who removes images from the registry.",
                )
            return self._build(order, engine)

    def _kept(self, order: BuildOrder) -> Image | None:
        found = self.find(order.fingerprint, order.repository)
        return found if isinstance(found, Image) and self.holds(found) else None

    def _build(self, order: BuildOrder, engine: Engine) -> Built:
        repository, terms = parse_repository(order.repository), order.terms
        secrets = {secret_id(name): self._secret(name) for name in terms.secrets}
        ingredients = by_folder(order.ingredients, terms.dependencies)
        labels = labels_of(order.fingerprint, ingredients, order.labels, datetime.now(timezone.utc))
        pushed = build_and_push(
            EngineOrder(
                context=order.context,
                dockerfile=terms.dockerfile,
                bases=order.bases,
                build_args=terms.build_args,
                reference=str(repository.tagged(image_tag(order.fingerprint))),
                tags=order.tags,
                platform=terms.platform,
                labels=labels,
                secrets=secrets,
                cache_from=tuple(f"{order.repository}:{tag}" for tag in CACHE_TAGS),
                cache=True,
                limits=BuildLimits(
                    timeout_s=self.timeout_s,
                    context_bytes=terms.context_bytes,
                    image_bytes=terms.image_bytes,
                ),
                network=terms.network,
            ),
            engine=engine,
            registry=self.registry,
            docker_config=self.docker_config,
        )
        # Another engine can have been faster; the first record is the one that others went by. One of an
        # image that was deleted can name the very image that was pushed now.
        if (kept := self._kept(order)) is not None and kept.digest != pushed.digest:
            self._give_way(kept, repository.at(pushed.digest), order)
            return Built(image=kept, action=Action.REUSED, because="built elsewhere meanwhile", size_bytes=0)
        described = self.registry.resolve(repository.at(pushed.digest))
        self._put(
            ImageRecord(
                image=replace(described, platform=terms.platform), labels=labels, size_bytes=pushed.size_bytes
            ),
            order.repository,
        )
        keep_as_cache(self.registry, repository.at(pushed.digest))
        image = Image(reference=f"{order.repository}@{pushed.digest}", fingerprint=order.fingerprint)
        because = f"from {terms.dockerfile}, in {pushed.seconds:.1f} s"
        return Built(image=image, action=Action.BUILT, because=because, size_bytes=pushed.size_bytes)

    def _give_way(self, kept: Image, pushed: Reference, order: BuildOrder) -> None:
        """Give the tags of what was pushed to the image that is used instead, and remove the former."""
        self.tag(kept, (image_tag(order.fingerprint), *order.tags), home=order.repository)
        with contextlib.suppress(RegistryRefused, RegistryUnavailable):
            self.registry.delete(pushed)

    def tag(self, image: Image, tags: Collection[str], *, home: str) -> None:
        """Give an image that is kept in `home` more tags, as far as the registry lets us."""
        reference = parse_reference(image.reference)
        if reference.repository != parse_repository(home):
            return
        try:
            manifest = self.registry.manifest(reference)
            for tag in tags:
                self.registry.put(manifest, reference.repository.tagged(tag))
        except (RegistryRefused, RegistryUnavailable) as error:
            log.warning("%s is used without the tags %s: %s", image.reference, ", ".join(tags), error)

    def check(self, image: Image, usage: Usage) -> Checked:
        """Find out whether Flyte can use an image: by its record, or else in a container of it.

        Raises:
            EngineUnavailable and others: see `build`.
        """
        repository = image.reference.rpartition("@")[0]
        record = self._record(image.fingerprint, repository) if image.fingerprint else None
        known = record is not None and record.image.digest == image.digest
        if record is not None and known and record.checked_for == usage.destination:
            root = is_root(record.user)
            if not (root and usage.non_root):
                return Checked(notes=[root_note(image.reference)] if root else [])
        contract = self.contract(image.reference, usage)
        if record is not None and known and contract.kept:
            self._put(replace(record, user=contract.user, checked_for=usage.destination), repository)
        return Checked(findings=contract.fatal, notes=contract.warnings)

    def contract(self, reference: str, usage: Usage) -> Contract:
        """Find out what an image is and whether Flyte can use it so, in containers of it on the engine.

        Raises:
            ReferenceInvalid: that is no image's name.
            EngineUnavailable and others: see `build`.
        """
        registry = parse_reference(reference).repository.registry
        with self.open_engine() as engine:
            return check_contract(
                engine,
                reference,
                destination=usage.destination,
                platform=usage.platform,
                non_root=usage.non_root,
                login=self.registry.caller.keychain.login(registry),
            )

    def images(self) -> list[StoredImage]:
        """Return all images of the repositories, previews' included, the last built first."""
        found = [_stored(record, repository) for repository, record in self._records()]
        return sorted(found, key=lambda stored: stored.used, reverse=True)

    def prune(
        self, *, unused_for: timedelta, now: datetime, dry_run: bool, keep: Collection[str] = ()
    ) -> list[StoredImage]:
        """Remove the images that were built so long ago, but for the digests to `keep`, and their records.

        What an image's layers take is free when the registry has collected its garbage.
        """
        gone = []
        for repository, record in self._records():
            stored = _stored(record, repository)
            if now - stored.used < unused_for or record.image.digest in keep:
                continue
            gone.append(stored)
            if not dry_run:
                place = parse_repository(repository)
                # The record goes first: what nothing names is harmless, a record of nothing is not.
                self.registry.delete(place.at(record.digest))
                self.registry.delete(place.at(record.image.digest))
        return sorted(gone, key=lambda stored: stored.used, reverse=True)

    def _records(self) -> Iterator[tuple[str, ImageRecord]]:
        for repository in self.repositories:
            for one in (repository, home_of(repository, Purpose.PREVIEW)):
                with contextlib.suppress(RegistryNotFound):
                    for tag in filter(is_record_tag, self.registry.tags(parse_repository(one))):
                        with contextlib.suppress(RegistryNotFound):
                            manifest = self.registry.manifest(parse_repository(one).tagged(tag))
                            record = record_in(manifest)
                            if record is not None and record_tag(record.fingerprint) == tag:
                                yield one, record

    def _record(self, fingerprint: str, repository: str) -> ImageRecord | None:
        place = parse_repository(repository)
        try:
            manifest = self.registry.manifest(place.tagged(record_tag(fingerprint)))
        except RegistryNotFound:
            return None
        return record_in(manifest, fingerprint)

    def _secret(self, name: str) -> bytes:
        if name not in self.secrets:
            raise BuildSecretMissing(
                f"There is no secret {name} to build with.",
                remedy="Add it to the secret taxiway/build_secrets, or take it out of `image.secrets`.",
            )
        return self.secrets[name]

    def _put(self, record: ImageRecord, repository: str) -> None:
        place = parse_repository(repository)
        self.registry.put(manifest_of(record), place.tagged(record_tag(record.fingerprint)))


def is_root(user: str) -> bool:
    """Say whether the user of an image, as it is configured, is root."""
    return user in _ROOT or user.partition(":")[0] in _ROOT


def root_note(reference: str) -> Finding:
    """Return the note about an image that runs as root."""
    return Finding(
        where="image user",
        problem=f"{reference} runs as root.",
        remedy="End the Dockerfile with a USER; `non_root = true` in a stage makes sure of it.",
    )


def secret_id(name: str) -> str:
    """Return what a Dockerfile calls a secret of a policy: its key, or its group where it has none."""
    return name.rpartition("/")[2]


def clashing_secrets(names: Collection[str]) -> list[Finding]:
    """Return a finding for each secret that a Dockerfile could not tell from another."""
    ids = [secret_id(name) for name in names]
    return [
        Finding(
            where="image.secrets",
            problem=f"More than one secret would be called {one} in the Dockerfile.",
            remedy="List one of them, or give one another key.",
        )
        for one in dict.fromkeys(ids)
        if ids.count(one) > 1
    ]


def _no_dockerfile(path: str) -> Finding:
    return Finding(
        where="image.dockerfile",
        problem=f"{path} is no file of the revision, so there is nothing to build an image from.",
        remedy="Add it, or correct `image.dockerfile`.",
    )


def _stored(record: ImageRecord, repository: str) -> StoredImage:
    return StoredImage(
        image=Image(reference=f"{repository}@{record.image.digest}", fingerprint=record.fingerprint),
        created=record.created,
        used=record.created,
        size_bytes=record.size_bytes,
    )
