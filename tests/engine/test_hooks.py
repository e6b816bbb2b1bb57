"""What wraps a system passes on every hook of it: each is asked for a value that only it has."""

from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import bpcjax as bpc
from bpcjax.analysis.spike_map import _Seen, _Watched
from bpcjax.system import bind

# A hook of the interface that is not in this table makes the last test fail.
HOOKS = {
    "noise": 3.0, "kick": 5.0, "arrive": 7.0, "push": 11.0, "whole_steps": 13.0, "reset": 17.0,
    "vector_field": 19.0,
}  # fmt: skip
OTHERS = {"inputs", "emits", "guard", "rest", "mark_cut"}
SIZE = 3


class State(NamedTuple):
    v: jax.Array
    u: jax.Array


def told(y, hook):
    """A state whose second leaf says which hook was asked."""
    return State(jnp.zeros_like(y.v), jnp.full_like(y.u, HOOKS[hook]))


class Sentinel(bpc.AbstractSpikingSystem):
    """A neuron whose every hook leaves its mark."""

    train: bpc.SpikeTrain

    def rest(self, shape=()):
        return State(jnp.zeros(shape), jnp.ones(shape))

    def vector_field(self, t, y, args):
        return told(y, "vector_field")

    def noise(self, t, y, args):
        return told(y, "noise")

    def guard(self, t, y, args):
        return y.v - 23.0

    def reset(self, t, y, args, fired):
        return told(y, "reset")

    def kick(self, t, y, args, spikes):
        return told(y, "kick")

    def inputs(self):
        return (self.train,)

    def arrive(self, t, y, args, arrivals):
        assert len(arrivals) == 1
        return told(y, "arrive")

    def push(self, y, dv):
        return told(y, "push")

    def emits(self, y, fired):
        return fired & (jnp.arange(SIZE) == 1)

    def whole_steps(self, y, h):
        return told(y, "whole_steps")

    def mark_cut(self, y):
        return y._replace(u=y.u * -1.0)


def sentinel():
    return Sentinel(bpc.SpikeTrain(np.array([1.0]), np.array([0])))


def driven():
    return bind(sentinel(), lambda t: jnp.zeros(SIZE)), sentinel().rest((SIZE,)), lambda y: y


def refractory():
    system = bpc.Refractory(sentinel(), 2.0)
    return system, system.rest((SIZE,)), lambda y: y.neuron


def escape():
    system = bpc.EscapeRate(sentinel(), lambda d: jnp.ones_like(d), jax.random.key(0))
    return system, system.rest((SIZE,)), lambda y: y.neuron


def network():
    system = bpc.Network(sentinel(), [])
    return system, system.rest(SIZE), lambda y: y.neurons


def watched():
    y = sentinel().rest((SIZE,))
    return _Watched(sentinel(), None), _Seen(y, y, jnp.full(SIZE, jnp.inf)), lambda y: y.y


WRAPPERS = [driven, refractory, escape, network, watched]


def asked(system, y, hook):
    """What a hook of the system gives."""
    given = {
        "noise": (0.0, y, None), "kick": (0.0, y, None, jnp.ones(SIZE)),
        "arrive": (0.0, y, None, (jnp.ones(1),)), "push": (y, jnp.ones(SIZE)),
        "whole_steps": (y, jnp.array(0.1)), "reset": (0.0, y, None, jnp.ones(SIZE, bool)),
        "vector_field": (0.0, y, None),
    }  # fmt: skip
    return getattr(system, hook)(*given[hook])


@pytest.mark.parametrize("hook", HOOKS)
@pytest.mark.parametrize("make", WRAPPERS, ids=lambda f: f.__name__)
def test_a_wrapper_passes_on_what_a_hook_gives(make, hook):
    system, y, own = make()
    if hook == "push" and make is network:
        pytest.skip("the neurons' push is asked by synapses that jump, as the next test shows")
    np.testing.assert_array_equal(own(asked(system, y, hook)).u, HOOKS[hook])


@pytest.mark.parametrize("make", WRAPPERS, ids=lambda f: f.__name__)
def test_a_wrapper_passes_on_sources_guards_and_spikes(make):
    system, y, own = make()
    assert len(system.inputs()) == 1
    if make is not escape:  # whose guard is that of the hazard
        np.testing.assert_array_equal(system.guard(0.0, y, None), -23.0)
    np.testing.assert_array_equal(system.emits(y, jnp.ones(SIZE, bool)), [False, True, False])
    if make is not watched:  # whose states never leave the analysis
        np.testing.assert_array_equal(own(system.mark_cut(y)).u, -1.0)


def test_a_synapse_that_jumps_pushes_as_the_neuron_says():
    projection = bpc.Projection(np.eye(SIZE), bpc.synapses.Delta())
    system = bpc.Network(sentinel(), [projection])
    kick = system.kick(0.0, system.rest(SIZE), None, jnp.ones(SIZE))
    np.testing.assert_array_equal(kick.neurons.u, HOOKS["push"] + HOOKS["kick"])


def test_layers_pass_on_noise_kicks_and_clocks_and_refuse_sources():
    with pytest.raises(ValueError, match=r"layers\[0\].neuron has sources of events"):
        bpc.Layers([bpc.Layer(np.eye(SIZE), sentinel(), SIZE)])

    class Deaf(Sentinel):
        def inputs(self):
            return ()

    cell = Deaf(bpc.SpikeTrain(np.array([1.0]), np.array([0])))
    system = bpc.Layers([bpc.Layer(np.eye(SIZE), cell, SIZE)])
    y = system.rest()
    for hook in ("noise", "kick", "whole_steps", "reset", "vector_field"):
        np.testing.assert_array_equal(asked(system, y, hook).neurons[0].u, HOOKS[hook])


def test_every_hook_is_in_the_table():
    own = {name for name in vars(bpc.AbstractSpikingSystem) if not name.startswith("_")}
    assert own | {"noise", "vector_field"} == set(HOOKS) | OTHERS
