"""The spiking memory against theorems of the posterior-sampling memory."""

from unittest import mock

import diffrax as dfx
import jax
import jax.numpy as jnp
import numpy as np
import pytest

import bpcjax as bpc
from bpcjax.energies import ModernHopfield
from bpcjax.models import GaussianLikelihood, Hold, SequentialMemory, Shot, SpikingHopfield


def system(seed=0, count=6, size=16):
    """Patterns of length 2 on a sphere and a query, as in the reference experiment."""
    rng = np.random.default_rng(seed)
    patterns = rng.normal(size=(count, size))
    patterns *= 2 / np.linalg.norm(patterns, axis=1, keepdims=True)
    energy = ModernHopfield(patterns, 1.0)
    return energy, jnp.asarray(patterns[0] + 0.4 * rng.normal(size=size))


def errors_at(energy, query, mode, rates, chains=128, t1=1.5):
    """Root mean square distance to the gradient flow of the same energy at `t1`, for each rate."""
    flow = bpc.simulate(bpc.GradientFlow(energy), query, t1=t1, dt=0.01).ys[0]

    @jax.jit
    def run(rate):
        memory = SpikingHopfield(energy, rate, 1.0, mode)

        def one(key):
            solution = bpc.simulate(
                memory, memory.start(query), t1=t1, dt=1.0 / rate, key=key, throw=False,
                solver=bpc.OrderedSpikes(dfx.Heun(), per_step=12), max_steps=1300,
            )  # fmt: skip
            return solution.ys.neuron.x[0], solution.ok

        return jax.vmap(one)(jax.random.split(jax.random.key(7), chains))

    def error(rate):
        ends, ok = run(jnp.asarray(rate))
        assert ok.all()
        return float(jnp.sqrt(jnp.mean(jnp.sum((ends - flow[None]) ** 2, axis=-1))))

    return [error(rate) for rate in rates]


@pytest.mark.slow
@pytest.mark.parametrize(
    "mode", [Hold(), pytest.param(Shot(), marks=pytest.mark.slow)], ids=["hold", "shot"]
)
def test_spikes_converge_to_the_gradient_flow_at_one_over_the_root_of_the_rate(mode):
    energy, query = system()
    rates = np.array([100.0, 200.0, 400.0, 800.0])
    errors = errors_at(energy, query, mode, rates)
    slope = np.polyfit(np.log(rates), np.log(errors), 1)[0]
    assert abs(slope + 0.5) < 0.06, (slope, errors)  # theorem: variance of order 1 / (R tau)


@pytest.mark.slow
def test_each_spike_is_a_draw_from_the_posterior():
    # With the query frozen (tau huge), S spikes have the posterior's frequencies, and the total
    # is Poisson with mean R t: chi-square with 5 degrees of freedom, 99.9 % point 20.5.
    energy, query = system(seed=1)
    rate, t1 = 50.0, 20.0
    memory = SpikingHopfield(energy, rate, 1e9, Hold())
    solution = bpc.simulate(
        memory, memory.start(query), t1=t1, dt=0.02, key=jax.random.key(3), max_spikes=2000
    )
    count = int(solution.spikes.count)
    assert abs(count - rate * t1) < 4 * np.sqrt(rate * t1)
    seen = np.bincount(solution.spikes.neurons[:count], minlength=6)
    expected = count * np.asarray(energy.posterior(query))
    assert ((seen - expected) ** 2 / expected).sum() < 20.5
    gaps = np.diff(solution.spikes.times[:count])
    assert abs(gaps.std() / gaps.mean() - 1) < 0.1  # exponential intervals


@pytest.mark.slow
def test_the_same_key_gives_the_same_spikes_and_another_key_others():
    energy, query = system()
    memory = SpikingHopfield(energy, 30.0)

    def spikes(seed):
        return bpc.simulate(
            memory, memory.start(query), t1=2.0, dt=0.05, key=jax.random.key(seed), max_spikes=200
        ).spikes

    one, same, other = spikes(0), spikes(0), spikes(1)
    np.testing.assert_array_equal(one.times, same.times)
    assert one.count > 20 and not np.array_equal(one.times, other.times)


def test_flow_spikes_posterior_and_report_call_one_energy():
    """Every lens goes through `ModernHopfield.scores` of one object, and nothing else."""
    energy, query = system()
    memory = SpikingHopfield(energy, 10.0, key=jax.random.key(0))
    state = memory.start(query)
    lenses = {
        "energy": lambda: energy(query),
        "flow": lambda: bpc.GradientFlow(energy).vector_field(0.0, query, None),
        "posterior": lambda: energy.posterior(query),
        "update": lambda: energy.update(query),
        "spikes": lambda: memory.vector_field(0.0, state, None),
        "survivors": lambda: sequential.survivors(sequential.start())(query),
    }
    source = SequentialMemory.events(jnp.arange(query.size))
    sequential = SequentialMemory(energy, GaussianLikelihood(1.0), source, theta=5.0)
    original, calls = ModernHopfield.scores, []

    def counted(self, y, seen=None):
        calls.append(self)
        return original(self, y, seen)

    with mock.patch.object(ModernHopfield, "scores", counted):
        for name, lens in lenses.items():
            calls.clear()
            lens()
            assert calls, f"{name} does not evaluate the energy's scores"
            for seen in calls:
                assert seen.patterns.shape == energy.patterns.shape
    np.testing.assert_allclose(lenses["survivors"](), energy(query), rtol=1e-12)  # all are alive
    # and they agree: rate = R p, flow = update - y, both from -grad E.
    rates = lenses["spikes"]().integral
    np.testing.assert_allclose(rates, 10.0 * energy.posterior(query), rtol=1e-12)
    flow = lenses["flow"]()
    np.testing.assert_allclose(flow, -jax.grad(energy)(query), rtol=1e-12)
    mean_spike = energy.posterior(query) @ energy.patterns
    np.testing.assert_allclose(flow, mean_spike - query, atol=1e-12)


def test_a_memory_needs_a_key_and_a_query_of_its_size():
    energy, query = system()
    memory = SpikingHopfield(energy)
    with pytest.raises(ValueError, match="key"):
        bpc.simulate(memory, memory.start(query), t1=1.0, dt=0.1)
    with pytest.raises(ValueError, match="query"):
        memory.start(query[:-1])
    with pytest.raises(ValueError, match="SpikingHopfield.rate"):
        SpikingHopfield(energy, rate=-1.0)


@pytest.mark.slow
def test_a_refractory_escape_neuron_waits_and_then_gathers_hazard():
    # Rate 1 per ms after a dead time of 2 ms: intervals 2 + an exponential of mean 1 (renewal).
    escape = bpc.EscapeRate(bpc.neurons.LIF(), jnp.ones_like)
    neuron = bpc.Refractory(escape, 2.0)
    solution = bpc.simulate(
        neuron, neuron.rest((20,)), 0.0, t1=100.0, dt=0.1, key=jax.random.key(2), max_spikes=1000
    )
    times, index = (
        np.asarray(x)[: solution.spikes.count]
        for x in (solution.spikes.times, solution.spikes.neurons)
    )
    gaps = np.concatenate([np.diff(times[index == i]) for i in range(20)])
    assert gaps.min() > 2.0
    assert abs(gaps.mean() - 3.0) < 4 / np.sqrt(gaps.size)
    assert abs(gaps.std() - 1.0) < 6 / np.sqrt(gaps.size)
    with pytest.raises(ValueError, match="put Refractory outside"):
        bpc.EscapeRate(bpc.Refractory(bpc.neurons.LIF(), 2.0), jnp.ones_like)


@pytest.mark.slow
def test_escape_noise_of_a_neuron_at_rest_is_a_poisson_process():
    # A LIF neuron at rest 10 mV below threshold, rate exp(-10 / 5) per ms: Poisson in 4000 ms.
    neuron = bpc.EscapeRate(bpc.neurons.LIF(), lambda d: jnp.exp(d / 5.0))
    solution = bpc.simulate(
        neuron, neuron.rest((8,)), 0.0, t1=500.0, dt=0.5, key=jax.random.key(1), max_spikes=1200
    )
    expected = 8 * 500.0 * np.exp(-2.0)
    assert abs(int(solution.spikes.count) - expected) < 4 * np.sqrt(expected)
