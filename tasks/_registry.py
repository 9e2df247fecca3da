"""A client of registries, by the OCI distribution spec: what is read is what its digest says.

It makes no more requests than it is asked for, beyond authentication, and reads no layer. One client is
for one thread.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlencode

from tasks._digests import content_digest
from tasks._errors import ReferenceInvalid, RegistryInvalid, RegistryMismatch, RegistryNotFound
from tasks._manifests import (
    MANIFESTS,
    OCI_INDEX,
    Descriptor,
    Manifest,
    parse_descriptors,
    parse_manifest,
    parse_object,
)
from tasks._references import Reference, Repository, checked_digest
from tasks._registry_calls import DELETE, PULL, PUSH, Call, Caller
from tasks._registry_credentials import Keychain
from tasks._registry_http import Answer, Observer, Wire, open_session
from tasks._registry_pages import next_page
from tasks._wait import Clock, Sleep

_ACCEPT = {"Accept": ", ".join(MANIFESTS)}
_DIGEST = "Docker-Content-Digest"
# The spec's own minimum of what a registry should take for a manifest.
_MOST_MANIFEST_BYTES = 4 * 1024 * 1024
_MOST_BLOB_BYTES = 4 * 1024 * 1024
_PAGE = 1000
_MOST_PAGES = 10_000


@dataclass(frozen=True, kw_only=True)
class RegistryClient:
    """Asks registries, each by the names of its repositories.

    Every method raises what `Caller.call` does; only what is particular to one is said there.
    """

    caller: Caller

    def manifest(self, reference: Reference) -> Manifest:
        """Read the manifest or index that `reference` names.

        Raises:
            RegistryMismatch: it is not what the reference's digest, or the registry, says.
        """
        answer = self.caller.call(_manifest_call("GET", reference))
        stated = reference.digest or _stated(answer, reference)
        _compare(stated, content_digest(answer.body, like=stated), what=str(reference))
        kind = answer.headers.get("Content-Type", "")
        return parse_manifest(answer.body, media_type=kind, what=str(reference), like=stated)

    def resolve(self, reference: Reference) -> Descriptor:
        """Find out what `reference` names now, by a HEAD; it is the registry's word, for nothing is read.

        Where the registry does not give the digest, the manifest is read after all.

        Raises:
            RegistryMismatch: it is another digest than the reference's.
        """
        answer = self.caller.call(_manifest_call("HEAD", reference))
        stated = _stated(answer, reference)
        kind = answer.headers.get("Content-Type", "").partition(";")[0].strip().lower()
        length = answer.headers.get("Content-Length", "")
        known = bool(stated) and (not reference.digest or _comparable(stated, reference.digest))
        if not known or kind not in MANIFESTS or not (length.isascii() and length.isdigit()):
            manifest = self.manifest(reference)
            return Descriptor(
                media_type=manifest.media_type, digest=manifest.digest, size=manifest.size_bytes
            )
        _compare(reference.digest, stated, what=str(reference))
        return Descriptor(media_type=kind, digest=stated, size=int(length))

    def tags(self, repository: Repository) -> Iterator[str]:
        """Yield the tags of a repository, page by page, in the registry's order."""
        path = f"/v2/{repository.name}/tags/list?n={_PAGE}"
        for answer in self._pages(Call(method="GET", repository=repository, path=path)):
            what = f"The list of tags of {repository}"
            tags = parse_object(answer.body, what).get("tags") or ()
            if not isinstance(tags, (list, tuple)) or not all(isinstance(tag, str) for tag in tags):
                raise RegistryInvalid(f"{what} is no list of texts.", remedy="Check the registry.")
            yield from tags

    def has_blob(self, repository: Repository, digest: str) -> bool:
        """Say whether a repository holds a blob, by a HEAD."""
        try:
            self.caller.call(_blob_call("HEAD", repository, digest))
        except RegistryNotFound:
            return False
        return True

    def blob(self, repository: Repository, digest: str, *, most_bytes: int = _MOST_BLOB_BYTES) -> bytes:
        """Read a small blob, such as an image's configuration.

        Raises:
            RegistryMismatch: its content is not what its digest says.
            RegistryTooLarge: it is larger than `most_bytes`.
        """
        answer = self.caller.call(_blob_call("GET", repository, digest, most_bytes=most_bytes))
        _compare(digest, content_digest(answer.body, like=digest), what=f"{repository}@{digest}")
        return answer.body

    def image_config(self, repository: Repository, manifest: Manifest) -> Mapping[str, object]:
        """Read the configuration of an image: its platform, user, labels, history.

        Raises:
            RegistryMismatch: its content is not what its digest says.
            RegistryInvalid: the manifest is an index, or the configuration is not a JSON object.
        """
        what = f"The configuration of {repository}@{manifest.digest}"
        if manifest.config is None:
            raise RegistryInvalid(f"{what} is not there: it is an index.", remedy="Choose one of its images.")
        return parse_object(self.blob(repository, manifest.config.digest), what)

    def referrers(
        self, repository: Repository, digest: str, *, artifact_type: str = ""
    ) -> tuple[Descriptor, ...]:
        """Return what refers to a manifest, all or of one type, from the API or else from the tag for it."""
        query = f"?{urlencode({'artifactType': artifact_type})}" if artifact_type else ""
        path = f"/v2/{repository.name}/referrers/{checked_digest(digest)}{query}"
        call = Call(method="GET", repository=repository, path=path, headers={"Accept": OCI_INDEX})
        try:
            pages = list(self._pages(call))
        except RegistryNotFound:
            algorithm, _, encoded = digest.partition(":")
            found = self._tagged_referrers(repository.tagged(f"{algorithm}-{encoded[:64]}"))
        else:
            what = f"The list of referrers of {repository}@{digest}"
            found = tuple(one for page in pages for one in parse_descriptors(page.body, what=what))
        return tuple(one for one in found if artifact_type in ("", one.artifact_type))

    def _tagged_referrers(self, reference: Reference) -> tuple[Descriptor, ...]:
        try:
            return self.manifest(reference).manifests
        except RegistryNotFound:
            return ()

    def put(self, manifest: Manifest, reference: Reference) -> Reference:
        """Store a manifest under the tag of `reference`, or its digest, and return it by digest.

        What it names has to be in the repository already.

        Raises:
            RegistryMismatch: the reference's digest, or the one that the registry gives, is another.
        """
        if reference.digest:
            _compare(reference.digest, manifest.digest, what=str(reference))
        call = Call(
            method="PUT",
            repository=reference.repository,
            path=f"/v2/{reference.repository.name}/manifests/{reference.tag or reference.digest}",
            actions=PUSH,
            headers={"Content-Type": manifest.media_type},
            body=manifest.body,
        )
        answer = self.caller.call(call, expect=(201,))
        stated = _stated(answer, reference)
        if _comparable(stated, manifest.digest):
            _compare(manifest.digest, stated, what=str(reference))
        return reference.repository.at(manifest.digest)

    def tag(self, reference: Reference, tag: str) -> Reference:
        """Give what `reference` names another tag in its repository, and return it by digest.

        Raises:
            RegistryMismatch: what was read, or what is stored, is not what its digest says.
        """
        return self.put(self.manifest(reference), reference.repository.tagged(tag))

    def delete(self, reference: Reference) -> None:
        """Delete a manifest with all its tags by its digest, or a tag where the registry can do that.

        One that is not there counts as deleted: an answer can have been lost.
        """
        try:
            self.caller.call(_manifest_call("DELETE", reference), expect=(202, 200, 204))
        except RegistryNotFound:
            return

    def _pages(self, call: Call) -> Iterator[Answer]:
        asked: Call | None = call
        for _ in range(_MOST_PAGES):
            if asked is None:
                return
            answer = self.caller.call(asked)
            yield answer
            asked = next_page(answer, asked)
        raise RegistryInvalid(
            f"A list of {call.repository} has more than {_MOST_PAGES} pages.", remedy="Check the registry."
        )


@contextmanager
def open_registries(
    keychain: Keychain,
    *,
    plain_http: Sequence[str] = (),
    ca_file: Path | None = None,
    timeout_s: float = 30,
    patience_s: float = 45,
    observer: Observer | None = None,
    clock: Clock = time.monotonic,
    sleep: Sleep = time.sleep,
) -> Iterator[RegistryClient]:
    """Give a client that knows the logins of `keychain`, and close its connections in the end.

    `timeout_s` is the limit of one request, `patience_s` how long one is repeated while its registry is
    unavailable. `plain_http` are registries without TLS, beside those on loopback. `observer` is told of
    every request, those for tokens and redirects included.
    """
    with open_session() as session:
        wire = Wire(
            session=session,
            plain_http=frozenset(map(str.lower, plain_http)),
            ca_file=ca_file,
            timeout_s=timeout_s,
            observer=observer,
            clock=clock,
        )
        yield RegistryClient(caller=Caller(wire=wire, keychain=keychain, patience_s=patience_s, sleep=sleep))


def _manifest_call(method: str, reference: Reference) -> Call:
    return Call(
        method=method,
        repository=reference.repository,
        path=f"/v2/{reference.repository.name}/manifests/{reference.identifier}",
        actions=DELETE if method == "DELETE" else PULL,
        headers={} if method == "DELETE" else _ACCEPT,
        most_bytes=_MOST_MANIFEST_BYTES,
    )


def _blob_call(method: str, repository: Repository, digest: str, *, most_bytes: int = 0) -> Call:
    path = f"/v2/{repository.name}/blobs/{checked_digest(digest)}"
    return Call(method=method, repository=repository, path=path, most_bytes=most_bytes)


def _stated(answer: Answer, reference: Reference) -> str:
    """Return the digest that a registry gives with its answer; empty where it gives none."""
    stated = answer.headers.get(_DIGEST, "")
    if not stated:
        return ""
    try:
        return checked_digest(stated)
    except ReferenceInvalid as error:
        raise RegistryInvalid(
            f"The registry's answer for {reference} names no digest: {error.problem}",
            remedy="Check the registry.",
        ) from error


def _comparable(one: str, other: str) -> bool:
    """Say whether two digests are by the same algorithm, so that they can be compared."""
    return one.partition(":")[0] == other.partition(":")[0]


def _compare(wanted: str, found: str, *, what: str) -> None:
    if wanted and wanted != found:
        raise RegistryMismatch(
            f"{what} should be {wanted} and is {found}.",
            remedy="Find out who changed it; nothing of it was used.",
        )
