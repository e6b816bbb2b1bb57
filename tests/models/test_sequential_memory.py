"""Sequential memory on the engine: the same decisions as `sequential_recall`, event by event."""

import diffrax as dfx
import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy import stats

import bpcjax as bpc
from bpcjax.models import (
    FlipLikelihood,
    GaussianLikelihood,
    PoissonLikelihood,
    SequentialMemory,
    StudentLikelihood,
    sequential_recall,
)

ORDERED = bpc.OrderedSpikes(dfx.Euler())  # exact: rates are constant between events
GRID = bpc.GridSpikes()  # for what does not ask for times: it compiles fast
P, N = 12, 20


def problem(kind, seed=0, queries=12, count=P, size=N):
    """An energy with a random prior, its likelihood, and queries drawn from it."""
    rng = np.random.default_rng(seed)
    target = rng.integers(0, count, queries)
    if isinstance(kind, PoissonLikelihood):
        x = rng.gamma(2.0, 1.0, (count, size)) + 0.2
        y = rng.poisson(x[target]).astype(float)
    elif isinstance(kind, FlipLikelihood):
        x = np.where(rng.random((count, size)) < 0.5, -1.0, 1.0)
        y = x[target] * np.where(rng.random((queries, size)) < 0.2, -1, 1)
    else:
        x = rng.standard_normal((count, size))
        y = x[target] + 0.8 * rng.standard_normal((queries, size))
    prior = np.log(rng.dirichlet(np.ones(count)))
    return bpc.energies.ModernHopfield.from_prior(x, 1.0, prior), y, rng


def run(memory, y, t1=N + 1.0, dt=1.0, solver=ORDERED, throw=False):
    return bpc.simulate(
        memory, memory.start(), y, t1=t1, dt=dt, solver=solver, max_spikes=4, throw=throw
    )


def batch(energy, likelihood, theta, solver=ORDERED, dt=1.0):
    """Runs, one a query and its train of events: states, decisions, posteriors, spikes."""

    @jax.jit
    def ends(trains, y):
        def one(times, channels, y):
            source = bpc.SpikeTrain(times, channels, y.shape[0])
            memory = SequentialMemory(energy, likelihood, source, theta=theta)
            end = run(memory, y, dt=dt, solver=solver)
            log_post = jnp.log(memory.posterior(end.final))
            return end.ok, end.final, memory.decision(end.final), log_post, end.spikes

        return jax.vmap(one)(trains.times, trains.neurons, y)

    return ends


def trains_of(order, seen, block):
    return jax.vmap(lambda s: SequentialMemory.events(order, s, block=block))(jnp.asarray(seen))


@pytest.mark.slow
@pytest.mark.parametrize(
    "likelihood",
    [
        GaussianLikelihood(0.8),
        StudentLikelihood(0.7, 0.4),
        FlipLikelihood(0.2),
        PoissonLikelihood(),
    ],
)
def test_equals_the_batched_form(likelihood):
    energy, y, rng = problem(likelihood)
    order, ends = rng.permutation(N), batch(energy, likelihood, 2.5)
    for block, whole in [(1, True), (1, False), (3, True), (7, False)]:
        seen = np.ones(y.shape, bool) if whole else rng.random(y.shape) < 0.6
        given = np.where(seen, y, np.nan)
        batched = sequential_recall(
            energy, given, theta=2.5, likelihood=likelihood, order=order, block=block, seen=seen
        )
        ok, final, decision, log_post, spikes = ends(trains_of(order, seen, block), given)
        assert ok.all() and batched.ok.all()
        alive = np.asarray(batched.alive)
        np.testing.assert_array_equal(final.alive, alive)
        np.testing.assert_array_equal(decision, batched.decision)
        np.testing.assert_array_equal(final.count, batched.used)
        expected = np.log(np.asarray(batched.posterior)[alive])
        np.testing.assert_allclose(np.asarray(log_post)[alive], expected, atol=1e-10)
        # One spike where one is left, of that memory, as the block of its last entry arrives.
        certain = np.asarray(batched.certain)
        assert 0 < certain.sum()
        np.testing.assert_array_equal(spikes.count, certain)
        winner = np.where(certain, batched.decision, -1)
        np.testing.assert_array_equal(spikes.neurons[:, 0], winner)
        rank = np.argsort(order)
        for q in np.flatnonzero(certain):
            last = np.sort(rank[seen[q]])[int(batched.used[q]) - 1]
            np.testing.assert_allclose(spikes.times[q, 0], last // block + 1, rtol=1e-12)
            np.testing.assert_allclose(final.lived[q].max(), N + 1.0, rtol=1e-12)


@pytest.mark.slow
def test_grid_spikes_decide_alike_and_local_spikes_refuse():
    likelihood = GaussianLikelihood(0.8)
    energy, y, _ = problem(likelihood)
    trains = trains_of(np.arange(N), np.ones(y.shape, bool), 1)
    _, final, _, _, spikes = batch(energy, likelihood, 2.5)(trains, y)
    grid = batch(energy, likelihood, 2.5, GRID, 0.25)(trains, y)
    np.testing.assert_array_equal(grid[1].alive, final.alive)
    np.testing.assert_allclose(grid[1].u, final.u, atol=1e-12)
    np.testing.assert_array_equal(grid[-1].neurons, spikes.neurons)
    late = np.asarray(grid[-1].times - spikes.times)[np.asarray(spikes.count) > 0, 0]
    assert (late > 0).all() and (late <= 0.5 + 1e-9).all()  # two steps: silence, then the spike
    memory = SequentialMemory(energy, likelihood, SequentialMemory.events(np.arange(N)), theta=2.5)
    with pytest.raises(ValueError, match="LocalSpikes"):
        run(memory, y[0], solver=bpc.LocalSpikes())


def poisson_trains(rng, rates, duration, room):
    """Events of Poisson inputs [Q, N] in a window: times and channels [Q, room], padded."""
    counts = rng.poisson(rates * duration)
    times, channels = np.full((len(rates), room), np.inf), np.full((len(rates), room), -1)
    for q, row in enumerate(counts):
        own = np.repeat(np.arange(len(row)), row)
        times[q, : len(own)], channels[q, : len(own)] = rng.uniform(0, duration, len(own)), own
    return times, channels, counts


def filtered(energy, times, channels, theta, duration, seen=None):
    """Ends of Bayes' filter in continuous time, one a train."""

    @jax.jit
    def all_ends(times, channels):
        def one(times, channels):
            source = bpc.SpikeTrain(times, channels, energy.patterns.shape[1])
            memory = SequentialMemory(
                energy, PoissonLikelihood(), source, theta=theta, duration=duration
            )
            solver = bpc.OrderedSpikes(dfx.Euler(), per_step=24)
            end = run(memory, seen, t1=duration, dt=duration / 50, solver=solver)
            return end.ok, memory.decision(end.final), memory.posterior(end.final), end

        return jax.vmap(one)(times, channels)

    return all_ends(jnp.asarray(times), jnp.asarray(channels))


@pytest.mark.slow
def test_poisson_events_at_any_time_sum_to_the_batched_posterior():
    energy, _, rng = problem(PoissonLikelihood(), count=5, size=6)
    seen = np.arange(6) != 2
    rates = np.asarray(energy.patterns)[rng.integers(0, 5, 20)] / 2.0 * seen
    times, channels, counts = poisson_trains(rng, rates, 2.0, 64)
    ok, _, posterior, _ = filtered(energy, times, channels, np.inf, 2.0, seen * 1.0)
    batched = sequential_recall(
        energy, counts, theta=np.inf, likelihood=PoissonLikelihood(), seen=seen
    )
    assert ok.all()
    np.testing.assert_allclose(posterior, batched.posterior, rtol=1e-10, atol=1e-12)


@pytest.mark.slow
def test_poisson_filter_and_its_fine_bins_have_one_law():
    """Bayes' filter, tested at all times, against `sequential_recall` of other draws in bins, each
    an entry, tested after every bin: 400 queries each, and the same share right as without
    silence, but for Ville's bound."""
    count, size, bins, queries, theta = 5, 4, 100, 400, 4.0
    rng = np.random.default_rng(2)
    means = rng.gamma(2.0, 2.0, (count, size)) + 0.5
    flat = bpc.energies.ModernHopfield.from_prior(means, 1.0, np.zeros(count))
    target = rng.integers(0, count, (2, queries))
    times, channels, _ = poisson_trains(rng, means[target[0]], 1.0, 96)
    ok, decision, _, end = filtered(flat, times, channels, theta, 1.0)
    assert ok.all()

    wide = np.tile(means / bins, bins)  # entries in the order of their bins
    y = rng.poisson(wide[target[1]]).astype(float)
    fine = bpc.energies.ModernHopfield.from_prior(wide, 1.0, np.zeros(count))
    batched = sequential_recall(fine, y, theta=theta, likelihood=PoissonLikelihood(), block=size)
    right = np.array([(decision == target[0]).sum(), (batched.decision == target[1]).sum()])
    assert stats.chi2_contingency([right, queries - right]).pvalue > 0.01
    fired = np.array([(end.spikes.count > 0).sum(), batched.certain.sum()])
    assert 0.2 * queries < fired[1] < 0.98 * queries  # else the test says little
    assert stats.chi2_contingency([fired, queries - fired]).pvalue > 0.01
    mine = np.asarray(end.spikes.times[:, 0])[np.asarray(end.spikes.count) > 0]
    theirs = np.asarray(batched.used)[np.asarray(batched.certain)] / (size * bins)
    assert stats.ks_2samp(mine, theirs).pvalue > 0.01
    # It can fail: with another theta the times are others.
    early = sequential_recall(fine, y, theta=2.0, likelihood=PoissonLikelihood(), block=size)
    other = np.asarray(early.used)[np.asarray(early.certain)] / (size * bins)
    assert stats.ks_2samp(mine, other).pvalue < 1e-3


@pytest.mark.slow
def test_silence_speaks_at_its_exact_time():
    """Without an event the odds for the mean 1 against 5 grow by 4 in the window of 2, that is by
    2 t: the other falls silent, and the first fires, at theta / 2; by theta that is 1 / 2."""
    energy = bpc.energies.ModernHopfield.from_prior([[5.0], [1.0]], 1.0, np.zeros(2))
    nothing = bpc.SpikeTrain(jnp.array([jnp.inf]), jnp.array([-1]), 1)

    def fires(theta):
        memory = SequentialMemory(energy, PoissonLikelihood(), nothing, theta=theta, duration=2.0)
        end = run(memory, None, t1=2.0, dt=0.11)
        return end.spikes.times[0], (end.spikes.neurons[0], end.final)

    when, (winner, final) = jax.jit(fires)(1.5)
    assert winner == 1
    np.testing.assert_allclose(when, 0.75, rtol=1e-12)
    np.testing.assert_allclose(final.lived, [0.75, 2.0], rtol=1e-12)
    slope = jax.jit(jax.grad(lambda theta: fires(theta)[0]))(1.5)
    np.testing.assert_allclose(slope, 0.5, rtol=1e-9)


@pytest.mark.slow
def test_ties_never_part_and_one_memory_fires_at_once():
    rng = np.random.default_rng(6)
    x = np.repeat(rng.standard_normal((1, 6)), 2, axis=0)
    train = SequentialMemory.events(np.arange(6))
    likelihood = GaussianLikelihood(1.0)
    twins = bpc.energies.ModernHopfield.from_prior(x, 1.0, np.zeros(2))
    memory = SequentialMemory(twins, likelihood, train, theta=0.5)
    end = run(memory, x[0], t1=7.0, solver=GRID)
    assert end.ok and end.spikes.count == 0 and end.final.alive.all() and end.final.count == 6
    np.testing.assert_allclose(memory.posterior(end.final), 0.5)
    alone = bpc.energies.ModernHopfield.from_prior(x[:1], 1.0, np.zeros(1))
    memory = SequentialMemory(alone, likelihood, train, theta=0.5)
    end = run(memory, x[0], t1=7.0)
    assert end.ok and end.spikes.count == 1 and end.spikes.times[0] == 0
    assert end.final.count == 0 and memory.decision(end.final) == 0  # no entry was needed


@pytest.mark.slow
def test_cut_is_the_whole_and_events_come_in_any_order():
    likelihood = GaussianLikelihood(0.8)
    energy, y, rng = problem(likelihood)
    train = SequentialMemory.events(np.arange(N))
    mixed = rng.permutation(N)
    other = bpc.SpikeTrain(train.times[mixed], train.neurons[mixed], N)
    memory = SequentialMemory(energy, likelihood, train, theta=2.5)
    whole = run(memory, y[3])
    again = run(eqx.tree_at(lambda m: m.source, memory, other), y[3])
    assert whole.spikes.count == 1 and whole.spikes.times[0] > 3
    first = bpc.simulate(memory, memory.start(), y[3], t1=3.0, dt=1.0, solver=ORDERED)
    then = bpc.simulate(memory, first.restart, y[3], t1=N + 1.0, max_spikes=4)
    assert first.final.count == 2  # the entry at the cut is one of the run that goes on
    for end in (again, then):
        assert end.spikes.neurons[0] == whole.spikes.neurons[0]
        np.testing.assert_allclose(end.spikes.times, whole.spikes.times, rtol=1e-12)
        for a, b in zip(end.final, whole.final, strict=True):
            np.testing.assert_allclose(a, b, atol=1e-12)


@pytest.mark.slow
def test_single_precision():
    likelihood = GaussianLikelihood(0.8)
    energy, y, _ = problem(likelihood)
    batched = sequential_recall(energy, y, theta=4.0, likelihood=likelihood, block=1)
    with jax.enable_x64(False):
        energy, y, _ = problem(GaussianLikelihood(0.8))
        trains = trains_of(np.arange(N), np.ones(y.shape, bool), 1)
        ends = batch(energy, GaussianLikelihood(0.8), 4.0)
        ok, final, decision, _, _ = ends(trains, jnp.asarray(y))
        assert ok.all() and {leaf.dtype for leaf in final} == {jnp.dtype(jnp.float32)}
        np.testing.assert_array_equal(decision, batched.decision)


@pytest.mark.slow
def test_landscape_of_the_survivors():
    likelihood = GaussianLikelihood(0.8)
    energy, y, _ = problem(likelihood, size=2, count=6)
    memory = SequentialMemory(energy, likelihood, SequentialMemory.events(np.arange(2)), theta=1.0)
    end = run(memory, y[1], t1=3.0, solver=GRID)
    alive = np.asarray(end.final.alive) > 0.5
    assert 0 < alive.sum() < 6
    left = memory.survivors(end.final)
    selected = bpc.energies.ModernHopfield(energy.patterns[alive], energy.beta, energy.bias[alive])
    plane = bpc.analysis.plane(jnp.zeros(2), jnp.array([1.0, 0.0]), jnp.array([0.0, 1.0]))
    maps = [bpc.analysis.energy_slice(e, plane, points=energy.patterns) for e in (left, selected)]
    assert np.isfinite(maps[0].energy).all()
    np.testing.assert_allclose(maps[0].energy, maps[1].energy, rtol=1e-12)
    assert np.isfinite(jax.grad(left)(jnp.asarray(y[1]))).all()


@pytest.mark.slow
def test_an_entry_without_a_likelihood_ends_the_run_by_name():
    likelihood = FlipLikelihood(0.2)
    energy, y, _ = problem(likelihood)
    bad = y[0].copy()
    bad[2] = 0.5  # no sign
    memory = SequentialMemory(energy, likelihood, SequentialMemory.events(np.arange(N)), theta=50.0)
    assert not run(memory, bad, solver=GRID).ok
    seen = np.arange(N) != 2
    unseen = eqx.tree_at(lambda m: m.source, memory, SequentialMemory.events(np.arange(N), seen))
    assert run(unseen, bad, solver=GRID).ok


@pytest.mark.parametrize(
    ("name", "bad"),
    [
        ("theta", dict(theta=0.0)),
        ("theta", dict(theta=np.nan)),
        ("theta", dict(theta=np.ones(3))),
        ("source", dict(source=SequentialMemory.events(np.arange(N - 1)))),
        ("duration", dict(duration=1.0)),
        ("patterns", dict(likelihood=PoissonLikelihood())),
        ("order", dict(order=np.zeros(N, int))),
        ("order", dict(order=np.zeros((2, N), int))),
        ("seen", dict(seen=np.ones(N - 1, bool))),
        ("block", dict(block=0)),
        ("args", dict(y=np.zeros(N - 1))),
    ],
)
def test_bad_input_is_named(name, bad):
    energy, y, _ = problem(GaussianLikelihood(0.8))
    given = dict(likelihood=GaussianLikelihood(0.8), theta=3.0, duration=None) | bad
    with pytest.raises(ValueError, match=name):
        train = SequentialMemory.events(
            bad.get("order", np.arange(N)), bad.get("seen"), block=bad.get("block", 1)
        )
        memory = SequentialMemory(
            energy, given["likelihood"], bad.get("source", train),
            theta=given["theta"], duration=given["duration"],
        )  # fmt: skip
        run(memory, bad.get("y", y[0]))
