"""Two curves of throughput over users, fitted by least squares, with the uncertainty of the knee of each.

Written as N / X both are linear in their parameters, so a fit has one solution and needs no start values. Weighted by X / N,
its residuals are relative ones: a point at 5 users counts as much as one at 500. The interval comes from a wild bootstrap
(Wu 1986) with residuals divided by 1 - leverage (HC3, MacKinnon and White 1985) and widened to Student's t.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from statistics import NormalDist
from typing import TYPE_CHECKING, Final

from jivsbench.analysis.student import student_quantile
from jivsbench.model.behaviour import KneeModel

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

_CANDIDATES: Final = 240
# A knee must explain that much more of the scatter than a straight line: F(2, 20) at 0.5 %.
_LEAST_F: Final = 7.0
# A point that alone decides a parameter has no residual of its own to divide.
_LEAST_FREEDOM: Final = 0.1


@dataclass(frozen=True, slots=True)
class Resampling:
    """How points are drawn again: how often, from which seed, and for bounds of which confidence.

    `errors` is the standard error of each point's throughput, as a part of it, or 0 to go by residuals alone. `wander` is by
    how much the speed of the machine may have moved while each point was measured: the standard deviation of a step of a
    random walk, in logarithms of throughput. What it moved stays for the points that come after.
    """

    seed: int
    times: int
    confidence: float
    errors: tuple[float, ...]
    wander: tuple[float, ...]


@dataclass(frozen=True, slots=True)
class Curve:
    """A fitted curve: its parameters, its knee, the sum of squared relative residuals, and how to draw it again.

    `resample` gives the bounds of the knee; the upper one is None when it reaches the highest load, beyond which nothing was
    measured.
    """

    model: KneeModel
    parameters: tuple[float, ...]
    knee: float
    squares: float
    rate: Callable[[float], float]
    resample: Callable[[Resampling], tuple[float, float | None]]


def fit_usl(users: Sequence[float], rates: Sequence[float]) -> Curve | str:
    """X(N) = r N / (1 + s (N - 1) + k N (N - 1)) with its knee at sqrt((1 - s) / k); or the reason why there is none."""
    import numpy as np

    n, x = np.asarray(users, dtype=np.float64), np.asarray(rates, dtype=np.float64)
    basis = np.stack([np.ones_like(n), n - 1, n * (n - 1)], axis=1)
    a, b, c = _solve(basis, x / n)
    if c <= 0:
        return "USL refused: k <= 0, throughput did not fall with more users, so it has no greatest value"
    if a <= 0 or b >= a:
        return "USL refused: the points do not begin with growing throughput"
    r, s, k = 1 / a, b / a, c / a

    def rate(at: float) -> float:
        return float(r * at / (1 + s * (at - 1) + k * at * (at - 1)))

    def resample(how: Resampling) -> tuple[float, float | None]:
        fitted = np.array([rate(at) for at in users])
        drawn = _draw(basis, fitted / n, x / fitted, len(n) - 3, how) * fitted
        weights = fitted / n
        ones, linear, square = ((n / drawn * weights) @ np.linalg.pinv(basis * weights[:, None]).T).T
        # A resample without a peak has its knee beyond every load.
        has_peak = (ones > 0) & (square > 0) & (linear < ones)
        knees = np.sqrt((ones - linear) / np.where(has_peak, square, 1.0), where=has_peak, out=np.full(how.times, np.inf))
        return _bound(knees, float(n.max()), how.confidence)

    squares = float((((x / n) * (basis @ (a, b, c)) - 1) ** 2).sum())
    return Curve(KneeModel.USL, (float(r), float(s), float(k)), math.sqrt((1 - s) / k), squares, rate, resample)


def fit_servers(users: Sequence[float], rates: Sequence[float]) -> Curve | str:
    """X(N) = r min(N, c) / (1 + d max(0, N - c)), d >= 0, with its knee at c; or the reason why there is none."""
    import numpy as np

    n, x = np.asarray(users, dtype=np.float64), np.asarray(rates, dtype=np.float64)
    knees: Floats = np.geomspace(float(n.min()), float(n.max()), _CANDIDATES + 2, dtype=np.float64)[1:-1]
    squares, places = _scan(n, knees, x / n, np.ones((1, len(n))))
    best = int(places[0])
    line = float((((x / n) * _solve(np.ones((len(n), 1)), x / n)[0] - 1) ** 2).sum())
    if line < float(squares[0]) * (1 + 2 * _LEAST_F / (len(n) - 3)):
        return "limited servers refused: throughput grew in proportion to users up to the highest load"
    c = float(knees[best])
    slope, fall = _solve_servers(n, c, x / n)
    r, d = 1 / slope, fall / slope * c

    def rate(at: float) -> float:
        return float(r * min(at, c) / (1 + d * max(0.0, at - c)))

    def resample(how: Resampling) -> tuple[float, float | None]:
        fitted = np.array([rate(at) for at in users])
        drawn = _draw(_servers_basis(n, c), fitted / n, x / fitted, len(n) - 3, how) * fitted
        weights = fitted / n
        _, found = _scan(n, knees, weights, n / drawn * weights)
        step = float(knees[1] / knees[0])
        low, high = _bound(knees[found], float(knees[-1]), how.confidence)
        return low / step, None if high is None else high * step

    return Curve(KneeModel.SERVERS, (r, c, d), c, float(squares[0]), rate, resample)


def _solve(basis: "Floats", weights: "Floats") -> "Floats":
    """Least squares of `basis @ p = N / X`, in relative terms: of `weights * basis @ p = 1`."""
    import numpy as np

    return np.linalg.pinv(basis * weights[:, None]) @ np.ones(len(weights))


def _servers_basis(n: "Floats", c: float) -> "Floats":
    import numpy as np

    over = np.maximum(0.0, n - c)
    return np.stack([np.maximum(1.0, n / c), n * over], axis=1)


def _solve_servers(n: "Floats", c: float, weights: "Floats") -> tuple[float, float]:
    """1 / r and d / (r c); a throughput that grew beyond the knee is described best by one that stays level."""
    basis = _servers_basis(n, c)
    slope, fall = _solve(basis, weights)
    if fall >= 0:
        return float(slope), float(fall)
    return float(_solve(basis[:, :1], weights)[0]), 0.0


def _scan(n: "Floats", knees: "Floats", weights: "Floats", targets: "Floats") -> tuple["Floats", "NDArray[np.intp]"]:
    """For every row of `targets` (weighted N / X): the least sum of squares over all places of the knee, and that place."""
    import numpy as np

    total = (targets**2).sum(axis=1)
    squares = np.empty((len(targets), len(knees)))
    for place, c in enumerate(knees):
        basis = _servers_basis(n, float(c)) * weights[:, None]
        level = basis[:, 0] / np.linalg.norm(basis[:, 0])
        squares[:, place] = total - (targets @ level) ** 2
        if (n > c).sum() < 1 or np.linalg.norm(basis[:, 1]) == 0:
            continue
        parameters = targets @ np.linalg.pinv(basis).T
        both = total - ((parameters @ basis.T) * targets).sum(axis=1)
        squares[:, place] = np.where(parameters[:, 1] >= 0, both, squares[:, place])
    places = squares.argmin(axis=1)
    return squares[np.arange(len(targets)), places], places


def _draw(basis: "Floats", weights: "Floats", found: "Floats", freedom: int, how: Resampling) -> "Floats":
    """What points could have been, in parts of the fitted curve: its own residuals (`found`), each with a random sign.

    On top of them lies where the machine may have wandered: residuals do not show it, for the curve follows it.
    """
    import numpy as np

    weighted = basis * weights[:, None]
    leverage = np.einsum("ij,ji->i", weighted, np.linalg.pinv(weighted))
    tail = 1 - (1 - how.confidence) / 2
    wider = student_quantile(tail, freedom) / NormalDist().inv_cdf(tail)
    residuals = np.log(found) / np.maximum(1 - leverage, _LEAST_FREEDOM)
    # A point that the curve goes through because nothing else lies near has no residual, and an error all the same.
    residuals = np.maximum(np.abs(residuals), np.array(how.errors)) * wider
    source = np.random.default_rng(how.seed)
    signs = source.choice((-1.0, 1.0), size=(how.times, len(found)))
    wandered = (source.standard_normal(signs.shape) * np.array(how.wander)).cumsum(axis=1)
    drawn: Floats = np.exp(residuals * signs + wandered)
    return drawn


def _bound(knees: "Floats", top: float, confidence: float) -> tuple[float, float | None]:
    import numpy as np

    tail = (1 - confidence) / 2
    low, high = np.quantile(knees, (tail, 1 - tail), method="nearest")
    return float(min(low, top)), float(high) if high < top else None
