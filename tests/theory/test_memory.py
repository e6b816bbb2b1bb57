"""Equidistant modern Hopfield networks, capacities and phasors: other routes and simulations."""

import numpy as np
import pytest
from scipy.optimize import root
from scipy.special import softmax

from theory.closed_forms import capacity, modern_hopfield as modern, phasor


def close(actual, desired, rtol=1e-10, atol=0.0):
    np.testing.assert_allclose(actual, desired, rtol=rtol, atol=atol)


def equidistant(count, overlap):
    """Patterns of length 1 with that mutual overlap: rows of the root of their Gram matrix."""
    gram = np.full((count, count), overlap) + (1 - overlap) * np.eye(count)
    values, vectors = np.linalg.eigh(gram)
    return vectors * np.sqrt(np.maximum(values, 0)) @ vectors.T


def full_energy(x, patterns, beta):
    scores = beta * patterns @ x
    return 0.5 * x @ x - (np.log(np.exp(scores - scores.max()).sum()) + scores.max()) / beta


# --- equidistant patterns -------------------------------------------------------------------------


def test_spinodals_and_equal_energies():
    # Independent minimisation of b(w).
    result = np.array([modern.spinodal(count) for count in (2, 3, 10)])
    close(result[:, 0], [2, 2.745644, 4.559779], atol=5e-7, rtol=0)
    close(result[:, 1], [0.5, 0.584800, 0.729395], atol=5e-7, rtol=0)
    b = [modern.equal_energy(count) for count in (2, 3, 10)]
    close(b, [2, 2.772589, 4.943755], atol=5e-7, rtol=0)
    w = np.linspace(0.12, 0.999, 100_001)
    close(modern.inverse_temperature(w, 10).min(), modern.spinodal(10).b, 1e-8)
    # b(w) as it is usually written.
    close(modern.inverse_temperature(w, 10), 9 / (10 * w - 1) * np.log(9 * w / (1 - w)), 1e-9)


def test_memory_and_mean_have_one_energy_at_the_weight_known():
    for count in (3, 10, 1000):
        b = modern.equal_energy(count)
        weight = modern.branches(b, count)[1]
        close(weight, (count - 1) / count)
        energies = [modern.energy(w, b, count, overlap=0.3) for w in (weight, 1 / count)]
        close(energies[0], energies[1], 1e-13)


@pytest.mark.parametrize("count, shared, overlap", [(5, 1, 0.0), (5, 2, 0.4), (6, 3, -0.1)])
def test_states_are_fixed_points_of_the_network_with_those_eigenvalues(count, shared, overlap):
    patterns, b = equidistant(count, overlap), 7.0
    beta = b / (1 - overlap)
    for weight in modern.branches(b, count, shared):
        p = modern.weights(weight, count, shared)
        x = patterns.T @ p
        close(softmax(beta * patterns @ x), p, 1e-12)
        value = modern.energy(weight, b, count, shared, overlap)
        close(full_energy(x, patterns, beta), value)
        jacobian = beta * patterns.T @ (np.diag(p) - np.outer(p, p)) @ patterns
        known = modern.eigenvalues(weight, b, count, shared)
        known = [0.0] + [value for value, times in known for _ in range(times)]
        close(np.linalg.eigvalsh(jacobian), np.sort(known), 1e-9, 1e-12)


def test_what_is_stable():
    for count in (2, 3, 10, 50):
        start = modern.spinodal(count).b
        for b in (start * (1 + 1e-6), 0.5 * (start + count) + 1e-3, count + 2.0):
            low, high = modern.branches(b, count)
            assert max(value for value, _ in modern.eigenvalues(high, b, count)) < 1
            if b < count:
                assert max(value for value, _ in modern.eigenvalues(low, b, count)) > 1
            mean = [value for value, _ in modern.eigenvalues(1 / count, b, count)]
            close(mean, b / count)
            for shared in range(2, count // 2 + 1):  # mixtures
                w = modern.branches(b, count, shared)[1]
                if not np.isnan(w):
                    assert max(v for v, _ in modern.eigenvalues(w, b, count, shared)) > 1


def test_the_spinodal_is_where_the_eigenvalue_of_the_memory_is_one():
    for count in (3, 10, 1000, 100_000):
        b, weight = modern.spinodal(count)
        close(modern.eigenvalues(weight, b, count)[-1][0], 1, 1e-9)
        close(modern.branches(b, count), weight)
        assert np.isnan(modern.branches(b * (1 - 1e-9), count)).all()


def test_the_branch_is_the_limit_at_the_mean_and_at_large_b():
    close(modern.inverse_temperature(0.1 * (1 + 1e-9), 10), 10, 1e-8)
    close(modern.inverse_temperature(0.1, 10), 10)
    low, high = modern.branches(200.0, 10)
    # p_other = exp(-b): 9 of them.
    assert high == 1 and 0 < low < 1e-3
    close(1 - modern.branches(20.0, 10)[1], 9 * np.exp(-20.0), 1e-5)


@pytest.mark.parametrize("b, count, total", [(2.7, 3, 1), (2.76, 3, 7), (3.5, 4, 9), (4.5, 4, 15)])
def test_the_census_finds_every_fixed_point(b, count, total):
    assert modern.census(b, count).sum() + 1 == total
    key, result = np.random.default_rng(2), []
    for guess in key.dirichlet(np.full(count, 0.5), 60 * count):
        hit = root(lambda p: softmax(b * p) - p, guess, tol=1e-12)
        if np.abs(softmax(b * hit.x) - hit.x).max() < 1e-11:
            result.append(hit.x)
    different = np.unique(np.round(result, 6), axis=0)
    assert len(different) == total
    for k, expected in enumerate(modern.census(b, count), start=1):
        top = [p for p in different if np.ptp(p) > 1e-4 and (p > p.max() - 1e-4).sum() == k]
        assert len(top) == expected


# --- capacities -----------------------------------------------------------------------------------


def test_capacities_at_a_hundred_units():
    # n^(k-1) / (2 (2k - 3)!! log n), by hand.
    known = [10.86, 361.9, 7238.0]
    close(capacity.dense_capacity(100, np.array([2, 3, 4])), known, 5e-4)
    close(capacity.hebb_capacity(100), capacity.dense_capacity(100, 2))
    close(capacity.hebb_capacity(100, everywhere=True), capacity.hebb_capacity(100) / 2)
    # At the capacity n units make sqrt(1 / (4 pi log n)) errors to first order in 1 / log n.
    n = 10.0**6
    errors = n * capacity.dense_error(capacity.dense_capacity(n, 3), n, 3)
    close(errors, 1 / np.sqrt(4 * np.pi * np.log(n)), 0.05)


def test_noise_of_the_dense_memory_is_measured():
    # u^3, 400 units, 4,000 patterns, without the unit itself: errors of the first step.
    key, n, count = np.random.default_rng(0), 400, 4000
    x = key.choice([-1.0, 1.0], (count, n))
    for overlap in (1.0, 0.6):
        wrong = []
        for mu in range(8):
            s = np.where(key.random(n) < 0.5 * (1 + overlap), x[mu], -x[mu])
            u = (x @ s)[:, None] - x * s
            gain = np.einsum("pi,pi->i", x, 3 * u * u + 1)  # ((u + x)^3 - (u - x)^3) / 2
            wrong.append((np.sign(gain) * x[mu]).mean())
        expected = capacity.dense_step(overlap, count, n, 3)
        close(np.mean(wrong), expected, atol=0.04, rtol=0)
    close(capacity.dense_step(1.0, 7, 40, 3), 1 - 2 * capacity.dense_error(7, 40, 3))


def test_exponential_capacity():
    def information(a):
        return 0.5 * ((1 + a) * np.log(1 + a) + (1 - a) * np.log(1 - a))

    rho = np.array([1e-3, 0.1, 0.3, 0.49])
    close(capacity.exponential_capacity(rho), information(1 - 2 * rho) / 2)
    close(capacity.exponential_capacity(0.0), np.log(2) / 2)
    close(capacity.exponential_capacity(1e-12), np.log(2) / 2, 1e-9)


def test_sphere_capacity_is_the_largest_sum_that_the_pattern_beats():
    close(capacity.sphere_capacity([1.0, 3.0]), [0.6226, 1.0909], 1e-4)  # stationary point by hand
    q = np.linspace(-0.999, 0.99999, 200_001)
    for strength in (0.2, 1.0, 8.0):
        alpha = capacity.sphere_capacity(strength)
        others = alpha + 0.5 * np.log(1 - q * q) + strength * q
        close(others.max(), strength, 1e-6)
        # The maximum is where patterns exist: their number there is exponentially large.
        assert alpha + 0.5 * np.log(1 - q[others.argmax()] ** 2) > 0


# --- phasors --------------------------------------------------------------------------------------


def test_phasor_numbers():
    # Maximum of the same curve on a grid; the literature has 0.038 (Cook 1989).
    top = phasor.capacity()
    close(top.alpha, 0.037700, atol=5e-7, rtol=0)
    close([top.y, top.m], [1.54513, 0.90356], atol=5e-6, rtol=0)
    close(phasor.retrieval(0.02).m, 0.97567, atol=5e-6, rtol=0)
    y = np.linspace(0.1, 20, 100_001)
    close(phasor.state(y).alpha.max(), top.alpha, 1e-8)
    close(phasor.retrieval(top.alpha).m, top.m, 1e-6)
    # Low load: C = 1 / 2, so s^2 = 4 alpha, and half of it turns the phases: m = 1 - alpha.
    close(phasor.retrieval(1e-5).m, 1 - 1e-5, 1e-9)


def test_phasor_averages_by_drawing_the_field():
    key, state = np.random.default_rng(4), phasor.retrieval(0.03)
    rho = 2 * np.sqrt(state.y)
    noise = np.array([1, 1j]) @ key.normal(size=(2, 400_000))
    field = rho + noise  # in units of s / sqrt(2)
    s = np.sqrt(2) * state.m / rho
    c = np.mean(1 / np.abs(field)) / (2 * s / np.sqrt(2))
    close(np.mean(field / np.abs(field)).real, state.m, 2e-3)
    close(s * (1 - c), np.sqrt(0.03), 1e-2)


def test_phasor_overlap_of_a_simulated_network():
    # 5,000 units, 100 patterns, starts from 30 of them, all units at once; finite size: 1e-3.
    key, n = np.random.default_rng(6), 5000
    x = np.exp(2j * np.pi * key.random((100, n)))
    z = x[:30]
    for _ in range(20):
        h = (z @ x.conj().T) @ x / n - 100 / n * z
        z = h / np.abs(h)
    overlaps = np.abs((x[:30].conj() * z).mean(axis=1))
    close(overlaps.mean(), phasor.retrieval(0.02).m, atol=3e-3, rtol=0)


@pytest.mark.parametrize(
    "call, words",
    [
        (lambda: modern.spinodal(1), "count must be"),
        (lambda: modern.spinodal(5, 3), "shared must be half"),
        (lambda: modern.inverse_temperature(1.0, 4), "weight must be between"),
        (lambda: modern.branches(3.0, 4, 4), "shared must be in"),
        (lambda: modern.energy(0.5, 3.0, 4, overlap=-0.5), "overlap must be in"),
        (lambda: modern.census(4.0, 4), "mean's bifurcation"),
        (lambda: capacity.dense_capacity(100, 2.5), "power must be"),
        (lambda: capacity.hebb_capacity(1), "n must be above 1"),
        (lambda: capacity.exponential_capacity(0.5), "flipped must be"),
        (lambda: capacity.sphere_capacity(0.0), "strength must be positive"),
        (lambda: capacity.dense_step(1.5, 10, 100, 2), "overlap must be"),
        (lambda: phasor.retrieval(0.04), "alpha must be in"),
        (lambda: phasor.state(0.0), "y must be positive"),
    ],
)
def test_input_out_of_range_is_refused(call, words):
    with pytest.raises(ValueError, match=words):
        call()
