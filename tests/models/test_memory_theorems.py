"""Theorems of the spiking memory: each law that its spikes obey, with the constant predicted."""

import diffrax as dfx
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy import linalg, stats
from scipy.special import lambertw

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
    log_mean_latency,
    retrieve,
    sample_first_spike,
)


def memory_of(seed, count, size, length, beta):
    """Patterns on a sphere, and a query near the first one."""
    rng = np.random.default_rng(seed)
    patterns = rng.normal(size=(count, size))
    patterns *= length / np.linalg.norm(patterns, axis=1, keepdims=True)
    query = patterns[0] + 0.4 * rng.normal(size=size)
    return ModernHopfield(patterns, beta), jnp.asarray(query)


def ends(memory, query, copies, t1, room, seed=3):
    """Visible states at `t1`, of so many independent runs."""

    @jax.jit
    def run(memory, keys):
        def one(key):
            path = event_path(memory, query, key, spikes=room, t1=t1)
            return path.x, path.ok

        return jax.vmap(one)(keys)

    x, ok = run(memory, jax.random.split(jax.random.key(seed), copies))
    assert ok.all()
    return np.asarray(x)


def room_for(mean):
    return int(mean + 8 * np.sqrt(mean) + 16)


def covariance(energy, p):
    """Cov_p of the patterns."""
    patterns = np.asarray(energy.patterns)
    mean = p @ patterns
    return patterns.T @ (p[:, None] * patterns) - np.outer(mean, mean)


def attractor(energy, query):
    x = jax.lax.fori_loop(0, 20_000, lambda _, x: energy.update(x), query)
    np.testing.assert_allclose(x, energy.update(x), atol=1e-12)
    return x


@pytest.mark.slow
@pytest.mark.parametrize("mode", [Hold(), Shot()], ids=["hold", "shot"])
def test_t1_spikes_converge_to_the_flow_at_one_over_the_root_of_the_rate(mode):
    # E|x_R - x|^2 = O(1 / (R tau)): slope -1/2 of the rms error, with its 95 % interval
    energy, query = memory_of(0, 6, 16, 2.0, 1.0)
    rates, t1, copies = np.array([100.0, 200.0, 400.0, 800.0]), 1.5, 400
    flow = bpc.simulate(bpc.GradientFlow(energy), query, t1=t1, dt=0.01).ys[0]
    squares = []
    for rate in rates:
        memory = SpikingHopfield(energy, rate, 1.0, mode)
        x = ends(memory, query, copies, t1, room_for(rate * t1))
        squares.append(np.sum((x - np.asarray(flow)[None]) ** 2, axis=1))
    squares = np.array(squares)

    def slope(rows):
        return np.polyfit(np.log(rates), 0.5 * np.log(rows.mean(axis=1)), 1)[0]

    rng = np.random.default_rng(0)
    again = [slope(squares[:, rng.integers(copies, size=copies)]) for _ in range(200)]
    assert abs(slope(squares) + 0.5) < 0.06
    low, high = np.quantile(again, [0.025, 0.975])
    assert low < -0.45 and high > -0.55 and high - low < 0.1, (low, high)


def test_t2_the_error_of_a_readout_is_the_posterior_variance_over_the_spikes():
    # mean of S patterns drawn at a frozen query: unbiased, mean square error tr Cov_p / S
    energy, query = memory_of(1, 6, 16, 2.0, 1.0)
    copies = 8000
    p = np.asarray(energy.posterior(query))
    attention = np.asarray(energy.update(query))
    frozen = SpikingHopfield(energy, 1.0, 1e12)
    retrieval = retrieve(frozen, jnp.tile(query, (copies, 1)), jax.random.key(0), spikes=64)
    drawn = np.asarray(energy.patterns)[np.asarray(retrieval.winners)]
    expected = np.trace(covariance(energy, p))
    assert expected > 0.5  # the query is ambiguous enough
    for spikes in (1, 4, 16, 64):
        error = drawn[:, :spikes].mean(axis=1) - attention[None]
        square = np.sum(error**2, axis=1)
        assert abs(square.mean() - expected / spikes) < 3 * square.std() / np.sqrt(copies)
        spread = error.std(axis=0) / np.sqrt(copies)
        assert np.sum((error.mean(axis=0) / spread) ** 2) < stats.chi2.ppf(0.999, 16)
    wrong = np.mean(np.asarray(retrieval.winners)[:, 0] != p.argmax())  # first-spike decision
    assert abs(wrong - (1 - p.max())) < 3 * np.sqrt(p.max() * (1 - p.max()) / copies)


@pytest.mark.slow
@pytest.mark.parametrize("mode", [Hold(), Shot()], ids=["hold", "shot"])
def test_t3_fluctuations_at_an_attractor(mode):
    # A C + C A' = D, A = 1 - beta Cov_p, D = 2 Cov_p / R (hold), E_p[x x'] / R (shot), tau = 1
    energy, query = memory_of(0, 6, 16, 2.0, 1.5)
    rest = attractor(energy, query)
    p = np.asarray(energy.posterior(rest))
    patterns = np.asarray(energy.patterns)
    cov = covariance(energy, p)
    for rate, copies in ((100.0, 8000), (400.0, 8000)):
        second = patterns.T @ (p[:, None] * patterns)
        noise = (2 * cov if isinstance(mode, Hold) else second) / rate
        a = np.eye(16) - float(energy.beta) * cov
        expected = np.trace(linalg.solve_continuous_lyapunov(a, noise))
        x = ends(SpikingHopfield(energy, rate, 1.0, mode), rest, copies, 5.0, room_for(rate * 5))
        # 5 % is for the theorem, which holds to leading order in 1 / R; 3 standard errors of the
        # estimate are for the sample
        square = np.sum((x - x.mean(axis=0)[None]) ** 2, axis=1)
        error = 3 * square.std() / np.sqrt(copies)
        assert abs(square.mean() - expected) < 0.05 * expected + error, (rate, square.mean())
        assert error < 0.08 * expected


@pytest.mark.slow
@pytest.mark.parametrize("rate", [0.3, 2.0, 20.0])
def test_t4_thermal_spikes_sample_the_mixture_exactly_at_every_rate(rate):
    # stationary law of exp(-beta E), pi_mu N(x_mu, 1 / beta), for ANY rate: its second moment in
    # closed form, its mean energy and its marginal against independent draws of the mixture
    rng = np.random.default_rng(2)
    beta, copies = 2.0, 4000
    patterns = rng.normal(size=(5, 4))
    energy = ModernHopfield(patterns, beta)
    log_weight = beta * 0.5 * np.sum(patterns**2, axis=1)  # the prior of plain patterns
    weight = np.exp(log_weight - log_weight.max())
    weight /= weight.sum()
    second = float(weight @ np.sum(patterns**2, axis=1) + 4 / beta)
    place = rng.choice(5, size=50_000, p=weight)
    exact = patterns[place] + rng.normal(size=(50_000, 4)) / np.sqrt(beta)
    energies = np.asarray(jax.vmap(energy)(exact))
    t1 = 12.0 + 12.0 / rate
    starts = jnp.asarray(patterns[rng.choice(5, size=copies, p=weight)])

    def sampled(temperature):
        memory = SpikingHopfield(energy, rate, 1.0, Thermal(temperature))
        run = jax.jit(
            jax.vmap(lambda y, k: event_path(memory, y, k, spikes=room_for(rate * t1), t1=t1))
        )
        solution = run(starts, jax.random.split(jax.random.key(9), copies))
        assert solution.ok.all()
        return np.asarray(solution.x)

    x = sampled(1 / beta)
    square = np.sum(x**2, axis=1)
    assert abs(square.mean() - second) < 3.5 * square.std() / np.sqrt(copies)
    mine = np.asarray(jax.vmap(energy)(x))
    spread = np.hypot(mine.std() / np.sqrt(copies), energies.std() / np.sqrt(50_000))
    assert abs(mine.mean() - energies.mean()) < 3.5 * spread
    assert stats.ks_2samp(mine, energies).pvalue > 1e-3
    if rate == 2.0:  # the test can fail: another temperature has another law
        hot = np.asarray(jax.vmap(energy)(sampled(1.5 / beta)))
        assert stats.ks_2samp(hot, energies).pvalue < 1e-6


@pytest.mark.slow
def test_t5_visible_spikes_blur_the_posterior_as_one_over_the_root_of_their_rate():
    # p from Poisson counts in one window: rms sqrt(tr(J S J) / r), bias |Hess : S| / (2 r) with
    # S = beta^2 X diag|x| X', J = diag p - p p'
    energy, query = memory_of(5, 5, 8, 1.5, 1.0)
    patterns, x = np.asarray(energy.patterns), np.asarray(query)
    p = np.asarray(energy.posterior(query))
    s = patterns @ np.diag(np.abs(x)) @ patterns.T
    j = np.diag(p) - np.outer(p, p)
    hessian = jax.hessian(jax.nn.softmax)(energy.scores(query))
    bias = 0.5 * np.einsum("kij,ij->k", hessian, s)
    rng = np.random.default_rng(0)
    rates, copies, result, biases = np.array([300.0, 1000.0, 3000.0]), 200_000, [], []
    for rate in rates:
        seen = np.sign(x) * rng.poisson(rate * np.abs(x), size=(copies, 8)) / rate
        error = np.asarray(jax.vmap(energy.posterior)(jnp.asarray(seen))) - p[None]
        result.append(np.sqrt(np.mean(np.sum(error**2, axis=1))))
        biases.append(np.linalg.norm(error.mean(axis=0)))
        np.testing.assert_allclose(result[-1], np.sqrt(np.trace(j @ s @ j) / rate), rtol=0.02)
    slope = np.polyfit(np.log(rates), np.log(result), 1)[0]
    assert abs(slope + 0.5) < 0.01
    np.testing.assert_allclose(biases[0], np.linalg.norm(bias) / rates[0], rtol=0.15)
    assert abs(np.polyfit(np.log(rates[:2]), np.log(biases[:2]), 1)[0] + 1) < 0.3


@pytest.mark.slow
def test_t5_the_trace_of_visible_spikes_has_the_predicted_noise():
    # exponential trace of the model itself, query frozen: covariance of the scores
    # beta^2 X diag|x| X' / (2 r tau_u), mean that of the graded memory
    energy, query = memory_of(5, 5, 8, 1.5, 1.0)
    rate, tau = 40.0, 0.5
    memory = SpikingHopfield(energy, 1.0, 1e9, VisibleSpikes(rate, tau))

    @jax.jit
    def run(keys):
        return jax.vmap(lambda key: event_path(memory, query, key, spikes=40, t1=4.0))(keys)

    solution = run(jax.random.split(jax.random.key(0), 600))
    assert solution.ok.all()
    scores = np.asarray(jax.vmap(energy.scores)(solution.y.seen))
    patterns, x = np.asarray(energy.patterns), np.asarray(query)
    expected = patterns @ np.diag(np.abs(x)) @ patterns.T / (2 * rate * tau)
    np.testing.assert_allclose(
        np.cov(scores.T), expected, atol=5 * np.abs(expected).max() / np.sqrt(600)
    )
    spread = np.sqrt(np.diag(expected) / 600)
    shift = (scores.mean(axis=0) - np.asarray(energy.scores(query))) / spread
    assert np.abs(shift).max() < 4
    heard = rate * np.abs(x).sum() * 4.0
    assert abs(float(solution.heard.mean()) - heard) < 4 * np.sqrt(heard / 600)


@pytest.mark.slow
def test_t6_delay_does_not_destabilise_retrieval():
    # s = -1 + lambda e^{-s d} for an eigenvalue lambda of J in [0, 1): the rightmost root is
    # W(lambda d e^d) / d - 1 < 0; the memory itself, at three delays, comes back and stays
    energy, query = memory_of(0, 6, 16, 2.0, 1.5)
    rest = attractor(energy, query)
    j = np.asarray(jax.jacfwd(energy.update)(rest))
    np.testing.assert_allclose(j, j.T, atol=1e-12)
    largest = np.linalg.eigvalsh(j)
    assert largest[0] > -1e-12 and largest[-1] < 1
    rate, copies = 200.0, 40
    begin = rest + 0.3 * (query - rest)
    for delay in (0.2, 1.0, 4.0):
        root = np.real(lambertw(largest[-1] * delay * np.exp(delay))) / delay - 1
        assert root < 0
        t1 = 2 * delay - 6 / root
        memory = SpikingHopfield(energy, rate, 1.0, delay=delay)
        x = ends(memory, begin, copies, t1, room_for(rate * t1))
        away = np.linalg.norm(x - np.asarray(rest)[None], axis=1)
        # its noise: twice the largest variance per direction that T3 gives without delay
        noise = np.sqrt(4 * np.trace(covariance(energy, np.asarray(energy.posterior(rest)))) / rate)
        assert away.mean() < noise, (delay, away.mean(), noise)
        assert noise < 0.5 * np.linalg.norm(begin - rest)


@pytest.mark.slow
def test_t7_latency_tells_the_energy():
    # first spike of uninhibited memories: Exp(rho exp(lse u)), E[T] from the energy exactly
    energy, query = memory_of(3, 7, 12, 1.5, 1.3)
    rate, copies = 0.7, 40_000
    exact = -jnp.log(rate) - jax.nn.logsumexp(energy.scores(query))
    np.testing.assert_allclose(log_mean_latency(energy, query, rate), exact, rtol=1e-12)
    keys = jax.random.split(jax.random.key(1), copies)
    logs, winners = jax.vmap(lambda key: sample_first_spike(energy, query, key, rate=rate))(keys)
    times = np.exp(np.asarray(logs - exact))
    assert stats.kstest(times, "expon").pvalue > 1e-3
    seen = np.bincount(np.asarray(winners), minlength=7)
    assert stats.chisquare(seen, copies * np.asarray(energy.posterior(query))).pvalue > 1e-3
    top = np.asarray(winners) == int(energy.posterior(query).argmax())
    assert stats.ks_2samp(times[top], times[~top]).pvalue > 1e-3  # whoever wins
    # rates that no float32 holds
    sharp = ModernHopfield(energy.patterns.astype(jnp.float32), jnp.float32(1e6))
    late, _ = sample_first_spike(sharp, query.astype(jnp.float32), jax.random.key(0))
    assert np.isclose(float(late), float(-jax.nn.logsumexp(sharp.scores(query))), rtol=1e-4)


@pytest.mark.slow
def test_a_leaky_circuit_comes_near_the_ideal_memory():
    # Circuit of leaky neurons and a spiking inhibitory unit: winners follow the posterior as its
    # membrane is fast (total variation below the sampling noise plus 2 %), not where it is slow
    # or where potentials drop after a spike; the total rate is kept.
    energy, query = memory_of(1, 6, 16, 2.0, 1.0)
    p = np.asarray(energy.posterior(query))
    rate, t1, copies = 50.0, 6.0, 16

    def winners(**circuit):
        memory = LIFMemory(energy, rate, 1e9, **circuit)

        @jax.jit
        @jax.vmap
        def run(key):
            solution = bpc.simulate(
                memory, memory.start(query), t1=t1, dt=0.01, key=key, max_spikes=1000,
                throw=False, solver=bpc.OrderedSpikes(dfx.Heun(), per_step=12),
            )  # fmt: skip
            return solution.spikes.neurons, solution.ok

        neurons, ok = run(jax.random.split(jax.random.key(0), copies))
        assert ok.all()
        return np.asarray(neurons)[np.asarray(neurons) >= 0]

    def distance(drawn):
        return 0.5 * np.abs(np.bincount(drawn, minlength=6) / drawn.size - p).sum()

    ideal = winners()
    sampling = 0.5 * np.sum(np.sqrt(2 / np.pi * p * (1 - p) / ideal.size))
    assert distance(ideal) < 2.5 * sampling + 0.02
    assert abs(ideal.size / (copies * t1) - rate) < 0.05 * rate
    tired = winners(drop=1.0, membrane=0.1)
    assert distance(tired) > distance(ideal) + 0.02
