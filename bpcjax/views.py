"""Models that are a layer of escape-rate neurons, built from their parameters."""

import equinox as eqx

from .networks.wrappers import EscapeRate
from .system import AbstractKeyed


class AbstractLayered(AbstractKeyed):
    """A system that is its `layer`: whatever the engine asks goes there."""

    layer: eqx.AbstractVar[EscapeRate]

    def vector_field(self, t, y, args):
        return self.layer.vector_field(t, y, args)

    def noise(self, t, y, args):
        return self.layer.noise(t, y, args)

    def guard(self, t, y, args):
        return self.layer.guard(t, y, args)

    def reset(self, t, y, args, fired):
        return self.layer.reset(t, y, args, fired)

    def kick(self, t, y, args, spikes):
        return self.layer.kick(t, y, args, spikes)

    def inputs(self):
        return self.layer.inputs()

    def arrive(self, t, y, args, arrivals):
        return self.layer.arrive(t, y, args, arrivals)

    def push(self, y, dv):
        return self.layer.push(y, dv)

    def emits(self, y, fired):
        return self.layer.emits(y, fired)

    def whole_steps(self, y, h):
        return self.layer.whole_steps(y, h)

    def mark_cut(self, y):
        return self.layer.mark_cut(y)
