"""A stepped network of leaky layers, and its surrogate derivative worked out by hand.

Euler steps of `tau dv/dt = I - v`; at the end of a step a neuron at or above 1 fires, is set to 0,
and kicks the layer above by its weights; one that was kicked over the threshold fires at the end
of the next step. The last layer does not fire, and is driven by kicks alone.

Derivatives: backpropagation through time (Werbos 1990, Proc. IEEE 78:1550), where that of a spike
by the distance g to threshold is `rate(g)`, and resets pass nothing but what they leave alone.
"""

import numpy as np


def forward(drive, weights, tau, steps, dt):
    """Potentials [steps, n] of the last layer, and what the way back needs: a list for each step
    of (spikes, distance to threshold) of each layer below it."""
    sizes = [drive.shape[-1], *(w.shape[1] for w in weights)]
    v = [np.zeros(n) for n in sizes]
    potentials, records = [], []
    for _ in range(steps):
        spikes, distances = [], []
        for k, own in enumerate(v):
            before = own.copy()
            own += dt * ((drive if k == 0 else 0.0) - own) / tau
            if k + 1 == len(v):
                break
            fired = (own >= 1) | (before >= 1)
            spikes.append(fired.astype(float))
            distances.append(own - 1)
            own[fired] = 0.0
        for k, w in enumerate(weights):
            v[k + 1] += spikes[k] @ w
        potentials.append(v[-1].copy())
        records.append((spikes, distances))
    return np.array(potentials), records


def backward(slope, records, weights, tau, dt, rate):
    """The derivatives of a loss by the drive and the weights, of which `slope` [steps, n] is that
    by the potentials of the last layer after each step."""
    gradients = [np.zeros_like(w) for w in weights]
    due = [np.zeros(w.shape[0]) for w in weights] + [np.zeros(weights[-1].shape[1])]
    by_drive = np.zeros(weights[0].shape[0])
    for now, (spikes, distances) in zip(slope[::-1], records[::-1], strict=True):
        due[-1] = due[-1] + now
        before = []
        for k, w in enumerate(weights):
            gradients[k] += np.outer(spikes[k], due[k + 1])
            before.append(due[k] * (1 - spikes[k]) + (w @ due[k + 1]) * rate(distances[k]))
        before.append(due[-1])
        by_drive += before[0] * dt / tau
        due = [(1 - dt / tau) * own for own in before]
    return by_drive, gradients
