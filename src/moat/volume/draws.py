"""Draws from a posterior: prior draws moved until they meet perturbed observations (Matheron's update).

Observations that are not linear are met by their exact value, along the directions of the linear form
(randomise-then-optimise: Bardsley, Solonen, Haario, Laine 2014). Offsets and hyperparameters come from the linear form. The
same seed gives the same numbers, whatever the number of threads.
"""

from collections.abc import Iterator
from typing import TypeAlias

import numpy as np
import numpy.typing as npt
from scipy.linalg import cho_factor, cho_solve
from scipy.special import ndtr, ndtri

from moat.uncertainty.seeds import Floats, allot, generator, stratified_normals
from moat.volume.conditioning import Solution
from moat.volume.hyperparameters import Fit
from moat.volume.processes import evaluate_each, evaluate_many, matern_root

Ints: TypeAlias = npt.NDArray[np.intp]

SWEEPS = 60  # of the Gibbs sampler
STEPS = 40  # of Newton, for a draw that does not converge with the slopes of the posterior mean
ROUNDS, CONVERGED = 60, 0.01  # of bringing a draw to its observations; it has converged within this many noise sds


def gibbs(mean: Floats, precision: Floats, limits: Floats, uniforms: Floats) -> Floats:
    """Return draws of normals truncated to a box, by Gibbs sampling in parallel chains.

    Args:
        mean: Mean before truncation, shape (b, n): one for each chain.
        precision: Inverse covariance before truncation, shape (n, b, b).
        limits: Lower and upper limits, shape (b, 2), infinite where open.
        uniforms: Uniform numbers, shape (b, sweeps, n).

    Returns:
        The last sweep, shape (b, n).
    """
    n_bounds, n_sweeps, _ = uniforms.shape
    rows = [np.ascontiguousarray(precision[:, j].T) for j in range(n_bounds)]  # row j of every chain's matrix, (b, n)
    sds = [1 / np.sqrt(rows[j][j]) for j in range(n_bounds)]
    away = np.clip(mean, limits[:, :1] + 1e-3, limits[:, 1:] - 1e-3) - mean
    for sweep in range(n_sweeps):
        for j in range(n_bounds):
            others = np.einsum("bn,bn->n", rows[j], away) - rows[j][j] * away[j]
            centre = mean[j] - others * sds[j] ** 2
            away[j] = _truncated(centre, sds[j], limits[j], uniforms[j, sweep]) - mean[j]
    return np.asarray(mean + away)


def _truncated(mean: Floats, sd: Floats, limits: Floats, uniforms: Floats) -> Floats:
    """Return normals truncated to an interval by the inverse of their distribution, in the tail that keeps precision."""
    low, high = (limits[0] - mean) / sd, (limits[1] - mean) / sd
    if np.isfinite(limits).all():
        flip = np.where(low + high > 0, -1.0, 1.0)
        a, b = np.where(flip < 0, -high, low), np.where(flip < 0, -low, high)
    else:
        is_floor = bool(np.isfinite(limits[0]))
        flip = np.full_like(mean, -1.0 if is_floor else 1.0)
        a, b = (-high, -low) if is_floor else (low, high)
    below, width = ndtr(a), ndtr(b)
    width -= below
    z = ndtri(np.clip(below + uniforms * width, 1e-300, 1 - 1e-16))
    if not (width > 0).all():  # so far out that the tail is exponential
        z = np.where(width > 0, z, b + np.log(np.maximum(uniforms, 1e-300)) / np.maximum(np.abs(b), 1.0))
    return np.asarray(np.clip(mean + sd * flip * z, limits[0], limits[1]))


class Draws:
    """Draws from a fit, one series at a time.

    Args:
        fitted: The fit.
        seed: Of all base normals.
        n_draws: How many.
    """

    def __init__(self, fitted: Fit, *, seed: int, n_draws: int) -> None:
        self.fit, self.seed, self.n_draws = fitted, seed, n_draws
        model = fitted.model
        allotted = allot(fitted.weights, n_draws)
        self.points: list[tuple[Solution, Ints]] = [
            (solution, np.flatnonzero(allotted == j)) for j, solution in enumerate(fitted.points) if (allotted == j).any()
        ]
        self.nonlinear = {
            key: [(place, k) for place, k in enumerate(model.members[key]) if not model.rows[k].is_linear] for key in model.series
        }
        self._locals = [{key: solution.local(key) for key in model.series} for solution, _ in self.points]
        self._states = self._prior()
        self._error = np.zeros((len(model.rows), n_draws))  # exact less linear value of every row
        if model.rows:
            self._condition()

    def __iter__(self) -> Iterator[tuple[str, dict[str, Floats]]]:
        """Yield each series with its processes, each of shape (T, n)."""
        for key, item in self.fit.model.series.items():
            yield key, {name: self._states[key][span] for name, span in item.spans.items()}

    def observation_error(self, key: str) -> dict[str, float]:
        """Return for each nonlinear row of a series what its draws still miss, rms over its noise sd.

        The distance between the exact value of a draw and the value it was conditioned on: zero where it has converged.
        """
        model, ks = self.fit.model, [k for _, k in self.nonlinear[key]]
        if not ks:
            return {}
        missed = self._nonlinearity(key, self._states[key], np.arange(self.n_draws)) - self._error[ks]
        noise = np.sqrt(self.fit.best.noise + model.offset_var)[ks]
        return {model.rows[k].key: float(rms) for k, rms in zip(ks, np.sqrt((missed**2).mean(axis=1)) / noise, strict=True)}

    def _stack(self, blocks: list[str]) -> Floats:
        """Return one row of normals per named block, shape (len(blocks), n)."""
        rows = [stratified_normals(self.seed, block, 1, self.n_draws) for block in blocks]
        return np.concatenate(rows) if rows else np.zeros((0, self.n_draws))

    def _prior(self) -> dict[str, Floats]:
        """Return prior draws of every state, each at the hyperparameters of its point, shape (S, n)."""
        model = self.fit.model
        shared = self._stack([f"g:{name}" for name in model.shared_names])
        found = {}
        for key, item in model.series.items():
            own = self._stack([f"w:{key}:{name}" for name in item.own_names])
            z = item.mean[:, None] + model.shared[key] @ shared + model.own[key] @ own
            for process, span in item.drifts:
                base = stratified_normals(self.seed, f"w:{key}:{process.name}:gp", len(process.mean), self.n_draws)
                for solution, at in self.points:
                    sd, length = model.drift(process, solution.theta)
                    z[span, at] += sd * (matern_root(len(process.mean), length) @ base[:, at])
            found[key] = z
        return found

    def _condition(self) -> None:
        """Move the prior draws until each meets its observations, perturbed by its own bias, noise and offset."""
        model = self.fit.model
        n_rows = len(model.rows)
        bias = self._stack([f"b:{source}" for source in model.sources])
        noise = self._stack([f"e:{row.key}" for row in model.rows])
        factors = [cho_factor(s.covariance + np.diag(s.noise), lower=True, check_finite=False) for s, _ in self.points]
        target = np.repeat(model.y[:, None], self.n_draws, axis=1)
        self._draw_offsets(factors, target)
        missing = np.zeros((n_rows, self.n_draws))
        for solution, at in self.points:
            drawn = model.scaled_bias(solution.theta) @ bias[:, at] + np.sqrt(solution.noise)[:, None] * noise[:, at]
            missing[:, at] = target[:, at] - drawn - solution.linear.mean[:, None]
            for key, item in model.series.items():
                if len(model.members[key]):
                    seen = solution.linear.gradients[key] @ (self._states[key][:, at] - item.mean[:, None])
                    missing[np.ix_(model.members[key], at)] -= seen
        nonlinear = [key for key, found in self.nonlinear.items() if found]
        push = self._push(factors, missing, np.arange(self.n_draws))
        self._move(nonlinear, push, np.arange(self.n_draws))
        moving = np.arange(self.n_draws if nonlinear else 0)
        started, first = {key: self._states[key].copy() for key in nonlinear}, push.copy()
        sd = np.zeros((n_rows, self.n_draws))
        for solution, at in self.points:
            sd[:, at] = np.sqrt(solution.noise)[:, None]
        with np.errstate(over="ignore", invalid="ignore"):  # a step may lead out of what can be computed; such draws start again
            for _ in range(ROUNDS):  # exact values of nonlinear rows stand in for linear ones, draw by draw
                if not len(moving):
                    break
                change = np.zeros((n_rows, len(moving)))
                for key in nonlinear:
                    ks = [k for _, k in self.nonlinear[key]]
                    change[ks] = self._nonlinearity(key, self._states[key][:, moving], moving) - self._error[np.ix_(ks, moving)]
                self._error[:, moving] += change
                step = self._push(factors, -change, moving)
                push[:, moving] += step
                self._move(nonlinear, step, moving)
                moving = moving[~(np.abs(change) <= CONVERGED * sd[:, moving]).all(axis=0)]  # what is not finite is not near
            for key in nonlinear:  # from where they started: the steps before may have led out of what can be computed
                self._states[key][:, moving] = started[key][:, moving]
            self._error[:, moving], push[:, moving] = 0.0, first[:, moving]
            for j, here, _ in self._split(moving):
                push[:, here] += self._newton(nonlinear, j, factors[j], here, sd)
        self._move([key for key in model.series if key not in nonlinear], push, np.arange(self.n_draws))

    def _newton(self, keys: list[str], point: int, factor: tuple[Floats, bool], draws: Ints, sd: Floats) -> Floats:
        """Bring draws of one point to their observations by the slopes at their own states, with halved steps.

        Only the nonlinear rows K' pull, and only their slopes differ from those of the linear form A: with P the columns of A's
        inverse for K', a step is P M^-1 (what they miss), M = slopes (cross covariance P) + noise P, of the size of K'.

        Returns:
            What the rows pull the draws by, shape (K, len(draws)).
        """
        model, solution = self.fit.model, self.points[point][0]
        rows = {key: [k for _, k in self.nonlinear[key]] for key in keys}
        ks = np.concatenate([rows[key] for key in keys])
        unit = np.zeros((len(model.rows), len(ks)))
        unit[ks, np.arange(len(ks))] = 1.0
        pull = np.asarray(cho_solve(factor, unit, check_finite=False))
        towards = {key: solution.cross(key) @ pull for key in keys}
        noisy = solution.noise[ks, None] * pull[ks]
        noise = sd[np.ix_(ks, draws)]
        pulled, best, whole = (np.zeros((len(ks), len(draws))) for _ in range(3))
        nearest, reach = np.full(len(draws), np.inf), np.ones(len(draws))
        active = np.arange(len(draws))
        for _ in range(STEPS):
            at = draws[active]
            found = [self._error[np.ix_(rows[key], at)] - self._nonlinearity(key, self._states[key][:, at], at) for key in keys]
            missing = np.concatenate(found)
            away = np.linalg.norm(missing / noise[:, active], axis=0)
            closer = away < nearest[active]
            nearest[active[closer]] = away[closer]
            best[:, active[closer]] = pulled[:, active[closer]]
            going = ~(np.abs(missing) <= CONVERGED * noise[:, active]).all(axis=0)
            step = np.zeros((len(ks), len(active)))
            onward, back = np.flatnonzero(going & closer), np.flatnonzero(going & ~closer)
            if len(onward):
                slopes = self._slopes(rows, towards, at[onward]) + noisy
                step[:, onward] = np.linalg.solve(slopes, missing[:, onward].T[:, :, None])[:, :, 0].T
                whole[:, active[onward]], reach[active[onward]] = step[:, onward], 1.0
            reach[active[back]] /= 2  # too far: half of the way back to the nearest
            step[:, back] = -reach[active[back]] * whole[:, active[back]]
            self._pull(keys, at, pull @ step, solution)
            pulled[:, active] += step
            active = active[going]
            if not len(active):
                break
        self._pull(keys, draws, pull @ (best - pulled), solution)
        return np.asarray(pull @ best)

    def _slopes(self, rows: dict[str, list[int]], towards: dict[str, Floats], draws: Ints) -> Floats:
        """Return how fast the exact values of some rows, by series, change at the states of draws along directions.

        Args:
            rows: Numbers of the rows of each series.
            towards: For each series its directions, shape (S, directions).
            draws: Which draws.

        Returns:
            Shape (draws, rows, directions), the rows in the order of the series.
        """
        model, found = self.fit.model, []
        for key, ks in rows.items():
            z = np.ascontiguousarray(self._states[key][:, draws].T)
            for k in ks:
                gradients = evaluate_each(model.series[key], model.rows[k], z, model.loss)[1]
                found.append([gradient @ towards[key] for gradient in gradients])
        return np.array(found).transpose(1, 0, 2)

    def _pull(self, keys: list[str], draws: Ints, step: Floats, solution: Solution) -> None:
        """Move draws of one point by what their rows pull them, and note what the linear forms change by."""
        self._error[:, draws] -= solution.covariance @ step + solution.noise[:, None] * step
        self._move(keys, step, draws)

    def _draw_offsets(self, factors: list[tuple[Floats, bool]], target: Floats) -> None:
        """Add to the stated values of rows with an offset a draw of it, by Gibbs sampling over all such rows at once."""
        model = self.fit.model
        bounded = np.array([k for k, row in enumerate(model.rows) if row.offset is not None], dtype=np.intp)
        if not len(bounded):
            return
        limits = np.array([model.rows[k].offset for k in bounded], dtype=np.float64)
        inverse = np.diag([model.rows[k].offset_sd ** -2 for k in bounded])
        uniforms = np.array([generator(self.seed, f"o:{model.rows[k].key}").random((SWEEPS, self.n_draws)) for k in bounded])
        precision = np.zeros((self.n_draws, len(bounded), len(bounded)))
        centre = np.zeros((len(bounded), self.n_draws))
        for (solution, at), factor in zip(self.points, factors, strict=True):
            exact = cho_solve(factor, np.eye(len(model.rows)), check_finite=False)[bounded]
            here = exact[:, bounded] + inverse
            precision[at] = here
            centre[:, at] = np.linalg.solve(here, -exact @ (model.y - solution.linear.mean))[:, None]
        target[bounded] += gibbs(centre, precision, limits, uniforms)

    def _split(self, draws: Ints) -> Iterator[tuple[int, Ints, Ints]]:
        """Yield for each point its number, which of the given draws are its own, and where they stand among the given ones."""
        place = np.full(self.n_draws, -1)
        place[draws] = np.arange(len(draws))
        for j, (_, at) in enumerate(self.points):
            here = at[place[at] >= 0]
            if len(here):
                yield j, here, place[here]

    def _push(self, factors: list[tuple[Floats, bool]], missing: Floats, draws: Ints) -> Floats:
        """Return what the rows pull some draws by so that their linear forms change by `missing`, shape (K, len(draws))."""
        out = np.zeros_like(missing)
        for j, _, place in self._split(draws):
            out[:, place] = cho_solve(factors[j], missing[:, place], check_finite=False)
        return out

    def _move(self, keys: list[str], push: Floats, draws: Ints) -> None:
        """Move the states of some series in some draws along the prior covariance with the rows."""
        model = self.fit.model
        for j, here, place in self._split(draws):
            shared = self.points[j][0].linear.on_shared.T @ push[:, place]
            for key in keys:
                self._states[key][:, here] += (
                    model.shared[key] @ shared + self._locals[j][key] @ push[np.ix_(model.members[key], place)]
                )

    def _nonlinearity(self, key: str, z: Floats, draws: Ints) -> Floats:
        """Return exact less linear value of the nonlinear rows of a series, (rows, len(draws)), at states z (S, len(draws))."""
        model, item = self.fit.model, self.fit.model.series[key]
        places, ks = (list(part) for part in zip(*self.nonlinear[key], strict=True))
        found = evaluate_many(item, [model.rows[k] for k in ks], z, model.loss)
        for j, _, place in self._split(draws):
            linear = self.points[j][0].linear
            found[:, place] -= linear.mean[ks][:, None] + linear.gradients[key][places] @ (z[:, place] - item.mean[:, None])
        return found
