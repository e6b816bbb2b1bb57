"""Eyring-Kramers law: the rate at which weak noise leaves a minimum of an energy over a saddle."""

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, ArrayLike, Float, PyTree

from .._require import function, number, scalar
from ..flows import Energy, GradientFlow, Langevin
from ._flow import Flow, as_floats, flow_of, known, ravel
from ._states import as_drive, check_like
from .energy_path import curvatures, energies_at
from .landscape import energy_of


def kramers_rate(
    energy: Energy | GradientFlow | Langevin,
    minimum: PyTree,
    saddle: PyTree,
    temperature: ArrayLike,
    args: PyTree = None,
    *,
    tau: ArrayLike = 1.0,
    tol: float = 1e-6,
) -> Float[Array, ""]:
    """Eyring-Kramers law: the rate at which `tau dy = -grad E dt + sqrt(2 T tau) dW` leaves a
    `minimum` over a `saddle`, for a temperature `T` well below the barrier: `|l| / (2 pi tau)
    sqrt(det H(minimum) / |det H(saddle)|) exp(-barrier / T)`, with `l` the negative eigenvalue at
    the saddle. It is exact to a relative error of the order of `T`.

    Where several saddles lead out, their rates add up. Source: Kramers (1940), Physica 7:284;
    Berglund (2013), Markov Process. Relat. Fields 19:459.

    **Raises:** `ValueError` naming the argument: a temperature or `tau` that is not positive, a
    gradient above `tol` at either state, a minimum that is none, a saddle without exactly one
    falling direction, or with flat ones. Where values are traced the result is NaN.
    """
    function("energy", energy_of(energy))
    heat = number("temperature", temperature, above=0, finite=True)
    time, tol = number("tau", tau, above=0, finite=True), scalar("tol", tol, above=0)
    minimum, saddle = as_floats(minimum, "minimum"), as_floats(saddle, "saddle")
    check_like(saddle, minimum, "saddle", "the minimum")
    flow = flow_of(GradientFlow(energy_of(energy)), minimum, as_drive(args), name="minimum")
    rate, slope, good = _law(flow, jnp.stack([ravel(minimum), ravel(saddle)]), heat, time)
    if known(slope, good):
        for name, steep, fits in zip(("minimum", "saddle"), slope, good, strict=True):
            if not steep <= tol:
                raise ValueError(f"{name}: the gradient there is {steep:.3g}, above tol={tol}.")
            if not fits:
                what = "no falling direction" if name == "minimum" else "one falling direction"
                raise ValueError(f"{name} must have {what} and no flat one.")
    valid = (slope <= tol).all() & good.all() & (heat > 0) & (time > 0)
    return jnp.where(valid, rate, jnp.nan)


@eqx.filter_jit
def _law(flow: Flow, both: Float[Array, "2 n"], temperature, tau):
    """The rate, the gradients at both states, and whether these are a minimum and a saddle."""
    slope = jax.vmap(lambda x: jnp.abs(flow.rate(x)).max())(both)
    falling, rising, own = jax.vmap(lambda x: curvatures(-flow.jacobian(x)))(both)
    size = own.shape[1]
    good = jnp.stack([rising[0] == size, (falling[1] == 1) & (rising[1] == size - 1)])
    low, high = energies_at(flow, both)
    logs = jnp.log(jnp.abs(own)).sum(axis=1)
    log_rate = 0.5 * (logs[0] - logs[1]) - (high - low) / temperature
    return -own[1, 0] / (2 * jnp.pi * tau) * jnp.exp(log_rate), slope, good
