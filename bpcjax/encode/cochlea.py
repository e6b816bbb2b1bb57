"""Cochlea model: a gammatone filter bank, rectified."""

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, ArrayLike, Float

from .._require import count, floating, number, require, scalar


def erb_centres(low: float, high: float, bands: int) -> Float[Array, " bands"]:
    """ERB scale: frequencies (Hz) from `low` to `high`, equally spaced in equivalent rectangular
    bandwidths: 21.4 log10(1 + 0.00437 f) of them below f (Glasberg & Moore 1990, Hearing Res. 47,
    103)."""
    low, high = scalar("low", low, above=0, finite=True), scalar("high", high, finite=True)
    bands = count("bands", bands, 2)
    if not low < high:
        raise ValueError(f"low must be below high, got {low} and {high}.")
    first, last = np.log10(1 + 0.00437 * np.array([low, high]))
    numbers = np.linspace(first, last, bands)
    return jnp.asarray((10**numbers - 1) / 0.00437)


def gammatone(
    centres: Float[ArrayLike, " bands"], rate: float, taps: int
) -> Float[Array, "bands taps"]:
    """Gammatone filters: impulse responses t^3 exp(-2 pi b t) cos(2 pi f t) with b = 1.019 ERB(f),
    gain 1 at f.

    `rate` is that of the sound, in Hz. Source: Patterson et al. (1992), Complex sounds and
    auditory images; ERB(f) = 24.7 (0.00437 f + 1) Hz.
    """
    centres = floating("centres", centres, ("bands",), above=0)
    hertz, taps = number("rate", rate, above=0, finite=True), count("taps", taps, 1)
    require(centres <= hertz / 2, f"centres must be at most half the rate of {rate} Hz.")
    return _gammatone(centres, hertz, taps)


@eqx.filter_jit
def _gammatone(centres: Array, rate: Array, taps: int) -> Array:
    centres = centres[:, None]
    times = jnp.arange(taps, dtype=centres.dtype)[None] / rate
    width = 1.019 * 24.7 * (0.00437 * centres + 1)
    tone = 2 * jnp.pi * centres * times
    # In units of the peak time 3 / (2 pi b), to stay near 1.
    peaks = 2 * jnp.pi * width * times / 3
    response = (peaks * jnp.exp(1 - peaks)) ** 3 * jnp.cos(tone)
    in_phase = (response * jnp.cos(tone)).sum(1, keepdims=True)
    quadrature = (response * jnp.sin(tone)).sum(1, keepdims=True)
    return response / jnp.hypot(in_phase, quadrature)


def cochlea(
    sound: Float[ArrayLike, " samples"],
    rate: float,
    centres: Float[ArrayLike, " bands"] | None = None,
    *,
    frame: float = 1.0,
    memory: float = 50.0,
) -> Float[Array, "frames bands"]:
    """Cochleagram: the mean half-wave rectified output of each band in each `frame` (ms) of a
    sound.

    `rate` is in Hz; `centres` (Hz) are by default 32 from 100 Hz to 0.45 of the rate. A pure tone
    of amplitude A at a centre gives A / pi in its band. `memory` (ms) is the length of the
    filters. Frame k is from `k * frame` to `(k + 1) * frame`; a last incomplete one is left out.

    Make it spikes with `poisson_bins(key, gain * out, frame * jnp.arange(frames + 1))`, or with
    `delta(ts, jnp.log1p(out / floor), threshold)`: ears respond about logarithmically.

    **Raises:** `ValueError` if the sound is not finite (under a transformation: NaN), shorter than
    a frame, or a centre is above half the rate.
    """
    sound = floating("sound", sound, ("samples",))
    rate = scalar("rate", rate, above=0, finite=True)
    frame = scalar("frame", frame, above=0, finite=True)
    memory = scalar("memory", memory, above=0, finite=True)
    if centres is None:
        centres = erb_centres(100.0, 0.45 * rate, 32)
    centres = floating("centres", centres, ("bands",)).astype(sound.dtype)
    length = round(rate * frame / 1000)
    frames = sound.shape[0] // length if length else 0
    if frames < 1:
        raise ValueError(
            f"sound of shape {sound.shape} must be one channel of at least a frame ({frame} ms at "
            f"the rate {rate} Hz)."
        )
    if abs(length - rate * frame / 1000) > 1e-6 * length:
        raise ValueError(f"frame: {frame} ms must be a whole number of samples at {rate} Hz.")
    good = require(jnp.isfinite(sound), "sound must be finite.")
    good &= require(
        (centres > 0) & (centres < rate / 2), f"centres must be between 0 and {rate / 2} Hz."
    )
    taps = count("memory", max(round(rate * memory / 1000), 1))
    filters = gammatone(jnp.where(good, centres, 1.0), rate, taps)
    return jnp.where(good, _rectified(sound, filters, frames, length), jnp.nan)


@eqx.filter_jit
def _rectified(sound: Array, filters: Array, frames: int, length: int) -> Array:
    size = sound.shape[0] + filters.shape[1] - 1
    spectrum = jnp.fft.rfft(sound, size)[None] * jnp.fft.rfft(filters, size, axis=1)
    heard = jax.nn.relu(jnp.fft.irfft(spectrum, size, axis=1)[:, : frames * length])
    return heard.reshape(heard.shape[0], frames, length).mean(2).T
