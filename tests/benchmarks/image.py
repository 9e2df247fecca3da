"""Images on a container engine: reuse against a no-op `docker build` and push, layers, and 20 at once.

All of it is done on a real engine (the one that answers, else a dockerd of its own) and a docker-registry
with a login, for a target whose image has three dependency layers above a base of a few megabytes. Each layer
is a lock that is copied, and a step that writes 8 MiB of random bytes and hashes 256 MiB. The images are
removed in the end; what BuildKit keeps of their layers stays on an engine that was there, until it is pruned.

- `reuse_ratio` (goal: at most 0.1) is the reuse path as a multiple of its peer. The path, `reuse_s`, is what
  the two steps of a preview do about the image of a fetched revision: find its inputs, read its Dockerfile,
  ask the registry what the base is and whether the image is there; then, whether it still is. Each step has
  connections and a login of its own. Left out is `context_s`, in which is written down what a build would
  need, should the image be gone by then. The peer, `docker_s`, is `docker build` with BuildKit and `docker
  push` of the same context with everything cached, on the same engine and registry, with the start of the
  docker command, which is how it is used; a step of ours runs already. These rounds are short, so there are
  four times as many. `reuse_requests` is how often the path asks the registry, the challenges that begin its
  logins included, `reuse_received_bytes` what that brings; `decision_requests` of them, without challenges,
  find out whether the image is there.
- `last_layer_ratio` is a build after a change in the last of the layers, on a fresh engine that has nothing
  but the base, as a multiple of a cold build of the same revision on another one: into a repository of its
  own, so that there is no cache to take from. `last_layer_same_builder_ratio` is such a change on the engine
  that built what came before. `last_layer_s`, `last_layer_same_builder_s` and `cold_s` are what they are made
  of, with the push and the record. Were everything but the three steps free, both ratios would be a third.
- `builds_of_20` is how many builds 20 revisions of one fingerprint, previewed at once, come to (goal: 1),
  `of_20_s` what plan and image take for all of them, `one_build_s` what they take for one alone, and
  `of_20_ratio` the former as a multiple of the latter.
"""

from __future__ import annotations

import shutil
import statistics
import tempfile
import threading
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from tasks._builder import Action
from tasks._docker_command import DockerCommand, open_docker
from tasks._errors import BadUsage
from tasks.image import ImageStep, unpack_context
from tasks.plan import Plan, blobs_of
from tasks.policy import Policy
from tasks.source import Source
from tests.benchmarks._images import LAYERS, Target, target_on
from tests.benchmarks.promotion import timed
from tests.engine.daemon import NotHere
from tests.engine.shared import engine

REVISIONS = 20
_PROGRAMS = ("docker-registry", "htpasswd")
_OFTEN = 4
_CHALLENGE = 401
_TIMEOUT_S = 600


def run(rounds: int) -> dict[str, float]:
    """Measure so many rounds; return the medians.

    Raises:
        BadUsage: there is no container engine here, none can be started, or there is no docker-registry.
    """
    if missing := [program for program in _PROGRAMS if shutil.which(program) is None]:
        raise BadUsage(
            f"The benchmark of images needs {' and '.join(missing)}, not installed here.",
            remedy="Install Debian's docker-registry and apache2-utils, or what your system calls them.",
        )
    try:
        with (
            tempfile.TemporaryDirectory() as folder,
            engine(Path(folder)) as host,
            target_on(host, Path(folder)) as target,
            open_docker(target.site.engine, docker_config=target.site.docker_config, secrets={}) as docker,
        ):
            _check_buildkit(docker)
            # First, for it starts engines, and whether that can be shows at once.
            layers = _last_layer(target, rounds)
            return {**_reuse(target, docker, rounds), **layers, **_at_once(target, rounds)}
    except NotHere as error:
        raise BadUsage(
            f"The benchmark of images has no container engine to measure: {error}.",
            remedy="Run it as root with dockerd installed; it starts fresh ones beside that of DOCKER_HOST.",
        ) from error


def _check_buildkit(docker: DockerCommand) -> None:
    if not docker.buildkit:
        raise BadUsage(
            "The benchmark of images compares with BuildKit, which no docker command here can use.",
            remedy="Install a docker command of 20.10, or docker-buildx, and use Docker's engine.",
        )


def _reuse(target: Target, docker: DockerCommand, rounds: int) -> dict[str, float]:
    source, policy = target.revision(), target.policy()
    context = target.context(source, policy)
    with target.builder() as builder:
        plan = target.plan(source, policy, builder)
        target.image(plan, context, builder)
    folder, reference = target.folder / "peer", f"{policy.image.repository}/by-hand:1"
    unpack_context(Path(context.file.path), blobs_of(plan.ingredients), into=folder)
    target.site.repositories.append(reference)
    _build_and_push(target, docker, folder, reference)
    measured = []
    for _ in range(-1, rounds * _OFTEN):
        ours = _reuse_once(target, source, policy)
        docker_s, said = timed(lambda: _build_and_push(target, docker, folder, reference))
        assert said.count("CACHED") == 2 * len(LAYERS), said
        measured.append({"reuse_ratio": ours["reuse_s"] / docker_s, **ours, "docker_s": docker_s})
    return _medians(measured[1:])


def _reuse_once(target: Target, source: Source, policy: Policy) -> dict[str, float]:
    context_s, context = timed(lambda: target.context(source, policy))

    def first_step() -> Plan:
        with target.builder() as builder:
            return target.plan(source, policy, builder)

    def second_step(plan: Plan) -> ImageStep:
        with target.builder() as builder:
            return target.image(plan, context, builder)

    target.sent.clear()
    plan_s, plan = timed(first_step)
    decided = [sent for sent in target.sent if sent.status != _CHALLENGE]
    image_s, step = timed(lambda: second_step(plan))
    assert (step.action, len(decided)) == (Action.REUSED, 3), (step, decided)
    return {
        "reuse_s": plan_s + image_s,
        "context_s": context_s,
        "reuse_requests": len(target.sent),
        "reuse_received_bytes": sum(sent.received_bytes for sent in target.sent),
        "decision_requests": len(decided),
    }


def _build_and_push(target: Target, docker: DockerCommand, folder: Path, reference: str) -> str:
    """Do as somebody without Taxiway does, and return what docker said."""
    build = ("build", "--tag", reference, "--build-arg", f"BASE={target.base}", folder)
    said = ""
    for words in (build, ("push", reference)):
        printed = docker.run(*words, timeout_s=_TIMEOUT_S)
        assert printed.code == 0, printed.text
        said += printed.text
    return said


def _last_layer(target: Target, rounds: int) -> dict[str, float]:
    policy = target.policy()
    with target.fresh_builder() as used:
        before = target.layers(target.have(target.revision(), policy, used))
        return _medians([_layer_round(target, policy, used, before, number) for number in range(rounds)])


def _layer_round(
    target: Target, policy: Policy, used: str, before: Sequence[str], number: int
) -> dict[str, float]:
    source = target.revision(models=2 * number + 1)
    with target.fresh_builder() as host:
        cold_s, cold = timed(lambda: target.have(source, target.policy(), host))
    with target.fresh_builder() as host:
        fresh_s, fresh = timed(lambda: target.have(source, policy, host))
    other = target.revision(models=2 * number + 2)
    same_s, same = timed(lambda: target.have(other, policy, used))
    kept = [_kept(before, target.layers(step)) for step in (cold, fresh, same)]
    assert kept == [0, len(LAYERS) - 1, len(LAYERS) - 1], kept
    return {
        "last_layer_ratio": fresh_s / cold_s,
        "last_layer_same_builder_ratio": same_s / cold_s,
        "cold_s": cold_s,
        "last_layer_s": fresh_s,
        "last_layer_same_builder_s": same_s,
    }


def _kept(before: Sequence[str], after: Sequence[str]) -> int:
    """Return how many of an image's dependency layers are those of the one before."""
    # The base is one layer, and below each of these is that of its lock.
    return sum(one == other for one, other in zip(before[2::2], after[2::2], strict=True))


def _at_once(target: Target, rounds: int) -> dict[str, float]:
    sources = [target.revision(code=number) for number in range(REVISIONS)]
    return _medians([_at_once_round(target, sources) for _ in range(rounds)])


def _at_once_round(target: Target, sources: Sequence[Source]) -> dict[str, float]:
    alone_s, alone = timed(lambda: target.have(sources[0], target.policy()))
    policy, together = target.policy(), threading.Barrier(len(sources))

    def preview(source: Source) -> ImageStep:
        together.wait(_TIMEOUT_S)
        return target.have(source, policy)

    with ThreadPoolExecutor(max_workers=len(sources)) as pool:
        seconds, steps = timed(lambda: list(pool.map(preview, sources)))
    assert alone.action is Action.BUILT, alone
    assert len({step.image.reference for step in steps}) == 1, steps
    return {
        "of_20_ratio": seconds / alone_s,
        "builds_of_20": sum(step.action is Action.BUILT for step in steps),
        "of_20_s": seconds,
        "one_build_s": alone_s,
    }


def _medians(measured: Sequence[dict[str, float]]) -> dict[str, float]:
    return {name: statistics.median(one[name] for one in measured) for name in measured[0]}
