"""Simulation of 300 packaged entities in three stages against one promotion of them.

Each of the stages runs an older version of every entity. The promotion is that of `bench promotion`, into one
of these stages. The simulation reads the package, finds the version, and what the stage runs and would run,
for three stages; what its gates say is left out on both sides. Rounds alternate.

Figures: `ratio` is a simulation as a multiple of a promotion (goal: at most 1.0), the median of the rounds';
`simulation_s` and `promotion_s` are what it is made of.
"""

from __future__ import annotations

import statistics
from contextlib import nullcontext

from tasks._flyte import Flyte
from tasks.policy import Stage
from tasks.preview_order import stage_settings
from tasks.promotion import placement_of, version_in_stage
from tasks.releases import read_entities
from tasks.simulation import simulate
from tasks.simulation_records import Simulation
from tasks.stage_state import read_stage
from tests.benchmarks.promotion import STAGE, Release, prepare, promote, release, timed

STAGES = [
    STAGE.model_copy(update={"name": name, "domain": name})
    for name in ("development", "staging", "production")
]


def run(rounds: int) -> dict[str, float]:
    """Measure so many rounds, after one that warms both up; return the medians."""
    with release() as made:
        for stage in STAGES:
            if stage.domain != STAGE.domain:
                prepare(made, stage)
        measured = [_round(made, number) for number in range(-1, rounds)][1:]
    return {name: statistics.median(one[name] for one in measured) for name in measured[0]}


def _round(made: Release, number: int) -> dict[str, float]:
    version = f"v{number}"
    simulation_s, found = timed(lambda: _simulate(made, version))
    for stage in found.stages:
        assert len(stage.new) == len(made.entities), stage
        assert stage.diff is not None and stage.diff.unchanged == len(made.entities), stage.diff
    promotion_s = promote(made, version)
    return {
        "ratio": simulation_s / promotion_s,
        "simulation_s": simulation_s,
        "promotion_s": promotion_s,
    }


def _simulate(made: Release, version: str) -> Simulation:
    manifest = made.at(version)
    entities = read_entities(made.home, manifest)

    def in_stage(stage: Stage, flyte: Flyte) -> str:
        placement = placement_of(stage, manifest, version=version, bundle_uri="-")
        return version_in_stage(flyte, entities, placement, stage_settings(stage))

    return simulate(
        STAGES,
        entities,
        version=in_stage,
        open_flyte=lambda stage: nullcontext(made.flyte),
        state=lambda stage, flyte: read_stage(made.home, flyte, stage),
        gates=lambda stage, flyte, state: [],
    )
