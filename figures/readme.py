"""The picture at the head of the README, computed where it is drawn: `python -m figures.readme`.

Spike times of a network and their derivatives, the bifurcation diagram of a neuron's spike map, and
the path of a spiking memory on its energy, all by the package's public calls, in a few minutes.
"""

from typing import Any, NamedTuple

import diffrax as dfx
import jax
import jax.numpy as jnp
import matplotlib.pyplot as plt
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

import bpcjax as bpc
from bpcjax.analysis import Bifurcation, Branch, EnergySlice, SpikeMap, follow, orbit

from . import style

SIZE, END = 40, 80.0  # neurons; ms
CURRENT, RESETS = 800.0, (-50.0, -46.5)  # pA, mV
DT, WAIT, SPIKES = 0.2, 400.0, 40  # ms, ms; of an orbit, after as many
ORBITS, STEP = 111, 4.0  # over the resets; along a branch, in mV and pA
SPAN = 4.0  # time constants of the memory


class Spikes(NamedTuple):
    """Times (ms), neurons, and what times change (ms) where all weights grow by one per cent."""

    times: Any
    neurons: Any
    slope: Any


class Diagram(NamedTuple):
    """Adaptations (pA) of orbits over resets (mV), and the branches followed through them."""

    resets: Any
    w: Any  # [resets, spikes]
    branches: list[Branch]


class Memory(NamedTuple):
    """An energy on a plane, states on their way down from a query, and the patterns."""

    energy: EnergySlice
    paths: list[Any]  # [times, 2] each
    t: Any  # in time constants
    query: Any
    patterns: Any


def spikes() -> Spikes:
    """Spikes of a recurrent network, and their derivatives in the scale of its weights."""
    weights = 60.0 * jax.random.normal(jax.random.key(0), (SIZE, SIZE)) / SIZE**0.5  # pA
    neurons = bpc.Refractory(bpc.neurons.LIF(), 2.0)
    drive = jnp.linspace(110.0, 160.0, SIZE)  # pA

    def record(scale):
        projection = bpc.Projection(scale * weights, bpc.synapses.Exponential(5.0))
        network = bpc.Network(neurons, [projection])
        solution = bpc.simulate(
            network, network.rest(SIZE), drive, t1=END, dt=0.1, max_spikes=300,
            adjoint=dfx.ForwardMode(),
        )  # fmt: skip
        return solution.spikes.times, solution.spikes

    derivative, record = jax.jacfwd(record, has_aux=True)(1.0)
    times, neurons, slope = map(np.asarray, (record.times, record.neurons, derivative / 100))
    return Spikes(*(x[: int(record.count)] for x in (times, neurons, slope)))


def _cell(v_reset) -> bpc.neurons.AdEx:
    """The cell of `theory.regimes.adex` whose spike map doubles its period."""
    return bpc.neurons.AdEx(tau_w=40.0, b=80.0, v_reset=v_reset)


def _start(v_reset, w):
    return bpc.neurons.AdEx().rest()._replace(v=jnp.asarray(v_reset), w=jnp.asarray(w))


@jax.jit
def _orbits(resets):
    def one(v_reset):
        start = _start(v_reset, jnp.full_like(v_reset, 300.0))
        many = dict(count=SPIKES, burn_in=SPIKES)
        return orbit(_cell(v_reset), start, CURRENT, dt=DT, wait=WAIT, **many).y.w

    return jax.lax.map(one, resets)


def diagram() -> Diagram:
    """The adaptation after each spike over the reset: simulated, and followed."""
    resets = jnp.linspace(*RESETS, ORBITS)
    w = _orbits(resets)

    def branch(k, w, period, step=STEP, toward=1.0, least=RESETS[0]):
        return follow(
            _cell(RESETS[0]), lambda m: m.v_reset, _start(resets[k], w), resets[k], CURRENT,
            step=step, toward=toward, count=400, of=SpikeMap(DT, WAIT, period),
            bounds=(least, RESETS[1]),
        )  # fmt: skip

    whole = branch(0, w[0, -1], 1)
    double = next(s for s in whole.special if s.kind is Bifurcation.PERIOD_DOUBLING)
    k = int(jnp.searchsorted(resets, double.p + 0.2))  # where orbits have settled on two points
    right = [branch(k, w[k, -j], 2) for j in (1, 2)]
    left = [branch(k, w[k, -j], 2, STEP / 10, -1.0, double.p) for j in (1, 2)]  # it bends there
    return Diagram(resets, w, [whole, *right, *left])


def memory() -> Memory:
    """The energy of five patterns in a plane, and a spiking memory that descends it twice."""
    angles = 2 * jnp.pi * jnp.arange(5) / 5
    patterns = 2.0 * jnp.stack([jnp.cos(angles), jnp.sin(angles)], axis=-1)
    energy = bpc.energies.ModernHopfield.from_prior(patterns, beta=1.2, log_prior=jnp.zeros(5))
    network = bpc.models.SpikingHopfield(energy, rate=12.0)
    query, t = jnp.array([-0.3, 0.2]), jnp.linspace(0.0, SPAN, 301)

    @jax.vmap
    def states(key):
        return bpc.simulate(
            network, network.start(query), t1=SPAN, dt=0.02, max_spikes=400, key=key,
            saveat=dfx.SaveAt(ts=t), throw=False,
        ).ys.neuron.x  # fmt: skip

    paths = states(jax.random.split(jax.random.key(5), 3))
    plane = bpc.analysis.plane(jnp.zeros(2), jnp.array([1.0, 0.0]), jnp.array([0.0, 1.0]))
    points = jnp.concatenate([patterns, paths.reshape(-1, 2)])
    shown = bpc.analysis.energy_slice(energy, plane, points=points, margin=0.1)
    return Memory(shown, list(paths), t, query, patterns)


def draw(spikes: Spikes, diagram: Diagram, memory: Memory) -> Figure:
    """The figure: three panels side by side, and what they show in their titles."""
    with style.look():
        fig, axs = plt.subplots(
            1, 3, figsize=(style.WIDTH, 2.3), layout="constrained", width_ratios=[1.15, 1, 1.2]
        )
        _spikes(axs[0], spikes)
        _diagram(axs[1], diagram)
        _memory(axs[2], memory)
    return fig


def _spikes(ax: Axes, spikes: Spikes) -> None:
    bound = np.quantile(np.abs(spikes.slope), 0.95)
    dots = ax.scatter(
        spikes.times, spikes.neurons, c=spikes.slope, s=6, cmap="coolwarm", vmin=-bound, vmax=bound,
        edgecolors="0.3", linewidths=0.15,
    )  # fmt: skip
    ax.figure.colorbar(dots, ax=ax, label="d(time) / d(weights) (ms per %)", extend="both")
    ax.set(xlabel="time (ms)", ylabel="neuron", xlim=(0, END), ylim=(-1, SIZE))
    ax.set_title("derivatives of spike times")


def _diagram(ax: Axes, diagram: Diagram) -> None:
    bpc.plot.orbit_diagram(diagram.resets, diagram.w, ax)
    dots = list(ax.lines)
    bpc.plot.bifurcation(diagram.branches, ax, y=lambda y: y.w)
    for line in ax.lines[len(dots) :]:
        line.set_marker("" if line.get_marker() == "." else line.get_marker())
        line.set_color(style.BLUE if line.get_color() == "C0" else style.RED)
    low, high = np.nanmin(diagram.w), np.nanmax(diagram.w)
    ax.set(xlim=RESETS, ylim=(low - 20, high + 20))
    ax.set(xlabel="reset potential (mV)", ylabel="adaptation after a spike (pA)")
    ax.set_title("bifurcations through spikes")
    handles = [
        Line2D([], [], color=style.BLUE, label="period 1"),
        Line2D([], [], color=style.RED, label="period 2"),
        Line2D([], [], color="0.3", linestyle="--", label="unstable"),
    ]
    ax.legend(handles=handles, loc="upper left", handlelength=1.6)


def _memory(ax: Axes, memory: Memory) -> None:
    times = [memory.t] * len(memory.paths)
    marks = {"query": memory.query}
    bpc.plot.landscape(memory.energy, ax, memory.paths, marks, ts=times, unit=r"$\tau$")
    ax.plot(*memory.patterns.T, linestyle="none", marker="x", color=style.RED, zorder=5)
    ax.set(xlabel="unit 1 (no unit)", ylabel="unit 2 (no unit)")
    ax.set_title("a spiking memory on its energy")


def main() -> None:
    """The command line: the figure, and its small picture in the gallery."""
    jax.config.update("jax_enable_x64", True)  # continuation needs double precision
    print(*style.save(draw(spikes(), diagram(), memory()), "readme", gallery=True))


if __name__ == "__main__":
    main()
