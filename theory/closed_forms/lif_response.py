"""How the rate of leaky neurons in white noise follows its input, and whether the asynchronous
states of Brunel's network are stable.

The density `P` and the flux `J` of the potential, in units of sigma from the mean, obey (Brunel &
Hakim 1999, Neural Comput. 11:1621)

    J = -x P - P' / 2,    tau dP/dt = -J',    J(threshold) = tau rate,

with `P = 0` at the threshold, where the flux leaves, to come back at the reset after the
refractory period. A mean that moves by `m exp(i w t)` adds `m P` to the flux, a `sigma^2` that
moves by `s exp(i w t)` adds `-s P' / 2`. To first order the parts of `P` and `J` that turn with `w`
obey linear equations. They are solved from the threshold down, where both are known but for the
response of the rate; this is set by no flux far below (Richardson 2007, Phys. Rev. E 76:021919).
"""

from typing import NamedTuple

import numpy as np

from . import siegert
from ._require import require

STEPS = 2000  # of the potential
REACH = 8.0  # sigma below mean and reset, where no flux is left


class Response(NamedTuple):
    """The rate, and its complex response to the mean and to `sigma^2`, for each frequency."""

    rate: np.ndarray
    to_mean: np.ndarray
    to_variance: np.ndarray


def response(mean, sigma, omega, tau, threshold, reset, refractory=0.0, steps=STEPS) -> Response:
    """The response at the angular frequencies `omega` (rad per unit of time).

    `mean`, `sigma` and `omega` are broadcast. Of second order in the steps; those of the flux must
    resolve its waves, of length `1 / sqrt(omega tau)`, below threshold and reset.
    """
    mean, sigma, omega = np.broadcast_arrays(*(np.asarray(x, float) for x in (mean, sigma, omega)))
    require(tau > 0, "tau must be positive.")
    require(sigma > 0, "sigma must be positive.")
    require(np.asarray(threshold) > np.asarray(reset), "threshold must be above reset.")
    require(refractory >= 0, "refractory must not be negative.")
    high, low = (threshold - mean) / sigma, (reset - mean) / sigma
    turn, first = 1j * omega * tau, steps // 2
    none = np.zeros(mean.shape, complex)
    # In units of tau times the rate: the steady P and J, and [P, J] that turn, for one unit of the
    # rate's response, of the mean, of the variance.
    p, flux, mass = none.real, np.ones(mean.shape), none.real
    moving = [[none, none + 1.0], [none, none], [none, none]]
    for start, end, count in (
        (high, low, first),
        (low, np.minimum(low, 0.0) - REACH, steps - first),
    ):
        if start is low:  # where the flux comes back
            flux = flux - 1.0
            moving[0][1] = moving[0][1] - np.exp(-1j * omega * refractory)
        h = (start - end) / count
        for k in range(count):
            # P' = -2 x P - 2 J down a step, exactly for x and J at its middle.
            x = start - (k + 0.5) * h
            grow = np.exp(2 * x * h)
            gain = np.where(np.abs(x) > 1e-9, np.expm1(2 * x * h) / np.where(x == 0, 1, x), 2 * h)
            after = p * grow + flux * gain
            half = 0.5 * (p + after)
            for own, source in zip(moving, (0.0, half, x * half + flux), strict=True):
                middle = own[1] + 0.5 * h * turn * own[0]
                then = own[0] * grow + (middle - source) * gain
                own[1] = own[1] + 0.5 * h * turn * (own[0] + then)
                own[0] = then
            mass, p = mass + h * half, after
    rate = 1 / (refractory + tau * mass)
    unit, *driven = (own[1] for own in moving)  # what is left far below must cancel
    scales = sigma, sigma**2
    return Response(rate, *(-rate * x / unit / s for x, s in zip(driven, scales, strict=True)))


class Loop(NamedTuple):
    """By what a wave in the rate, of each frequency, has changed when it has gone once round
    Brunel's network: through the excitatory and through the inhibitory neurons.
    """

    excitatory: np.ndarray
    inhibitory: np.ndarray

    @property
    def gain(self) -> np.ndarray:
        """Through both: the state is unstable if this curve goes round 1 (Nyquist)."""
        return self.excitatory + self.inhibitory

    def spectrum(self, share):
        """The power of the activity of all neurons, over that of as many independent Poisson
        trains of the same rate; `share` of them are excitatory.

        The trains of both kinds add noise of their own, `n_e` and `n_i`, to the rate `r`, and it
        goes round: `r = e (r + n_e) + i (r + n_i)`, as in Brunel & Hakim (1999, section 5) for one
        kind. In a balanced network each is far stronger than both together. Trains are taken for
        Poisson's, and the network for a large one in which few neurons have the same sources.
        """
        e, i = (part / (1 - self.gain) for part in self)
        return np.abs(share + e) ** 2 / share + np.abs(1 - share + i) ** 2 / (1 - share)


def brunel_loop(
    state: siegert.BrunelState, excitatory, inhibitory, weight, ratio, omega,
    delay=1.5, tau=20.0, threshold=20.0, reset=0.0, ref=2.0, steps=STEPS,
) -> Loop:  # fmt: skip
    """The loop of Brunel's network in a state of `siegert.brunel_states`, at angular frequencies.

    The fields of `state` broadcast against `omega`.
    """
    gains = response(state.mean, state.sigma, omega, tau, threshold, reset, ref, steps)
    late = tau * np.exp(-1j * np.asarray(omega) * delay)

    def path(count, jump):
        return late * count * (jump * gains.to_mean + jump**2 * gains.to_variance)

    return Loop(path(excitatory, weight), path(inhibitory, -ratio * weight))


def crossing(loop):
    """The largest real part with which `L`, sampled [..., frequency], crosses the real line, and
    at which sample: above 1 the state is unstable. Frequencies start above 0.
    """
    loop = np.asarray(loop)
    before, after = loop[..., :-1], loop[..., 1:]
    crosses = np.sign(before.imag) != np.sign(after.imag)
    part = before.imag / np.where(crosses, before.imag - after.imag, 1.0)
    real = np.where(crosses, before.real + part * (after.real - before.real), -np.inf)
    best = real.argmax(axis=-1)
    where = best + np.take_along_axis(part, best[..., None], -1)[..., 0]
    return real.max(axis=-1), where
