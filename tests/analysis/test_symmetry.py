"""Branches of symmetric systems, and cycles that shrink to a Hopf point, in closed form."""

from collections.abc import Callable

import jax.numpy as jnp
import numpy as np
import pytest

import bpcjax as bpc
from bpcjax.analysis import Bifurcation, Cycles, Ending, follow, switch

HOPF, FOLD, BRANCH = Bifurcation.HOPF, Bifurcation.FOLD, Bifurcation.BRANCH


class Driven(bpc.AbstractSystem):
    rate: Callable

    def vector_field(self, t, y, args):
        return self.rate(y, args)


def ring(y, m):
    """Of radius sqrt(m), symmetric under every rotation."""
    return m * y - (y @ y) * y


def triangle(y, m):
    return m * y + jnp.stack([y[0] ** 2 - y[1] ** 2, -2 * y[0] * y[1]]) - (y @ y) * y


def square(y, m):
    return m * y - y**3 - 0.5 * y * y[::-1] ** 2


def cube(y, m):
    return m * y - y**3


def branch_of(rate, y0, p0, **options):
    return follow(Driven(rate), None, jnp.asarray(y0, float), p0, **options)


# D3, D4 and O(2) have a representation of two dimensions, three pitchforks at once one of three
@pytest.mark.slow
@pytest.mark.parametrize(
    ("rate", "multiplicity"), [(triangle, 2), (square, 2), (ring, 2), (cube, 3)]
)
def test_eigenvalues_that_cross_together(rate, multiplicity):
    rest = np.zeros(max(2, multiplicity))
    branch = branch_of(rate, rest, -0.5, step=0.07, count=20)
    assert [special.kind for special in branch.special] == [BRANCH]
    assert branch.multiplicity == (multiplicity,) and branch.singular is None
    np.testing.assert_allclose(branch.special[0].p, 0.0, atol=1e-9)
    np.testing.assert_array_equal(branch.stable, branch.p < 0)
    with pytest.raises(ValueError, match=f"{multiplicity} eigenvalues"):
        switch(Driven(rate), None, branch.special[0], step=0.05, count=5)


def test_the_branches_of_a_square():
    # x^2 = m, with slope m / 2 across: unstable. Diagonal: x^2 = m / 1.5, stable.
    across, along = (
        branch_of(square, [0, 0], 0.0, step=0.05, count=15, toward=jnp.array(direction))
        for direction in ([1.0, 0.0], [1.0, 1.0])
    )
    np.testing.assert_allclose(across.y[:, 0] ** 2, across.p, atol=1e-9)
    np.testing.assert_allclose(along.y**2, along.p[:, None] / jnp.array([[1.5, 1.5]]), atol=1e-9)
    assert not across.stable[1:].any() and along.stable[1:].all()


@pytest.mark.slow
@pytest.mark.parametrize("start", [[0.5**0.5, 0.0], [0.4, 0.58]])
def test_a_ring_of_rests_is_followed_across(start):
    branch = branch_of(ring, start, 0.5, step=0.07, count=20)
    assert branch.ending is Ending.COUNT and not branch.special
    np.testing.assert_allclose((branch.y**2).sum(axis=1), branch.p, atol=1e-9)
    assert branch.singular.shape == (1, 2)  # along the ring
    np.testing.assert_allclose(branch.singular @ branch.y[0], 0.0, atol=1e-8)
    assert branch.stable.all()  # its own zero aside; the other eigenvalue is -2 m
    np.testing.assert_allclose(branch.eigenvalues[:, 1], -2 * branch.p, atol=1e-8)
    down = branch_of(ring, start, 0.5, step=0.07, count=18, toward=-1.0)
    assert [special.kind for special in down.special] == [BRANCH]
    np.testing.assert_allclose(down.special[0].p, 0.0, atol=1e-7)


@pytest.mark.slow
def test_a_sphere_of_rests_has_two_singular_directions():
    branch = branch_of(ring, [0.5, 0.3, 0.4], 0.5, step=0.07, count=10)
    assert branch.ending is Ending.COUNT and not branch.special and branch.stable.all()
    assert branch.singular.shape == (2, 3)
    np.testing.assert_allclose((branch.y**2).sum(axis=1), branch.p, atol=1e-9)


def test_a_shift_of_all_phases_is_named():
    def phases(y, m):  # slopes at rest: 0, and -3 m twice
        return m * jnp.sin(y[None] - y[:, None]).sum(axis=1)

    branch = branch_of(phases, [0.3, 0.3, 0.3], 1.0, step=0.1, count=20, toward=-1.0)
    np.testing.assert_allclose(jnp.abs(branch.singular), 3**-0.5, atol=1e-9)
    assert [special.kind for special in branch.special] == [BRANCH]
    assert branch.multiplicity == (2,)
    np.testing.assert_allclose(branch.special[0].p, 0.0, atol=1e-9)
    np.testing.assert_array_equal(branch.stable, branch.p > 0)


def hopf(sign):
    """The normal form at m = 0: r^2 = -m / sign, period 2 pi."""

    def rate(y, m):
        square = y[:2] @ y[:2]
        x, v = y[:2]
        plane = jnp.stack([m * x - v + sign * square * x, x + m * v + sign * square * v])
        return jnp.append(plane, x - y[2:])

    return rate


@pytest.mark.slow
@pytest.mark.parametrize(
    ("sign", "start", "p0", "step"),
    [
        (-1.0, [0.447, 0.0], 0.2, 0.05),  # supercritical
        (1.0, [0.447, 0.0], -0.2, 0.05),  # subcritical
        (-1.0, [0.447, 0.0, 0.2], 0.2, 0.2),  # a third variable follows; long steps
    ],
)
def test_cycles_end_at_a_hopf_point(sign, start, p0, step):
    options = dict(of=Cycles(6.28, 0.05), toward=-p0, bounds=(-1.0, 1.0))
    branch = branch_of(hopf(sign), start, p0, step=step, count=40, **options)
    assert branch.ending is Ending.HOPF and branch.multiplicity == (1,)
    assert [special.kind for special in branch.special] == [HOPF]
    np.testing.assert_allclose(branch.special[0].p, 0.0, atol=1e-9)
    np.testing.assert_allclose(branch.special[0].y, 0.0, atol=1e-9)
    square = (branch.y[:, :2] ** 2).sum(axis=1)
    np.testing.assert_allclose(square, -branch.p / sign, atol=1e-7)
    assert (jnp.diff(square) < 0).all()  # it does not come back
    np.testing.assert_array_equal(branch.stable, sign < 0)
