"""Tracking populations are a hybrid system that the engine solves exactly: their steps converge to
that solve."""

from typing import Any, NamedTuple

import diffrax as dfx
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.flatten_util import ravel_pytree

import bpcjax as bpc
from bpcjax.energies import Arrow, DenseMap, Gaussian, Partial, PredictiveCoding
from bpcjax.models import accelerate, bidirectional
from bpcjax.models.predictive.bidirectional import step_sizes
from bpcjax.models.predictive.tracking import Tracking, follow


class Sent(NamedTuple):
    """Potentials, which flow, and the values and errors that were sent, which only jump."""

    potentials: Any
    values: Any
    errors: dict[str, jax.Array]


class SigmaDelta(bpc.AbstractSpikingSystem):
    """The neurons of `Tracking` without momentum in continuous time: channels are spikes up, then
    down, where what was sent lags behind; errors follow at once."""

    neurons: Tracking

    def errors(self, values, args, sent):
        true, n = self.neurons.energy.errors(values, args), self.neurons
        return {k: follow(sent[k], true[k], n.error_quanta[k], n.lag)[0] for k in sent}

    def start(self, y0, args):
        n, state = self.neurons, self.neurons.start(y0, args)
        values = tuple(
            None if z is None else follow(z, u, quantum, n.lag)[0]
            for z, u, quantum in zip(state.values, y0, n.quanta, strict=True)
        )
        return Sent(y0, values, self.errors(values, args, state.errors))

    def vector_field(self, t, y, args):
        energy = self.neurons.energy
        drive = energy.membrane(y.values, args, energy.errors(y.values, args) | y.errors)
        still = jax.tree.map(jnp.zeros_like, y)
        return still._replace(potentials=drive)

    def guard(self, t, y, args):
        lags = jax.tree.map(jnp.subtract, y.potentials, y.values)
        away = ravel_pytree(lags)[0] / self.neurons.quanta[1]
        return jnp.concatenate([away, -away]) - self.neurons.lag

    def reset(self, t, y, args, fired):
        up, down = fired.reshape(2, -1).astype(float)
        flat, unravel = ravel_pytree(y.values)
        values = unravel(flat + self.neurons.quanta[1] * (up - down))
        return Sent(y.potentials, values, self.errors(values, args, y.errors))


@pytest.mark.slow
def test_its_steps_converge_to_the_exact_solve_of_the_same_neurons():
    rng = np.random.default_rng(0)
    sizes, t1 = (4, 5, 4, 3), 1.5
    arrows = [
        Arrow(k, k + 1, DenseMap(rng.normal(size=(m, n)) / np.sqrt(n)), Gaussian(1.0 + k))
        for k, (n, m) in enumerate(zip(sizes, sizes[1:], strict=False))
    ]
    energy = PredictiveCoding(arrows)
    args = jnp.asarray(rng.normal(size=4)), None, None, jnp.asarray(2 * rng.normal(size=3))
    y0 = energy.start((args[0], None, None, None))
    y0 = (None, y0[1], y0[2], None)
    quantum = jnp.asarray(0.1)

    def neurons(h, steps):
        quanta = dict.fromkeys(("1->2", "2->3"), jnp.asarray(0.2))
        return Tracking(
            energy, (jnp.asarray(h),) * 4, (quantum,) * 4, quanta, most=0.0, steps=steps,
            averaged=1,
        )  # fmt: skip

    system = SigmaDelta(neurons(1.0, 1))
    exact = bpc.simulate(
        system, system.start(y0, args), args, t1=t1, dt=0.05, max_spikes=400,
        solver=bpc.OrderedSpikes(dfx.Euler()),  # between spikes the flow is constant
    )  # fmt: skip
    assert exact.ok and exact.spikes.count > 15
    away = {}
    for steps in (600, 2400, 9600):
        ends = neurons(t1 / steps, steps).run(y0, args)
        difference = jax.tree.map(jnp.subtract, ends.potentials, exact.final.potentials)
        away[steps] = float(jnp.abs(ravel_pytree(difference)[0]).max())
    assert away[9600] < away[2400] < away[600] < quantum
    assert away[9600] < 0.12 * away[600]  # the first order: 1/16


@pytest.mark.slow
def test_on_half_seen_images_it_ends_where_single_spikes_do_and_goes_on_where_they_stop():
    # The law of a quantum: what rounding each unit by half of it costs, sum H d^2 / 8. Single
    # greedy spikes may stop on a wall of stiff coupling; a membrane goes on.
    names = "0->1", "1->2", "1->0", "2->1"

    @jax.jit
    def excess(seed, quantum):
        net = bidirectional(jax.random.key(seed), (8, 7, 5, 3), precisions=(3.0, 1.0, 1.0))
        x = jax.random.uniform(jax.random.key(seed + 50), (8,))
        args = (Partial(x, jnp.arange(8) < 4), None, None, None)
        y0, sizes = net.start(args), step_sizes(net)
        rest = accelerate(net, y0, args, sizes=sizes, steps=3000)
        quanta = dict.fromkeys(names, 2 * quantum)
        tracked = Tracking(net, sizes, (quantum,) * 4, quanta, steps=600, averaged=300).run(
            y0, args
        )
        lattice = jax.tree.map(lambda z: quantum * jnp.round(z / quantum), y0)
        single = bpc.SpikeDescent(net, quantum)
        path = bpc.descend(single, lattice, args, key=jax.random.key(1), spikes=1200)
        ends = [net(z, args) for z in (y0, tracked.mean, path.value)]
        law = quantum**2 / 8 * ravel_pytree(net.stiffness(rest, args))[0].sum()
        return jnp.stack(ends) - net(rest, args), law, path.at_rest

    seeds = range(5)
    coarse, fine = (
        [excess(jnp.asarray(seed), jnp.asarray(d)) for seed in seeds] for d in (0.1, 0.05)
    )
    for (start, mean, single), law, rests in coarse:
        assert rests and 0 <= mean < 0.1 * law and single < law and start > 5 * law
        assert abs(mean - single) < law
    for (_, mean, _), law, rests in fine:
        assert rests and 0 <= mean < 0.1 * law  # the same share of a law four times as strict
    assert max(float(single / law) for (_, _, single), law, _ in fine) > 1
