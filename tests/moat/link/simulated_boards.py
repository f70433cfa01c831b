"""Made worlds in which the truth about volume and rank is known, and what the verdict says in them.

`python tests/moat/link/simulated_boards.py` prints the long table (`make calibrate`); the suite runs a short one.
"""

import csv
import sys
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from moat.link.association import Z90, corrected_effect, leave_one_out, ranks_without, standard_ranks
from moat.link.verdict import Looks, Thresholds, examine, judge

ROOT = Path(__file__).resolve().parents[3]
LOOKS = Looks(n_random=4_999, n_random_again=999, n_draws_again=100)
N_DRAWS = 200


@dataclass(frozen=True)
class World:
    """What is true: companies, latent correlation, how date moves both, and how well volumes and ratings are known."""

    name: str
    n: int
    n_owners: int
    latent: float = 0.0
    date_on_volume: float = 0.0
    date_on_rating: float = 0.0
    reliability_v: float = 0.8
    reliability_r: float = 0.95


WORLDS = (
    World("no effect, 20 companies", 20, 6),
    World("no effect, 26 companies, poor volumes", 26, 6, reliability_v=0.6, reliability_r=0.9),
    World("strong effect, 25 companies", 25, 6, latent=0.9),
    World("strong effect, 25 companies, good volumes", 25, 6, latent=0.9, reliability_v=0.95, reliability_r=0.98),
    World("middling effect, 25 companies", 25, 6, latent=0.5),
    World("strong effect, 6 companies", 6, 3, latent=0.9),
    World("release date drives both", 25, 6, date_on_volume=0.8, date_on_rating=0.8),
)


def rule() -> Thresholds:
    """Return the thresholds in force."""
    with (ROOT / "data" / "reference" / "moat_thresholds.csv").open(encoding="utf-8") as handle:
        return Thresholds.from_rows({row["threshold_id"]: float(row["value"]) for row in csv.DictReader(handle)})


def draw(world: World, rng: np.random.Generator) -> tuple[np.ndarray, ...]:
    """Return draws of log volume and rating, owners, and the one control (release date)."""
    n = world.n
    date = rng.standard_normal(n)
    left = np.sqrt(1 - world.date_on_volume**2)
    volume = world.date_on_volume * date + left * rng.standard_normal(n)
    noise = np.sqrt(max(0.0, 1 - world.latent**2 - world.date_on_rating**2))
    rating = world.latent * volume + world.date_on_rating * date + noise * rng.standard_normal(n)

    def seen(truth: np.ndarray, reliability: float) -> np.ndarray:
        spread = np.sqrt(1 - reliability)
        centre = reliability * truth + spread * np.sqrt(reliability) * rng.standard_normal(n)
        return centre + spread * rng.standard_normal((N_DRAWS, n))

    owners = np.zeros(n, dtype=bool)
    owners[np.argsort(-volume)[: world.n_owners]] = True
    return seen(volume, world.reliability_v), seen(rating, world.reliability_r), owners, date[:, None]


def verdicts(world: World, n_worlds: int, seed: int = 0) -> Counter[str]:
    """Return how often each verdict falls, over seeded copies of a world."""
    thresholds, counted = rule(), Counter[str]()
    for i in range(n_worlds):
        v, r, owners, controls = draw(world, np.random.default_rng([seed, i]))
        counted[judge(examine(v, r, owners, controls, thresholds, LOOKS), thresholds)[0]] += 1
    return counted


def coverage(world: World, n_worlds: int, seed: int = 1) -> float:
    """Return how often the corrected interval holds the true rank correlation."""
    held, truth = 0, 6 / np.pi * np.arcsin(world.latent / 2)
    for i in range(n_worlds):
        v, r, _, _ = draw(world, np.random.default_rng([seed, i]))
        effect = corrected_effect(v, r)
        held += effect is not None and effect.p05 <= truth <= effect.p95
    return held / n_worlds


def compared(on_all: float, on_short: float, n_worlds: int, seed: int = 2) -> float:
    """Return how often the interval of `short_difference` holds the mean difference over worlds.

    Four boards share most of 32 companies, seven of which own a platform and four a short-video one; quality follows the
    volume of all video by `on_all` and of short video by `on_short`. The arithmetic is that of int_moat__answer.
    """
    n, sizes = 32, (16, 18, 21, 25)
    found = np.empty((n_worlds, 2))
    for i in range(n_worlds):
        rng = np.random.default_rng([seed, i])
        everything, short = (np.where(np.arange(n) < k, 1.6, -0.4) + 0.5 * rng.standard_normal(n) for k in (7, 4))
        quality = on_all * everything + on_short * short + rng.standard_normal(n)
        drawn = [x + 0.4 * (rng.standard_normal(n) + rng.standard_normal((N_DRAWS, n))) for x in (everything, short)]
        whole, without = np.empty((2, len(sizes))), np.empty((2, len(sizes), n))
        for place, size in enumerate(sizes):
            listed = np.union1d(rng.permutation(n)[:size], np.arange(6))
            r = np.tile(quality[listed] + 0.5 * rng.standard_normal(len(listed)), (N_DRAWS, 1))
            for side, v in enumerate(drawn):
                whole[side, place] = without[side, place] = (standard_ranks(v[:, listed]) * standard_ranks(r)).mean()
                without[side, place, listed] = leave_one_out(ranks_without(v[:, listed]), ranks_without(r))
        difference, left_out = (np.median(x[1], axis=0) - np.median(x[0], axis=0) for x in (whole, without))
        found[i] = difference, np.sqrt((n - 1) * left_out.var())
    return float((np.abs(found[:, 0] - found[:, 0].mean()) <= Z90 * found[:, 1]).mean())


def main(n_worlds: int = 1_000) -> None:
    """Print the tables."""
    for on_all, on_short in ((0.0, 0.0), (0.6, 0.0), (0.3, 0.3)):
        held = compared(on_all, on_short, n_worlds)
        sys.stdout.write(f"comparison of medians, {on_all} on all hours and {on_short} on short: interval holds {held:.3f}\n")
    for world in WORLDS:
        counted = verdicts(world, n_worlds)
        shares = "  ".join(f"{v} {counted[v] / n_worlds:.3f}" for v in ("supported", "not_supported", "cannot_tell"))
        held = "" if world.date_on_rating else f"  interval holds the truth {coverage(world, n_worlds):.3f}"
        sys.stdout.write(f"{world.name:45s} {shares}{held}\n")


if __name__ == "__main__":
    main()
