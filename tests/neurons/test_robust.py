"""Every neuron model in other precisions, in populations, with bad parameters, past its cut."""

import diffrax as dfx
import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings, strategies as st

import bpcjax as bpc
from bpcjax.neurons import (
    IF,
    LIF,
    AdEx,
    HodgkinHuxley,
    Izhikevich,
    Izhikevich2007,
    McCullochPitts,
    Pattern,
    Pulses,
    Theta,
    adex_patterns,
    izhikevich2007_cells,
    izhikevich_classes,
)

SPIKING = [IF, LIF, Izhikevich, Izhikevich2007, AdEx, HodgkinHuxley, Theta]
MODELS = [*SPIKING, McCullochPitts]
by_name = pytest.mark.parametrize("model", MODELS, ids=lambda model: model.__name__)


def parameters(model):
    """The fields of a model that are parameters, with what is asked of them."""
    return {
        k: f.metadata for k, f in model.__dataclass_fields__.items() if "positive" in f.metadata
    }


# --- float32 -----------------------------------------------------------------------------------


def cast(tree, dtype):
    """Every array of numbers in `tree` as `dtype`."""
    return jax.tree.map(lambda x: x.astype(dtype) if eqx.is_inexact_array(x) else x, tree)


@eqx.filter_jit
def constant_steps(pattern, t0, dt):
    return bpc.simulate(
        pattern.neuron, pattern.y0, pattern.drive, t0=t0, t1=pattern.t1, dt=dt, max_spikes=128,
        max_steps=16384,
    )  # fmt: skip


def step(neuron, drive, t1):
    return Pattern(neuron, jnp.asarray(drive, float), neuron.rest(), t1)


def settings_of(family):
    """Those that are not chaotic; pulses jump, which constant steps do not follow."""
    chosen = {k: p for k, p in family.items() if k != "irregular"}
    return [p for p in chosen.values() if not isinstance(p.drive, Pulses)]


slow = pytest.mark.slow
CASES = {  # patterns, and the bound on the error of a spike time in 200 to 600 ms (measured)
    "AdEx": (settings_of(adex_patterns(v_cut=-30.0)), 1e-2),  # 3e-3
    "HodgkinHuxley": ([step(HodgkinHuxley(), 10.0, 300.0)], 2e-3),  # 3e-4
    "IF": ([step(IF(), 100.0, 500.0)], 3e-2),  # 8e-3: it forgets nothing, roundings neither
    "LIF": ([step(LIF(), 150.0, 500.0)], 2e-3),  # 5e-4
    "Izhikevich": (settings_of(izhikevich_classes()), 2e-2),  # 7e-3
    "Izhikevich2007": (settings_of(izhikevich2007_cells()), 1e-2),  # 3e-3
    "Theta": ([step(Theta(), 0.1, 300.0)], 1e-3),  # 5e-5
}


@pytest.mark.slow
@pytest.mark.parametrize("name", ["AdEx", *(pytest.param(k, marks=slow) for k in [*CASES][1:])])
def test_float32_agrees_with_float64(name):
    patterns, tolerance = CASES[name]
    for pattern in patterns:
        times = []
        for dtype in (jnp.float64, jnp.float32):
            solution = constant_steps(cast(pattern, dtype), dtype(0.0), dtype(0.05))
            assert {x.dtype for x in jax.tree.leaves(solution.ys)} == {solution.spikes.times.dtype}
            assert solution.spikes.times.dtype == dtype
            times.append(np.asarray(solution.spikes.times, float)[: int(solution.spikes.count)])
        np.testing.assert_allclose(times[1], times[0], rtol=0, atol=tolerance)


def test_the_formal_neuron_keeps_its_precision():
    weights, x = jnp.eye(3, dtype=jnp.float32), jnp.array([0.0, 1.0, 2.0], jnp.float32)
    neuron = cast(McCullochPitts(), jnp.float32)
    assert neuron.update(x, weights).dtype == neuron.rest((3,)).x.dtype == jnp.float32
    np.testing.assert_array_equal(neuron.update(x, weights), [0.0, 1.0, 1.0])


# --- populations -------------------------------------------------------------------------------


def varied(model, random, size):
    """A neuron whose every parameter has one entry for each of `size` neurons, and those alone."""
    values = {
        k: np.asarray(getattr(model(), k)) * random.uniform(0.95, 1.05, size)
        for k in parameters(model)
    }
    return model(**values), [model(**{k: v[i] for k, v in values.items()}) for i in range(size)]


@pytest.mark.slow
@by_name
def test_a_population_is_its_neurons(model):
    random, size = np.random.default_rng(3), 4
    many, alone = varied(model, random, size)
    y = many.rest((size,))
    assert all(np.shape(leaf) == (size,) for leaf in y)
    for k, one in enumerate(alone):
        for leaf, own in zip(y, one.rest(), strict=True):
            np.testing.assert_allclose(leaf[k], own, rtol=1e-12)
    y = jax.tree.map(lambda x: x + jnp.asarray(random.uniform(-0.4, 0.4, size)), y)
    drive, fired = jnp.asarray(random.uniform(0.0, 5.0, size)), jnp.array([True, False, True, True])
    if model is McCullochPitts:
        field = many.vector_field(0.0, y, (jnp.zeros((size, size)), drive))
        by_hand = [
            (n.phi(i - n.threshold) - x) / n.tau for n, i, x in zip(alone, drive, y.x, strict=True)
        ]
        np.testing.assert_allclose(field.x, by_hand, rtol=1e-12)
        return

    def all_of(neuron, y, drive, fired):
        field, guard = neuron.vector_field(0.0, y, drive), neuron.guard(0.0, y, drive)
        return *field, *neuron.reset(0.0, y, drive, fired), guard, neuron.emits(y, fired)

    result = all_of(many, y, drive, fired)
    for k, one in enumerate(alone):
        own = all_of(one, jax.tree.map(lambda x, k=k: x[k], y), drive[k], fired[k])
        np.testing.assert_allclose([x[k] for x in result], own, rtol=1e-9, atol=1e-12)


@slow
def test_a_vmap_over_parameters_is_a_population():
    reset, b = jnp.array([-58.0, -50.0, -46.0]), jnp.array([0.0, 60.0, 100.0])

    def solve(neuron, y0):
        drive = jnp.asarray(900.0)
        return bpc.simulate(neuron, y0, drive, t1=60.0, dt=0.1, max_spikes=64, throw=False).spikes

    @jax.jit
    def lanes(reset, b):
        def one(reset, b):
            neuron = AdEx(b=b, v_reset=reset)
            return solve(neuron, neuron.rest())

        return jax.vmap(one)(reset, b)

    many = AdEx(b=b, v_reset=reset)
    # Each event ends a sub-step of all, so that the two differ by the error of the step.
    together, apart = solve(many, many.rest((3,))), lanes(reset, b)
    for k in range(3):
        times = np.asarray(together.times)[np.asarray(together.neurons) == k]
        assert times.size == apart.count[k] > 1
        np.testing.assert_allclose(times, apart.times[k, : times.size], rtol=0, atol=1e-6)


def test_new_values_of_parameters_do_not_compile_anew():
    traced = []

    @eqx.filter_jit
    def slope(neuron, y):
        traced.append(1)
        return neuron.vector_field(0.0, y, 1.0)

    for model in MODELS[:-1]:
        for factor in (1.0, 1.1):
            neuron = jax.tree.map(lambda x, factor=factor: x * factor, model())
            slope(neuron, model().rest())
    assert len(traced) == len(MODELS) - 1


# --- bad parameters ----------------------------------------------------------------------------

# Ends of the reset, which hold for each other, are apart: a spike is cut above the reset.
ENDS = {"v_reset", "v_cut", "v_th", "v_peak"}
FIELDS = [
    (m, name)
    for m in MODELS
    for name in set(parameters(m)) - ENDS
    if name != "c" or not m.__name__.startswith("Izhikevich")  # there the reset, not a capacitance
]
FIELDS.sort(key=lambda field: (field[0].__name__, field[1]))


@given(
    field=st.sampled_from(FIELDS),
    value=st.one_of(st.just(float("nan")), st.just(-float("inf")), st.floats(-1e9, 0.0)),
    several=st.booleans(),
)
@settings(max_examples=150, deadline=None)
def test_bad_parameters_are_named(field, value, several):
    model, name = field
    asked = parameters(model)[name]
    wrong = (
        not value > 0 if asked["positive"] else not value >= 0 if asked["nonnegative"] else
        np.isnan(value)
    )  # fmt: skip
    good = np.asarray(getattr(model(), name))
    given = np.array([good, value]) if several else value
    if wrong:
        with pytest.raises(ValueError, match=f"{model.__name__}.{name} must"):
            model(**{name: given})
    else:
        np.testing.assert_array_equal(getattr(model(**{name: given}), name), given)


def test_what_must_be_positive_is():
    required = {
        (model.__name__, name)
        for model, name in FIELDS
        if parameters(model)[name]["positive"]
    }  # fmt: skip
    assert {("IF", "c"), ("LIF", "c"), ("AdEx", "c"), ("AdEx", "delta_t"), ("Theta", "tau"),
            ("HodgkinHuxley", "c"), ("HodgkinHuxley", "drop"), ("Izhikevich", "a"),
            ("Izhikevich2007", "capacitance"), ("McCullochPitts", "tau")} <= required  # fmt: skip
    with pytest.raises(ValueError, match="Pulses.width must be positive"):
        Pulses(jnp.zeros(1), -1.0, 1.0)


@by_name
def test_a_drive_of_the_wrong_shape_is_named(model):
    neuron = model()
    args = (jnp.ones((3, 3)), jnp.ones(2)) if model is McCullochPitts else jnp.ones(2)
    with pytest.raises(ValueError, match="args"):
        bpc.simulate(neuron, neuron.rest((3,)), args, t1=1.0, dt=0.1)


# --- overshoots: stages of a step see states far past the cut ------------------------------------


@pytest.mark.parametrize("model", [AdEx, Izhikevich, Izhikevich2007], ids=lambda m: m.__name__)
def test_far_past_the_cut_the_flow_and_its_derivatives_are_bounded(model):
    neuron = model()
    cut = getattr(neuron, "v_cut" if model is AdEx else "v_peak")

    def speed(neuron, v):
        y = neuron.rest()._replace(v=v)
        return neuron.vector_field(0.0, y, jnp.asarray(10.0)).v

    bound = speed(neuron, cut + 20.0)  # past where the upstroke is held
    for v in (1e3, 1e8, 1e30):
        by_all = jax.grad(lambda given, v=v: speed(given[0], given[1]))((neuron, jnp.asarray(v)))
        leaves = np.array(jax.tree.leaves(eqx.filter(by_all, eqx.is_inexact_array)))
        assert np.isfinite(leaves).all()
        if model is not AdEx:  # whose leak goes on
            np.testing.assert_allclose(speed(neuron, jnp.asarray(v)), bound, rtol=1e-12)
    # Up to the cut, and a little beyond, the flow is that of the equations: no kink at the spike.
    slopes = [jax.grad(lambda v: speed(neuron, v))(cut + away) for away in (-1e-6, 1e-6)]
    np.testing.assert_allclose(slopes[0], slopes[1], rtol=1e-5)


@slow
def test_reverse_mode_passes_steps_that_overshoot():
    neuron = Izhikevich()

    def potential(drive, adjoint):
        solution = bpc.simulate(
            neuron, neuron.rest(), drive, t1=30.0, dt=1.0, adjoint=adjoint, max_spikes=8,
            max_steps=64,
        )  # fmt: skip
        return solution.ys.v[-1], solution.spikes.count

    drive = jnp.asarray(20.0)
    reverse = jax.jit(jax.grad(lambda x: potential(x, None)[0]))(drive)
    forward = jax.jit(jax.jacfwd(lambda x: potential(x, dfx.ForwardMode()), has_aux=True))
    slope, count = forward(drive)
    assert count >= 2  # each from below threshold to far past the peak within one step of 1 ms
    np.testing.assert_allclose(reverse, slope, rtol=1e-9)
    assert abs(slope) > 1e-3
