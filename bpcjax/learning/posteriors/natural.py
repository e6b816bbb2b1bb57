"""Natural-parameter updates of posteriors: conjugate Bayes with forgetting, and natural gradient.

They take statistics where optax takes gradients, and natural parameters where it takes weights:
pytrees of one structure (`energies.BayesianPredictiveCoding.statistics` and `natural`).
"""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import optax
from jaxtyping import Array, Float, PyTree

from ..._require import number, scalar, state


def conjugate(prior: PyTree, keep: float = 1.0) -> optax.GradientTransformation:
    """Conjugate Bayesian update `eta <- eta0 + keep (eta - eta0) + T`: exact Bayes, and with `keep`
    below 1 the last `1 / (1 - keep)` updates count, and what does not recur goes back to the prior.

    **Raises:** `ValueError` for `keep` outside (0, 1].
    """
    keep = scalar("keep", keep, above=0, most=1)
    prior = state("prior", prior, real=True, finite=True)

    def update(updates, own, params=None):
        _check(params)
        change = jax.tree.map(
            lambda statistic, now, first: statistic - (1 - keep) * (now - first),
            updates,
            params,
            prior,
        )
        return change, own

    return optax.GradientTransformation(lambda params: optax.EmptyState(), update)  # pyright: ignore


def natural_gradient(
    prior: PyTree, scale: float | int, rate: Callable[[Array], Array] | float
) -> optax.GradientTransformation:
    """Natural-gradient step of F: `eta <- (1 - rho) eta + rho (eta0 + scale T)`.

    `scale` is the size of the data over that of the batch; `rate` a number or a schedule of optax
    (`robbins_monro`). At a rate of 1 and the whole data it is exact Bayes (Hoffman, Blei, Wang &
    Paisley 2013, JMLR 14:1303).
    """

    prior, scale = state("prior", prior, real=True, finite=True), scalar("scale", scale, above=0)
    rate = rate if callable(rate) else number("rate", rate, above=0)

    def init(params):
        return optax.ScaleByScheduleState(jnp.zeros((), jnp.int32))

    def update(updates, own, params=None):
        _check(params)
        rho = rate(own.count) if callable(rate) else rate
        change = jax.tree.map(
            lambda statistic, now, first: rho * (first + scale * statistic - now),
            updates,
            params,
            prior,
        )
        return change, optax.ScaleByScheduleState(own.count + 1)

    return optax.GradientTransformation(init, update)  # pyright: ignore


def robbins_monro(start: float = 1.0, power: float = 0.6) -> Callable[[Array], Float[Array, ""]]:
    """Robbins-Monro schedule `(start + t)^-power`.

    **Raises:** `ValueError` where steps of that power do not average noise out: not in (0.5, 1].
    """
    power, start = scalar("power", power, above=0.5, most=1), scalar("start", start, least=1)
    return lambda count: (start + count) ** -power


def _check(params: Any) -> None:
    if params is None:
        raise ValueError("params: pass the natural parameters, as update(seen, state, natural).")
