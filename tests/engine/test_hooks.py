"""What wraps a system passes on every hook of it: each is asked for a value that only it has."""

import importlib
import pkgutil
import warnings
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import bpcjax as bpc
from bpcjax.analysis.flow_map import check_solver
from bpcjax.analysis.spike_map import _Seen, _Watched
from bpcjax.simulate import _steps_of_delay
from bpcjax.system import Cut
from bpcjax.views import AbstractView, DrivenSpiking, bind

# A hook of the interface that is not in this table makes the last test fail.
HOOKS = {
    "noise": 3.0, "kick": 5.0, "arrive": 7.0, "push": 11.0, "whole_steps": 13.0, "reset": 17.0,
    "vector_field": 19.0, "hold": 29.0,
}  # fmt: skip
OTHERS = {"inputs", "emits", "guard", "rest", "mark_cut", "potential"}
OWN = {"down", "put", "up", "kicked", "clocks", "held", "drive"}  # what a view is made of
SIZE = 3


class State(NamedTuple):
    v: jax.Array
    u: jax.Array


def told(y, hook):
    """A state whose second leaf says which hook was asked."""
    return State(jnp.zeros_like(y.v), jnp.full_like(y.u, HOOKS[hook]))


class Sentinel(bpc.AbstractSpikingSystem):
    """A neuron whose every hook leaves its mark."""

    train: bpc.inputs.AbstractInput

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

    def potential(self, y):
        return y.v + 31.0

    def push(self, y, dv):
        return told(y, "push")

    def hold(self, change, active):
        return change._replace(u=change.u + HOOKS["hold"])

    def emits(self, y, fired):
        return fired & (jnp.arange(SIZE) == 1)

    def whole_steps(self, y, h):
        return told(y, "whole_steps")

    def mark_cut(self, y):
        return y._replace(u=y.u * -1.0)


def sentinel():
    return Sentinel(bpc.SpikeTrain(np.array([1.0]), np.array([0])))


def driven(patch):
    return bind(sentinel(), lambda t: jnp.zeros(SIZE)), sentinel().rest((SIZE,)), lambda y: y


def refractory(patch):
    system = bpc.Refractory(sentinel(), 2.0)
    return system, system.rest((SIZE,)), lambda y: y.neuron


def escape(patch):
    system = bpc.EscapeRate(sentinel(), lambda d: jnp.ones_like(d), jax.random.key(0))
    return system, system.rest((SIZE,)), lambda y: y.neuron


def network(patch):
    system = bpc.Network(sentinel(), [])
    return system, system.rest(SIZE), lambda y: y.neurons


def watched(patch):
    y = sentinel().rest((SIZE,))
    return _Watched(sentinel(), None), _Seen(y, y, jnp.full(SIZE, jnp.inf)), lambda y: y.y


def built(part, make):
    """A model that is a `part` which it builds itself, with the sentinel in the place of that."""

    def view(patch):
        system = make()
        patch.setattr(type(system), part, property(lambda self: sentinel()))
        return system, sentinel().rest((SIZE,)), lambda y: y

    view.__name__ = f"built_{part}"
    return view


MEMORY = bpc.energies.ModernHopfield(np.eye(SIZE), 1.0)
VIEWS = {
    DrivenSpiking: driven,
    bpc.Refractory: refractory,
    bpc.EscapeRate: escape,
    _Watched: watched,
    bpc.models.SpikingHopfield: built("layer", lambda: bpc.models.SpikingHopfield(MEMORY)),
    bpc.models.LIFMemory: built("layer", lambda: bpc.models.LIFMemory(MEMORY)),
    bpc.models.SoftWinnerTakeAll: built("layer", bpc.models.SoftWinnerTakeAll),
    bpc.models.WinnerTakeAll: built(
        "network", lambda: bpc.models.WinnerTakeAll(bpc.neurons.LIF(), SIZE)
    ),
    bpc.SpikeDescent: built("units", lambda: bpc.SpikeDescent(MEMORY, 0.1)),
    bpc.models.SpikingPredictiveCoding: built(
        "units",
        lambda: bpc.models.SpikingPredictiveCoding(
            bpc.energies.PredictiveCoding.mlp(jax.random.key(0), (SIZE, SIZE)), 0.1, 0.1
        ),
    ),
}
WRAPPERS = {cls.__name__: make for cls, make in VIEWS.items()} | {"Network": network}


def asked(system, y, hook):
    """What a hook of the system gives."""
    given = {
        "noise": (0.0, y, None), "kick": (0.0, y, None, jnp.ones(SIZE)),
        "arrive": (0.0, y, None, (jnp.ones(1),)), "push": (y, jnp.ones(SIZE)),
        "whole_steps": (y, jnp.array(0.1)), "reset": (0.0, y, None, jnp.ones(SIZE, bool)),
        "vector_field": (0.0, y, None), "hold": (y, jnp.ones(SIZE)),
    }  # fmt: skip
    return getattr(system, hook)(*given[hook])


@pytest.mark.parametrize("hook", HOOKS)
@pytest.mark.parametrize("name", WRAPPERS)
def test_a_wrapper_passes_on_what_a_hook_gives(name, hook, monkeypatch):
    system, y, own = WRAPPERS[name](monkeypatch)
    if name == "Network" and hook in ("push", "hold"):
        pytest.skip("synapses that jump ask the neurons' push, as the next test shows")
    wanted = HOOKS[hook] + (own(y).u if hook == "hold" else 0)
    if name == "Refractory" and hook not in ("reset", "whole_steps", "hold"):
        wanted = wanted + HOOKS["hold"]  # what changes the neuron passes its own hold
    np.testing.assert_array_equal(own(asked(system, y, hook)).u, wanted)


@pytest.mark.parametrize("name", WRAPPERS)
def test_a_wrapper_passes_on_sources_guards_and_spikes(name, monkeypatch):
    system, y, own = WRAPPERS[name](monkeypatch)
    assert len(system.inputs()) == 1
    if name != "EscapeRate":  # whose guard is that of the hazard
        np.testing.assert_array_equal(system.guard(0.0, y, None), -23.0)
    np.testing.assert_array_equal(system.emits(y, jnp.ones(SIZE, bool)), [False, True, False])
    np.testing.assert_array_equal(system.potential(y), 31.0)
    np.testing.assert_array_equal(own(system.mark_cut(y)).u, -1.0)


def subclasses(cls):
    for own in cls.__subclasses__():
        yield own
        yield from subclasses(own)


def package():
    """Every module of the package, imported."""
    for part in pkgutil.walk_packages(bpc.__path__, "bpcjax."):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DeprecationWarning)  # old places of modules
            importlib.import_module(part.name)


def test_every_view_is_in_the_table():
    package()
    own = {cls for cls in subclasses(AbstractView) if cls.__module__.startswith("bpcjax.")}
    assert {cls for cls in own if not cls.__name__.startswith("Abstract")} == set(VIEWS)


def test_no_view_overrides_what_is_forwarded():
    package()
    forwarded = {name for name in vars(AbstractView) if callable(getattr(AbstractView, name))}
    forwarded -= AbstractView.__abstractmethods__ | OWN
    assert {"noise", "kick", "push", "arrive", "hold", "whole_steps", "mark_cut"} <= forwarded
    for cls in subclasses(AbstractView):
        assert not {n for n in forwarded & set(vars(cls)) if not n.startswith("_")}, cls


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


class Echo(bpc.inputs.AbstractInput):
    """A user's own delayed input, which is none of the package's."""

    late: bpc.inputs.Late

    @property
    def delays(self):
        return self.late.delays

    def wait(self, t0, neurons, room):
        return self.late.wait(t0, neurons, room)

    def due(self, state):
        return self.late.due(state)

    def take(self, state, t):
        return self.late.take(state, t)

    def begin(self, t0, neurons, room, dtype):
        return self.late.begin(t0, neurons, room, dtype)

    def land(self, state, step, places, spiked):
        return self.late.land(state, step, places, spiked)


def test_delays_are_asked_of_the_input_and_not_of_its_class():
    system = Sentinel(Echo(bpc.inputs.Late(5.0)))
    assert _steps_of_delay(system, 0.1) == 64  # 50 steps and a few: the next power of two
    assert _steps_of_delay(sentinel(), 0.1) == 4
    with pytest.raises(ValueError, match="spikes on their way through a delay"):
        check_solver(system, None)
    check_solver(sentinel(), None)
    network = bpc.Network(system, [])
    assert network.mark_cut(network.rest(SIZE)).way == Cut()
    assert bpc.Network(sentinel(), []).mark_cut(network.rest(SIZE)).way is None


@pytest.mark.parametrize("name", ["potential", "push", "hold"])
def test_a_state_that_is_a_dict_has_no_potential(name):
    y = {"v": jnp.zeros(SIZE), "u": jnp.zeros(SIZE)}
    given = (y,) if name == "potential" else (y, jnp.ones(SIZE))
    with pytest.raises(ValueError, match="y0: the neurons' state is a dict"):
        getattr(bpc.neurons.LIF(), name)(*given)


def test_every_hook_is_in_the_table():
    own = {name for name in vars(bpc.AbstractSpikingSystem) if not name.startswith("_")}
    assert own | {"noise", "vector_field"} == set(HOOKS) | OTHERS
