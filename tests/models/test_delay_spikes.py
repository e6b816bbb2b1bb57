"""Rasters recalled by spikes: the spiking memory over `DelayHopfield` is that over every shift of
every raster, stored one by one."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy import stats

import bpcjax as bpc
from bpcjax.energies import ClassicalHopfield, DelayHopfield, ModernHopfield, SparseHopfield
from bpcjax.models import (
    Hold,
    LIFMemory,
    Shot,
    SpikingHopfield,
    Thermal,
    VisibleSpikes,
    certify,
    event_path,
    gram,
    log_mean_latency,
    retrieve,
    sample_first_spike,
    smallest_beta,
)

P, N, D = 3, 4, 5


def rasters(beta=1.0, dtype: type = float, steps=D):
    """A memory of rasters, all their shifts as rows, and a raster between two of them."""
    rng = np.random.default_rng(0)
    x = rng.normal(size=(P, N, steps)) / np.sqrt(steps)
    energy = DelayHopfield(x.astype(dtype), dtype(beta), np.array([0.1, -0.2, 0.0], dtype))
    rows = jax.vmap(energy.pattern)(jnp.arange(energy.hypotheses)).reshape(P * steps, -1)
    explicit = ModernHopfield(rows, energy.beta, jnp.repeat(energy.bias, steps))
    query = 0.6 * x[0] + 0.5 * np.roll(x[2], 2, axis=-1) + 0.1 * rng.normal(size=x[0].shape)
    return energy, explicit, jnp.asarray(query, dtype)


def same_spikes(one, other):
    """The winners and times of two paths; at least some of the three memories are among them."""
    np.testing.assert_array_equal(one.winners, other.winners)
    np.testing.assert_allclose(one.times, other.times, rtol=1e-12)
    assert len(np.unique(one.winners)) > 3


@pytest.mark.parametrize(
    "mode",
    [
        Hold(),
        pytest.param(Shot(), marks=pytest.mark.slow),
        pytest.param(Thermal(0.3), marks=pytest.mark.slow),
        pytest.param(VisibleSpikes(10.0, 0.4), marks=pytest.mark.slow),
    ],
    ids=["hold", "shot", "thermal", "visible"],
)
def test_event_by_event_it_is_the_memory_of_all_shifts(mode):
    energy, explicit, query = rasters()
    paths = [
        event_path(SpikingHopfield(e, 8.0, 1.0, mode), q, jax.random.key(1), spikes=40, t1=3.0)
        for e, q in ((energy, query), (explicit, query.ravel()))
    ]
    same_spikes(*paths)
    assert paths[0].ok and paths[0].x.shape == (N, D)
    np.testing.assert_array_equal(paths[0].heard, paths[1].heard)
    for one, other in zip(*(jax.tree.leaves(path.y) for path in paths), strict=True):
        np.testing.assert_allclose(one.ravel(), other, atol=1e-10)


@pytest.mark.slow
def test_late_spikes_and_silent_memories_too():
    energy, explicit, query = rasters()
    paths = [
        event_path(
            SpikingHopfield(e, 8.0, 1.0, delay=0.3, refractory=0.4), q, jax.random.key(2),
            spikes=40, t1=3.0,
        )
        for e, q in ((energy, query), (explicit, query.ravel()))
    ]  # fmt: skip
    same_spikes(*paths)
    assert paths[0].count < paths[0].due  # some were silent
    np.testing.assert_allclose(paths[0].x.ravel(), paths[1].x, atol=1e-10)


@pytest.mark.slow
@pytest.mark.parametrize(
    "mode, delay",
    [
        (Hold(), None),
        (Shot(), 0.3),
        (VisibleSpikes(4.0, 0.4), None),
    ],
    ids=["hold", "shot, late", "visible"],
)
def test_in_time_steps_it_is_the_memory_of_all_shifts(mode, delay):
    energy, explicit, query = rasters()
    solutions = []
    for e, q in ((energy, query), (explicit, query.ravel())):
        memory = SpikingHopfield(e, 8.0, 1.0, mode, delay=delay)
        solutions.append(
            bpc.simulate(
                memory, memory.start(q), t1=2.0, dt=0.05, key=jax.random.key(3), max_spikes=100
            )
        )
    one, other = solutions
    np.testing.assert_array_equal(one.spikes.neurons, other.spikes.neurons)
    np.testing.assert_allclose(one.spikes.times, other.spikes.times, atol=1e-10)
    assert one.spikes.count > 8
    ends = [jax.tree.leaves(s.ys.neuron) for s in solutions]
    for a, b in zip(*ends, strict=True):
        np.testing.assert_allclose(a.reshape(b.shape), b, atol=1e-10)


@pytest.mark.slow
def test_leaky_memories_and_first_spikes_are_those_of_all_shifts():
    energy, explicit, query = rasters()
    pairs = (energy, query), (explicit, query.ravel())
    ends = []
    for e, q in pairs:
        memory = LIFMemory(e, 20.0, 1.0, 0.05, drop=0.1)
        ends.append(
            bpc.simulate(
                memory, memory.start(q), t1=1.0, dt=0.01, key=jax.random.key(4), max_spikes=100
            )
        )
    np.testing.assert_array_equal(ends[0].spikes.neurons, ends[1].spikes.neurons)
    for a, b in zip(*(jax.tree.leaves(end.ys.neuron) for end in ends), strict=True):
        np.testing.assert_allclose(a.reshape(b.shape), b, atol=1e-9)
    (log_t, who), (log_s, other) = (sample_first_spike(*pair, jax.random.key(5)) for pair in pairs)
    assert who == other
    np.testing.assert_allclose(log_t, log_s, rtol=1e-12)
    np.testing.assert_allclose(*(log_mean_latency(*pair) for pair in pairs), rtol=1e-12)


@pytest.mark.slow
def test_spikes_converge_to_the_gradient_flow_at_one_over_the_root_of_the_rate():
    energy, _, query = rasters()
    flow = bpc.simulate(bpc.GradientFlow(energy), query, t1=1.5, dt=0.01).ys[0]
    rates = np.array([100.0, 200.0, 400.0, 800.0])

    @jax.jit
    def error(rate):
        def one(key):
            memory = SpikingHopfield(energy, rate)
            path = event_path(memory, query, key, spikes=1400, t1=1.5)
            return path.x, path.ok

        ends, ok = jax.vmap(one)(jax.random.split(jax.random.key(6), 128))
        return jnp.sqrt(jnp.mean(jnp.sum((ends - flow[None]) ** 2, axis=(1, 2)))), ok.all()

    errors, ok = zip(*(error(jnp.asarray(rate)) for rate in rates), strict=True)
    assert all(ok)
    slope = np.polyfit(np.log(rates), np.log(errors), 1)[0]
    assert abs(slope + 0.5) < 0.06, (slope, errors)  # variance of order 1 / (R tau)


def test_each_spike_is_a_draw_of_a_memory_and_its_shift():
    # The raster frozen (tau huge): chi-square with 14 degrees of freedom over all pairs and with
    # 2 over memories, 1 in 1,000 by chance each.
    energy, _, query = rasters(beta=2.0)
    memory = SpikingHopfield(energy, 1.0, 1e12)
    path = event_path(memory, query, jax.random.key(7), spikes=3000)
    seen = np.bincount(path.winners, minlength=P * D)
    expected = 3000 * np.asarray(energy.posterior(query)).ravel()
    assert expected.min() > 5
    assert stats.chisquare(seen, expected).pvalue > 1e-3
    named = np.bincount(energy.hypothesis(path.winners).memory, minlength=P)
    marginal = 3000 * np.exp(np.asarray(energy.log_marginal(query)))
    assert stats.chisquare(named, marginal).pvalue > 1e-3
    np.testing.assert_allclose(path.x, query, atol=1e-8)


@pytest.mark.slow
def test_a_batch_is_its_rows_and_single_precision_stays_single():
    energy, _, query = rasters(dtype=np.float32)
    memory = SpikingHopfield(energy, np.float32(10.0))
    queries, keys = jnp.stack([query, 2 * query]), jax.random.split(jax.random.key(8), 2)
    many = jax.vmap(lambda q, key: event_path(memory, q, key, spikes=20))(queries, keys)
    assert many.x.dtype == many.times.dtype == jnp.float32 and many.ok.all()
    for k in range(2):
        one = event_path(memory, queries[k], keys[k], spikes=20)
        np.testing.assert_array_equal(one.winners, many.winners[k])
        np.testing.assert_allclose(one.x, many.x[k], atol=1e-5)
    single = jax.vmap(energy.mixture)(jax.nn.one_hot(jnp.array([1, 7]), P * D, dtype=jnp.float32))
    assert single.dtype == jnp.float32


@pytest.mark.slow
def test_a_damaged_raster_is_recalled_when_it_comes_late():
    # 30 % of the spikes lost and 11 steps late; the posterior of the pair is 1 to 1e-6 (asserted).
    rng = np.random.default_rng(9)
    stored = (rng.random((20, 15, 40)) < 0.05).astype(float)
    energy = DelayHopfield(stored, 3.0, -0.5 * stored.sum((1, 2)))
    heard = jnp.asarray(np.roll(stored[7], 11, axis=-1) * (rng.random((15, 40)) < 0.7))
    match = energy.match(heard)
    assert (int(match.memory), int(match.shift)) == (7, 11) and match.probability > 1 - 1e-6
    path = event_path(SpikingHopfield(energy, 20.0), heard, jax.random.key(0), spikes=300, t1=12.0)
    memory, shift = energy.hypothesis(path.winners[: int(path.count)])
    assert (memory == 7).all() and (shift == 11).all()
    np.testing.assert_allclose(path.x, np.roll(stored[7], 11, axis=-1), atol=1e-4)  # exp(-12)


def test_what_it_does_not_do_is_refused_by_name():
    energy, _, query = rasters()
    memory, key = SpikingHopfield(energy), jax.random.key(0)
    with pytest.raises(ValueError, match="query must have shape"):
        event_path(memory, query.ravel(), key, spikes=3)
    with pytest.raises(ValueError, match="query must have shape"):
        memory.start(query.T)
    with pytest.raises(ValueError, match="query must have shape"):
        LIFMemory(energy).start(query[:, :-1])
    with pytest.raises(ValueError, match="kernels are for ModernHopfield, got DelayHopfield"):
        retrieve(memory, query[None], key, spikes=3)
    with pytest.raises(ValueError, match="kernels are for ModernHopfield"):
        gram(memory)
    with pytest.raises(ValueError, match="patterns must be an array"):
        certify(energy.patterns, 1.0, query)
    with pytest.raises(ValueError, match="patterns must be an array"):
        smallest_beta(energy.patterns, query, 0, 0.1)
    with pytest.raises(ValueError, match="no bounded rate"):
        thermal = SpikingHopfield(energy, mode=VisibleSpikes(1.0, 1.0, Thermal(0.1)))
        event_path(thermal, query, key, spikes=3)
    with pytest.raises(ValueError, match="mode: leaky memories"):
        LIFMemory(energy, mode=VisibleSpikes(1.0))
    for other in (SparseHopfield(np.eye(3), 1.0), ClassicalHopfield(np.zeros((3, 3)))):
        for model in (SpikingHopfield, LIFMemory):
            # a TypeError that names it, too, where types are checked at each call
            with pytest.raises((ValueError, TypeError), match="energy"):
                model(other)
