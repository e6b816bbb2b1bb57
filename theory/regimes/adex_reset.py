"""The route to chaos of an AdEx neuron over the potential of its reset.

Orbits of the map from spike to spike and their exponents; the branches of orbits of one and of two
points that are followed through them; and the map by an independent solver.
"""

from pathlib import Path

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np

import bpcjax as bpc
from bpcjax.analysis import Bifurcation, Branch, Special, SpikeMap, follow, orbit, switch
from bpcjax.neurons import AdEx, AdExState

from ..closed_forms import neurons_ivp

CURRENT, TAU_W, JUMP = 800.0, 40.0, 80.0  # pA, ms, pA
FIRST, LAST = -50.0, -46.5  # mV, the resets
START = 300.0  # pA, of the adaptation
WAIT = 400.0  # ms, for the next spike
SLOPES = 12  # how many points of a branch to look at with the other solver
_SHARED = "c", "g_l", "e_l", "v_t", "delta_t", "tau_w", "a", "b", "v_cut"


def cell(v_reset) -> AdEx:
    """AdEx neuron of the route to chaos, with the reset `v_reset` (mV)."""
    return AdEx(tau_w=TAU_W, b=JUMP, v_reset=v_reset)


def one_by_one(run):
    """A batch for `sweep` that takes the points in turn. Under `vmap` they would all wait for the
    longest interval at each spike, and look for a spike in each step: ten times slower on a CPU.
    """
    return lambda **points: jax.lax.map(lambda point: run(**point), points)


class _Orbits(eqx.Module):
    """Orbits of the map from spike to spike, and their exponents."""

    spikes: int
    burn_in: int
    dt: float

    def __call__(self, v_reset):
        start = AdExState(v_reset, jnp.full_like(v_reset, START))
        solution = orbit(
            cell(v_reset), start, CURRENT,
            dt=self.dt, wait=WAIT, count=self.spikes, burn_in=self.burn_in,
        )  # fmt: skip
        return {
            "w": ("spike", solution.y.w),
            "interval": ("spike", solution.interval),
            "exponent": solution.exponent,
            "error": solution.error,
            "ok": solution.ok,
        }


def orbits(
    spacing: float, spikes: int, burn_in: int, dt: float, store: Path
) -> dict[str, np.ndarray]:
    """Orbits over the reset, `spacing` (mV) apart; `store` keeps them on the way."""
    resets = np.linspace(FIRST, LAST, 1 + round((LAST - FIRST) / spacing))
    run = _Orbits(spikes, burn_in, dt)
    swept = bpc.sweep(run, {"v_reset": resets}, store=store, batch=one_by_one)
    return {"resets": resets} | {str(name): swept[name].values for name in swept}


def one_spike(w: float, step: float, dt: float) -> Branch:
    """Orbits of one point over the reset, from a guess of the adaptation at the first one."""
    start = AdExState(jnp.array(FIRST), jnp.asarray(w))
    return follow(
        cell(FIRST), _reset, start, FIRST, CURRENT,
        step=step, count=1000, of=SpikeMap(dt, WAIT), bounds=(FIRST, LAST),
    )  # fmt: skip


def two_spikes(p: float, w: float, step: float, dt: float) -> tuple[Branch, Branch]:
    """Orbits of two points, from where those of one point lose stability (reset `p`, adaptation
    `w`); a branch for each of the two.
    """
    y = AdExState(jnp.asarray(p), jnp.asarray(w))
    return switch(
        cell(FIRST), _reset, Special(Bifurcation.PERIOD_DOUBLING, p, y), CURRENT,
        step=step, count=1000, of=SpikeMap(dt, WAIT), bounds=(FIRST, LAST),
    )  # fmt: skip


def _reset(neuron: AdEx):
    return neuron.v_reset


def by_other_code(branch: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Spike map at some points of a branch by an independent solver: adaptation after the next
    spike, slope.
    """
    which = np.linspace(0, len(branch["p"]) - 1, SLOPES).astype(int)
    neuron = cell(FIRST)
    parameters = {key: float(getattr(neuron, key)) for key in _SHARED}
    rows = [
        neurons_ivp.adex_spike_map(CURRENT, branch["y"][k], v_reset=branch["p"][k], **parameters)
        for k in which
    ]
    after, slope, _ = map(np.array, zip(*rows, strict=True))
    return {"point": which, "w": after, "slope": slope}
