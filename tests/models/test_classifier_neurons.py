"""Every spiking neuron of the catalogue learns digits by one solve and one surrogate derivative."""

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

import bpcjax as bpc
from bpcjax.models import Classifier, CurrentCode, MembraneReadout
from bpcjax.neurons import IF, LIF, AdEx, HodgkinHuxley, Izhikevich, Theta
from bpcjax.stepping import Surrogate
from bpcjax.synapses import Delta, DoubleExponential, Exponential
from experiments.common.classifiers import leaky, trainable
from experiments.common.data import splits

HIDDEN, BATCH = 64, 32
# The neuron; the synapse to the readout; the current of a unit of input, and a steady one; how far
# below threshold a surrogate is felt (in its own units); the time and the step (ms); the rate.
KINDS = {
    "if": (IF(), Delta(), 200.0, 0.0, 10.0, 20.0, 1.0, 5e-3),
    "lif": (LIF(), Exponential(5.0), 200.0, 50.0, 10.0, 20.0, 1.0, 5e-3),
    "theta": (Theta(), Delta(), 1.0, 0.0, 3.14, 20.0, 0.5, 5e-3),
    "izhikevich": (Izhikevich(), DoubleExponential(1.0, 5.0), 10.0, 4.0, 60.0, 20.0, 0.25, 5e-3),
    "adex": (AdEx(), Exponential(5.0), 800.0, 500.0, 20.0, 20.0, 0.1, 5e-3),
    "hodgkin_huxley": (HodgkinHuxley(), Exponential(5.0), 5.0, 5.0, 60.0, 15.0, 0.02, 2e-3),
}


def network(neuron, synapse, unit, steady, t1, dt):
    keys = jax.random.split(jax.random.key(0))
    into = (2 / 64) ** 0.5 * jax.random.normal(keys[0], (64, HIDDEN))
    out = 0.5 * (2 / HIDDEN) ** 0.5 * jax.random.normal(keys[1], (HIDDEN, 10))
    layers = [
        bpc.Layer(into, neuron, HIDDEN, bias=jnp.full(HIDDEN, steady)),
        bpc.Layer(out, leaky(10.0), 10, synapse, bias=jnp.zeros(10), fires=False),
    ]
    return Classifier(
        bpc.Layers(layers), CurrentCode(unit), MembraneReadout(3.0), round(t1 / dt), dt
    )


@pytest.mark.slow
@pytest.mark.parametrize("kind", KINDS)
def test_every_neuron_learns_digits(kind):
    neuron, synapse, unit, steady, distance, t1, dt, rate = KINDS[kind]
    split, asked = splits("digits")
    x, labels = (jnp.asarray(a) for a in (split.x.reshape(len(split.x), -1), split.labels))
    asked_x = jnp.asarray(asked.x.reshape(len(asked.x), -1), x.dtype)
    solver = bpc.GridSpikes(spike=Surrogate(slope=2 / distance, height=1 / distance))
    model = network(neuron, synapse, unit, steady, t1, dt)
    # Only what lies before the spikes is learned, so that every derivative passes through them.
    marks = jax.tree.map(lambda leaf: False, trainable(model))
    marks = eqx.tree_at(
        lambda m: [m.layers.layers[0].weights.weights, m.layers.layers[0].bias], marks, [True, True]
    )
    changed, fixed = eqx.partition(model, marks)
    adam = optax.adam(rate)

    def loss(changed, chosen):
        solution = eqx.combine(changed, fixed)(x[chosen], solver=solver)
        wrong = optax.softmax_cross_entropy_with_integer_labels(solution.scores[-1], labels[chosen])
        return wrong.mean(), (solution.ok.all(), solution.spikes[0].mean() / HIDDEN)

    @jax.jit
    def course(changed, batches):
        def step(carry, chosen):
            (value, notes), slope = jax.value_and_grad(loss, has_aux=True)(carry[0], chosen)
            change, state = adam.update(slope, carry[1])
            return (optax.apply_updates(carry[0], change), state), (value, *notes)

        (changed, _), notes = jax.lax.scan(step, (changed, adam.init(changed)), batches)
        return changed, notes

    rng = np.random.default_rng(0)
    order = np.concatenate([rng.permutation(len(x) // BATCH * BATCH) for _ in range(3)])
    changed, (losses, ok, spikes) = course(changed, jnp.asarray(order.reshape(-1, BATCH)))
    assert ok.all() and 0.2 < float(spikes.mean()) < 0.5 * t1
    answers = jax.jit(lambda x: eqx.combine(changed, fixed)(x, solver=solver).scores[-1])
    right = float((np.asarray(answers(asked_x)).argmax(-1) == asked.labels).mean())
    # A tenth by chance; squid axons, the slowest, are at 0.75 after three epochs.
    assert right > 0.7, (right, losses[-5:], spikes.mean())
