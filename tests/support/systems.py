"""Systems of a few lines, as a user writes them, none of them in the catalogue."""

from typing import NamedTuple

import jax
import jax.numpy as jnp

import bpcjax as bpc


class Lorenz(bpc.AbstractSystem):
    rho: jax.Array = bpc.parameter(28.0)
    sigma: jax.Array = bpc.parameter(10.0)
    beta: jax.Array = bpc.parameter(8 / 3)

    def vector_field(self, t, y, args):
        x, v, z = y
        return jnp.stack([self.sigma * (v - x), x * (self.rho - z) - v, x * v - self.beta * z])


class MorrisLecar(bpc.AbstractSystem):
    """Type I (Rinzel & Ermentrout 1989), the drive in uA/cm2."""

    phi: jax.Array = bpc.parameter(1 / 15)

    def vector_field(self, t, y, args):
        v, w = y
        opening = 0.5 * (1 + jnp.tanh((v + 1.2) / 18))
        steady, rate = 0.5 * (1 + jnp.tanh((v - 12) / 17.4)), jnp.cosh((v - 12) / 34.8)
        current = 4 * opening * (v - 120) + 8 * w * (v + 84) + 2 * (v + 60)
        return jnp.stack([(args - current) / 20, self.phi * rate * (steady - w)])


class VanDerPol(bpc.AbstractSystem):
    mu: jax.Array = bpc.parameter(1.0)

    def vector_field(self, t, y, args):
        return jnp.stack([y[1], self.mu * (1 - y[0] ** 2) * y[1] - y[0]])


class StuartLandau(bpc.AbstractSystem):
    r: jax.Array = bpc.parameter(0.1)
    nu: jax.Array = bpc.parameter(1.0)

    def vector_field(self, t, y, args):
        shrink = self.r - y @ y
        return jnp.stack([shrink * y[0] - self.nu * y[1], shrink * y[1] + self.nu * y[0]])


class Bautin(bpc.AbstractSystem):
    """Radius `r' = m r + r^3 - r^5`, angle at unit speed: cycles fold at `m = -1/4`, r^2 = 1/2."""

    m: jax.Array = bpc.parameter(-0.1)

    def vector_field(self, t, y, args):
        square = y @ y
        grow = self.m + square - square**2
        return jnp.stack([grow * y[0] - y[1], grow * y[1] + y[0]])


class CurieWeiss(bpc.AbstractSystem):
    beta: jax.Array = bpc.parameter(0.5)

    def vector_field(self, t, y, args):
        return jnp.tanh(self.beta * y) - y


class FoldForm(bpc.AbstractSystem):
    """`x' = args + x^2`: rest at `-sqrt(-args)` and its mirror, none above zero."""

    def vector_field(self, t, y, args):
        return args + y**2


class QIF(bpc.AbstractSpikingSystem):
    cut: jax.Array = bpc.parameter(30.0)

    def vector_field(self, t, y, args):
        return y**2 + args

    def guard(self, t, y, args):
        return y - self.cut

    def reset(self, t, y, args, fired):
        return jnp.where(fired, -self.cut, y)


class Ball(bpc.AbstractSpikingSystem):
    """A ball that bounces on the floor, of restitution `e`: state (height, velocity)."""

    e: jax.Array = bpc.parameter(0.8)

    def vector_field(self, t, y, args):
        return y[1], -args

    def guard(self, t, y, args):
        return -y[0]

    def reset(self, t, y, args, fired):
        return jnp.where(fired, 0.0, y[0]), jnp.where(fired, -self.e * y[1], y[1])


class Ticked(NamedTuple):
    """The state of a map, and a clock."""

    x: jax.Array
    clock: jax.Array


class Logistic(bpc.AbstractSpikingSystem):
    """A map is a spiking system whose clock strikes once in a unit of time."""

    r: jax.Array = bpc.parameter(4.0)

    def vector_field(self, t, y, args):
        return Ticked(jnp.zeros_like(y.x), jnp.ones_like(y.clock))

    def guard(self, t, y, args):
        return y.clock - 1

    def reset(self, t, y, args, fired):
        after = self.r * y.x * (1 - y.x)
        return Ticked(jnp.where(fired, after, y.x), jnp.where(fired, 0.0, y.clock))


class HenonState(NamedTuple):
    x: jax.Array
    y: jax.Array
    clock: jax.Array


class Henon(bpc.AbstractSpikingSystem):
    a: jax.Array = bpc.parameter(1.4)
    b: jax.Array = bpc.parameter(0.3)

    def vector_field(self, t, y, args):
        return HenonState(*map(jnp.zeros_like, y[:2]), jnp.ones_like(y.clock))

    def guard(self, t, y, args):
        return y.clock - 1

    def reset(self, t, y, args, fired):
        after = HenonState(1 - self.a * y.x**2 + y.y, self.b * y.x, jnp.zeros_like(y.clock))
        return HenonState(*(jnp.where(fired, new, old) for new, old in zip(after, y, strict=True)))
