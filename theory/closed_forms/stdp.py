"""Changes of synapses by the timing of spikes: pairs one by one, and means over random trains.

`t_post - t_pre` is the delay of a pair; spikes at one instant are no pair.
"""

import numpy as np

from ._require import require


def window(delay, a_plus, a_minus, tau_plus, tau_minus):
    """The change by a pair (Song, Miller & Abbott 2000, Nat. Neurosci. 3:919, eq. 1)."""
    delay = np.asarray(delay, float)
    require((np.asarray(tau_plus) > 0) & (np.asarray(tau_minus) > 0), "tau must be positive.")
    require(~np.isnan(delay), "delay must be a number.")
    apart = np.abs(delay)
    up, down = a_plus * np.exp(-apart / tau_plus), a_minus * np.exp(-apart / tau_minus)
    return np.where(delay > 0, up, np.where(delay < 0, -down, 0.0))


def pair_sum(pre, post, *parameters):
    """The window over all pairs of two trains."""
    return sum(float(window(t - s, *parameters)) for s in pre for t in post)


def nearest_sum(pre, post, *parameters):
    """The window over pairs of each spike with the last one before it in the other train."""
    pre, post = np.sort(np.asarray(pre, float)), np.sort(np.asarray(post, float))
    total = 0.0
    for ours, others, sign in ((post, pre, 1), (pre, post, -1)):
        for t in ours:
            before = others[others < t]
            if before.size:
                total += float(window(sign * (t - before[-1]), *parameters))
    return total


def poisson_drift(rate_pre, rate_post, a_plus, a_minus, tau_plus, tau_minus):
    """The mean change per ms by all pairs of independent Poisson trains (rates per ms): the rates'
    product times the integral of the window (Kempter, Gerstner & van Hemmen 1999, Phys. Rev. E
    59:4498)."""
    require(np.minimum(rate_pre, rate_post) >= 0, "rates must not be negative.")
    return rate_pre * rate_post * (a_plus * tau_plus - a_minus * tau_minus)


def reward_drift(probability, baseline, eligibility):
    """The mean change per trial of a synapse whose neuron answers with this probability.

    An answer leaves `eligibility` and is rewarded by `1 - baseline`, no answer leaves none. With
    the baseline at the mean reward, `probability`, it is `p (1 - p) eligibility`: for a logistic
    probability its derivative, so the mean change climbs the mean reward.
    """
    probability = np.asarray(probability, float)
    require((probability >= 0) & (probability <= 1), "probability must be in [0, 1].")
    return probability * (1 - baseline) * eligibility
