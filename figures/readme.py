"""The picture at the head of the README, computed where it is drawn: `python -m figures.readme`.

Spike times of a network and their derivatives, the bifurcation diagram of a neuron's spike map, and
the path of a spiking memory on its energy; each by one call of the package, a minute in all.
"""

import diffrax as dfx
import jax
import jax.numpy as jnp
import matplotlib.pyplot as plt
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

import bpcjax as bpc
from bpcjax.analysis import Bifurcation, SpikeMap, energy_slice, follow, orbit, plane, switch

from . import style

SIZE, END = 40, 60.0  # neurons; ms
CURRENT, RESETS, WAIT, DT = 800.0, (-50.0, -46.5), 400.0, 0.1  # pA, mV, ms, ms
SPIKES, ORBITS = 60, 141  # of an orbit, after as many; over the resets
STEP = 2.0  # along a branch, in mV and pA


def draw() -> Figure:
    """The figure: three panels side by side, and what they show in their titles."""
    with style.look():
        fig, axs = plt.subplots(
            1, 3, figsize=(style.WIDTH, 2.5), layout="constrained", width_ratios=[1.15, 1, 1.05]
        )
        spike_times(axs[0])
        spike_map(axs[1])
        memory(axs[2])
    return fig


def spike_times(ax: Axes) -> None:
    """Spikes of a recurrent network, each coloured by the derivative of its time."""
    weights = 60.0 * jax.random.normal(jax.random.key(0), (SIZE, SIZE)) / SIZE**0.5  # pA
    neurons = bpc.Refractory(bpc.neurons.LIF(), 2.0)
    drive = jnp.linspace(110.0, 160.0, SIZE)  # pA

    def spikes(scale):
        projection = bpc.Projection(scale * weights, bpc.synapses.Exponential(5.0))
        network = bpc.Network(neurons, [projection])
        solution = bpc.simulate(
            network, network.rest(SIZE), drive, t1=END, dt=0.1, max_spikes=300,
            adjoint=dfx.ForwardMode(),
        )  # fmt: skip
        return solution.spikes.times, solution.spikes

    derivative, record = jax.jacfwd(spikes, has_aux=True)(1.0)
    count = int(record.count)
    slope = np.asarray(derivative)[:count] / 100  # ms, where all weights grow by one per cent
    bound = np.quantile(np.abs(slope), 0.95)
    dots = ax.scatter(
        record.times[:count], record.neurons[:count], c=slope, s=5, cmap="coolwarm",
        vmin=-bound, vmax=bound, edgecolors="0.3", linewidths=0.15,
    )  # fmt: skip
    ax.figure.colorbar(dots, ax=ax, label="d$t$ / d(weights) (ms per %)", extend="both")
    ax.set(xlabel="time (ms)", ylabel="neuron", xlim=(0, END), ylim=(-1, SIZE))
    ax.set_title("spikes, and derivatives through them")


def cell(v_reset) -> bpc.neurons.AdEx:
    """The AdEx neuron of Touboul & Brette (2008) whose spike map doubles its period."""
    return bpc.neurons.AdEx(tau_w=40.0, b=80.0, v_reset=v_reset)


@jax.jit
def _orbits(resets):
    def one(v_reset):
        start = bpc.neurons.AdEx().rest()._replace(v=v_reset, w=jnp.full_like(v_reset, 300.0))
        return orbit(
            cell(v_reset), start, CURRENT, dt=DT, wait=WAIT, count=SPIKES, burn_in=SPIKES
        ).y.w

    return jax.lax.map(one, resets)


def spike_map(ax: Axes) -> None:
    """The adaptation after each spike over the reset: simulated, and followed."""
    resets = jnp.linspace(*RESETS, ORBITS)
    w = _orbits(resets)
    bpc.plot.orbit_diagram(resets, w, ax)
    start = bpc.neurons.AdEx().rest()._replace(v=jnp.array(RESETS[0]), w=w[0, -1])
    along = dict(step=STEP, count=400, of=SpikeMap(DT, WAIT), bounds=RESETS)
    whole = follow(cell(RESETS[0]), _reset, start, RESETS[0], CURRENT, **along)
    double = next(s for s in whole.special if s.kind is Bifurcation.PERIOD_DOUBLING)
    halves = switch(cell(RESETS[0]), _reset, double, CURRENT, **along)
    bpc.plot.bifurcation([whole, *halves], ax, y=lambda y: y.w)
    for line in ax.lines:
        line.set_marker("" if line.get_marker() == "." else line.get_marker())
    ax.set(xlabel="reset potential (mV)", ylabel="adaptation $w$ after a spike (pA)", xlim=RESETS)
    ax.set_title("a bifurcation diagram through spikes")
    ax.legend(handles=_legend(), loc="upper left", handlelength=1.6)


def _legend() -> list[Line2D]:
    return [
        Line2D([], [], color=style.BLUE, label="period 1"),
        Line2D([], [], color=style.RED, label="period 2"),
        Line2D([], [], color="0.3", linestyle="--", label="unstable"),
    ]


def _reset(neuron: bpc.neurons.AdEx):
    return neuron.v_reset


def memory(ax: Axes) -> None:
    """The energy of an associative memory, and the state of a spiking one that descends it."""
    patterns = jax.random.normal(jax.random.key(1), (8, 32))
    energy = bpc.energies.ModernHopfield.from_prior(patterns, beta=0.4, log_prior=jnp.zeros(8))
    query = 0.35 * patterns[3] + 0.45 * patterns[5] + 0.3 * patterns[0]
    network = bpc.models.SpikingHopfield(energy, rate=20.0)
    t = jnp.linspace(0.0, 6.0, 301)
    solution = bpc.simulate(
        network, network.start(query), t1=6.0, dt=0.02, max_spikes=400, key=jax.random.key(4),
        saveat=dfx.SaveAt(ts=t),
    )  # fmt: skip
    path = solution.ys.neuron.x
    shown = energy_slice(energy, plane(query, patterns[3], patterns[5]), points=path)
    bpc.plot.landscape(shown, ax, path, {"query": query}, ts=t, unit=r"$\tau$")
    ax.set_title("a spiking memory on its energy")


def main() -> None:
    """The command line: the figure, and its small picture in the gallery."""
    jax.config.update("jax_enable_x64", True)  # continuation needs double precision
    print(*style.save(draw(), "readme", gallery=True))


if __name__ == "__main__":
    main()
