"""Bad input: an error that names the argument and the remedy, or a result inside a batch."""

import diffrax as dfx
import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings, strategies as st

import bpcjax as bpc
from bpcjax.neurons import LIF, AdEx

lif = LIF()
bad = st.one_of(st.just(float("nan")), st.floats(-1e6, 0.0))


def run(neuron=lif, y0=None, args=100.0, **options):
    options = {"t1": 5.0, "dt": 0.1, **options}
    return bpc.simulate(neuron, neuron.rest() if y0 is None else y0, args, **options)


@given(value=bad, field=st.sampled_from(["c", "g_l"]))
@settings(max_examples=20, deadline=None)
def test_bad_parameters_are_named(value, field):
    with pytest.raises(ValueError, match=f"LIF.{field} must be positive"):
        LIF(**{field: value})


@given(value=bad)
@settings(max_examples=10, deadline=None)
def test_bad_parameters_put_in_later_are_named(value):
    broken = eqx.tree_at(lambda n: n.delta_t, AdEx(), jnp.asarray(value))
    with pytest.raises(ValueError, match="AdEx.delta_t must be positive"):
        run(broken)


@given(dt=st.one_of(bad, st.just(float("inf"))))
@settings(max_examples=10, deadline=None)
def test_bad_dt_is_named(dt):
    with pytest.raises(ValueError, match="dt must be"):
        run(dt=dt)


@given(t1=st.one_of(bad, st.just(float("inf"))))
@settings(max_examples=10, deadline=None)
def test_bad_t1_is_named(t1):
    with pytest.raises(ValueError, match="t1 must be"):
        run(t1=t1)


@pytest.mark.parametrize(
    "options, name",
    [
        ({"args": jnp.ones(3)}, "args"),
        ({"args": None}, "args"),
        ({"args": "strong"}, "args"),
        ({"y0": jnp.zeros(2)}, "y0"),
        ({"y0": ()}, "y0"),
        ({"max_spikes": -1}, "max_spikes"),
        ({"solver": dfx.Tsit5()}, "solver"),
        ({"dt": jnp.ones(2)}, "dt"),
        ({"dt": None}, "dt must be a number"),
        ({"t1": "1"}, "t1 must be a number"),
        ({"key": 0.5}, "key must be one key"),
        ({"y0": bpc.neurons.LIFState(jnp.zeros(0))}, "y0 has no neurons"),
    ],
)
def test_bad_arguments_are_named(options, name):
    with pytest.raises(ValueError, match=name):
        run(**options)


def test_bad_objects_are_named():
    with pytest.raises(ValueError, match="per_step"):
        bpc.OrderedSpikes(per_step=0)
    with pytest.raises(ValueError, match="duration"):
        bpc.Refractory(lif, -1.0)
    synapse = bpc.synapses.Exponential(5.0)
    with pytest.raises(ValueError, match="Exponential.tau"):
        bpc.synapses.Exponential(0.0)
    with pytest.raises(ValueError, match="weights"):
        bpc.Projection(jnp.ones(4), synapse)
    network = bpc.Network(lif, [bpc.Projection(jnp.ones((4, 4)), synapse)])
    with pytest.raises(ValueError, match=r"projections\[0\].weights"):
        network.rest(5)
    flow = bpc.GradientFlow(lambda y, args: jnp.sum(y**2))
    with pytest.raises(ValueError, match="solver"):
        bpc.simulate(flow, jnp.ones(2), t1=1.0, dt=0.1, solver=bpc.OrderedSpikes())
    with pytest.raises(ValueError, match="max_spikes"):
        bpc.simulate(flow, jnp.ones(2), t1=1.0, dt=0.1, max_spikes=3)
    with pytest.raises(ValueError, match="key"):
        bpc.simulate(bpc.Langevin(flow.energy, 1.0), jnp.ones(2), t1=1.0, dt=0.1)
    with pytest.raises(TypeError, match="SpikingTerm"):
        term = dfx.ODETerm(lif.vector_field)
        dfx.diffeqsolve(term, bpc.OrderedSpikes(), 0.0, 1.0, 0.1, lif.rest(), 1.0)


@pytest.mark.slow
@pytest.mark.parametrize(
    "options, message",
    [
        ({"args": 1000.0, "t1": 60.0, "max_spikes": 2}, "max_spikes"),
        ({"args": 1e6, "dt": 0.2, "solver": bpc.OrderedSpikes(per_step=1)}, "per_step"),
        ({"args": jnp.nan}, "NaN"),
        ({"y0": bpc.neurons.LIFState(jnp.asarray(jnp.inf))}, "NaN or infinite|per_step|located"),
        ({"max_steps": 3}, "max_steps"),
    ],
)
def test_failed_solves_raise_and_tell_the_remedy(options, message):
    with pytest.raises(RuntimeError, match=message):
        run(**options)


@pytest.mark.slow
def test_a_batch_marks_its_bad_rows_and_keeps_the_good_ones():
    def end(c, dt, t1, args):
        neuron = LIF(c=c)
        solution = bpc.simulate(
            neuron, neuron.rest(), args, t1=t1, dt=dt, max_spikes=2, max_steps=200, throw=False
        )
        return solution.ok, solution.result == bpc.RESULTS.bad_parameter, solution.ys.v[0]

    good = (200.0, 0.1, 5.0, 150.0)
    rows = [good, (-200.0, *good[1:]), (jnp.nan, *good[1:]), (200.0, -0.1, 5.0, 150.0),
            (200.0, 0.1, -5.0, 150.0), (200.0, 0.1, 5.0, jnp.nan), (200.0, 0.1, 5.0, 1e5),
            (200.0, 0.001, 5.0, 150.0)]  # fmt: skip
    ok, parameter, v = jax.jit(jax.vmap(end))(*map(jnp.asarray, zip(*rows, strict=True)))
    np.testing.assert_array_equal(ok, [True] + [False] * 7)
    np.testing.assert_array_equal(parameter, [False, True, True] + [False] * 5)
    # closed form: v = e_l + R I (1 - exp(-t / tau)), R I = 15 mV, tau = 20 ms
    np.testing.assert_allclose(v[0], -60 + 15 * (1 - np.exp(-5 / 20)), atol=1e-8)


@pytest.mark.slow
def test_a_guard_that_is_not_a_number_is_not_silent():
    class Guarded(bpc.AbstractSpikingSystem):
        def vector_field(self, t, y, args):
            return jnp.ones_like(y)

        def guard(self, t, y, args):
            return y - args

        def reset(self, t, y, args, fired):
            return jnp.where(fired, 0.0, y)

    start, thresholds = jnp.zeros(2), jnp.array([jnp.nan, 0.5])
    with pytest.raises(RuntimeError, match="guard"):
        bpc.simulate(Guarded(), start, thresholds, t1=3.0, dt=0.1)
    never = bpc.simulate(Guarded(), start, jnp.array([jnp.inf, 0.5]), t1=3.2, dt=0.1, max_spikes=9)
    np.testing.assert_array_equal(never.spikes.neurons[: never.spikes.count], [1] * 6)


@pytest.mark.slow
def test_traced_failures_raise_at_run_time():
    @eqx.filter_jit
    def end(c):
        return bpc.simulate(LIF(c=c), lif.rest(), 100.0, t1=5.0, dt=0.1).ys.v

    with pytest.raises(RuntimeError, match="NaN, or negative"):
        end(jnp.asarray(-1.0))
