"""How does the squid axon begin and end to fire as the current grows, and where are two states
stable at once?

Rests and both Hopf points by continuation, the cycles by multiple shooting through their fold,
and the hysteresis between rest and firing as measured by integration from both; over them the
Hopf points and cycles of an independent calculation.
"""

import dataclasses

import diffrax as dfx
import jax
import jax.numpy as jnp
import numpy as np
import xarray as xr

import bpcjax as bpc
from bpcjax.analysis import Bifurcation, Branch, Cycles, fixed_points, follow
from experiments.common import study
from experiments.common.study import setting

from ..closed_forms import hodgkin_huxley as oracle, hodgkin_huxley_cycles as cycles

E_L = -54.4  # mV, on which the last digits depend


@dataclasses.dataclass(frozen=True)
class Config(study.Config):
    """Equilibria, cycles and hysteresis of the Hodgkin-Huxley neuron."""

    currents: int = setting(61, least=2, quick=17)
    """Currents at which the two states are integrated."""
    settle: float = setting(600.0, above=0)
    """How long they settle before firing is counted for as long again, ms."""
    cycles: int = setting(110, least=2, quick=13)
    """Points on the branch of cycles towards its fold and beyond."""


def neuron() -> bpc.neurons.HodgkinHuxley:
    """The squid axon, with the leak of the reference numbers."""
    return bpc.neurons.HodgkinHuxley(e_l=E_L)


class Flow(bpc.AbstractSystem):
    """Smooth flow of the axon, without its events: a spike of it changes nothing, and cycles of a
    flow take much less to compile.
    """

    axon: bpc.neurons.HodgkinHuxley

    def vector_field(self, t, y, args):
        """Vector field of the axon without events, dy/dt in the structure of `y`."""
        return self.axon.vector_field(t, y, args)


def rests(count: int) -> dict[str, np.ndarray]:
    """The branch of rests over the current, and its Hopf points."""
    axon = neuron()
    guess = jax.tree.map(lambda x: x[None], axon.rest())
    start = jax.tree.map(lambda x: x[0], fixed_points(axon, guess, 0.0).y)
    branch = follow(axon, None, start, 0.0, step=3.0, count=count, bounds=(-1.0, 180.0))
    hopf = [point for point in branch.special if point.kind is Bifurcation.HOPF]
    current, v, stable = map(np.asarray, (branch.p, branch.y.v, branch.stable))
    for point in hopf:  # where one line ends and the other begins
        k = int(np.searchsorted(current, point.p))  # the current rises along this branch
        current = np.insert(current, [k, k], point.p)
        v = np.insert(v, [k, k], float(point.y.v))
        stable = np.insert(stable, [k, k], [stable[k - 1], stable[k]])
    return {
        "rest_I": current,
        "rest_v": v,
        "rest_stable": stable,
        "hopf_I": np.array([point.p for point in hopf]),
        "hopf_v": np.array([point.y.v for point in hopf]),
    }


def firing(current: float) -> tuple:
    """A state on the cycle at this current, between spikes."""
    axon, saved = neuron(), np.linspace(0.0, 200.0, 801)
    solution = bpc.simulate(
        axon, axon.rest(), current, t1=200.0, dt=0.02, max_spikes=50, saveat=dfx.SaveAt(ts=saved)
    )
    last = solution.spikes.times[: int(solution.spikes.count)]
    period = float(last[-1] - last[-2])
    place = int(np.searchsorted(saved, float(last[-2]) + 0.4 * period))
    return jax.tree.map(lambda x: x[place], solution.ys), period


def extremes(branch: Branch, points: int = 200) -> tuple[np.ndarray, np.ndarray]:
    """The least and the largest potential on each cycle."""
    axon = Flow(neuron())

    @jax.jit
    @jax.vmap
    def one(y, current, period):
        saved = dfx.SaveAt(ts=jnp.linspace(0.0, period, points), fn=lambda t, y, args: y.v)
        solution = bpc.simulate(
            axon, y, current, t1=period, dt=period / 400, saveat=saved, max_steps=402, throw=False
        )
        return solution.ys.min(), solution.ys.max()

    low, high = one(branch.y, branch.p, branch.period)
    return np.asarray(low), np.asarray(high)


def cycle_branch(toward: float, count: int, step: float, legs: int, name: str):
    """The branch of cycles from 10 uA/cm2, towards lower or higher currents."""
    start, period = firing(10.0)
    of = Cycles(period, period / 300, legs=legs)
    branch = follow(
        Flow(neuron()), None, start, 10.0, 10.0,
        step=step, count=count, of=of, toward=toward, bounds=(5.0, 156.0),
    )  # fmt: skip
    low, high = extremes(branch)
    folds = [point.p for point in branch.special if point.kind is Bifurcation.FOLD]
    return {
        f"{name}_I": branch.p,
        f"{name}_low": low,
        f"{name}_high": high,
        f"{name}_stable": branch.stable,
        f"{name}_period": branch.period,
        f"{name}_fold": np.array(folds),
    }


def hysteresis(config: Config) -> dict[str, np.ndarray]:
    """The rate (Hz) into which the neuron settles, from rest and from firing, over the current."""
    axon, count = neuron(), config.currents
    currents = jnp.linspace(4.0, 12.0, count)
    from_rest = axon.rest((count,))
    # each rest of its own current, a little pushed
    rest = [oracle.rest(float(current), E_L) for current in currents]
    values = jnp.asarray(np.array(rest).T)
    from_rest = from_rest._replace(v=values[0] + 0.5, m=values[1], h=values[2], n=values[3])
    state, _ = firing(10.0)
    from_firing = jax.tree.map(lambda x: jnp.broadcast_to(x, (count,)), state)
    starts = jax.tree.map(lambda *x: jnp.concatenate(x), from_rest, from_firing)
    drive = jnp.concatenate([currents, currents])

    @jax.jit
    def settle(starts, drive):
        t1 = 2 * config.settle
        return bpc.simulate(
            axon, starts, drive, t1=t1, dt=0.05, solver=bpc.LocalSpikes(),
            max_spikes=int(count * t1 * 0.12), throw=False,
        )  # fmt: skip

    solution = settle(starts, drive)
    spikes = solution.spikes
    counted = (spikes.times >= config.settle) & (spikes.neurons >= 0)
    counts = jnp.zeros(2 * count).at[spikes.neurons].add(counted, mode="drop")
    rate = 1000 * counts / config.settle
    rate = jnp.where(solution.ok, rate, jnp.nan)
    return {"current": currents, "rate_up": rate[:count], "rate_down": rate[count:]}


def run(config: Config, parts: study.Parts) -> xr.Dataset:
    """Rests, cycles, hysteresis and the independent calculation, part by part."""
    legs = 1 if config.quick else 10
    data = parts("rests and Hopf points", lambda: rests(120))
    data |= parts(
        "cycles towards the fold", lambda: cycle_branch(-1.0, config.cycles, 3.0, legs, "down")
    )
    if not config.quick:
        data |= parts(
            "cycles towards the second Hopf point", lambda: cycle_branch(1.0, 90, 4.0, 1, "up")
        )
    data |= parts("hysteresis", lambda: hysteresis(config))
    data |= parts("closed forms", theory)
    variables = {name: (_dims(name), np.asarray(values)) for name, values in data.items()}
    return xr.Dataset(variables, attrs={"e_l": E_L, "settle": config.settle})


def theory() -> dict[str, np.ndarray]:
    """Hopf points and the fold of cycles, by an independent calculation."""
    points = oracle.hopf_points(E_L)
    fold = cycles.fold(E_L)
    return {
        "exact_hopf_I": np.array([point.drive for point in points]),
        "exact_hopf_v": np.array([point.v for point in points]),
        "exact_fold_I": np.array([fold.drive]),
    }


def _dims(name: str) -> tuple[str, ...]:
    if name in ("current", "rate_up", "rate_down"):
        return ("current",)
    family = name.rsplit("_", 1)[0]
    return (f"{family}_fold",) if name.endswith("_fold") else (f"{family}_point",)


def summary(dataset: xr.Dataset) -> dict[str, float]:
    """Special points, and how far they are from the independent calculation."""
    metrics = {
        "first Hopf point (uA/cm2)": float(dataset.hopf_I[0]),
        "second Hopf point (uA/cm2)": float(dataset.hopf_I[1]),
        "largest difference of Hopf points": float(
            np.abs(dataset.hopf_I.values - dataset.exact_hopf_I.values).max()
        ),
    }
    if dataset.down_fold.size:
        metrics["fold of cycles (uA/cm2)"] = float(dataset.down_fold[0])
        metrics["difference of the fold"] = float(
            abs(dataset.down_fold.values[0] - dataset.exact_fold_I.values[0])
        )
    both = (dataset.rate_down > 0) & (dataset.rate_up == 0)
    if both.any():
        metrics["two states from (uA/cm2)"] = float(dataset.current[both].min())
        metrics["two states to (uA/cm2)"] = float(dataset.current[both].max())
    return metrics


STUDY = study.Study("hodgkin_huxley", Config, run, summary, folder="theory")

if __name__ == "__main__":
    STUDY.main()
