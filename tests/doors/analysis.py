"""Doors of analysis: cheap ones, and those that solve (`heavy`)."""

import jax
import jax.numpy as jnp
import numpy as np

import bpcjax as bpc
from bpcjax import analysis as an
from bpcjax.neurons import LIF
from tests.doors.table import door

KEY = jax.random.key(0)
START = np.array([0.9, -0.2])
STATES = np.array([[0.0, 0.0], [1.0, 0.0], [0.0, 1.0], [1.0, 2.0]])
MATRIX = np.array([[-1.0, 2.0], [0.5, -3.0]])
WELLS = np.array([[-1.0, 0.0], [1.0, 0.0]])


class Scaled(bpc.AbstractSystem):
    """A pitchfork in one entry, decay in the other."""

    r: jax.Array = bpc.parameter(1.0)

    def vector_field(self, t, y, args):
        drive = 0.0 if args is None else args
        return jnp.stack([self.r * y[0] - y[0] ** 3 + drive, -y[1]])


class Turning(bpc.AbstractSystem):
    """The normal form of a Hopf bifurcation: a cycle of radius 1 and period 2 pi."""

    def vector_field(self, t, y, args):
        left = 1 - y @ y
        return jnp.stack([left * y[0] - y[1], left * y[1] + y[0]])


def double_well(y, args=None):
    return 0.25 * (y[0] ** 2 - 1) ** 2 + 0.5 * y[1] ** 2


def wells() -> bpc.Langevin:
    return bpc.Langevin(double_well, 0.1)


def spikes() -> bpc.Spikes:
    return bpc.Spikes(np.array([0.5, 1.0, 3.0, 3.5, np.inf]), np.array([0, 1, 0, 1, -1]))


def points() -> an.FixedPoints:
    many = np.ones(4)
    return an.FixedPoints(
        STATES, np.stack([MATRIX] * 4), 0 * many, many > 0, many < 0, many[:2] < 0
    )


def level() -> an.Plane:
    return an.plane(*STATES[:3])


def cycle() -> an.Cycle:
    """That of `Turning`, of radius 1; its multipliers are 1 and exp(-4 pi)."""
    multipliers, monodromy = jnp.array([1.0, jnp.exp(-4 * jnp.pi)]) + 0j, jnp.eye(2)
    period = jnp.asarray(2 * jnp.pi)
    return an.Cycle(STATES[1], period, multipliers, monodromy, jnp.asarray(0.0), jnp.asarray(True))


def branch_point() -> an.Special:
    """The pitchfork of `Scaled`."""
    return an.Special(an.Bifurcation.BRANCH, np.asarray(0.0), np.zeros(2))


def _left(y):
    return y[0] > 0


def _r(system):
    return system.r


def _product(v):
    return MATRIX.T @ (MATRIX @ v)


NEURON = dict(system=LIF(), y0=LIF().rest(), args=200.0)
DOORS = {
    "analysis.Cycles": lambda: door(
        dict(period=6.3, dt=0.1, legs=2), positive="period dt", counted="legs", much="legs"
    ),
    "analysis.Equilibria": lambda: door({}),
    "analysis.SpikeMap": lambda: door(
        dict(dt=0.1, wait=100.0, period=1, neuron=0),
        positive="dt wait",
        counted="period",
        much="period neuron",
    ),
    "analysis.basin_fractions": lambda: door(
        dict(system=Scaled(), starts=STATES, attractors=WELLS, t1=2.0, dt=0.5, radius=0.3),
        heavy=True,
        positive="t1 dt radius",
    ),
    "analysis.classify": lambda: door(
        dict(eigenvalues=START, tol=1e-8),
        shape="eigenvalues",
        complex="eigenvalues",
        nonnegative="tol",
        nan="eigenvalues",
    ),
    "analysis.cross_correlation": lambda: door(
        dict(
            spikes=spikes(),
            size=2,
            first=np.array([0]),
            second=np.array([1]),
            t0=0.0,
            t1=4.0,
            lag=1.0,
            bin=0.5,
        ),
        positive="bin",
        shape="first second",
        huge="t1 t0",
        finite="t0 t1 lag bin",
        counted="size",
        heavy=True,
    ),
    "analysis.edge_state": lambda: door(
        dict(
            system=Scaled(),
            a=WELLS[0],
            b=WELLS[1],
            attractors=WELLS,
            t1=10.0,
            dt=0.5,
            radius=0.3,
            legs=3,
        ),
        heavy=True,
        huge="t1",
        shape="radius",
        positive="t1 dt radius",
        counted="legs",
    ),
    "analysis.energy_path": lambda: door(
        dict(energy=double_well, a=WELLS[0], b=WELLS[1], images=5, legs=20),
        heavy=True,
        counted="images legs",
    ),
    "analysis.energy_slice": lambda: door(
        dict(energy=double_well, plane=level(), count=5, margin=0.2),
        positive="margin",
        counted="count",
        heavy=True,
    ),
    "analysis.escape_times": lambda: door(
        dict(system=wells(), y0=WELLS[0], left=_left, count=2, t1=1.0, dt=0.5, key=KEY),
        heavy=True,
        positive="t1 dt",
        counted="count",
    ),
    "analysis.field": lambda: door(
        dict(system=Scaled(), like=START, grid=5, t=0.0, y0=(0.0, 1.0), y1=(0.0, 1.0)),
        counted="grid",
        nan="like",
    ),
    "analysis.find_cycle": lambda: door(
        dict(system=Turning(), y0=START, period=6.3, dt=0.1, tol=1e-9),
        heavy=True,
        positive="period dt tol",
    ),
    "analysis.fixed_points": lambda: door(
        dict(system=Scaled(), guesses=STATES, tol=1e-10, t=0.0), positive="tol", heavy=True
    ),
    "analysis.follow": lambda: door(
        dict(system=Scaled(), where=_r, y0=np.zeros(2), p0=-0.5, step=0.2, count=3, toward=1.0),
        heavy=True,
        positive="step",
        counted="count",
        none="where",
    ),
    "analysis.hessian": lambda: door(
        dict(energy=double_well, y=START), shape="y", ragged="y", empty="y", list="y", heavy=True
    ),
    "analysis.hessian_path": lambda: door(
        dict(energy=double_well, path=STATES), shape="path", heavy=True
    ),
    "analysis.hessian_spectrum": lambda: door(
        dict(energy=double_well, y=START, key=KEY, steps=2, probes=1),
        shape="y",
        counted="steps probes",
        much="steps",
        heavy=True,
        ragged="y",
        empty="y",
        list="y",
    ),
    "analysis.jacobian": lambda: door(
        dict(system=Scaled(), y=START, t=0.0), shape="y", infinite="t", empty="y"
    ),
    "analysis.kramers_rate": lambda: door(
        dict(
            energy=double_well,
            minimum=WELLS[0],
            saddle=np.zeros(2),
            temperature=0.1,
            tau=1.0,
            tol=1e-6,
        ),
        positive="temperature tau tol",
        heavy=True,
    ),
    "analysis.lanczos": lambda: door(
        dict(product=_product, size=2, key=KEY, steps=2, probes=2),
        counted="size steps probes",
        much="steps",
        heavy=True,
    ),
    "analysis.lyapunov": lambda: door(
        dict(system=Scaled(), y0=START, t1=4.0, dt=0.5, burn_in=1.0, count=1, leg=1.0),
        heavy=True,
        positive="t1 dt leg",
        nonnegative="burn_in",
        counted="count",
    ),
    "analysis.next_spike": lambda: door(
        dict(system=LIF(), y=LIF().rest(), args=200.0, dt=1.0, wait=60.0, t0=0.0, neuron=0),
        heavy=True,
        positive="dt wait",
    ),
    "analysis.orbit": lambda: door(
        NEURON | dict(dt=1.0, wait=60.0, count=3, burn_in=1, neuron=0),
        heavy=True,
        positive="dt wait",
        counted="count",
    ),
    "analysis.phase_response": lambda: door(
        dict(system=Turning(), cycle=cycle(), dt=0.1, count=8, periods=2),
        heavy=True,
        positive="dt",
        counted="count periods",
    ),
    "analysis.plane": lambda: door(dict(origin=STATES[0], a=STATES[1], b=STATES[2])),
    "analysis.principal_plane": lambda: door(dict(states=STATES), shape="states"),
    "analysis.recovery_rate": lambda: door(
        dict(system=Scaled(-1.0), y=np.zeros(2), t=0.0, tol=1e-6),
        shape="y",
        infinite="t",
        positive="tol",
        heavy=True,
    ),
    "analysis.saltation": lambda: door(
        dict(system=LIF(), y=bpc.neurons.LIFState(np.array(-50.0)), args=200.0, neuron=0, t=0.0),
        heavy=True,
    ),
    "analysis.spectrum": lambda: door(
        dict(matrix=MATRIX, structural=np.array([False, True])), infinite="matrix", shape="matrix"
    ),
    "analysis.spike_statistics": lambda: door(
        dict(spikes=spikes(), size=2, t0=0.0, t1=4.0, window=1.0, min_intervals=2),
        positive="window",
        finite="t0 t1 window",
        counted="size min_intervals",
        much="min_intervals",
        heavy=True,
    ),
    "analysis.stationary_covariance": lambda: door(
        dict(
            system=bpc.Langevin(lambda y, args: 0.5 * jnp.sum(y * y), 1.0),
            y=np.zeros(2),
            t=0.0,
            tol=1e-6,
        ),
        shape="y",
        infinite="t",
        positive="tol",
        heavy=True,
    ),
    "analysis.switch": lambda: door(
        dict(system=Scaled(), where=_r, special=branch_point(), step=0.2, count=3),
        heavy=True,
        positive="step",
        counted="count",
        none="where",
    ),
    "analysis.unique": lambda: door(dict(points=points(), tol=1e-6), positive="tol"),
    "analysis.warning_signs": lambda: door(
        dict(samples=np.sin(STATES), lag=1), shape="samples", counted="lag"
    ),
}
