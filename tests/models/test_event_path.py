"""The event form of the memory: the stepped engine's law, its own closed forms, hostile input."""

import diffrax as dfx
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy import stats

import bpcjax as bpc
from bpcjax.energies import ModernHopfield
from bpcjax.models import (
    Hold,
    LIFMemory,
    Shot,
    SpikingHopfield,
    Thermal,
    VisibleSpikes,
    event_path,
    gram,
    retrieve,
)

P, N = 5, 8


def energy_of(seed=0, beta=1.0, count=P, size=N, length=2.0):
    rng = np.random.default_rng(seed)
    patterns = rng.normal(size=(count, size))
    patterns *= length / np.linalg.norm(patterns, axis=1, keepdims=True)
    query = 0.5 * (patterns[0] + patterns[1 % count]) + 0.3 * rng.normal(size=size)
    return ModernHopfield.from_prior(patterns, beta, np.full(count, -np.log(count))), query


def many(memory, query, copies, **options):
    keys = jax.random.split(jax.random.key(11), copies)
    return jax.jit(jax.vmap(lambda key: event_path(memory, query, key, **options)))(keys)


def stepped(memory, query, copies, t1, dt=0.02, room=400):
    """The same model under the engine: ends, first spikes of the true memory, spike counts."""

    @jax.jit
    @jax.vmap
    def run(key):
        solution = bpc.simulate(
            memory, memory.start(query), t1=t1, dt=dt, key=key, throw=False, max_spikes=room,
            solver=bpc.OrderedSpikes(dfx.Heun(), per_step=12),
        )  # fmt: skip
        hit = jnp.where(solution.spikes.neurons == 0, solution.spikes.times, jnp.inf).min()
        return jax.tree.map(lambda leaf: leaf[0], solution.ys.neuron), hit, solution.ok

    solution, hit, ok = run(jax.random.split(jax.random.key(5), copies))
    assert ok.all()
    return solution, np.asarray(hit)


MODES = {
    "hold": (Hold(), None),
    "shot": (Shot(), None),
    "hold, late": (Hold(), 0.3),
    "visible": (VisibleSpikes(10.0, 0.4), None),
}


@pytest.mark.slow
@pytest.mark.parametrize("name", MODES)
def test_events_and_steps_have_one_law(name):
    # Two-sample Kolmogorov-Smirnov tests of the first passage to memory 0 and of the final
    # state along two directions, 1 in 2,000 by chance each.
    mode, delay = MODES[name]
    energy, query = energy_of()
    memory = SpikingHopfield(energy, 8.0, 1.0, mode, delay=delay)
    copies, t1 = 400, 1.5
    state, hit = stepped(memory, query, copies, t1)
    solution = many(memory, query, 4 * copies, spikes=48, t1=t1)
    assert solution.ok.all()
    np.testing.assert_allclose(solution.t, t1)
    passage = np.where(solution.winners == 0, solution.times, np.inf).min(axis=1)
    # inf would be tied: those that never came are put at the end
    pairs = [(np.minimum(hit, t1), np.minimum(passage, t1))]
    for mu in (0, 1):
        pairs.append(tuple(np.asarray(x @ energy.patterns[mu]) for x in (state.x, solution.x)))
    if mode.visible() is not None:
        pairs.append(
            tuple(np.asarray(s @ energy.patterns[0]) for s in (state.seen, solution.y.seen))
        )
    for one, other in pairs:
        assert stats.ks_2samp(one, other).pvalue > 5e-4, name
    # the total rate is constant: Poisson counts
    counts = np.asarray(solution.count)
    assert abs(counts.mean() - 12.0) < 4 * np.sqrt(12.0 / len(counts))
    assert abs(counts.var() - 12.0) < 5 * 12 * np.sqrt(2 / len(counts))


@pytest.mark.slow
def test_without_noise_the_state_between_spikes_is_exact():
    # one memory: every spike holds the same pattern, so x(t) after the first spike is known
    energy, _ = energy_of(count=1)
    query = jnp.zeros(N)
    path = event_path(
        SpikingHopfield(energy, 3.0, 0.7), query, jax.random.key(2), spikes=40, t1=2.0
    )
    first = path.times[0]
    expected = energy.patterns[0] * (1 - jnp.exp(-(2.0 - first) / 0.7))
    np.testing.assert_allclose(path.x, expected, rtol=1e-12)
    late = event_path(
        SpikingHopfield(energy, 3.0, 0.7, delay=0.5), query, jax.random.key(2), spikes=40, t1=2.0
    )
    np.testing.assert_allclose(late.times, path.times)
    expected = energy.patterns[0] * (1 - jnp.exp(-(1.5 - first) / 0.7))
    np.testing.assert_allclose(late.x, expected, rtol=1e-12)


@pytest.mark.slow
def test_refractory_memories_are_silent_and_the_total_rate_falls():
    # Two equal memories with the query frozen: each is due at R / 2 and silent for D after a
    # spike: a renewal process at the rate 1 / (D + 2 / R) each.
    energy = ModernHopfield(np.zeros((2, 3)), 1.0)
    rate, silent = 20.0, 0.15
    memory = SpikingHopfield(energy, rate, 1.0, refractory=silent)
    solution = many(memory, jnp.zeros(3), 200, spikes=700, t1=20.0)
    assert solution.ok.all()
    expected = 2 * 20.0 / (silent + 2 / rate)
    cv = (2 / rate) / (silent + 2 / rate)
    spread = np.sqrt(expected * cv**2 / 200)
    assert abs(float(solution.count.mean()) - expected) < 4 * spread
    for mu in range(2):
        times = [
            np.asarray(t[w == mu]) for t, w in zip(solution.times, solution.winners, strict=True)
        ]
        assert min(np.diff(t).min() for t in times) >= silent
    with pytest.raises(ValueError, match="event_path"):
        memory.start(jnp.zeros(3))


def test_the_record_says_when_its_room_ends():
    energy, query = energy_of()
    memory = SpikingHopfield(energy, 10.0)
    short = event_path(memory, query, jax.random.key(0), spikes=4, t1=5.0)
    assert not short.ok and short.count == 4
    np.testing.assert_allclose(short.t, short.times[-1])
    free = event_path(memory, query, jax.random.key(0), spikes=4)
    assert free.ok
    np.testing.assert_array_equal(free.winners, short.winners)
    quiet = event_path(memory, query, jax.random.key(0), spikes=4, t1=1e-6)
    assert quiet.ok and quiet.count == 0 and (np.asarray(quiet.winners) == -1).all()
    assert np.isinf(quiet.times).all()


def test_kernel_retrieval_is_the_memory_itself():
    # its scores against those of the visible state that its winners and weights make up (T8)
    energy, query = energy_of(count=7)
    queries = jnp.stack([query, 0.5 * query, energy.patterns[3]])
    memory = SpikingHopfield(energy, 6.0, 1.3)
    retrieval = retrieve(memory, queries, jax.random.key(1), spikes=25)
    states = retrieval.states(energy.patterns, queries)
    np.testing.assert_allclose(retrieval.scores, jax.vmap(energy.scores)(states), atol=1e-12)
    again = retrieve(memory, queries, jax.random.key(1), spikes=25, kernel=gram(memory))
    np.testing.assert_array_equal(retrieval.winners, again.winners)
    assert retrieval.ok.all()


@pytest.mark.slow
def test_kernel_retrieval_and_event_path_have_one_law():
    energy, query = energy_of(beta=0.7)
    memory = SpikingHopfield(energy, 4.0)
    copies = 4000
    one = retrieve(memory, jnp.tile(query, (copies, 1)), jax.random.key(3), spikes=9)
    other = many(memory, query, copies, spikes=9)
    for place in (0, 8):
        table = [np.bincount(np.asarray(r.winners)[:, place], minlength=P) for r in (one, other)]
        assert stats.chi2_contingency(np.array(table)).pvalue > 5e-4
    states = one.states(energy.patterns, jnp.tile(query, (copies, 1)))
    along = [np.asarray(x @ energy.patterns[0]) for x in (states, other.x)]
    assert stats.ks_2samp(*along).pvalue > 5e-4


@pytest.mark.slow
def test_draws_invert_the_cumulated_probabilities_at_any_size():
    from bpcjax.models.memory.retrieve import _draw

    rng = np.random.default_rng(0)
    for count in (1, 2, 3, 7, 50):
        scores = jnp.asarray(rng.normal(size=(1, count)) * 2)
        p = np.asarray(jax.nn.softmax(scores))[0]
        uniform = jnp.linspace(0, 1, 20_001)[:-1]
        drawn = np.asarray(_draw(jnp.tile(scores, (len(uniform), 1)), uniform))
        np.testing.assert_allclose(np.bincount(drawn, minlength=count) / 20_000, p, atol=1e-3)
        assert (np.diff(drawn) >= 0).all()
    extreme = jnp.array([[0.0, -1e6, 1e6, -jnp.inf, 0.0]])
    for u in (0.0, 0.5, 1 - 1e-16, 1.0):
        assert _draw(extreme, jnp.array([u]))[0] == 2


@pytest.mark.slow
@pytest.mark.parametrize("beta", [1e-6, 1e6])
def test_extreme_beta_in_single_precision(beta):
    rng = np.random.default_rng(4)
    patterns = rng.normal(size=(9, 12)).astype(np.float32)
    energy = ModernHopfield(patterns, np.float32(beta), np.zeros(9, np.float32))
    energy = ModernHopfield.from_prior(energy.patterns, energy.beta, jnp.zeros(9, jnp.float32))
    memory = SpikingHopfield(energy, jnp.float32(10.0), jnp.float32(1.0))
    query = patterns[:4] + 0.01
    retrieval = retrieve(memory, jnp.asarray(query), jax.random.key(0), spikes=64)
    assert retrieval.ok.all() and retrieval.scores.dtype == jnp.float32
    path = event_path(memory, jnp.asarray(query[1]), jax.random.key(0), spikes=64)
    assert path.ok and path.x.dtype == jnp.float32
    if beta > 1:  # certain
        np.testing.assert_array_equal(retrieval.recalled, np.arange(4))
        assert (retrieval.winners == np.arange(4)[:, None]).all() and (path.winners == 1).all()
        np.testing.assert_allclose(path.x, patterns[1], atol=1e-2)
    else:  # the prior: uniform, chi-square with 8 degrees of freedom
        seen = np.bincount(np.asarray(retrieval.winners).ravel(), minlength=9)
        assert stats.chisquare(seen).pvalue > 1e-3


@pytest.mark.slow
def test_one_memory_and_duplicates():
    energy, query = energy_of(count=1)
    retrieval = retrieve(SpikingHopfield(energy), query[None], jax.random.key(0), spikes=3)
    assert retrieval.recalled[0] == 0 and retrieval.ok.all()
    twice = ModernHopfield(np.tile(np.asarray(energy.patterns), (2, 1)), 1.0)
    retrieval = retrieve(
        SpikingHopfield(twice), jnp.tile(query, (4000, 1)), jax.random.key(0), spikes=1
    )
    assert abs(float(retrieval.winners.mean()) - 0.5) < 4 * 0.5 / np.sqrt(
        4000
    )  # each half the time


def test_bad_input_is_named():
    energy, query = energy_of()
    memory, key = SpikingHopfield(energy), jax.random.key(0)
    with pytest.raises(ValueError, match="query"):
        event_path(memory, query[:-1], key, spikes=3)
    with pytest.raises(ValueError, match="spikes"):
        event_path(memory, query, key, spikes=0)
    with pytest.raises(ValueError, match="queries"):
        retrieve(memory, jnp.zeros((2, N + 1)), key, spikes=3)
    with pytest.raises(ValueError, match="spikes"):
        retrieve(memory, query[None], key, spikes=0)
    with pytest.raises(ValueError, match="memory: retrieve is for Hold"):
        retrieve(SpikingHopfield(energy, mode=Shot()), query[None], key, spikes=3)
    with pytest.raises(ValueError, match="delay"):
        retrieve(SpikingHopfield(energy, delay=1.0), query[None], key, spikes=3)
    with pytest.raises(ValueError, match="Thermal.value"):
        Thermal(-1.0)
    with pytest.raises(ValueError, match="VisibleSpikes.rate"):
        VisibleSpikes(0.0)
    with pytest.raises(ValueError, match="refractory"):
        SpikingHopfield(energy, refractory=-1.0)
    with pytest.raises(ValueError, match="no bounded rate"):
        thermal = SpikingHopfield(energy, mode=VisibleSpikes(1.0, 1.0, Thermal(0.1)))
        event_path(thermal, query, key, spikes=3)
    with pytest.raises(ValueError, match="mode"):
        LIFMemory(energy, mode=Thermal(0.1))
    bad = jax.vmap(lambda rate: event_path(SpikingHopfield(energy, rate), query, key, spikes=3))
    np.testing.assert_array_equal(bad(jnp.array([1.0, -1.0, jnp.nan])).ok, [True, False, False])


@pytest.mark.slow
def test_numbers_of_two_kinds_mix():
    # a memory in single precision with parameters in double: both forms stay single
    rng = np.random.default_rng(0)
    energy = ModernHopfield(rng.normal(size=(4, 6)).astype(np.float32), jnp.float32(1.0))
    memory = SpikingHopfield(energy, 3.0, 1.0, delay=0.1)
    assert memory.rate.dtype == jnp.float64
    path = event_path(memory, np.zeros(6, np.float32), jax.random.key(0), spikes=5, t1=0.5)
    retrieval = retrieve(
        SpikingHopfield(energy, 3.0), np.zeros((2, 6), np.float32), jax.random.key(0), spikes=5
    )
    assert path.x.dtype == path.times.dtype == retrieval.scores.dtype == jnp.float32
