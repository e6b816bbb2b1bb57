"""Published firing patterns: neurons, the drive from time 0 on, and the states where they start.

Made when asked for, in the precision that holds then: `adex_patterns()["tonic"]`.
"""

from typing import Any

import jax.numpy as jnp
from jaxtyping import Array, Float, PyTree

from .._require import state
from ..system import AbstractSpikingSystem, Drive, Module, as_parameter, parameter, varies
from .adex import AdEx
from .izhikevich import Izhikevich, IzhikevichState
from .izhikevich2007 import CubicRecovery, Izhikevich2007


class Pulses(Module):
    """Pulse train: a drive of `height` during `width` (ms) from each of the times `starts` (ms),
    else 0.

    It jumps at its `edges`: hand those to a solver that should be exact
    (`ClipStepSizeController(PIDController(...), jump_ts=pulses.edges)`).
    """

    starts: Float[Array, " pulses"] = parameter()  # ms
    width: Float[Array, ""] = parameter(positive=True)  # ms
    height: Float[Array, ""] = parameter()

    @property
    def edges(self) -> Float[Array, " edges"]:
        """The times (ms) at which the drive jumps, in order."""
        return jnp.sort(jnp.concatenate([self.starts, self.starts + self.width]))

    def __call__(self, t: Any) -> Float[Array, ""]:
        return self.height * ((t >= self.starts) & (t < self.starts + self.width)).any()


class Pattern(Module):
    """Firing pattern: a neuron, its drive (an array or a function of t), its start, and how long
    (ms) to look: `simulate(p.neuron, p.y0, p.drive, t1=p.t1, dt=..., max_spikes=...)`."""

    neuron: AbstractSpikingSystem
    drive: Drive
    y0: PyTree
    t1: Float[Array, ""] = parameter(positive=True)  # ms

    def __check_init__(self) -> None:
        state("Pattern.y0", self.y0, real=True)
        if not varies(self.drive):
            state("Pattern.drive", self.drive, real=True)


def _pattern(neuron: AbstractSpikingSystem, drive: Any, t1: Any, y0: PyTree = None) -> Pattern:
    drive = drive if callable(drive) else as_parameter(drive)
    return Pattern(neuron, drive, neuron.rest() if y0 is None else y0, as_parameter(t1))


def adex_patterns(v_cut: float = 0.0) -> dict[str, Pattern]:
    """Firing patterns of `AdEx` under a step of current (pA), eight by name, 600 ms from rest.

    The last is chaotic: only its statistics are defined. Cut off at 0 mV the upstroke is so steep
    that it needs adaptive steps in float64; `v_cut=-30.0` (mV), with which each spike comes 1 us
    sooner, suits constant steps and float32 as well.

    Source: Naud, Marcille, Clopath & Gerstner (2008), Biol. Cybern. 99:335, Table 1.
    """

    shared: dict[str, Any] = dict(v_t=-50.0, delta_t=2.0, v_cut=v_cut)

    def cell(c, g_l, e_l, a, tau_w, b, v_reset, current):
        neuron = AdEx(c=c, g_l=g_l, e_l=e_l, tau_w=tau_w, a=a, b=b, v_reset=v_reset, **shared)
        return _pattern(neuron, current, 600.0)

    return {  # pF, nS, mV, nS, ms, pA, mV, pA
        "tonic": cell(200, 10, -70, 2, 30, 0, -58, 500),
        "adaptation": cell(200, 12, -70, 2, 300, 60, -58, 500),
        "initial burst": cell(130, 18, -58, 4, 150, 120, -50, 400),
        "regular bursting": cell(200, 10, -58, 2, 120, 100, -46, 210),
        "delayed accelerating": cell(200, 12, -70, -10, 300, 0, -58, 300),
        "delayed regular bursting": cell(100, 10, -65, -10, 90, 30, -47, 110),
        "transient": cell(100, 10, -65, 10, 90, 100, -47, 180),
        "irregular": cell(100, 12, -60, -11, 130, 30, -48, 160),
    }


def izhikevich_classes() -> dict[str, Pattern]:
    """Firing classes of `Izhikevich`, by name: regular spiking (RS), intrinsically bursting (IB),
    chattering (CH), fast spiking (FS), low-threshold spiking (LTS), thalamo-cortical from rest (TC)
    and released from hyperpolarisation (TC rebound), and resonator (RZ).

    RZ gets two pairs of small pulses, and answers only the one whose gap is its own period.

    Source: cells, Izhikevich (2003), IEEE Trans. Neural Networks 14:1569, Fig. 2; pulses,
    Izhikevich (2004), IEEE Trans. Neural Networks 15:1063, Fig. 1K.
    """

    def cell(a, b, c, d, drive, t1=500.0, y0=None):
        return _pattern(Izhikevich(a, b, c, d), drive, t1, y0)

    start = IzhikevichState(as_parameter(-87.0), as_parameter(0.25 * -87.0))  # by a drive of -25
    pairs = Pulses(jnp.array([40.0, 60.0, 280.0, 320.0]), as_parameter(4.0), as_parameter(0.65))
    return {  # 1/ms, 1/ms, mV, mV/ms, mV/ms, ms
        "RS": cell(0.02, 0.2, -65, 8, 10),
        "IB": cell(0.02, 0.2, -55, 4, 10),
        "CH": cell(0.02, 0.2, -50, 2, 10),
        "FS": cell(0.1, 0.2, -65, 2, 10),
        "LTS": cell(0.02, 0.25, -65, 2, 10),
        "TC": cell(0.02, 0.25, -65, 0.05, 1.5),
        "TC rebound": cell(0.02, 0.25, -65, 0.05, 0, 200.0, start),
        "RZ": cell(0.1, 0.26, -65, 2, pairs, 400.0),
    }


def izhikevich2007_cells() -> dict[str, Pattern]:
    """Cortical cells of `Izhikevich2007` under a step of current (pA), by name, from rest: regular
    spiking (RS), intrinsically bursting (IB), chattering (CH), fast spiking (FS).

    Source: Izhikevich (2007), *Dynamical Systems in Neuroscience*, Figs. 8.12, 8.19, 8.23, 8.27,
    each at one of the currents shown there.
    """

    def cell(capacitance, k, v_r, v_t, a, b, c, d, v_peak, current, t1, **options):
        neuron = Izhikevich2007(capacitance, k, v_r, v_t, a, b, c, d, v_peak, **options)
        return _pattern(neuron, current, t1)

    return {  # pF, nS/mV, mV, mV, 1/ms, nS, mV, pA, mV, pA, ms
        "RS": cell(100, 0.7, -60, -40, 0.03, -2, -50, 100, 35, 100, 500.0),
        "IB": cell(150, 1.2, -75, -45, 0.01, 5, -56, 130, 50, 500, 500.0),
        "CH": cell(50, 1.5, -60, -40, 0.03, 1, -40, 150, 25, 200, 500.0),
        "FS": cell(20, 1, -55, -40, 0.2, 0.025, -45, 0, 25, 200, 200.0, recovery=CubicRecovery()),
    }
