"""Sound to channels: gammatone filters of another package, a tone, the spacing of centres."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy import signal as scipy_signal

from bpcjax import encode


@pytest.mark.parametrize("centre", [150.0, 1000.0, 3100.0])
def test_filters_are_scipys_gammatones(centre):
    b, _ = scipy_signal.gammatone(centre, "fir", order=4, numtaps=300, fs=8000)
    (response,) = encode.gammatone(np.array([centre]), 8000.0, 300)
    # Up to a factor: here the gain at the centre is 1, there about 1. Scipy has f / 9.26449 + 24.7
    # for the ERB (Slaney 1993), here it is 24.7 (0.00437 f + 1): equal to 1e-4.
    scaled = b * (b @ response) / (b @ b)
    np.testing.assert_allclose(response, scaled, atol=2e-4 * np.abs(response).max())
    _, gain = scipy_signal.freqz(response, worN=[centre], fs=8000)
    np.testing.assert_allclose(np.abs(gain), 1.0, rtol=1e-12)


def test_a_tone_is_heard_at_its_place_with_its_amplitude():
    tone = 0.7 * np.sin(2 * np.pi * 997.0 * np.arange(16000) / 8000.0)
    centres = jnp.array([400.0, 997.0, 2000.0])
    heard = jax.jit(lambda s: encode.cochlea(s, 8000.0, centres, frame=10.0))(tone)
    assert heard.shape == (200, 3)
    # A half-wave rectified sine of amplitude A has the mean A / pi.
    np.testing.assert_allclose(heard[10:].mean(0)[1], 0.7 / np.pi, rtol=1e-3)
    assert heard[10:, [0, 2]].max() < 0.02 * 0.7
    assert (heard >= 0).all()


def test_centres_are_equally_spaced_in_erb_numbers():
    f = np.asarray(encode.erb_centres(100.0, 3600.0, 9))
    np.testing.assert_allclose(f[[0, -1]], [100.0, 3600.0], rtol=1e-12)
    # The number of ERBs between two frequencies is the integral of df / ERB(f).
    fine = np.linspace(100.0, 3600.0, 200_001)
    middle = (fine[1:] + fine[:-1]) / 2
    numbers = np.concatenate([[0], np.cumsum(1 / (24.7 * (0.00437 * middle + 1)))])
    np.testing.assert_allclose(np.diff(np.interp(f, fine, numbers), 2), 0, atol=1e-6 * numbers[-1])


@pytest.mark.parametrize(
    "sound, options, why",
    [
        (np.zeros(3), {}, "at least a frame"),
        (np.zeros(100), {"centres": np.array([5000.0])}, "centres must be between 0 and 4000"),
        (np.full(100, np.nan), {}, "sound must be finite"),
        (np.zeros(100), {"frame": 0.3}, "whole number of samples"),
    ],
)
def test_bad_sounds(sound, options, why):
    with pytest.raises(ValueError, match=why):
        encode.cochlea(sound, 8000.0, **options)
