"""Vector fields on grids: which variables move, which stand still, and what is refused."""

from typing import NamedTuple

import jax.numpy as jnp
import numpy as np
import pytest
from jaxtyping import Array, Float

import bpcjax as bpc
from bpcjax.analysis import field
from bpcjax.neurons import AdEx, HodgkinHuxley


class Oregonator(bpc.AbstractSystem):
    """Field & Noyes (1974), scaled; three numbers without names."""

    def vector_field(self, t, y, args):
        x, z, v = y
        rates = x * (1 - x) + z * (args - x), args * v - z * (args + x), x - v
        return jnp.stack(rates)


class Pair(NamedTuple):
    x: Float[Array, "*n"]
    y: Float[Array, "*n"]


class Rotation(bpc.AbstractSystem):
    def vector_field(self, t, y, args):
        return {"one": Pair(-y["one"].y, y["one"].x), "two": -y["two"]}


def test_a_field_holds_the_other_variables_still():
    neuron = HodgkinHuxley()
    rest = neuron.rest()
    plane = field(neuron, rest, 5.0, grid=9, n=(0.2, 0.8), v=(-80.0, 20.0))
    assert plane.names == ("n", "v") and plane.dx.shape == (9, 9)
    np.testing.assert_allclose(plane.x, np.linspace(0.2, 0.8, 9))
    at = rest._replace(n=plane.x[2], v=plane.y[5])
    own = neuron.vector_field(0.0, at, 5.0)
    np.testing.assert_allclose([plane.dx[5, 2], plane.dy[5, 2]], [own.n, own.v], rtol=1e-12)


def test_numbers_without_names_are_counted_and_drives_may_vary():
    rest = jnp.array([0.3, 0.2, 0.1])
    plane = field(Oregonator(), rest, jnp.exp, t=0.5, grid=5, y2=(0.0, 1.0), y0=(0.0, 2.0))
    x, v, q = 1.5, 0.25, np.exp(0.5)
    np.testing.assert_allclose(plane.dx[3, 1], x - v, rtol=1e-12)
    np.testing.assert_allclose(plane.dy[3, 1], x * (1 - x) + 0.2 * (q - x), rtol=1e-12)


def test_names_are_found_inside_a_state():
    state = {"one": Pair(jnp.array(1.0), jnp.array(2.0)), "two": jnp.zeros(2)}
    plane = field(Rotation(), state, grid=3, x=(0.0, 4.0), y3=(-1.0, 1.0))
    np.testing.assert_allclose(plane.dx, -2.0)  # of x it is -y, held at 2
    np.testing.assert_allclose(plane.dy, -np.linspace(-1.0, 1.0, 3)[:, None] * np.ones((1, 3)))


@pytest.mark.parametrize(
    "ranges, named",
    [
        (dict(v=(0.0, 1.0)), r"ranges: give two of the variables of like, \('v', 'w'\)"),
        (dict(v=(0.0, 1.0), u=(0.0, 1.0)), "ranges"),
        (dict(v=(1.0, 0.0), w=(0, 1)), "v: the range"),
        (dict(v=(0.0, 1.0), w=(0.0, np.nan)), "w: the range"),
        (dict(v=(0.0, 1.0), w=(0.0, 1.0), grid=1), "grid"),
    ],
)
def test_fields_name_what_does_not_fit(ranges, named):
    with pytest.raises(ValueError, match=named):
        field(AdEx(), AdEx().rest(), 0.0, **ranges)


def test_fields_refuse_a_drive_of_another_shape():
    with pytest.raises(ValueError, match="args"):
        field(AdEx(), AdEx().rest(), jnp.ones(3), v=(0.0, 1.0), w=(0.0, 1.0))
