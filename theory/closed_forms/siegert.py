"""Rates of leaky integrate-and-fire neurons under white noise, alone and in Brunel's network.

Diffusion approximation: the input of many small jumps J at total rates nu has
`mean = tau sum J nu` and `sigma^2 = tau sum J^2 nu`, twice the variance of the free potential. The
mean time between spikes is (Siegert 1951; Brunel 2000, eq. 21)

    T = t_ref + tau sqrt(pi) int_a^b exp(u^2) (1 + erf u) du,
    a = (reset - mean) / sigma,  b = (threshold - mean) / sigma.

The integrand is `erfcx(-u)`, which neither overflows for u << 0 nor loses digits.
"""

import math

import numpy as np
from scipy.integrate import quad
from scipy.optimize import brentq
from scipy.special import erfcx


def rate(mean, sigma, tau, threshold, reset, refractory=0.0):
    """Spikes per unit of time."""
    low, high = (reset - mean) / sigma, (threshold - mean) / sigma
    if high > 25:  # exp(u^2) overflows a little later, and the rate is then below 1e-270
        return 0.0
    area = quad(lambda u: erfcx(-u), low, high, epsabs=0, epsrel=1e-11, limit=200)[0]
    return 1 / (refractory + tau * math.sqrt(math.pi) * area)


def brunel_rate(
    excitatory, inhibitory, weight, ratio, external, tau=20.0, threshold=20.0, reset=0.0, ref=2.0
):
    """The rate (per ms) at which all neurons of the network with random connections sustain it.

    A neuron has `excitatory` and `inhibitory` sources in the network with jumps `weight` and
    `-ratio * weight` (mV), and external spikes of `weight` at the rate `external` (per ms).
    """

    def self_consistent(nu):
        jumps = np.array([weight, -ratio * weight, weight])
        rates = np.array([excitatory * nu, inhibitory * nu, external])
        mean, sigma = tau * jumps @ rates, math.sqrt(tau * jumps**2 @ rates)
        return rate(mean, sigma, tau, threshold, reset, ref) - nu

    return brentq(self_consistent, 1e-9, 0.999 / ref, xtol=1e-14)
