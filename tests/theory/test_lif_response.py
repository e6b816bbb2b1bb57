"""The response of leaky neurons in noise, and Brunel's loop: limits, another route, literature."""

import numpy as np
import pytest

from theory.closed_forms import lif_response, siegert
from theory.closed_forms.lif_response import Loop, brunel_loop, crossing, response

CELL = dict(tau=20.0, threshold=20.0, reset=10.0, refractory=2.0)  # ms, mV
CASES = [(15.0, 5.0), (21.0, 7.7), (30.0, 3.0), (10.0, 4.0)]


@pytest.mark.parametrize("mean, sigma", CASES)
def test_slow_changes_follow_siegerts_rate(mean, sigma):
    def rate(mean, variance):
        return siegert.rate(mean, np.sqrt(variance), **CELL)

    e, square = 1e-4, sigma**2
    by_mean = (rate(mean + e, square) - rate(mean - e, square)) / (2 * e)
    by_variance = (rate(mean, square + e) - rate(mean, square - e)) / (2 * e)
    result = response(mean, sigma, 1e-7, **CELL)
    np.testing.assert_allclose(result.rate, rate(mean, square), rtol=2e-5)
    np.testing.assert_allclose(result.to_mean, by_mean, rtol=2e-5, atol=1e-9)
    np.testing.assert_allclose(result.to_variance, by_variance, rtol=1e-3, atol=1e-9)


def test_fast_changes_have_the_limits_of_a_white_spectrum():
    # Brunel, Chance, Fourcaud & Abbott (2001), Phys. Rev. Lett. 86:2186; Lindner &
    # Schimansky-Geier (2001), 86:2934. What is left falls like the root of the frequency.
    mean, sigma = 21.0, 7.7
    omega = np.array([10.0, 40.0])
    result = response(mean, sigma, omega, **CELL, steps=16000)
    limit = result.rate / sigma * np.sqrt(2 / (omega * 20)) * np.exp(-0.25j * np.pi)
    off = (
        np.abs(result.to_mean / limit - 1),
        np.abs(result.to_variance / result.rate * sigma**2 - 1),
    )
    for each in off:
        assert each[1] < 0.6 * each[0] < 0.02, off


def by_volumes(mean, sigma, omega, tau, threshold, reset, refractory, cells=600):
    """Both responses from matrices: the density in cells, its flux through their faces."""
    low = min(reset, mean) - 6 * sigma
    h = (threshold - low) / cells
    centre = low + h * (np.arange(cells) + 0.5)
    faces = low + h * np.arange(1, cells)

    def flux(mean, variance):  # [face, cell], none through the lowest
        table = np.zeros((cells + 1, cells))
        k = np.arange(1, cells)
        table[k, k - 1] = 0.5 * (mean - faces) + 0.5 * variance / h
        table[k, k] = 0.5 * (mean - faces) - 0.5 * variance / h
        table[cells, cells - 1] = variance / h  # the density vanishes at the threshold
        return table / tau

    back = np.zeros(cells)  # both cells beside the reset
    at = (reset - centre[0]) / h
    left = int(at)
    back[left], back[left + 1] = (left + 1 - at) / h, (at - left) / h
    move = flux(mean, sigma**2)
    decay = np.diff(move, axis=0) / h
    density = np.linalg.solve(decay - np.outer(back, move[-1]) + h, np.ones(cells))
    density /= h * density.sum() + refractory * move[-1] @ density
    late, result = np.exp(-1j * omega * refractory), []
    for change in (flux(1.0, 0.0) - flux(0.0, 0.0), flux(0.0, 1.0) - flux(0.0, 0.0)):
        matrix = 1j * omega * np.eye(cells) + decay - late * np.outer(back, move[-1])
        push = change @ density
        moving = np.linalg.solve(matrix, -np.diff(push) / h + late * back * push[-1])
        result.append(move[-1] @ moving + push[-1])
    return result


@pytest.mark.parametrize("mean, sigma, hertz", [(15.0, 5.0, 30.0), (25.0, 4.0, 80.0)])
def test_waves_are_those_of_the_density_in_cells(mean, sigma, hertz):
    omega = 2e-3 * np.pi * hertz
    coarse, fine = (np.array(by_volumes(mean, sigma, omega, **CELL, cells=n)) for n in (300, 600))
    result = response(mean, sigma, omega, **CELL)
    expected = 2 * fine - coarse  # at the threshold the error is of first order
    np.testing.assert_allclose(result[1:], expected, rtol=5e-3)


def test_the_error_is_of_second_order():
    coarse, middle, fine = (
        np.array(response(21.0, 7.7, 0.5, **CELL, steps=n)) for n in (250, 500, 1000)
    )
    assert np.all(np.abs(np.log2(np.abs((coarse - middle) / (middle - fine))) - 2) < 0.2)


def test_arrays_broadcast():
    omega = np.array([0.1, 0.5, 2.0])
    table = response(np.array([[15.0], [21.0]]), 5.0, omega, **CELL, steps=200)
    one = response(21.0, 5.0, 0.5, **CELL, steps=200)
    for many, single in zip(table, one, strict=True):
        assert many.shape == (2, 3)
        np.testing.assert_allclose(many[1, 1], single, rtol=1e-12)


FREQUENCIES = np.arange(2.0, 1000.0, 4.0)  # Hz
NETWORK = dict(tau=20.0, threshold=20.0, reset=10.0, ref=2.0)


def loop_at(ratio, drive, excitatory=1000, weight=0.1):
    inputs = excitatory, excitatory // 4, weight, ratio
    state = siegert.brunel_states(*inputs, drive / weight, **NETWORK)[-1]
    return state, brunel_loop(state, *inputs, 2e-3 * np.pi * FREQUENCIES, **NETWORK)


@pytest.mark.parametrize(
    "ratio, drive, gain, hertz",
    [
        (3.0, 2.0, (1.5, 3.0), (600, 700)),  # synchronous, regular: above 1 / refractory
        (6.0, 4.0, (1.0, 1.3), (180, 200)),  # a fast rhythm
        (4.5, 0.9, (1.0, 1.1), (20, 35)),  # a slow one
        (5.0, 2.0, (0.5, 0.9), None),  # asynchronous
    ],
)
def test_brunels_examples_are_in_their_regimes(ratio, drive, gain, hertz):
    # Brunel (2000), figure 8: A, B, D and C, in his network of 12,500 neurons.
    result, where = crossing(loop_at(ratio, drive)[1].gain)
    assert gain[0] < result < gain[1]
    if hertz is not None:
        assert hertz[0] < np.interp(where, np.arange(FREQUENCIES.size), FREQUENCIES) < hertz[1]


def test_excitation_and_inhibition_add_to_the_slope_of_the_rate():
    # Without time for a delay the gain is how the rate that the network sustains feeds on itself.
    state, _ = loop_at(5.0, 2.0)
    inputs = 1000, 250, 0.1, 5.0
    loop = brunel_loop(state, *inputs, 1e-7, **NETWORK)

    def rate(change):
        nu = np.array([1000 * (state.rate + change), 250 * (state.rate + change), 20.0])
        jumps = np.array([0.1, -0.5, 0.1])
        moments = 20 * jumps @ nu, np.sqrt(20 * jumps**2 @ nu)
        return siegert.rate(*moments, 20.0, 20.0, 10.0, 2.0)

    slope = (rate(1e-6) - rate(-1e-6)) / 2e-6
    np.testing.assert_allclose(loop.gain, slope, rtol=1e-3)


def test_spectra():
    nothing = Loop(np.zeros(3), np.zeros(3))
    np.testing.assert_allclose(nothing.spectrum(0.8), 1.0)
    # Neurons of one kind, by any split: Brunel & Hakim (1999), 1 / |1 - L|^2.
    gain = np.array([0.5, -2.0, 0.3 + 0.4j])
    alike = Loop(0.8 * gain, 0.2 * gain)
    np.testing.assert_allclose(alike.spectrum(0.8), 1 / np.abs(1 - gain) ** 2)


def test_crossings_of_a_delayed_decay():
    # y' = -y - k y(t - 1) has L = -k exp(-i w) / (1 + i w), on the positive real line at
    # w = 2.0288, the root of tan w = -w, and unstable from k = sqrt(1 + w^2) = 2.2618 on.
    omega = np.arange(0.05, 9.0, 0.01)
    loop = -np.exp(-1j * omega) / (1 + 1j * omega)
    result, where = crossing(np.stack([2 * loop, 3 * loop]))
    np.testing.assert_allclose(result, [2 / 2.26183, 3 / 2.26183], rtol=1e-4)
    np.testing.assert_allclose(0.05 + 0.01 * where, 2.02876, rtol=1e-4)
    assert crossing(np.array([0.5 + 0.1j, 0.4 + 0.2j]))[0] == -np.inf  # it never crosses


@pytest.mark.parametrize(
    "change, message",
    [
        (dict(sigma=0.0), "sigma must be positive"),
        (dict(sigma=np.nan), "sigma must be positive"),
        (dict(tau=0.0), "tau must be positive"),
        (dict(reset=20.0), "threshold must be above reset"),
        (dict(refractory=-1.0), "refractory must not be negative"),
    ],
)
def test_bad_input_is_named(change, message):
    with pytest.raises(ValueError, match=message):
        lif_response.response(**(dict(mean=15.0, sigma=5.0, omega=0.1) | CELL | change))
