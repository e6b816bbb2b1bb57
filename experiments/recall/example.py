"""One recall in full: the evidence of memories over pixels, and the landscapes of survivors."""

import jax.numpy as jnp
import numpy as np

from bpcjax.analysis import energy_slice, plane
from bpcjax.energies import ModernHopfield
from bpcjax.models import GaussianLikelihood, SequentialStore, by_variance

from ..common.memories import with_flat_prior
from .corruptions import CORRUPTIONS
from .methods import METHODS, SPIKING, Sequential

EXAMPLE = "noise 1.5"
MARKS = "recalled", "last rival", "second last"


def choose(answers: dict[str, np.ndarray], target: np.ndarray) -> tuple[int, int]:
    """The corruption and the query to show: of the noisy ones that the sequential memory recalled
    with one memory left, the one that took the median number of pixels; else the first.
    """
    corruption = [spoil.name for spoil in CORRUPTIONS].index(EXAMPLE)
    right = answers["recalled"][corruption, :, METHODS.index(SPIKING)] == target
    right &= answers["survivors"][corruption, :, 0] == 1
    if not right.any():
        return corruption, 0
    used = answers["used"][corruption, :, 0]
    rows = np.flatnonzero(right)
    return corruption, int(rows[np.argsort(used[rows], kind="stable")[len(rows) // 2]])


def trace(
    sequential: Sequential, task: dict[str, np.ndarray], corruption: int, query: int
) -> dict[str, np.ndarray]:
    """Recall of one query: `taken` [K], the pixels before each test, `odds` [K, P], the log
    posterior of memories less the best's, were none silent, `alive` [K, P]; and landscapes of those
    that are alive at three `moments`, on the plane through three `leaders`."""
    spoil, y = CORRUPTIONS[corruption], jnp.asarray(task["query"][corruption, query])
    sigma = sequential.sigma(spoil)
    energy = with_flat_prior(task["patterns"], 1 / sigma**2)
    order = by_variance(energy)
    store = SequentialStore(
        energy, likelihood=GaussianLikelihood(sigma), order=order, block=sequential.block
    )
    steps = range(sequential.block, y.size + sequential.block, sequential.block)
    odds, alive = [np.zeros(len(energy.patterns))], [np.ones(len(energy.patterns), bool)]
    for pixels in steps:
        # without silence the posterior of these pixels is that of the whole memory
        whole = energy.log_posterior(y, jnp.isin(jnp.arange(y.size), order[:pixels]))
        cut = store.recall(y[None], theta=sequential.theta, budget=pixels)
        odds.append(np.asarray(whole - whole.max()))
        alive.append(np.asarray(cut.alive[0]))
    alive = np.array(alive)
    moments = _moments(alive.sum(axis=1))
    ahead = _leaders(np.array(odds), alive)
    tables = [landscape(energy, ahead, odds[k], alive[k]) for k in moments]
    return dict(
        taken=np.array([0, *steps]).clip(max=y.size),
        odds=np.array(odds),
        alive=alive,
        order=np.asarray(order),
        moments=moments,
        leaders=ahead,
        along=tables[0]["along"],
        across=tables[0]["across"],
        marks=tables[0]["marks"],
        landscape=np.stack([table["energy"] for table in tables]),
    )


def _moments(survivors: np.ndarray) -> np.ndarray:
    """Tests whose landscapes are drawn: before the first, in the middle (on a logarithmic scale),
    and that after which nobody falls silent any more."""
    last = int(np.flatnonzero(survivors == survivors[-1])[0])
    middle = int(np.abs(np.log(survivors[: last + 1] / 3)).argmin())  # three wells or so
    return np.array([0, middle, last])


def _leaders(odds: np.ndarray, alive: np.ndarray) -> np.ndarray:
    """The memory that is recalled, and the two others that were alive longest (ties: by evidence
    in the end)."""
    best = int(np.where(alive[-1], odds[-1], -np.inf).argmax())
    score = alive.sum(axis=0) + 0.5 / (1 - odds[-1])
    score[best] = np.inf
    return np.argsort(-score)[:3]


def landscape(energy: ModernHopfield, leaders: np.ndarray, odds: np.ndarray, alive) -> dict:
    """Landscape [across, along] of the memories that are alive: beta times the energy whose prior
    is the posterior so far; on the plane through the `leaders`, whose places are MARKS [3, 2]."""
    x = energy.patterns[alive]
    survivors = ModernHopfield.from_prior(x, energy.beta, jnp.asarray(odds[alive], x.dtype))
    marks = energy.patterns[leaders]
    through = plane(*marks)
    table = energy_slice(survivors, through, points=marks)
    return dict(
        along=np.asarray(table.along),
        across=np.asarray(table.across),
        energy=np.asarray(energy.beta * table.energy),
        marks=np.asarray(through.coordinates(marks)),
    )
