"""The exact accuracy of recall on the sphere against simulation and elementary cases."""

import numpy as np
import pytest

from theory.closed_forms import sphere_recall as law


def simulate(spoil, count, size, runs, seed=0):
    """How often the spoilt first pattern is nearest to itself; new patterns at every run."""
    rng = np.random.default_rng(seed)
    right = 0
    for _ in range(runs):
        x = rng.normal(size=(count, size))
        x *= np.sqrt(size) / np.linalg.norm(x, axis=1, keepdims=True)
        right += (x @ spoil(x[0], rng)).argmax() == 0
    return right / runs


def test_caps():
    # Three dimensions: Archimedes, (1 - c) / 2. Two: the arc, acos(c) / pi.
    c = np.linspace(-1, 1, 41)
    np.testing.assert_allclose(law.cap(c, 3), (1 - c) / 2, atol=1e-14)
    np.testing.assert_allclose(law.cap(c, 2), np.arccos(c) / np.pi, atol=1e-7)
    np.testing.assert_allclose(law.cap(c, 9) + law.cap(-c, 9), 1, atol=1e-14)


def test_two_patterns_in_three_dimensions_by_hand():
    # One entry of three flipped: c = 1 - 2 b, 1 - t = 1 - b, of mean 1 - 1 / 3. One entry erased:
    # E[(1 + sqrt(w)) / 2] with w of Beta(1, 1 / 2), whose root has the mean pi / 4.
    np.testing.assert_allclose(law.flipped(1, 2, 3), 2 / 3, rtol=1e-6)
    np.testing.assert_allclose(law.erased(1, 2, 3), 0.5 + np.pi / 8, rtol=1e-6)


def test_gaussian_number_known():
    # An independent quadrature gave 0.9570, a simulation 0.9608 (standard error 0.004).
    np.testing.assert_allclose(law.gaussian(1.5, 1000, 64), 0.9570, atol=1e-4)


@pytest.mark.parametrize("level", [0.7, 1.5, 3.0])
def test_gaussian_noise_is_simulated(level):
    expected = law.gaussian(level, 50, 20)
    solution = simulate(lambda x, rng: x + level * rng.normal(size=20), 50, 20, 8000)
    assert abs(solution - expected) < 4 * np.sqrt(expected * (1 - expected) / 8000) + 1e-4


@pytest.mark.parametrize("number", [4, 10, 16])
def test_erasures_and_flips_are_simulated(number):
    def erase(x, rng):
        return np.where(np.arange(20) < 20 - number, x, 0)

    def flip(x, rng):
        return np.where(rng.permutation(20) < number // 2, -x, x)

    for spoil, expected in (
        (erase, law.erased(number, 50, 20)),
        (flip, law.flipped(number // 2, 50, 20)),
    ):
        solution = simulate(spoil, 50, 20, 8000, seed=number)
        assert abs(solution - expected) < 4 * np.sqrt(expected * (1 - expected) / 8000) + 1e-4


def test_limits():
    assert law.gaussian(0.0, 1000, 64) == pytest.approx(1) and law.gaussian(
        2.0, 1, 64
    ) == pytest.approx(1)
    np.testing.assert_allclose(law.gaussian(1e4, 10, 16), 0.1, atol=1e-3)  # pure chance
    assert law.flipped(0, 9, 8) == 1 and law.flipped(8, 9, 8) == 0 and law.erased(0, 9, 8) == 1
    levels = [law.gaussian(s, 100, 64) for s in (0.5, 1, 2, 4)]
    assert np.all(np.diff(levels) < 0)
    assert law.gaussian(2.0, 10, 64) > law.gaussian(2.0, 1000, 64)


@pytest.mark.parametrize(
    "call, words",
    [
        (lambda: law.gaussian(-1.0, 2, 3), "level must not be"),
        (lambda: law.erased(3, 2, 3), "number must be in"),
        (lambda: law.flipped(4, 2, 3), "number must be in"),
        (lambda: law.gaussian(1.0, 0, 3), "count must be"),
        (lambda: law.cap(0.5, 1), "size must be"),
    ],
)
def test_input_out_of_range_is_refused(call, words):
    with pytest.raises(ValueError, match=words):
        call()
