"""Doors of the engine: systems, solves, networks, neurons, descent, sweeps."""

import diffrax as dfx
import jax
import jax.numpy as jnp
import numpy as np

import bpcjax as bpc
from bpcjax.neurons import LIF
from tests.doors.table import door

KEY = jax.random.key(0)
ANY = dict(shape="*", empty="*")  # a parameter may be one a neuron
START = np.array([1.0, -2.0, 0.5])


def bowl(y, args=None):
    return 0.5 * jnp.sum(y * y)


def flow() -> bpc.GradientFlow:
    return bpc.GradientFlow(bowl)


def descent(temperature: float = 1.0) -> bpc.SpikeDescent:
    return bpc.SpikeDescent(bowl, 0.5, temperature)


def network(size: int = 3) -> bpc.Network:
    return bpc.Network(LIF(), [projection(size)])


def projection(size: int = 3) -> bpc.Projection:
    return bpc.Projection(np.ones((size, size)), bpc.synapses.Exponential(5.0))


def layer() -> bpc.Layer:
    return bpc.Layer(np.ones((4, 3)), LIF(), 3)


def _hazard(x):
    return 0.1 * jnp.exp(x)


def _run(x):
    return {"y": 2 * x}


def _neuron(positive: str, **values: float):
    return lambda: door(values, positive=positive, **ANY)


class _Decay(bpc.AbstractJumps):
    """Units that fall silent one by one."""

    def log_rates(self, y, args):
        return jnp.where(y[0] > 0, 0.0, -jnp.inf)

    def jump(self, y, channel):
        return (y[0].at[channel].set(0.0),)


DOORS = {
    "bpcjax.Arrhenius": lambda: door({}),
    "bpcjax.Glauber": lambda: door({}),
    "bpcjax.jump_path": lambda: door(
        dict(process=_Decay(), y0=(np.ones(3),), key=KEY, jumps=2, t1=1.0),
        nonnegative="t1",
        counted="jumps",
        infinite="t1",
        huge="t1",
        string="y0",
        none="y0",
        object="y0",
        strings="y0",
        complex="y0",
        shape="y0",
        nan="y0",
        heavy=True,
    ),  # fmt: skip
    "bpcjax.EscapeRate": lambda: door(dict(neuron=LIF(), hazard=_hazard, key=KEY)),
    "bpcjax.GradientFlow": lambda: door(dict(energy=bowl, tau=1.0), positive="tau"),
    "bpcjax.Langevin": lambda: door(
        dict(energy=bowl, temperature=1.0, tau=1.0), positive="tau", nonnegative="temperature"
    ),
    "bpcjax.GridSpikes": lambda: door(
        dict(inner=dfx.Euler(), spike=bpc.Surrogate(), max_spikes=4, room=8), much="max_spikes room"
    ),
    "bpcjax.LocalSpikes": lambda: door(
        dict(inner=dfx.Heun(), max_spikes=4, room=8, gather=4), much="max_spikes room gather"
    ),
    "bpcjax.OrderedSpikes": lambda: door(
        dict(inner=dfx.Tsit5(), per_step=4, max_spikes=4, room=8),
        counted="per_step",
        much="max_spikes room per_step",
    ),
    "bpcjax.Layer": lambda: door(
        dict(
            weights=np.ones((4, 3)),
            neuron=LIF(),
            size=3,
            synapse=bpc.synapses.Delta(),
            recurrent=np.ones((3, 3)),
            bias=np.zeros(3),
        ),
        counted="size",
        shape="bias",
    ),
    "bpcjax.Layers": lambda: door(dict(layers=[layer()], source=None)),
    "bpcjax.Layers.rest": lambda: door(dict(shape=(2,)), on=lambda: bpc.Layers([layer()])),
    "bpcjax.Network": lambda: door(dict(neurons=LIF(), projections=[projection()])),
    "bpcjax.Network.rest": lambda: door(dict(size=3), on=network),
    "bpcjax.Projection": lambda: door(
        dict(
            weights=np.ones((3, 3)),
            synapse=bpc.synapses.Exponential(5.0),
            delay=1.0,
            pre=slice(0, 3),
            post=slice(0, 3),
        ),
        nonnegative="delay",
        infinite="delay",
        shape="weights",
    ),
    "bpcjax.Refractory": lambda: door(
        dict(neuron=LIF(), duration=2.0), nonnegative="duration", **ANY
    ),
    "bpcjax.SpikeDescent": lambda: door(
        dict(
            energy=bowl,
            quantum=0.5,
            temperature=1.0,
            cost=0.5,
            rate=1.0,
            law=bpc.Glauber(),
            key=KEY,
        ),
        positive="quantum rate",
        nonnegative="temperature cost",
    ),
    "bpcjax.SpikingTerm": lambda: door(dict(system=LIF())),
    "bpcjax.Surrogate": lambda: door(
        dict(slope=1.0, height=1.0, shape=bpc.stepping.arctan), positive="slope height"
    ),
    "bpcjax.Thinned": lambda: door(dict(share=0.5, coupling=1.0)),
    "bpcjax.bind": lambda: door(
        dict(system=LIF(), args=1.0),
        none="args",
        object="args",
        complex="args",
        shape="args",
        nan="args",
        string="args",
    ),
    "bpcjax.descend": lambda: door(
        dict(system=descent(), y0=START, key=KEY, spikes=5),
        shape="y0",
        list="y0",
        ragged="y0",
        counted="spikes",
        heavy=True,
    ),
    "bpcjax.descend_in_parallel": lambda: door(
        dict(system=descent(), y0=START, key=KEY, steps=5, thinned=bpc.Thinned()),
        shape="y0",
        list="y0",
        ragged="y0",
        counted="steps",
        heavy=True,
    ),
    "bpcjax.parameter": lambda: door(dict(positive=True)),
    "bpcjax.population": lambda: door(dict(run=_run)),
    "bpcjax.simulate": lambda: door(
        dict(system=flow(), y0=START, t1=1.0, dt=0.5, t0=0.0, max_steps=8, key=KEY),
        shape="y0",
        list="y0",
        ragged="y0",
        huge="t1 dt",
        much="max_steps",
        positive="dt",
        finite="y0 t1 dt t0",
        heavy=True,
        none="t0 max_steps",
        key="",
        counted="max_steps",
    ),
    "bpcjax.sweep": lambda: door(
        dict(run=_run, axes={"x": np.arange(3.0)}, chunk=2, progress=False),
        heavy=True,
        much="chunk",
        counted="chunk",
    ),
    "neurons.LIF": _neuron("c g_l", c=200.0, g_l=10.0, e_l=-60.0, v_th=-50.0, v_reset=-60.0),
    "neurons.IF": _neuron("c", c=200.0, v_th=-50.0, v_reset=-60.0),
    "neurons.AdEx": _neuron(
        "c g_l delta_t tau_w",
        c=281.0,
        g_l=30.0,
        e_l=-70.6,
        v_t=-50.4,
        delta_t=2.0,
        tau_w=144.0,
        a=4.0,
        b=80.5,
        v_reset=-70.6,
        v_cut=-40.4,
    ),
    "neurons.HodgkinHuxley": _neuron("c", c=1.0, g_na=120.0),
    "neurons.Izhikevich": _neuron("a", a=0.02, b=0.2, c=-65.0, d=8.0),
    "neurons.Izhikevich2007": _neuron("capacitance", capacitance=100.0),
    "neurons.Theta": _neuron("tau", tau=1.0),
    "neurons.McCullochPitts": lambda: door(
        dict(threshold=1.0, tau=1.0, phi=bpc.neurons.Heaviside()), positive="tau", **ANY
    ),
    "neurons.McCullochPitts.update": lambda: door(
        dict(x=np.ones(4), weights=np.ones((4, 3)), drive=1.0),
        on=bpc.neurons.McCullochPitts,
        shape="drive x",
        wide="weights",
        none="",
        infinite="x weights drive",
        nan="x weights drive",
    ),
    "neurons.CubicRecovery": lambda: door({}),
    "neurons.LinearRecovery": lambda: door({}),
    "neurons.Heaviside": lambda: door({}),
    "neurons.Pulses": lambda: door(
        dict(starts=START, width=1.0, height=2.0), positive="width", shape="starts", empty="starts"
    ),
    "neurons.Pattern": lambda: door(
        dict(neuron=LIF(), drive=1.0, y0=LIF().rest(), t1=5.0),
        positive="t1",
        shape="y0 drive",
        empty="drive",
        object="drive",
        nan="y0 drive",
    ),
    "neurons.adex_patterns": lambda: door(dict(v_cut=0.0), **ANY),
    "neurons.izhikevich_classes": lambda: door({}),
    "neurons.izhikevich2007_cells": lambda: door({}),
    "stepping.arctan": lambda: door(dict(x=START), **ANY),
    "stepping.fast_sigmoid": lambda: door(dict(x=START), **ANY),
    "stepping.gaussian_shape": lambda: door(dict(x=START), **ANY),
    "stepping.triangle": lambda: door(dict(x=START), **ANY),
}
