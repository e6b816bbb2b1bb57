"""Faults that were found at the doors, one row each: they gave wrong answers, or obscure errors."""

from decimal import Decimal
from fractions import Fraction

import diffrax as dfx
import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest

import bpcjax as bpc
from bpcjax import analysis, cost, energies, learning, models
from bpcjax.neurons import LIF

KEY = jax.random.key(0)
X = np.array([[1.0, -1.0, 1.0], [1.0, 1.0, -1.0]])
WAVE = np.where(X > 0, 1, -1)


def bowl(y, args=None):
    return 0.5 * jnp.sum((y - 3.0) ** 2)


def memory():
    return models.SpikingHopfield(energies.ModernHopfield(X, 1.0), 10.0)


def run(system=None, y0=None, args=100.0, **options):
    system = LIF() if system is None else system
    options = dict(t1=1.0, dt=0.5) | options
    return bpc.simulate(system, system.rest() if y0 is None else y0, args, **options)


# Integers where floats are meant: the same as the floats.


def test_descent_from_an_integer_start_moves():
    system = bpc.SpikeDescent(bowl, 0.5)
    ends = [bpc.descend(system, y, key=KEY, spikes=20) for y in (np.zeros(2, int), np.zeros(2))]
    # down to 3, in the middle of its cell of the lattice of 0.5: 12 spikes for both units
    assert ends[0].count == ends[1].count == 12
    np.testing.assert_array_equal(ends[0].value, np.full(2, 3.0))


def test_parallel_descent_from_an_integer_start_moves():
    system = bpc.SpikeDescent(bowl, 0.5)
    ends = [
        bpc.descend_in_parallel(system, y, key=KEY, steps=30)
        for y in (np.zeros(2, int), np.zeros(2))
    ]
    np.testing.assert_array_equal(ends[0].value, ends[1].value)


def test_beta_of_integer_patterns():
    query = X[0]
    whole, real = (models.smallest_beta(x, query, 0, 0.01) for x in (WAVE, X))
    # one other pattern, at a gap of 4: exp(-4 beta) = 0.01 / 0.99
    np.testing.assert_allclose([whole, real], np.log(99) / 4, rtol=1e-6)


# Refused by name. Each row: the call, and the name that the error must have.

NAN, HUGE = np.nan, 10**13
SPIKES = bpc.Spikes(np.array([0.5, 1.0]), np.array([0, 1]))
REFUSED = {
    # wrong shapes that would broadcast
    "kernel": lambda: models.retrieve(memory(), X, KEY, spikes=2, kernel=np.ones((3, 3))),
    "structural": lambda: analysis.spectrum(np.eye(3), np.array([True, False])),
    "pattern": lambda: learning.hebb(np.zeros((3, 3)), np.ones((1, 3))),
    "weights": lambda: learning.hebb(np.zeros((1, 1)), X[0]),
    "share": lambda: learning.Dirichlet().update(np.ones((3, 2, 2)), np.eye(2), np.ones(1)),
    "y": lambda: learning.Normal(1.0).update(
        learning.Normal(1.0).init(2, 3), np.ones(1), np.ones(2)
    ),
    # slices, indices, sizes
    "part": lambda: SPIKES.of(slice(0, -1)),
    "part: its start": lambda: SPIKES.of(slice(-2, None)),
    "targets": lambda: bpc.connect.Sparse.from_lists(2, 2, [0, 1], [0.5, 1.0], 1.0),
    "size": lambda: bpc.Layer(np.ones((2, 3)), LIF(), 2.5),
    "max_spikes": lambda: run(max_spikes=HUGE),
    "per_step": lambda: bpc.OrderedSpikes(per_step=2.5),
    # numbers that mean nothing
    "adds": lambda: cost.Counts(adds=-1.0),
    "t1": lambda: models.event_path(memory(), X[0], KEY, spikes=3, t1=-1.0),
    "queries": lambda: models.retrieve(memory(), X + 1j, KEY, spikes=2),
    "saveat": lambda: run(saveat=dfx.SaveAt(ts=[0.5, NAN])),
    # masked entries, durations, objects
    "patterns must": lambda: energies.DelayHopfield(
        np.ma.masked_equal(np.ones((1, 2, 2)), 1.0), 1.0
    ),
    "rates must be": lambda: bpc.PoissonTrain(np.ma.masked_array([1.0, 2.0], [0, 1]), KEY),
    "times must be": lambda: bpc.Spikes(np.ma.masked_array([0.5, 1.0], [0, 1]), [0, 1]),
    "LIF.g_l": lambda: LIF(g_l=np.timedelta64(10, "s")),
    "Izhikevich.d": lambda: bpc.neurons.Izhikevich(d=np.ma.masked),
    "args must": lambda: run(args=np.timedelta64(100, "s")),
    "x must be": lambda: bpc.stepping.triangle(np.array([1, 2], "m8[s]")),
    "centres": lambda: bpc.encode.gammatone(np.array([5000.0]), 8000.0, 16),
    "graded": lambda: cost.spiking(4.0, 10.0, 8, 4, graded="no"),
    "other": lambda: cost.Counts(macs=1.0) + 1.0,
    "times must not be negative": lambda: cost.Counts(macs=1.0) * -2.0,
    "axes": lambda: bpc.sweep(lambda x: {"y": x}, [("x", [1.0])], progress=False),
    "axes['x']": lambda: bpc.sweep(
        lambda x: {"y": x}, {"x": np.ma.masked_array([1.0, 2.0], [0, 1])}, progress=False
    ),
    "spikes must have shape": lambda: bpc.connect.OneToOne(np.ones(3))(np.ones(1)),
    "in a room of": lambda: bpc.Spikes([0.5, 1.0], [0, 1], 5).check_complete(),
    "more than the room": lambda: bpc.encode.rate(bpc.Spikes([0.5, 1.0], [0, 1], 5), 3, t1=4.0),
    "saveat: times": lambda: run(saveat=dfx.SaveAt(ts=np.array([1.0, 0.5]))),
    "t1 must be": lambda: run(t1=Decimal(1)),
    # half of a complex number
    "args": lambda: run(args=100.0 + 1j),
    "LIF.c": lambda: LIF(c=200.0 + 1j),
    "weights must be real": lambda: bpc.connect.Dense(np.ones((2, 2)) * 1j),
    "delay": lambda: bpc.Projection(np.eye(2), bpc.synapses.Delta(), delay=1j),
    # what is no weight
    "OneToOne.weight": lambda: bpc.connect.OneToOne(None),
    "weight must": lambda: bpc.connect.OneToOne(np.eye(2)),
    "Lateral.weight": lambda: bpc.connect.Lateral(np.eye(2)),
    "weights must be": lambda: bpc.Projection(None, bpc.synapses.Delta()),
    # keys
    "key must be one key": lambda: run(key=0),
    "key": lambda: bpc.encode.poisson(None, np.ones(2), t1=1.0),
    "PoissonTrain.key": lambda: bpc.PoissonTrain(np.ones(2), jax.random.split(KEY, 2)),
    # objects
    "solver": lambda: run(solver="Euler"),
    "Refractory.neuron": lambda: bpc.Refractory("LIF", 1.0),
    "projections": lambda: bpc.Network(LIF(), ["dense"]),
    "stepsize_controller": lambda: run(
        bpc.Network(
            LIF(),
            [
                bpc.Projection(
                    np.eye(2), bpc.synapses.Delta(), pre=bpc.PoissonTrain(np.ones(2), KEY)
                )
            ],
        ),
        y0=bpc.Network(LIF()).rest(2)._replace(synapses=(None,)),
        solver=bpc.LocalSpikes(),
        stepsize_controller=dfx.PIDController(1e-3, 1e-3),
    ),
}


# Other forms of the same numbers: the call with one, and that with floats of numpy's.


def _sent(padding_between: bool):
    times = [0.5, np.inf, 1.0] if padding_between else [0.5, 1.0, np.inf]
    neurons = [0, -1, 1] if padding_between else [0, 1, -1]
    return bpc.Spikes(np.array(times), np.array(neurons)).trim()


def _swept(axis):
    return bpc.sweep(lambda x: {"y": x * x}, {"x": axis}, progress=False)["y"].values


SHORT = np.array([100, -100, 3], np.int8)
LONG = SHORT.astype(float)
SAME = {
    "padding between": (lambda: _sent(True), lambda: _sent(False)),
    "big endian": (lambda: LIF(c=LONG.astype(">f8") + 101).c, lambda: LONG + 101),
    "fractions": (
        lambda: energies.ModernHopfield(np.array([[Fraction(1, 2)]]), 1.0).patterns,
        lambda: np.array([[0.5]]),
    ),
    "half precision": (
        lambda: energies.ClassicalHopfield.pseudo_inverse(X.astype(np.float16)).weights,
        lambda: energies.ClassicalHopfield.pseudo_inverse(X).weights,
    ),
    "lagrangian": (
        lambda: energies.lagrangians.Quadratic()(SHORT),
        lambda: energies.lagrangians.Quadratic()(LONG),
    ),
    "dense": (
        lambda: bpc.connect.Dense(np.full((3, 2), 2.0))(SHORT[[0, 0, 2]]),
        lambda: np.full(2, 406.0),
    ),
    "counts": (
        lambda: (cost.Counts(macs=np.int8(100)) + cost.Counts(macs=np.int8(100))).macs,
        lambda: 200.0,
    ),
    "spikes of short integers": (
        lambda: cost.spiking(np.int8(100), np.int8(100), 8, 4).adds,
        lambda: 400.0,
    ),
    "axis": (lambda: _swept(SHORT), lambda: LONG**2),
    "duplicates": (  # of one pair of neurons: they add up
        lambda: bpc.connect.Sparse.from_lists(1, 2, [0, 0], [1, 1], [1.0, 2.0])(np.ones(1)),
        lambda: np.array([0.0, 3.0]),
    ),
}


@pytest.mark.parametrize("name", SAME)
def test_other_forms_of_numbers_give_the_same(name):
    form, usual = (call() for call in SAME[name])
    np.testing.assert_allclose(form, usual, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("name", REFUSED)
def test_refused_by_name(name):
    with pytest.raises((ValueError, TypeError)) as caught:
        REFUSED[name]()
    text = str(caught.value)
    assert name in text and text.count("\n") < 4


def test_a_query_of_nan_has_no_best_key():
    query = np.array([1.0, NAN, 0.0])
    assert np.isnan(models.hard_attention(query, X, X)).all()


def test_traced_targets_out_of_range_are_a_bad_parameter():
    def weights(targets):
        return bpc.connect.Sparse(targets, 1.0, 2).weights

    wrong = jax.jit(weights)(jnp.array([[0, 1], [-1, 7]]))
    np.testing.assert_array_equal(np.isnan(wrong), [[False, False], [True, True]])


def test_an_empty_train_is_replayed():
    none = bpc.Spikes(np.zeros(0), np.zeros(0, int))
    weights, _ = learning.replay(learning.TraceSTDP(), np.ones((2, 2)), none, none, t1=1.0)
    np.testing.assert_array_equal(weights, np.ones((2, 2)))


def test_a_failed_solve_is_one_short_error():
    with pytest.raises(RuntimeError) as caught:
        run(args=NAN)
    text = str(caught.value)
    assert text.count("\n") < 4 and "args" in text


def test_checks_cost_nothing_where_values_are_traced():
    """A program with checks is the program without: no operation is added for known shapes."""
    patterns, query = jnp.asarray(X), jnp.asarray(X[0])

    def with_checks(query):
        return models.attention(query, patterns, patterns, 2.0)

    def without(query):
        return jax.nn.softmax(2.0 * (patterns @ query)) @ patterns

    programs = [str(jax.make_jaxpr(eqx.filter_jit(f))(query)) for f in (with_checks, without)]
    assert programs[0].count("\n") <= programs[1].count("\n") + 2
